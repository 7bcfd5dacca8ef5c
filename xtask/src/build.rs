//! From the sources to the server: assets first, since the server embeds them.

use std::path::PathBuf;

use crate::{Result, node, paths, process, step, wasm};

/// Entry points of app/host, the assets that they become, and their form: the host stands in a function of the
/// loader, parts of a site before it, the stub in a page; what comes late is a module.
const SCRIPTS: [(&str, &str, &str); 9] = [
    ("main", "host", "esm"),
    ("stub", "stub", "iife"),
    ("center", "center", "esm"),
    ("late", "late", "esm"),
    ("parts/marks", "marks", "iife"),
    ("parts/reload", "reload", "iife"),
    ("parts/services", "services", "iife"),
    ("parts/signals", "signals", "iife"),
    ("parts/wall", "wall", "iife"),
];
const STYLES: [&str; 5] = ["banner", "dialog", "placeholder", "center", "console"];

/// Builds the server for development and returns its path.
///
/// # Errors
/// The first step that failed, with its tool's output.
pub(crate) fn debug() -> Result<PathBuf> {
    assets()?;
    server("server", &[])?;
    Ok(paths::executable("debug", "assent"))
}

/// Builds the server for use, says where it is, and returns its path.
///
/// # Errors
/// The first step that failed, with its tool's output.
pub(crate) fn release() -> Result<PathBuf> {
    assets()?;
    server("release server", &["--release"])?;
    let binary = paths::executable("release", "assent");
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    let mebibytes = std::fs::metadata(&binary)?.len() as f64 / 1_048_576.0;
    eprintln!("{} ({mebibytes:.1} MiB, every asset inside)", binary.display());
    Ok(binary)
}

/// Builds everything that the server embeds into the folder [`paths::assets`].
///
/// # Errors
/// What is missing on this machine, or the first step that failed.
pub(crate) fn assets() -> Result {
    node::check()?;
    node::install("npm packages", ".")?;
    wasm::install_target()?;
    wasm::gate()?;
    scripts()?;
    styles()?;
    wasm::dialog()
}

// The host goes into every loader; the stub is what owners paste into their pages.
fn scripts() -> Result {
    let script = |name: &str| paths::assets().join(format!("{name}.js"));
    let mut outputs = SCRIPTS.map(|(_, output, _)| script(output)).to_vec();
    outputs.push(script("rules"));
    step::when_changed(
        "scripts",
        &["app/host", "package-lock.json", "xtask/src/build.rs"],
        &outputs,
        || {
            let rules = process::quiet(process::command("node").arg("app/host/rules.mjs"))?;
            step::write_if_changed(&script("rules"), rules.trim_end().as_bytes())?;
            for (source, output, form) in SCRIPTS {
                let bundle = process::quiet(
                    node::tool("esbuild")
                        .args(["--bundle", "--minify", "--target=es2020", "--charset=utf8"])
                        .args([
                            "--mangle-props=_$",
                            "--legal-comments=none",
                            "--log-level=warning",
                        ])
                        .arg(format!("--format={form}"))
                        .arg(format!("app/host/src/{source}.ts")),
                )?;
                step::write_if_changed(&script(output), bundle.trim_end().as_bytes())?;
            }
            Ok(())
        },
    )
}

fn styles() -> Result {
    let sheet = |name: &str| paths::assets().join(format!("{name}.css"));
    step::when_changed(
        "styles",
        &["style", "package-lock.json", "xtask/src/build.rs"],
        &STYLES.map(sheet),
        || {
            for name in STYLES {
                let bundle = process::quiet(
                    node::tool("esbuild")
                        .args(["--bundle", "--minify", "--charset=utf8", "--log-level=warning"])
                        .arg(format!("style/{name}.css")),
                )?;
                step::write_if_changed(&sheet(name), bundle.trim_end().as_bytes())?;
            }
            Ok(())
        },
    )
}

// Whether the server is up to date is cargo's to decide.
fn server(name: &str, flags: &[&str]) -> Result {
    step::always(name, || {
        process::quiet(
            process::cargo()
                .args(["build", "--package", "assent-server"])
                .args(flags),
        )
        .map(drop)
    })
}
