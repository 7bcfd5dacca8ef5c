//! The witness: looks at other servers' logs from time to time and countersigns each checkpoint that extends the one it
//! has signed before (<https://c2sp.org/tlog-cosignature>). Whoever asks it for the last one learns whether the log that
//! they are shown goes on from there.
//!
//! What it has signed stands in a file for each log, on the disk before anybody gets it: a witness that forgets what it
//! signed could sign a second past.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use assent_consent::{
    ledger::{Checkpoint, Hash, Note, NoteError, merkle, note},
    receipt,
};
use ed25519_dalek::{SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::{
    config::WatchedLog,
    keys,
    ledger::{LogError, RemoteLog},
};

/// The folder in the data folder that holds what was signed.
const FOLDER: &str = "witness";

/// The last checkpoint that was countersigned of each log, by the log's origin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witnessed(Arc<RwLock<BTreeMap<String, String>>>);

impl Witnessed {
    /// The checkpoint of a log as a signed note, the witness's line below the log's.
    pub(crate) fn get(&self, origin: &str) -> Option<String> {
        let notes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        notes.get(origin).cloned()
    }

    fn put(&self, origin: &str, note: String) {
        let mut notes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        notes.insert(origin.to_owned(), note);
    }
}

/// Why a checkpoint is not countersigned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSigned {
    /// The log cannot be read now.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log's signature.
    #[error("its checkpoint does not hold: {0}")]
    Note(#[from] NoteError),
    /// The log has another name than before.
    #[error("its checkpoint is of another log, {0}")]
    Renamed(String),
    /// The log does not begin with what was signed.
    #[error(
        "it was rewritten or cut off: its checkpoint of {now} entries does not extend that of {then} entries"
    )]
    Forked {
        /// Entries now.
        now: u64,
        /// Entries when it was signed last.
        then: u64,
    },
    /// What was signed cannot be kept.
    #[error("what is signed cannot be kept: {0}")]
    File(#[from] io::Error),
}

/// A log that this server watches.
#[derive(Debug)]
pub(crate) struct Watch {
    log: RemoteLog,
    keys: Vec<VerifyingKey>,
    file: PathBuf,
    last: Option<Checkpoint>,
}

impl Watch {
    /// Gets ready to watch a log, and takes up what was signed of it before.
    ///
    /// # Errors
    /// What is wrong with the log's settings or with the file, in words for the operator.
    pub(crate) fn new(watched: &WatchedLog, data: &Path, witnessed: &Witnessed) -> Result<Self, String> {
        let address = &watched.address;
        let wrong = |what: &dyn std::fmt::Display| format!("the log {address} cannot be watched: {what}");
        let log = RemoteLog::at(address, None)
            .ok_or_else(|| wrong(&"the address must end in /v1/sites/SITE/log"))?;
        let jwks = fs::read_to_string(&watched.keys)
            .map_err(|error| wrong(&format!("{}: {error}", watched.keys.display())))?;
        let jwks = serde_json::from_str(&jwks)
            .map_err(|error| wrong(&format!("{}: {error}", watched.keys.display())))?;
        let keys = receipt::keys_of_jwks(&jwks);
        let folder = data.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|error| wrong(&error))?;
        let file = folder.join(hex::encode(&Sha256::digest(address)[..16]));
        let last = match fs::read_to_string(&file) {
            Ok(signed) => {
                let last = Checkpoint::open(&signed, &keys)
                    .map_err(|error| wrong(&format!("{}: {error}", file.display())))?;
                witnessed.put(&last.origin, signed);
                Some(last)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(wrong(&error)),
        };
        Ok(Self {
            log,
            keys,
            file,
            last,
        })
    }

    /// Where the log is.
    pub(crate) fn address(&self) -> String {
        self.log.address()
    }

    /// Countersigns the log's newest checkpoint under the name `name`, if it is new and extends the last one. Blocks
    /// the thread.
    pub(crate) fn look(
        &mut self,
        key: &SigningKey,
        name: &str,
        now_ms: i64,
        witnessed: &Witnessed,
    ) -> Result<(), NotSigned> {
        let sent = self.log.newest()?;
        let now = Checkpoint::open(&sent, &self.keys)?;
        if let Some(then) = &self.last {
            if now.origin != then.origin {
                return Err(NotSigned::Renamed(now.origin));
            }
            if now == *then {
                return Ok(());
            }
            let proof = if now.size > then.size {
                self.log.consistency(then.size, now.size)?
            } else {
                Vec::new()
            };
            if !goes_on(then, &now, &proof) {
                return Err(NotSigned::Forked {
                    now: now.size,
                    then: then.size,
                });
            }
        }
        let time_s = u64::try_from(now_ms / 1000).unwrap_or(0);
        let line = note::cosign(&Note::parse(&sent)?, name, key, time_s).ok_or(NoteError::Malformed)?;
        let signed = sent + &line;
        keys::replace(&self.file, 0o644, &signed)?;
        witnessed.put(&now.origin, signed);
        self.last = Some(now);
        Ok(())
    }
}

/// Whether the proof shows that a log which was signed as `then` is the beginning of what is signed as `now`.
fn goes_on(then: &Checkpoint, now: &Checkpoint, proof: &[Hash]) -> bool {
    now.size > then.size && merkle::extends(then.size, then.root, now.size, now.root, proof)
}

#[cfg(test)]
mod tests {
    use assent_consent::ledger::Edge;

    use super::*;

    fn checkpoint(entries: std::ops::Range<u8>) -> Checkpoint {
        let mut edge = Edge::default();
        entries.for_each(|entry| edge.push(merkle::leaf(&[entry])));
        Checkpoint {
            origin: "consent.example/v1/sites/shop/log".to_owned(),
            size: edge.size(),
            root: edge.root(),
        }
    }

    #[test]
    fn only_a_longer_log_with_the_same_beginning_goes_on() {
        let one = merkle::leaf(&[1]);
        let (then, now) = (checkpoint(0..1), checkpoint(0..2));
        assert!(goes_on(&then, &now, &[one]));
        assert!(!goes_on(&then, &now, &[]));
        assert!(!goes_on(&now, &then, &[one]), "it was cut off");
        assert!(
            !goes_on(&now, &checkpoint(1..3), &[]),
            "of the same length, but another"
        );
        assert!(
            !goes_on(&checkpoint(1..2), &now, &[one]),
            "with another beginning"
        );
    }
}
