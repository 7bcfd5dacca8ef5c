//! The server of Assent: publishes loaders, takes consent records and gives receipts, and serves the
//! preference center and the console.
//!
//! `cli` reads the command line, `config` makes one typed configuration of it, `serve` starts everything,
//! `app` puts the routes together. `publish` renders what visitors download; `intake` turns a submission into
//! a committed record through the queue in `append`; `ledger` signs, checks and audits the logs of the records,
//! `retention` erases what is kept for too long. Everything that speaks HTTP is in `http`, a module per resource: to add one, write its module with a `router()` there and merge it in [`app::router`].

pub mod app;
mod append;
mod auth;
mod backup;
pub mod cli;
pub mod clock;
pub mod config;
mod confirmation;
mod database;
mod demo;
mod embed;
mod embedded;
mod export;
mod http;
mod intake;
mod keys;
mod ledger;
mod limits;
mod listen;
mod migrate;
mod negotiate;
mod policies;
mod publish;
mod random;
mod retention;
mod serve;
mod texts;
mod witness;

#[cfg(test)]
mod tests;
