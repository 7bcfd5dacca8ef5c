//! Finds the browser for the tests, or installs Debian's.

use std::{path::Path, process::Command};

use crate::{Result, process, step};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// The same browser without its own windows, whose pages load beside every new tab and disturb a measurement.
const SHELL: &str = "chromium-headless-shell";

/// The path of a Chromium; installs Debian's where none is found and this runs as root.
///
/// # Errors
/// None is found and none can be installed: says how to get one.
pub(crate) fn find_or_install() -> Result<String> {
    if let Some(found) = find(&NAMES) {
        return Ok(found);
    }
    install("chromium")?;
    find(&NAMES).ok_or_else(|| {
        "The browser tests need Chromium. Install it (Debian: sudo apt install chromium), or set CHROMIUM to \
         its path, or run `cargo xtask test --no-browser`."
            .into()
    })
}

/// The path of the browser to measure with: the headless shell, which Debian packages, else what the tests use.
///
/// # Errors
/// As [`find_or_install`].
pub(crate) fn for_measuring() -> Result<String> {
    if find(&[SHELL]).is_none() {
        // Without it the figures are noisier, but there are figures.
        let _ = install(SHELL);
    }
    find(&[SHELL]).map_or_else(find_or_install, Ok)
}

/// Installs one of Debian's packages, where that is possible.
fn install(package: &str) -> Result {
    if !is_root() || !process::exists("apt-get") {
        return Ok(());
    }
    step::always(package, || {
        process::quiet(process::command("apt-get").arg("update"))?;
        process::quiet(
            process::command("apt-get")
                .args([
                    "install",
                    "-y",
                    "--no-install-recommends",
                    package,
                    "fonts-dejavu-core",
                ])
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )
        .map(drop)
    })
}

fn find(names: &[&str]) -> Option<String> {
    if let Ok(path) = std::env::var("CHROMIUM") {
        return Path::new(&path).exists().then_some(path);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|candidate| candidate.is_file())
        .map(|found| found.to_string_lossy().into_owned())
}

fn is_root() -> bool {
    process::quiet(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
