//! Verifying a receipt, and saying in words what holds and what does not.

use assent_consent::{
    ledger::{Checkpoint, LogProof, Plan, Tile, merkle},
    receipt::{self, ReceiptError},
    record::ConsentRecord,
};
use assent_store::Erasure;
use ed25519_dalek::VerifyingKey;

use super::{Log, LogError, audit};
use crate::{clock::readable, http::notices::replay_path};

/// The last checkpoint of a log that a witness has countersigned.
#[derive(Debug)]
pub(crate) struct Countersigned {
    /// The witness's name.
    pub(super) name: String,
    /// Milliseconds since 1970.
    pub(super) seen_at_ms: i64,
    /// What it countersigned.
    pub(super) checkpoint: Checkpoint,
}

impl std::fmt::Display for Countersigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "The witness {} saw the log's first {} entries on {}.",
            self.name,
            self.checkpoint.size,
            readable(self.seen_at_ms)
        )
    }
}

/// What was found, line by line, and whether all of it holds.
#[derive(Debug)]
pub(crate) struct Findings {
    lines: Vec<String>,
    holds: bool,
}

impl Findings {
    /// Checks a receipt's signature. Without the record if it does not hold.
    pub(crate) fn of_receipt(text: &str, keys: &[VerifyingKey]) -> (Self, Option<ConsentRecord>) {
        let mut findings = Self {
            lines: Vec::new(),
            holds: true,
        };
        match receipt::verify_with(text.trim(), keys) {
            Ok(record) => {
                findings.hold("The receipt is signed by the server, and was not altered since.");
                findings.lines.push(described(&record));
                (findings, Some(record))
            }
            Err(error) => {
                findings.fail(match error {
                    ReceiptError::UnknownKey => {
                        "The receipt is signed with a key that is none of the server's."
                    }
                    ReceiptError::Altered => "The signature does not fit: the receipt was altered.",
                    ReceiptError::Malformed => "This is not a receipt.",
                    ReceiptError::Unreadable => {
                        "The receipt is signed, but holds no record that can be read."
                    }
                });
                (findings, None)
            }
        }
    }

    /// Checks a proof of a record's entry.
    pub(crate) fn add_proof(&mut self, record: &ConsentRecord, proof: &LogProof, keys: &[VerifyingKey]) {
        let checkpoint = match Checkpoint::open(&proof.checkpoint, keys) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.fail(format!("The proof's checkpoint does not hold: {error}.")),
        };
        if !checkpoint
            .origin
            .ends_with(&format!("/v1/sites/{}/log", record.site))
        {
            return self.fail(format!(
                "The proof is of the log {}, which is not that of the record's site.",
                checkpoint.origin
            ));
        }
        let leaf = merkle::leaf(&record.commitment());
        if merkle::includes(leaf, proof.index, checkpoint.size, &proof.hashes, checkpoint.root) {
            self.hold(format!(
                "The record is entry {} of the log {}, below a signed checkpoint of {} entries.",
                proof.index, checkpoint.origin, checkpoint.size
            ));
        } else {
            self.fail("The proof does not hold: it is of another record, or of another log.");
        }
    }

    /// Says where what the visitor was shown can be seen again.
    pub(crate) fn tell_replay(&mut self, origin: &str, record: &ConsentRecord) {
        self.lines.push(format!(
            "         What the visitor was shown: {origin}{}",
            replay_path(&record.site, record.notice)
        ));
    }

    /// Says what is signed of the record's erasure, which the log lists.
    pub(crate) fn add_erasure(&mut self, record: &ConsentRecord, erasure: &Erasure, keys: &[VerifyingKey]) {
        let date = readable(erasure.erased_at_ms);
        if audit::is_signed(&record.site, erasure, &record.commitment(), keys) {
            self.hold(format!(
                "The record was erased on {date}, and the server signed that it did so. Its entry stays in the log."
            ));
        } else {
            self.fail(format!(
                "The log lists the record as erased on {date}, but no known key signed that; unless a key is missing, \
                 somebody else removed it."
            ));
        }
    }

    /// Checks whether the entry `leaf` of a record is below what a witness has countersigned.
    pub(crate) async fn add_witness(
        &mut self,
        record: &ConsentRecord,
        leaf: u64,
        log: &dyn Log,
        seen: &Countersigned,
    ) -> Result<(), LogError> {
        let Checkpoint { size, root, .. } = seen.checkpoint;
        let Some(plan) = Plan::inclusion(leaf, size) else {
            self.skip(format!(
                "Whether a witness has seen the record: it came later. {seen}"
            ));
            return Ok(());
        };
        let proof = match log.resolve(&plan).await {
            Ok(proof) => proof,
            // A log that was cut off has no such proof.
            Err(LogError::Missing(_) | LogError::Malformed(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        if merkle::includes(merkle::leaf(&record.commitment()), leaf, size, &proof, root) {
            self.hold(format!("{seen} The record is among them."));
        } else {
            self.fail(format!(
                "{seen} The record is not among them: the log was rewritten or cut off since, or the witness was shown \
                 another one."
            ));
        }
        Ok(())
    }

    /// The record is not in the log.
    pub(crate) fn not_logged(&mut self, size: u64) {
        self.fail(format!(
            "The record is not among the {size} entries that the log's last checkpoint covers. Either it was stored in \
             the last minute, or the log was altered."
        ));
    }

    /// Notes what holds.
    pub(crate) fn hold(&mut self, what: impl Into<String>) {
        self.lines.push(format!("holds    {}", what.into()));
    }

    /// Notes what does not hold.
    pub(crate) fn fail(&mut self, what: impl Into<String>) {
        self.lines.push(format!("FAILS    {}", what.into()));
        self.holds = false;
    }

    /// Notes what was not looked at.
    pub(crate) fn skip(&mut self, what: impl Into<String>) {
        self.lines.push(format!("not done {}", what.into()));
    }

    /// Whether everything holds.
    pub(crate) const fn holds(&self) -> bool {
        self.holds
    }
}

impl std::fmt::Display for Findings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

fn described(record: &ConsentRecord) -> String {
    let choice = record.choice;
    let granted: Vec<_> = [
        (choice.performance, "performance"),
        (choice.functional, "functional"),
        (choice.targeting, "targeting"),
    ]
    .into_iter()
    .filter_map(|(granted, category)| granted.then_some(category))
    .collect();
    let granted = if granted.is_empty() {
        "nothing optional".to_owned()
    } else {
        granted.join(", ")
    };
    format!(
        "         It says: on {}, at the site {}, the visitor {} allowed {granted} ({}, by {}); revision {}, notice {}.",
        readable(record.received_at_ms),
        record.site,
        hex::encode(record.subject.0),
        record.event.id(),
        record.method.id(),
        record.revision,
        hex::encode(record.notice.0),
    )
}

/// Looks for a commitment among all entries below the last checkpoint, and proves it. `Err` with the log's size if it
/// is not there.
pub(crate) async fn search(log: &dyn Log, entry: [u8; 32]) -> Result<Result<LogProof, u64>, LogError> {
    let (mut next, mut last) = (0, None);
    loop {
        let heads = log.heads(next).await?;
        let Some(head) = heads.into_iter().last() else {
            break;
        };
        if head.size < next {
            return Err(LogError::Malformed("its checkpoints".to_owned()));
        }
        next = audit::after(head.size, "its checkpoints")?;
        last = Some(head);
    }
    let Some(head) = last else { return Ok(Err(0)) };
    for tile in (0..head.size.div_ceil(256)).filter_map(|number| Tile::of_tree(0, number, head.size)) {
        let entries = log.entries(tile).await?;
        let Some(at) = entries.iter().position(|one| *one == entry) else {
            continue;
        };
        let index = tile.number * 256 + at as u64;
        let Some(plan) = Plan::inclusion(index, head.size) else {
            break;
        };
        return Ok(Ok(LogProof {
            index,
            hashes: log.resolve(&plan).await?,
            checkpoint: head.note,
        }));
    }
    Ok(Err(head.size))
}
