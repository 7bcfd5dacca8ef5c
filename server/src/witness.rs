//! The witness: looks at other servers' logs from time to time and countersigns each checkpoint that extends the one it
//! has signed before (<https://c2sp.org/tlog-cosignature>). Whoever asks it for the last one learns whether the log that
//! they are shown goes on from there.
//!
//! What it has signed stands in a file for each log, on the disk before anybody gets it: a witness that forgets what it
//! signed could sign a second past. Files are named after the log's origin, which stays when the log moves.

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
pub(crate) struct Witnessed(Arc<RwLock<BTreeMap<String, Seen>>>);

/// What is known of a log.
#[derive(Debug, Default)]
struct Seen {
    /// The last checkpoint as a signed note, the witness's line below the log's. None before the first.
    note: Option<String>,
    /// The watched address that the log was found at since this server started.
    address: Option<String>,
}

impl Witnessed {
    /// What was signed before, as it stands in the data folder.
    ///
    /// # Errors
    /// What is wrong with a file, in words for the operator.
    pub(crate) fn load(data: &Path) -> Result<Self, String> {
        let folder = data.join(FOLDER);
        let files = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            files => files.map_err(|error| format!("{}: {error}", folder.display()))?,
        };
        let mut logs = BTreeMap::new();
        for file in files {
            let path = file
                .map_err(|error| format!("{}: {error}", folder.display()))?
                .path();
            // What was being written when the server was interrupted.
            if path.extension().is_some() {
                continue;
            }
            let note = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let origin = Note::parse(&note)
                .ok()
                .and_then(|note| note.text().lines().next().map(str::to_owned))
                .filter(|origin| path.ends_with(file_name(origin)));
            let origin = origin.ok_or_else(|| {
                format!(
                    "{}: this is not what the witness has signed of a log; put the file back from a copy",
                    path.display()
                )
            })?;
            let note = Some(note);
            logs.insert(origin, Seen { note, address: None });
        }
        Ok(Self(Arc::new(RwLock::new(logs))))
    }

    /// The checkpoint of a log as a signed note, the witness's line below the log's.
    pub(crate) fn get(&self, origin: &str) -> Option<String> {
        let logs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        logs.get(origin).and_then(|seen| seen.note.clone())
    }

    /// Makes the log with this origin that of a watched address; returns what was signed of it before. A log has one
    /// address only: two that each remember another checkpoint could be led to sign two pasts of it.
    fn claim(
        &self,
        origin: &str,
        address: &str,
        keys: &[VerifyingKey],
    ) -> Result<Option<Checkpoint>, NotSigned> {
        let mut logs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let seen = logs.entry(origin.to_owned()).or_default();
        if let Some(other) = seen.address.as_ref().filter(|other| *other != address) {
            return Err(NotSigned::Watched {
                origin: origin.to_owned(),
                address: other.clone(),
            });
        }
        let last = seen.note.as_ref().map(|note| Checkpoint::open(note, keys));
        let last = last.transpose().map_err(NotSigned::Keys)?;
        seen.address = Some(address.to_owned());
        Ok(last)
    }

    fn put(&self, origin: &str, note: String) {
        let mut logs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        logs.entry(origin.to_owned()).or_default().note = Some(note);
    }
}

/// Name of the file that keeps what was signed of a log.
fn file_name(origin: &str) -> String {
    hex::encode(&Sha256::digest(origin)[..16])
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
    /// Another watched address has the log already.
    #[error("its checkpoint is of the log {origin}, which is watched at {address} already")]
    Watched {
        /// The log.
        origin: String,
        /// The other address.
        address: String,
    },
    /// What was signed of the log is not signed by a key that is known of this address.
    #[error(
        "what was signed before of the log with its name does not hold with the keys that are given for it"
    )]
    Keys(#[source] NoteError),
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
    /// Where the files are.
    folder: PathBuf,
    /// What was signed last; none before the first look.
    last: Option<Checkpoint>,
}

impl Watch {
    /// Gets ready to watch logs.
    ///
    /// # Errors
    /// What is wrong with the settings, in words for the operator.
    pub(crate) fn all(logs: &[WatchedLog], data: &Path) -> Result<Vec<Self>, String> {
        let mut watches: Vec<Self> = Vec::new();
        for log in logs {
            let watch = Self::new(log, data)?;
            if watches.iter().any(|other| other.address() == watch.address()) {
                return Err(format!("the log {} is to be watched twice", watch.address()));
            }
            watches.push(watch);
        }
        Ok(watches)
    }

    fn new(watched: &WatchedLog, data: &Path) -> Result<Self, String> {
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
        Ok(Self {
            log,
            keys,
            folder,
            last: None,
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
        if self.last.is_none() {
            self.last = witnessed.claim(&now.origin, &self.address(), &self.keys)?;
        }
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
        keys::replace(&self.folder.join(file_name(&now.origin)), 0o644, &signed)?;
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
    fn a_log_is_known_by_its_origin_and_has_one_address() {
        let signer = SigningKey::from_bytes(&[7; 32]);
        let keys = [signer.verifying_key()];
        let origin = "consent.example/v1/sites/shop/log";
        let folder = tempfile::tempdir().unwrap();
        let witnessed = Witnessed::load(folder.path()).unwrap();
        assert!(witnessed.claim(origin, "http://a", &keys).unwrap().is_none());
        assert!(witnessed.claim(origin, "http://a", &keys).unwrap().is_none());
        let taken = witnessed.claim(origin, "http://b", &keys).unwrap_err();
        assert_eq!(
            taken.to_string(),
            "its checkpoint is of the log consent.example/v1/sites/shop/log, which is watched at http://a already"
        );

        // What was signed is found again, wherever the log is now; by who has its keys.
        let note = checkpoint(0..3).sign(&signer).unwrap();
        fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let file = folder.path().join(FOLDER).join(file_name(origin));
        fs::write(&file, &note).unwrap();
        fs::write(file.with_extension("new"), "half of it").unwrap();
        let witnessed = Witnessed::load(folder.path()).unwrap();
        assert_eq!(witnessed.get(origin), Some(note));
        let other = [SigningKey::from_bytes(&[8; 32]).verifying_key()];
        assert!(matches!(
            witnessed.claim(origin, "http://c", &other),
            Err(NotSigned::Keys(NoteError::UnknownKey))
        ));
        let last = witnessed.claim(origin, "http://b", &keys).unwrap();
        assert_eq!(last, Some(checkpoint(0..3)));

        fs::rename(&file, file.with_file_name(file_name("another"))).unwrap();
        assert!(Witnessed::load(folder.path()).is_err());
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
