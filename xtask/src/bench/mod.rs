//! `cargo xtask bench`: figures for docs/benchmarks.md, printed as Markdown.

pub(crate) mod loader;
pub(crate) mod records;
