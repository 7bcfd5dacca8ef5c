//! Signing checkpoints: when, and of what. A checkpoint that does not extend the one before is never signed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use assent_consent::{
    ledger::{Checkpoint, NoteError, Tile, merkle},
    record::ConsentRecord,
};
use assent_store::{SignedHead, Store, StoreError};
use ed25519_dalek::{SigningKey, VerifyingKey};

use super::{Log, LogError, StoredLog};

/// How often the logs that grew are looked at. A log that did not grow since the last look is signed.
pub(crate) const TICK: Duration = Duration::from_secs(1);
/// A log that does not cease to grow is signed after so many looks.
const TICKS_MAX: u32 = 60;
/// Looks between two checkpoints of a log at least: one that grows by a record every few seconds would else be signed
/// for each of them.
const TICKS_MIN: u32 = 10;

/// The sites whose logs grew since their last checkpoint, told by the appender.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grown(Arc<Mutex<BTreeSet<String>>>);

impl Grown {
    /// Notes that a site's log grew.
    pub(crate) fn add(&self, site: &str) {
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !sites.contains(site) {
            sites.insert(site.to_owned());
        }
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Decides which logs are due for a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// For how many looks each has waited.
    waiting: BTreeMap<String, u32>,
    /// For how many looks more those that were signed lately wait at least.
    resting: BTreeMap<String, u32>,
}

impl Due {
    /// Takes what grew since the last look; returns the sites to sign now: those that have come to rest, and those
    /// that have waited long enough.
    pub(crate) fn look(&mut self, grown: &Grown) -> Vec<String> {
        let grown = grown.take();
        self.resting.retain(|_, ticks| {
            *ticks -= 1;
            *ticks > 0
        });
        let has_rested = |site: &String| !grown.contains(site) && !self.resting.contains_key(site);
        let due: Vec<_> = self
            .waiting
            .extract_if(.., |site, ticks| *ticks >= TICKS_MAX || has_rested(site))
            .map(|(site, _)| site)
            .collect();
        self.resting
            .extend(due.iter().map(|site| (site.clone(), TICKS_MIN)));
        for ticks in self.waiting.values_mut() {
            *ticks += 1;
        }
        for site in grown {
            self.waiting.entry(site).or_insert(1);
        }
        due
    }

    /// Everything that waits, at the end.
    pub(crate) fn rest(self, grown: &Grown) -> BTreeSet<String> {
        let mut sites = grown.take();
        sites.extend(self.waiting.into_keys());
        sites
    }
}

/// Why a log is not signed, or not gone on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Mismatch {
    /// It cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The last checkpoint is none of this server's.
    #[error("its last checkpoint, of {size} entries, does not hold: {why}")]
    Head {
        /// Entries.
        size: u64,
        /// Why.
        why: NoteError,
    },
    /// The log is shorter than it was.
    #[error("it has {now} entries, and had {then} when it was last signed")]
    Shorter {
        /// Entries now.
        now: u64,
        /// Entries as signed.
        then: u64,
    },
    /// The entries are others than they were.
    #[error("its first {0} entries are not those that were signed")]
    Altered(u64),
    /// A tile does not fit those below it.
    #[error("the hash of {below} in {above} does not fit")]
    Hash {
        /// The lower tile.
        below: String,
        /// The tile above.
        above: String,
    },
    /// A record and its entry differ.
    #[error("the record of entry {0} is not the one that was logged")]
    Record(u64),
}

impl From<StoreError> for Mismatch {
    fn from(error: StoreError) -> Self {
        Self::Log(error.into())
    }
}

/// What signs a server's checkpoints, and what it signed with before.
#[derive(Debug)]
pub(crate) struct Signatory<'a> {
    /// The key.
    pub(crate) key: &'a SigningKey,
    /// Public keys of it and of those before it.
    pub(crate) known: &'a [VerifyingKey],
    /// The server's origin, from which a new log gets its name.
    pub(crate) origin: &'a str,
}

/// Signs a site's log if it has grown since its last checkpoint.
pub(crate) async fn sign(
    store: &dyn Store,
    site: &str,
    signatory: &Signatory<'_>,
    now_ms: i64,
) -> Result<(), Mismatch> {
    let log = StoredLog { store, site };
    // In this order: another node may append and sign meanwhile.
    let last = last(&log, signatory.known).await?;
    let now = store.log_size(site).await?;
    if now == last.as_ref().map_or(0, |last| last.size) {
        return Ok(());
    }
    // A log keeps its name when the server moves to another address.
    let origin = if let Some(last) = last {
        extends(&log, now, &last).await?;
        last.origin
    } else {
        let host = signatory.origin.split_once("://").map_or("", |(_, host)| host);
        format!("{host}/v1/sites/{site}/log")
    };
    let root = log.root(now).await?;
    let checkpoint = Checkpoint {
        origin,
        size: now,
        root,
    };
    let note = checkpoint.sign(signatory.key).ok_or(Mismatch::Head {
        size: now,
        why: NoteError::Malformed,
    })?;
    let head = SignedHead {
        size: now,
        note,
        made_at_ms: now_ms,
    };
    Ok(store.put_head(site, &head).await?)
}

/// Checks the right edge of a site's log: that its tiles fit each other and the last checkpoint, and that the records
/// of the last entries are those that were logged.
pub(crate) async fn check_edge(
    store: &dyn Store,
    site: &str,
    known: &[VerifyingKey],
) -> Result<(), Mismatch> {
    let log = StoredLog { store, site };
    let last = last(&log, known).await?;
    let now = store.log_size(site).await?;
    if let Some(last) = last {
        extends(&log, now, &last).await?;
    }
    let edge: Vec<_> = Tile::edge(now).collect();
    for above in edge.iter().filter(|tile| tile.level > 0) {
        let number = above.number * 256 + u64::from(above.width) - 1;
        let Some(below) = Tile::of_tree(above.level - 1, number, now) else {
            continue;
        };
        let root = merkle::root(log.hashes(below).await?);
        if log.hashes(*above).await?.last() != Some(&root) {
            return Err(Mismatch::Hash {
                below: below.path(),
                above: above.path(),
            });
        }
    }
    let Some(entries) = edge.first() else {
        return Ok(());
    };
    let first = entries.number * 256;
    let entries = log.entries(*entries).await?;
    for logged in store.log_records(site, first, 257).await? {
        let entry = usize::try_from(logged.leaf - first)
            .ok()
            .and_then(|at| entries.get(at));
        // What another node has stored since this began has its entry as well.
        if entry.is_none() && logged.leaf < store.log_size(site).await? {
            continue;
        }
        let record = logged.record.map(|record: ConsentRecord| record.commitment());
        if entry.is_none() || record.ok().as_ref() != entry {
            return Err(Mismatch::Record(logged.leaf));
        }
    }
    Ok(())
}

async fn last(log: &StoredLog<'_>, known: &[VerifyingKey]) -> Result<Option<Checkpoint>, Mismatch> {
    let Some(head) = log.store.last_head(log.site).await? else {
        return Ok(None);
    };
    let size = head.size;
    let checkpoint = Checkpoint::open(&head.note, known).map_err(|why| Mismatch::Head { size, why })?;
    if checkpoint.size != size {
        let why = NoteError::Altered;
        return Err(Mismatch::Head { size, why });
    }
    Ok(Some(checkpoint))
}

async fn extends(log: &StoredLog<'_>, size: u64, last: &Checkpoint) -> Result<(), Mismatch> {
    if size < last.size {
        return Err(Mismatch::Shorter {
            now: size,
            then: last.size,
        });
    }
    if log.root(last.size).await? != last.root {
        return Err(Mismatch::Altered(last.size));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_signed_when_it_rests_and_once_a_minute_when_it_does_not() {
        let (grown, mut due) = (Grown::default(), Due::default());
        assert_eq!(due.look(&grown), [""; 0]);
        grown.add("shop");
        grown.add("shop");
        assert_eq!(due.look(&grown), [""; 0]);
        assert_eq!(due.look(&grown), ["shop"], "it has come to rest");
        assert_eq!(due.look(&grown), [""; 0]);

        let mut signed = Vec::new();
        for tick in 0..=130 {
            grown.add("shop");
            if tick == 7 {
                grown.add("magazine");
            }
            for site in due.look(&grown) {
                signed.push((tick, site));
            }
        }
        let signed: Vec<_> = signed.iter().map(|(tick, site)| (*tick, site.as_str())).collect();
        assert_eq!(signed, [(8, "magazine"), (60, "shop"), (120, "shop")]);
        grown.add("blog");
        assert_eq!(
            due.rest(&grown),
            BTreeSet::from(["blog".to_owned(), "shop".to_owned()])
        );
    }

    #[test]
    fn a_trickle_is_not_signed_record_by_record() {
        let (grown, mut due) = (Grown::default(), Due::default());
        let mut signed = Vec::new();
        for tick in 0..60 {
            if tick % 3 == 0 && tick < 30 {
                grown.add("shop");
            }
            if !due.look(&grown).is_empty() {
                signed.push(tick);
            }
        }
        assert_eq!(
            signed,
            [1, 11, 22, 32],
            "the first at once, the others with a distance, the last record too"
        );
    }
}
