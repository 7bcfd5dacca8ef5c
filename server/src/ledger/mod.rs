//! The ledger at work: reading logs, wherever they are, signing their checkpoints, auditing them, and verifying
//! receipts against them. What a log is and its formats are in `assent_consent::ledger`.

pub(crate) mod audit;
pub(crate) mod checkpoints;
pub(crate) mod command;
mod log;
#[cfg(test)]
mod nodes;
pub(crate) mod pages;
mod remote;
mod stored;
#[cfg(test)]
mod tampering;
pub(crate) mod verify;

pub(crate) use log::{Log, LogError};
pub(crate) use remote::RemoteLog;
pub(crate) use stored::StoredLog;
