//! `cargo xtask bench`: figures for docs/benchmarks.md, printed as Markdown.

pub(crate) mod loader;
pub(crate) mod records;

use std::{env, path::PathBuf};

use crate::{Result, build};

/// The server to measure: `ASSENT_BIN`, to compare with another build, else the release build.
///
/// # Errors
/// The build's.
fn binary() -> Result<PathBuf> {
    env::var_os("ASSENT_BIN").map_or_else(build::release, |path| Ok(PathBuf::from(path)))
}
