//! From the sources to the server: assets first, since the server embeds them.

use std::{fs, path::PathBuf};

use crate::{Result, assets::ASSETS, node, paths, process, step, wasm};

/// Entry points below app, the assets that they become, and their form: the host stands in a function of the
/// loader, parts of a site before it, the stub in a page; what comes late is a module.
const SCRIPTS: [(&str, &str, &str); 12] = [
    ("host/src/main", "host", "esm"),
    ("host/src/stub", "stub", "iife"),
    ("host/src/center", "center", "esm"),
    ("host/src/late", "late", "esm"),
    ("host/src/parts/marks", "marks", "iife"),
    ("host/src/parts/reload", "reload", "iife"),
    ("host/src/parts/services", "services", "iife"),
    ("host/src/parts/signals", "signals", "iife"),
    ("host/src/parts/trusted-types", "trusted-types", "iife"),
    ("host/src/parts/turbo", "turbo", "iife"),
    ("host/src/parts/wall", "wall", "iife"),
    ("verify/src/main", "verify", "esm"),
];
const SERVER: [&str; 2] = ["--package", "assent-server"];

/// Builds the server for development and returns its path.
///
/// # Errors
/// The first step that failed, with its tool's output.
pub(crate) fn debug() -> Result<PathBuf> {
    assets()?;
    cargo("server", &SERVER)?;
    Ok(paths::executable("debug", "assent"))
}

/// Builds the server and all tests, and returns the server's path. At once, because the tests ask for more features of
/// what both depend on, which would otherwise be compiled twice.
///
/// # Errors
/// The first step that failed, with its tool's output.
pub(crate) fn with_tests() -> Result<PathBuf> {
    assets()?;
    cargo("server and tests", &["--workspace", "--all-targets"])?;
    Ok(paths::executable("debug", "assent"))
}

/// Builds the server for use, says where it is, and returns its path.
///
/// # Errors
/// The first step that failed, with its tool's output.
pub(crate) fn release() -> Result<PathBuf> {
    assets()?;
    cargo("release server", &[SERVER.as_slice(), &["--release"]].concat())?;
    let binary = paths::executable("release", "assent");
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    let mebibytes = fs::metadata(&binary)?.len() as f64 / 1_048_576.0;
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
    wasm::dialog()?;
    prune()
}

/// Removes what an earlier version made under a name that is no asset's any more.
fn prune() -> Result {
    for file in fs::read_dir(paths::assets())? {
        let file = file?;
        if !ASSETS.iter().any(|(name, _)| file.file_name() == *name) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

// The host goes into every loader; the stub is what owners paste into their pages.
fn scripts() -> Result {
    let script = |name: &str| paths::assets().join(format!("{name}.js"));
    let mut outputs = SCRIPTS.map(|(_, output, _)| script(output)).to_vec();
    outputs.push(script("rules"));
    step::when_changed(
        "scripts",
        &[
            "app/bundle.mjs",
            "app/host",
            "app/verify",
            "package-lock.json",
            "xtask/src/build.rs",
        ],
        &outputs,
        || {
            let rules = process::quiet(process::command("node").arg("app/host/rules.mjs"))?;
            step::write_if_changed(&script("rules"), rules.trim_end().as_bytes())?;
            let bundles = paths::scratch().join("scripts");
            process::quiet(
                process::command("node")
                    .arg("app/bundle.mjs")
                    .arg(&bundles)
                    .args(SCRIPTS.into_iter().flat_map(<[_; 3]>::from)),
            )?;
            for (_, output, _) in SCRIPTS {
                let bundle = fs::read(bundles.join(format!("{output}.js")))?;
                step::write_if_changed(&script(output), &bundle)?;
            }
            Ok(())
        },
    )
}

fn styles() -> Result {
    let sheet = |name: &str| paths::assets().join(format!("{name}.css"));
    let names = || ASSETS.iter().filter_map(|(name, _)| name.strip_suffix(".css"));
    step::when_changed(
        "styles",
        &["style", "package-lock.json", "xtask/src/build.rs"],
        &names().map(sheet).collect::<Vec<_>>(),
        || {
            for name in names() {
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

// Whether it is up to date is cargo's to decide.
fn cargo(name: &str, what: &[&str]) -> Result {
    step::always(name, || {
        process::quiet(process::cargo().arg("build").args(what)).map(drop)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_made_is_what_the_server_embeds() {
        let bundles = SCRIPTS.map(|(_, output, _)| output);
        let made: BTreeSet<&str> = bundles.into_iter().chain(["rules", "gate", "dialog"]).collect();
        let embedded = ASSETS.iter().filter_map(|(name, _)| name.strip_suffix(".js"));
        assert_eq!(made, embedded.collect());
    }
}
