//! `cargo xtask fuzz`: libFuzzer against everything that reads what visitors, pages and owners write.
//!
//! The targets are in `fuzz/`, which is no member of the workspace. What a run learns stays in the target folder, so
//! that the next one begins there; an input that fails is named and kept in `fuzz/artifacts`.

use std::fs;

use crate::{Result, paths, process};

/// Each target, with a file that shows the fuzzer what sense looks like, where there is one.
const TARGETS: [(&str, Option<&str>); 9] = [
    ("cookie", None),
    ("tag", None),
    ("lists", None),
    ("configuration", Some("public/demo/site.json")),
    ("submission", None),
    ("note", None),
    ("proof", None),
    ("tile", None),
    ("receipt", None),
];

/// Runs every target for so many seconds.
///
/// # Errors
/// No cargo-fuzz, a build's, or the first target that failed, with the input that made it fail.
pub(crate) fn run(seconds: &str) -> Result {
    seconds
        .parse::<u32>()
        .map_err(|_| "say for how many seconds each target is to run: cargo xtask fuzz 60")?;
    if process::quiet(process::cargo().args(["fuzz", "--version"])).is_err() {
        return Err("cargo-fuzz is missing; install it with: cargo install cargo-fuzz".into());
    }
    for (target, seed) in TARGETS {
        let corpus = paths::target().join("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus)?;
        if let Some(seed) = seed {
            fs::copy(paths::root().join(seed), corpus.join("seed.json"))?;
        }
        println!("{target}");
        process::loud(
            process::cargo()
                // libFuzzer's flags need a nightly compiler, or this leave. The code is safe Rust: no sanitizer.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_DIR", paths::target().join("fuzz"))
                .args(["fuzz", "run", "--sanitizer", "none", target])
                .arg(&corpus)
                .args(["--", "-max_len=20000", "-verbosity=0", "-print_final_stats=1"])
                .arg(format!("-max_total_time={seconds}")),
        )?;
    }
    Ok(())
}
