//! `cargo xtask lint`: formatting and lints of all languages.

use crate::{Result, build, node, paths, process, step, wasm};

/// Runs every check; needs the assets, because the server does not compile without them.
///
/// # Errors
/// The first check that failed, with its output.
pub(crate) fn run() -> Result {
    step::always("format", || {
        process::quiet(process::cargo().args(["fmt", "--all", "--check"]))
    })?;
    step::always("format fuzz", || {
        process::quiet(process::cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))
    })?;
    build::assets()?;
    step::always("clippy", || {
        process::quiet(process::cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    step::always("clippy fuzz", || {
        process::quiet(
            process::cargo()
                .args([
                    "clippy",
                    "--manifest-path",
                    "fuzz/Cargo.toml",
                    "--",
                    "-D",
                    "warnings",
                ])
                .env("CARGO_TARGET_DIR", paths::target().join("fuzz"))
                // Nothing is linked, so libFuzzer need not be compiled.
                .env("CUSTOM_LIBFUZZER_PATH", paths::target().join("libfuzzer.a")),
        )
    })?;
    for (name, mut command) in ["clippy gate", "clippy services", "clippy dialog"]
        .into_iter()
        .zip(wasm::clippy())
    {
        step::always(name, || process::quiet(&mut command))?;
    }
    for project in ["app/host", "app/verify"] {
        step::always("typescript", || {
            process::quiet(node::tool("tsc").args(["--noEmit", "--project", project]))
        })?;
    }
    // The package of types holds for a bundler as well, which resolves more than types.
    step::always("types' package", || {
        process::quiet(node::tool("esbuild").args(["--bundle", "--log-level=warning", "app/types/usage.ts"]))
    })?;
    println!("No lint fired.");
    Ok(())
}
