//! The domain of Assent: what a visitor may choose, what a rule asks for, what a tag needs, and what
//! proves a choice. Pure: no I/O, no clock, no randomness; times and random values are arguments.
//!
//! The modules below the feature `record` need `std` and serde and exist for the server. Everything else is
//! `no_std` without allocation, because the gate (`app/gate`) compiles it into the visitor's page, where
//! every byte counts.
//!
//! To add a rule of the gate: write it here as a function of values, test it here, and only then give it a
//! place in the gate's interface.
#![cfg_attr(not(any(feature = "record", test)), no_std)]

pub mod category;
pub mod cookie;
pub mod decision;
pub mod erase;
pub mod services;
pub mod signals;
pub mod tag;

#[cfg(feature = "record")]
pub mod ledger;
#[cfg(feature = "record")]
pub mod marks;
#[cfg(feature = "record")]
pub mod notice;
#[cfg(feature = "record")]
pub mod receipt;
#[cfg(feature = "record")]
pub mod record;
#[cfg(feature = "record")]
pub mod site;

pub use category::{Categories, Category};
pub use services::Granted;
