//! `cargo xtask test`: every test there is.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use crate::{Result, browsers, build, node, paths, postgres, process, size};

/// Installs what the tests need, builds, and runs them: Rust's, then the browser's, then the sizes. A
/// failure in one does not keep the others from running.
///
/// # Errors
/// Which of them failed.
pub(crate) fn run(browser: bool) -> Result {
    // Both are looked for before either is complained of, so that nobody installs one to be told of the other.
    let browsers = browser.then(browsers::for_tests).transpose();
    let browsers = match (browsers, postgres::ensure_for_tests()) {
        (Ok(browsers), Ok(())) => browsers,
        (Err(error), Ok(())) | (Ok(_), Err(error)) => return Err(error),
        (Err(browsers), Err(postgres)) => return Err(format!("{browsers}\n{postgres}").into()),
    };
    let binary = build::with_tests()?;
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
                let mut environment = browsers;
                environment.push(("ASSENT_BIN", binary.display().to_string()));
                in_browsers(&environment)
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

/// Runs the browser tests in Chromium, two files at a time, because most of a test's time is waiting; then those of
/// [`EVERYWHERE`] in the other engines.
fn in_browsers(environment: &[(&'static str, String)]) -> Result {
    let files = browser_tests()?;
    let node = |engine: &str, options: &[&str], files: &[PathBuf]| {
        let mut node = process::command("node");
        node.args(options)
            .args(files)
            .envs(environment.iter().cloned())
            .env("ENGINE", engine);
        node
    };
    let chromium = process::loud(&mut node(
        "chromium",
        &["--test", "--test-concurrency", "2"],
        &files,
    ));
    let others: Vec<PathBuf> = files.into_iter().filter(|file| is_everywhere(file)).collect();
    let outcomes = std::thread::scope(|scope| {
        ["firefox", "webkit"]
            .map(|engine| {
                let mut tests = node(engine, &["end2end/together.mjs"], &others);
                scope.spawn(move || process::quiet(&mut tests))
            })
            .map(|engine| engine.join().map_err(|_| "a thread panicked")?)
    });
    let mut failed = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(output) => print!("{output}"),
            Err(error) => failed.push(error.to_string()),
        }
    }
    if failed.is_empty() {
        chromium
    } else {
        failed.extend(chromium.err().map(|error| error.to_string()));
        Err(failed.join("\n").into())
    }
}

/// Files of browser tests that run in all engines, without their extension. The others
/// test what is the same in every engine, or measure by what only one of the drivers can do.
const EVERYWHERE: [&str; 25] = [
    "api",
    "center",
    "choice",
    "csp",
    "embeds",
    "first-visit",
    "frameworks",
    "google",
    "marks",
    "objections",
    "order",
    "outbox",
    "pages",
    "placeholders",
    "property",
    "reload",
    "returning",
    "secure",
    "service-choice",
    "signals",
    "storage",
    "stub",
    "suffixes",
    "tabs",
    "wall",
];

fn is_everywhere(file: &Path) -> bool {
    let name = file.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    EVERYWHERE.contains(&name.trim_end_matches(".test.mjs"))
}

fn browser_tests() -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(paths::root().join("end2end/tests"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    files.sort();
    for name in EVERYWHERE {
        if !files
            .iter()
            .any(|file| file.ends_with(format!("{name}.test.mjs")))
        {
            return Err(format!("there are no browser tests {name}.test.mjs in end2end/tests").into());
        }
    }
    Ok(files)
}
