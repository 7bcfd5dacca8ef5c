//! The ledger: for each site a log that only grows, an RFC 6962 Merkle tree over its consent records.
//!
//! What stands in the log is not the record but its commitment, [`ConsentRecord::commitment`], a SHA-256 that
//! takes in the record's random salt. Whoever has the receipt can compute it and check that it is in the log;
//! nobody else can tell what it stands for, and once record and salt are erased nobody can at all.
//!
//! The log is published in the formats of <https://c2sp.org>: hashes and entries as `tlog-tiles` ([`tile`]), its
//! signed head as `tlog-checkpoint` ([`checkpoint`]), which is a `signed-note` ([`note`]), and an entry's proof as
//! `tlog-proof` ([`proof`]). Everything that reads is strict and bounded: what is not exactly of the format is
//! refused.
//!
//! [`ConsentRecord::commitment`]: crate::record::ConsentRecord::commitment

pub mod checkpoint;
pub mod erasure;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod tile;

pub use checkpoint::Checkpoint;
pub use merkle::{Edge, Hash};
pub use note::{Note, NoteError, NoteKey};
pub use proof::{LogProof, Plan};
pub use tile::{Tile, Tiles};
