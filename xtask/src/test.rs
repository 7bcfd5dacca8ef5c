//! `cargo xtask test`: every test there is.

use std::{fs, path::PathBuf};

use crate::{Result, browsers, build, node, paths, process, size};

/// Installs what the tests need, builds, and runs them: Rust's, then the browser's, then the sizes. A
/// failure in one does not keep the others from running.
///
/// # Errors
/// Which of them failed.
pub(crate) fn run(browser: bool) -> Result {
    let browsers = if browser {
        Some(browsers::for_tests()?)
    } else {
        None
    };
    let binary = build::debug()?;
    let mut failed = Vec::new();
    let mut note = |name: &'static str, outcome: Result| {
        if let Err(error) = outcome {
            eprintln!("{error}");
            failed.push(name);
        }
    };

    note(
        "Rust tests",
        process::loud(process::cargo().args(["test", "--workspace", "--no-fail-fast"])),
    );
    if let Some(browsers) = browsers {
        note(
            "browser tests",
            node::install("test packages", "end2end").and_then(|()| {
                process::loud(
                    process::command("node")
                        .arg("--test")
                        .args(browser_tests()?)
                        .env("ASSENT_BIN", &binary)
                        .envs(browsers),
                )
            }),
        );
    }
    note("sizes", size::check(&binary));

    if failed.is_empty() {
        println!(
            "All tests passed{}.",
            if browser {
                ""
            } else {
                " (browser tests were left out)"
            }
        );
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")).into())
    }
}

fn browser_tests() -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(paths::root().join("end2end/tests"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    files.sort();
    if files.is_empty() {
        return Err("there are no browser tests in end2end/tests".into());
    }
    Ok(files)
}
