//! The loader beside other banners, measured in Chromium by end2end/bench/loader.mjs.

use crate::{Result, browsers, node, process};

/// Builds the release server, installs the peers from npm, and measures.
///
/// # Errors
/// The build's, or the measurement's.
pub(crate) fn run() -> Result {
    let chromium = browsers::for_measuring()?;
    let binary = super::binary()?;
    node::install("test packages", "end2end")?;
    process::loud(
        process::command("node")
            .arg("end2end/bench/loader.mjs")
            .env("ASSENT_BIN", binary)
            .env("CHROMIUM", chromium),
    )
}
