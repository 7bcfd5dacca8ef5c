//! Finds the browser for the tests, or installs Debian's.

use std::{path::Path, process::Command};

use crate::{Result, process, step};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The path of a Chromium; installs Debian's where none is found and this runs as root.
///
/// # Errors
/// None is found and none can be installed: says how to get one.
pub(crate) fn find_or_install() -> Result<String> {
    if let Some(found) = find() {
        return Ok(found);
    }
    if is_root() && process::exists("apt-get") {
        step::always("chromium", || {
            process::quiet(process::command("apt-get").arg("update"))?;
            process::quiet(
                process::command("apt-get")
                    .args([
                        "install",
                        "-y",
                        "--no-install-recommends",
                        "chromium",
                        "fonts-dejavu-core",
                    ])
                    .env("DEBIAN_FRONTEND", "noninteractive"),
            )
        })?;
    }
    find().ok_or_else(|| {
        "The browser tests need Chromium. Install it (Debian: sudo apt install chromium), or set CHROMIUM to \
         its path, or run `cargo xtask test --no-browser`."
            .into()
    })
}

fn find() -> Option<String> {
    if let Ok(path) = std::env::var("CHROMIUM") {
        return Path::new(&path).exists().then_some(path);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file())
        .map(|found| found.to_string_lossy().into_owned())
}

fn is_root() -> bool {
    process::quiet(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
