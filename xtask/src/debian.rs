//! Debian's packages, for what a command needs and does not find.

use std::process::Command;

use crate::{Result, process, step};

/// Installs packages where that is possible: as root, on Debian. Elsewhere nothing happens.
///
/// # Errors
/// What apt reports.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result {
    if !is_root() || !process::exists("apt-get") {
        return Ok(());
    }
    step::always(what, || {
        process::quiet(process::command("apt-get").arg("update"))?;
        process::quiet(
            process::command("apt-get")
                .args(["install", "-y", "--no-install-recommends"])
                .args(packages)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )
        .map(drop)
    })
}

fn is_root() -> bool {
    process::quiet(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
