//! Checkpoints and erasures as one server writes them in its answers and the command line reads them from another's.

use assent_store::{Erasure, SignedHead};
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use serde::{Deserialize, Serialize};

/// A page of a log's checkpoints.
#[derive(Serialize, Deserialize)]
pub(crate) struct Heads {
    pub(crate) checkpoints: Vec<Head>,
    /// Where to go on; `None` at the end.
    pub(crate) next: Option<u64>,
}

/// A signed checkpoint.
#[derive(Serialize, Deserialize)]
pub(crate) struct Head {
    size: u64,
    made_at_ms: i64,
    note: String,
}

/// A page of a log's erasures.
#[derive(Serialize, Deserialize)]
pub(crate) struct Erasures {
    pub(crate) erased: Vec<ErasedEntry>,
    /// Where to go on; `None` at the end.
    pub(crate) next: Option<u64>,
}

/// An entry whose record was erased.
#[derive(Serialize, Deserialize)]
pub(crate) struct ErasedEntry {
    index: u64,
    erased_at_ms: i64,
    /// In base64.
    signature: String,
}

/// That one checkpoint extends another.
#[derive(Serialize, Deserialize)]
pub(crate) struct Consistency {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Hashes in base64 (RFC 6962, section 2.1.2).
    pub(crate) proof: Vec<String>,
}

impl From<SignedHead> for Head {
    fn from(head: SignedHead) -> Self {
        Self {
            size: head.size,
            made_at_ms: head.made_at_ms,
            note: head.note,
        }
    }
}

impl From<Head> for SignedHead {
    fn from(head: Head) -> Self {
        Self {
            size: head.size,
            note: head.note,
            made_at_ms: head.made_at_ms,
        }
    }
}

impl From<Erasure> for ErasedEntry {
    fn from(erasure: Erasure) -> Self {
        Self {
            index: erasure.leaf,
            erased_at_ms: erasure.erased_at_ms,
            signature: BASE64.encode(erasure.signature),
        }
    }
}

impl ErasedEntry {
    /// The erasure. `None` if its signature is not one.
    pub(crate) fn read(self) -> Option<Erasure> {
        Some(Erasure {
            leaf: self.index,
            erased_at_ms: self.erased_at_ms,
            signature: BASE64.decode(self.signature).ok()?.try_into().ok()?,
        })
    }
}
