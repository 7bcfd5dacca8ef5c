//! `cargo xtask faults`: what the append path survives, more often than the tests have time for.

use crate::{Result, build, node, process};

/// Kills a server under load so many times.
///
/// # Errors
/// The build's, or a record that is lost, doubled or nobody's.
pub(crate) fn run(kills: &str) -> Result {
    kills
        .parse::<u32>()
        .map_err(|_| "say how many times the server is to be killed: cargo xtask faults 200")?;
    let binary = build::debug()?;
    node::install("test packages", "end2end")?;
    process::loud(
        process::command("node")
            .args(["--test", "end2end/tests/crash.test.mjs"])
            .env("ASSENT_BIN", binary)
            .env("ASSENT_KILLS", kills),
    )
}
