//! `assent verify` and `assent audit`: where they read from, and what they print.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use assent_consent::{
    ledger::{
        Checkpoint, LogProof, Note, NoteError, NoteKey,
        note::{Role, Signed},
    },
    receipt,
    record::ConsentRecord,
};
use assent_store::Store;
use ed25519_dalek::VerifyingKey;

use super::{Log, LogError, RemoteLog, StoredLog, audit, verify};
use crate::{database::Address, keys, serve::Failure};

/// Where a log is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At an address.
    Address(String),
    /// In a server's database, with the keys of its data folder.
    Data {
        /// The data folder.
        folder: PathBuf,
        /// The database.
        database: Address,
    },
}

impl Place {
    /// An address begins with `http://` or `https://`; everything else is a folder. `database` is where its database is,
    /// or empty.
    pub(crate) fn of(text: &str, database: &str) -> Result<Self, Failure> {
        match text {
            address if address.starts_with("http://") || address.starts_with("https://") => {
                Ok(Self::Address(address.to_owned()))
            }
            folder => Self::folder(folder.into(), database),
        }
    }

    /// A data folder; `database` is where its database is, or empty.
    pub(crate) fn folder(folder: PathBuf, database: &str) -> Result<Self, Failure> {
        let database = Address::of(database, &folder).ok_or_else(|| {
            Failure::Other("the database's address must be postgres://… or sqlite:FILE".to_owned())
        })?;
        Ok(Self::Data { folder, database })
    }

    /// The keys that are published there.
    fn keys(&self) -> Result<Vec<VerifyingKey>, Failure> {
        match self {
            // Any site will do: the keys are the server's.
            Self::Address(address) => Ok(remote(address, Some("any"))?.keys()?),
            Self::Data { folder, .. } => keys::known(folder).map_err(|error| {
                Failure::Other(format!("cannot read the keys in {}: {error}", folder.display()))
            }),
        }
    }
}

/// Where a checkpoint from before comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Earlier<'a> {
    /// A file that somebody kept.
    Kept(&'a Path),
    /// The address of a witness.
    Witnessed(&'a str),
}

/// What was printed, and whether everything holds.
pub(crate) struct Outcome {
    pub(crate) text: String,
    pub(crate) holds: bool,
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Store(error) => error.into(),
            error => Self::Other(error.to_string()),
        }
    }
}

fn remote(address: &str, site: Option<&str>) -> Result<RemoteLog, Failure> {
    RemoteLog::at(address, site).ok_or_else(|| {
        Failure::Other(format!(
            "{address} is no log. Give a server's origin and --site, or the log itself: \
             https://consent.example/v1/sites/SITE/log"
        ))
    })
}

async fn open(database: &Address) -> Result<Arc<dyn Store>, Failure> {
    if let Some(file) = database.missing() {
        return Err(Failure::Other(format!("there is no {}", file.display())));
    }
    Ok(database.open_read_only().await?)
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::Other(format!("cannot read {}: {error}", path.display())))
}

/// The keys of a file, else those of the place.
fn known(file: Option<&Path>, place: Option<&Place>) -> Result<Vec<VerifyingKey>, Failure> {
    let keys = match (file, place) {
        (Some(file), _) => {
            let jwks = serde_json::from_str(&read(file)?)
                .map_err(|error| Failure::Other(format!("{}: {error}", file.display())))?;
            receipt::keys_of_jwks(&jwks)
        }
        (None, Some(place)) => place.keys()?,
        (None, None) => Vec::new(),
    };
    if keys.is_empty() {
        return Err(Failure::Other(
            "there is no key to check signatures with. Name the server with --log, or a copy of its \
             /.well-known/jwks.json with --keys."
                .to_owned(),
        ));
    }
    Ok(keys)
}

/// Verifies a receipt: its signature, and as far as there is a log or a proof, that its record was logged; and with a
/// log, whether it was erased since, and what witnesses have seen of it.
pub(crate) async fn verify(
    receipt: &Path,
    place: Option<&Place>,
    keys: Option<&Path>,
    proof: Option<&Path>,
    witnesses: &[String],
) -> Result<Outcome, Failure> {
    let keys = known(keys, place)?;
    let (mut findings, record) = verify::Findings::of_receipt(&read(receipt)?, &keys);
    let Some(record) = record else {
        return Ok(Outcome {
            text: findings.to_string(),
            holds: false,
        });
    };
    if let Some(Place::Address(address)) = place {
        findings.tell_replay(remote(address, Some(&record.site))?.origin(), &record);
    }
    let proof = match (proof, place) {
        (Some(file), _) => LogProof::parse(&read(file)?)
            .map(|proof| Some(Ok(proof)))
            .map_err(|_| Failure::Other(format!("{} is no proof", file.display())))?,
        (None, Some(place)) => Some(find(place, &record).await?),
        (None, None) => None,
    };
    match proof {
        Some(Ok(proof)) => {
            findings.add_proof(&record, &proof, &keys);
            if let Some(place) = place
                && findings.holds()
            {
                add_log(&mut findings, place, &record, &proof, &keys, witnesses).await?;
            }
        }
        Some(Err(size)) => findings.not_logged(size),
        None => findings.skip("Whether the record is in the log: no log and no proof were given."),
    }
    Ok(Outcome {
        text: findings.to_string(),
        holds: findings.holds(),
    })
}

/// What the log says of the record whose entry was proved: whether it was erased, and what the witnesses have seen.
async fn add_log(
    findings: &mut verify::Findings,
    place: &Place,
    record: &ConsentRecord,
    proof: &LogProof,
    keys: &[VerifyingKey],
    witnesses: &[String],
) -> Result<(), Failure> {
    let mut add = async |log: &dyn Log| -> Result<(), Failure> {
        let erasures = log.erasures(proof.index).await?;
        if let Some(erasure) = erasures.first().filter(|erasure| erasure.leaf == proof.index) {
            findings.add_erasure(record, erasure, keys);
        }
        for witness in witnesses {
            let seen = countersigned(witness, &proof.checkpoint, keys)?;
            findings.add_witness(record, proof.index, log, &seen).await?;
        }
        Ok(())
    };
    match place {
        Place::Address(address) => add(&remote(address, Some(&record.site))?).await,
        Place::Data { database, .. } => {
            let store = open(database).await?;
            let log = StoredLog {
                store: store.as_ref(),
                site: &record.site,
            };
            add(&log).await?;
            store.close().await;
            Ok(())
        }
    }
}

/// The proof of a record, as the log gives it, or by looking through all of its entries; else the log's size.
async fn find(place: &Place, record: &ConsentRecord) -> Result<Result<LogProof, u64>, Failure> {
    let entry = record.commitment();
    match place {
        Place::Address(address) => {
            let log = remote(address, Some(&record.site))?;
            match log.proof(record.id, entry)? {
                Some(proof) => Ok(Ok(proof)),
                None => Ok(verify::search(&log, entry).await?),
            }
        }
        Place::Data { database, .. } => {
            let store = open(database).await?;
            let log = StoredLog {
                store: store.as_ref(),
                site: &record.site,
            };
            let logged = store.logged(&record.site, record.id).await?;
            let proof = match logged {
                Some(logged) => log.prove(logged.leaf).await?,
                None => None,
            };
            let found = match proof {
                Some(proof) => Ok(proof),
                None => verify::search(&log, entry).await?,
            };
            store.close().await;
            Ok(found)
        }
    }
}

/// A log's newest checkpoint, a signed note.
async fn newest(place: &Place, site: Option<&str>) -> Result<String, Failure> {
    match place {
        Place::Address(address) => Ok(remote(address, site)?.newest()?),
        Place::Data { database, .. } => {
            let store = open(database).await?;
            let head = store.last_head(site.unwrap_or_default()).await?;
            store.close().await;
            head.map(|head| head.note)
                .ok_or_else(|| Failure::Other("the log has no checkpoint".to_owned()))
        }
    }
}

/// What the witness at an address has countersigned last of the log that has this checkpoint.
fn countersigned(address: &str, of: &str, keys: &[VerifyingKey]) -> Result<verify::Countersigned, Failure> {
    let unusable = |error: NoteError| Failure::Other(format!("the log's checkpoint: {error}"));
    let origin = Checkpoint::open(of, keys).map_err(unusable)?.origin;
    let witness = remote(address, Some("any"))?;
    let signed = witness.witnessed(&origin)?;
    let unusable = |error: NoteError| Failure::Other(format!("what {address} has signed: {error}"));
    let note = Note::parse(&signed).map_err(unusable)?;
    let line = (witness.keys()?.into_iter())
        .flat_map(|key| {
            note.names()
                .filter_map(move |name| NoteKey::new(name, Role::Witness, key))
        })
        .find_map(|key| match note.signed_by(&key) {
            Ok(Some(Signed::ByWitness { at_s })) => Some((key.name().to_owned(), at_s)),
            _ => None,
        });
    let (name, since_1970_s) = line.ok_or_else(|| unusable(NoteError::UnknownKey))?;
    let checkpoint = Checkpoint::open(&signed, keys).map_err(unusable)?;
    if checkpoint.origin != origin {
        return Err(unusable(NoteError::Malformed));
    }
    Ok(verify::Countersigned {
        name,
        seen_at_ms: i64::try_from(since_1970_s).unwrap_or(0).saturating_mul(1000),
        checkpoint,
    })
}

/// Audits one log, or all logs of a database.
pub(crate) async fn audit(
    place: &Place,
    site: Option<&str>,
    keys: Option<&Path>,
    earlier: Option<&Earlier<'_>>,
) -> Result<Outcome, Failure> {
    let keys = known(keys, Some(place))?;
    let mut outcome = Outcome {
        text: String::new(),
        holds: true,
    };
    let earlier = match earlier {
        Some(Earlier::Kept(file)) => Some(
            Checkpoint::open(&read(file)?, &keys)
                .map_err(|error| Failure::Other(format!("{}: {error}", file.display())))?,
        ),
        Some(Earlier::Witnessed(address)) => {
            let seen = countersigned(address, &newest(place, site).await?, &keys)?;
            outcome.text = format!("{seen}\n");
            Some(seen.checkpoint)
        }
        None => None,
    };
    let mut add = |name: &str, report: &audit::Report| {
        let _ = write!(outcome.text, "Log of {name}\n{report}");
        outcome.holds &= report.faults.is_empty();
    };
    match place {
        Place::Address(address) => {
            let log = remote(address, site)?;
            let report = audit::log(&log, &keys, earlier.as_ref()).await?;
            add(site.unwrap_or(address), &report);
        }
        Place::Data { database, .. } => {
            let store = open(database).await?;
            let sites: Vec<_> = store
                .current_revisions()
                .await?
                .into_iter()
                .map(|revision| revision.config.id)
                .filter(|id| site.is_none_or(|site| site == id))
                .collect();
            if sites.is_empty() {
                return Err(Failure::Other(format!("{database} has no such site")));
            }
            // A checkpoint that was kept is of one log only.
            let is_of =
                |site: &str, earlier: &Checkpoint| earlier.origin.ends_with(&format!("/v1/sites/{site}/log"));
            if let Some(earlier) = &earlier
                && !sites.iter().any(|site| is_of(site, earlier))
            {
                return Err(Failure::Other(format!(
                    "the checkpoint is of the log {}, which is not audited here",
                    earlier.origin
                )));
            }
            for site in &sites {
                let earlier = earlier.as_ref().filter(|earlier| is_of(site, earlier));
                let report = audit::stored(store.as_ref(), site, &keys, earlier).await?;
                add(&format!("the site {site}"), &report);
            }
            store.close().await;
        }
    }
    Ok(outcome)
}
