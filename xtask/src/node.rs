//! Node and the tools from npm.

use std::{path::Path, process::Command};

use crate::{Result, paths, process, step};

/// The first whose test runner can be told how many files it may run at once.
const NODE_MIN: (u32, u32) = (20, 10);

/// Checks that Node and npm are there.
///
/// # Errors
/// Says what is missing and where to get it.
pub(crate) fn check() -> Result {
    let version = process::quiet(process::command("node").arg("--version"))
        .map_err(|_| "Node is missing. Assent is built with Node 20.10 or newer: https://nodejs.org/")?;
    if parse(&version).is_none_or(|version| version < NODE_MIN) {
        return Err(format!(
            "Node {} is too old. Assent is built with Node 20.10 or newer: https://nodejs.org/",
            version.trim()
        )
        .into());
    }
    if process::exists("npm") {
        Ok(())
    } else {
        Err("npm is missing. It comes with Node; on Debian: apt install npm".into())
    }
}

/// `npm ci` in a folder of the working tree, where its packages are not installed yet or its lock file
/// changed. Install scripts are not run; whoever needs one runs it.
///
/// # Errors
/// npm's.
pub(crate) fn install(name: &str, folder: &str) -> Result {
    let folder = Path::new(folder);
    let lock = folder.join("package-lock.json");
    let installed = paths::root().join(folder).join("node_modules/.package-lock.json");
    step::when_changed(name, &[&lock.to_string_lossy()], &[installed], || {
        process::quiet(
            process::command("npm")
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                .current_dir(paths::root().join(folder)),
        )
        .map(drop)
    })
}

/// A command line tool of the root package.
pub(crate) fn tool(name: &str) -> Command {
    process::command(paths::root().join("node_modules/.bin").join(name))
}

/// Major and minor version.
fn parse(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().trim_start_matches('v').split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_the_version() {
        assert_eq!(parse("v20.20.2\n"), Some((20, 20)));
        assert_eq!(parse("nonsense"), None);
    }
}
