//! What a store keeps of each site's log, beside the records themselves.

use assent_consent::{ledger::erasure::SIGNATURE_LEN, record::ConsentRecord};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::Result;

/// A signed head of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// Entries, at least 1.
    pub size: u64,
    /// The checkpoint as a signed note.
    pub note: String,
    /// Milliseconds since 1970.
    pub made_at_ms: i64,
}

/// A record and where its entry stands.
#[derive(Debug)]
pub struct Logged {
    /// Index in the site's log, from 0.
    pub leaf: u64,
    /// The record; an error if its row was altered so that it cannot be read.
    pub record: Result<ConsentRecord>,
}

/// An entry whose record was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Index in the site's log, from 0.
    pub leaf: u64,
    /// Milliseconds since 1970.
    pub erased_at_ms: i64,
    /// With which the server says so (`assent_consent::ledger::erasure`).
    pub signature: [u8; SIGNATURE_LEN],
}

/// What stays of an erased record's id: the first 16 bytes of its SHA-256. Ids have 74 random bits, so only who has an
/// id can tell that it was erased.
pub fn trace(id: Uuid) -> [u8; 16] {
    let digest = Sha256::new_with_prefix(b"assent erased\0")
        .chain_update(id.as_bytes())
        .finalize();
    let mut trace = [0; 16];
    trace.copy_from_slice(&digest[..16]);
    trace
}

/// Signs the erasure of a record, by the index of its entry in the log and the entry as it stands there. The store calls
/// it in the transaction that erases, so that no erasure stands without its signature.
pub type SignErasure<'a> = &'a (dyn Fn(u64, [u8; 32]) -> [u8; SIGNATURE_LEN] + Send + Sync);
