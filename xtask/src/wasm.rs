//! The WebAssembly modules: the gate, its translation to JavaScript, and the dialog.

use std::{fs, path::PathBuf, process::Command};

use wasm_bindgen_cli_support::Bindgen;

use crate::{Result, node, paths, process, step};

const TARGET: &str = "wasm32-unknown-unknown";

// What every browser that compiles WebAssembly at all has had for years. The gate does without
// reference-types and multivalue, which wasm2js cannot translate.
const GATE_FEATURES: [&str; 4] = [
    "--enable-bulk-memory",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
];
const DIALOG_FEATURES: [&str; 2] = ["--enable-multivalue", "--enable-reference-types"];
const SMALLEST: [&str; 5] = [
    "-Oz",
    "--converge",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

// Before [`SMALLEST`]: control flow made anew is smaller than what the compiler made of it, 40 bytes of the loader.
const RELOOPED: [&str; 4] = ["-Oz", "--flatten", "--rereloop", "-Oz"];

/// Installs the WebAssembly target of the toolchain in use, if it is missing.
///
/// # Errors
/// The toolchain is not rustup's, or rustup cannot download.
pub(crate) fn install_target() -> Result {
    let sysroot = process::quiet(process::command("rustc").args(["--print", "sysroot"]))?;
    if PathBuf::from(sysroot.trim())
        .join("lib/rustlib")
        .join(TARGET)
        .exists()
    {
        return Ok(());
    }
    step::always("wasm target", || {
        process::quiet(process::command("rustup").args(["target", "add", TARGET]))
            .map(drop)
            .map_err(|error| {
                format!("The Rust target {TARGET} is missing and rustup could not add it: {error}").into()
            })
    })
}

/// Builds `gate.wasm`, `gate-services.wasm` for sites with a choice per service, and, from the latter, `gate.js`.
///
/// # Errors
/// Those of the tools.
pub(crate) fn gate() -> Result {
    let assets = paths::assets();
    step::when_changed(
        "gate",
        &[
            "app/gate",
            "consent",
            "Cargo.lock",
            "Cargo.toml",
            "package-lock.json",
            "xtask/src/wasm.rs",
        ],
        &["gate.wasm", "gate-services.wasm", "gate.js"].map(|name| assets.join(name)),
        || {
            fs::create_dir_all(paths::scratch())?;
            let mut optimised = PathBuf::new();
            for (name, features) in [("gate", ""), ("gate-services", "services")] {
                optimised = paths::scratch().join(format!("{name}.wasm"));
                // The gate keeps 16 KiB of buffer and next to nothing on the stack: all in one page of memory.
                process::quiet(cargo_rustc("assent-gate").args([
                    "--features",
                    features,
                    "--",
                    "-Clink-arg=-zstack-size=16384",
                ]))?;
                process::quiet(
                    node::tool("wasm-opt")
                        .args(RELOOPED)
                        .args(SMALLEST)
                        .args(GATE_FEATURES)
                        // The linker's own; the host calls none of them.
                        .arg("--remove-exports=__*")
                        .arg(linked("assent_gate"))
                        .arg("-o")
                        .arg(&optimised),
                )?;
                step::write_if_changed(&assets.join(format!("{name}.wasm")), &fs::read(&optimised)?)?;
            }
            let translated = paths::scratch().join("gate.js");
            // From the module with services: without a list of them it does what the other does.
            process::quiet(
                node::tool("wasm2js")
                    .arg("-Oz")
                    .args(GATE_FEATURES)
                    .arg(&optimised)
                    .arg("-o")
                    .arg(&translated),
            )?;
            let script = process::quiet(
                node::tool("esbuild")
                    .args(["--minify", "--format=esm", "--target=es2020"])
                    .arg(&translated),
            )?;
            step::write_if_changed(&assets.join("gate.js"), script.as_bytes())
        },
    )
}

/// Builds `dialog.wasm` and its glue `dialog.js`.
///
/// # Errors
/// Those of the tools.
pub(crate) fn dialog() -> Result {
    let assets = paths::assets();
    step::when_changed(
        "dialog",
        &[
            "app/widget",
            "consent",
            "Cargo.lock",
            "Cargo.toml",
            "package-lock.json",
            "xtask/src/wasm.rs",
        ],
        &[assets.join("dialog.wasm"), assets.join("dialog.js")],
        || {
            process::quiet(cargo_rustc("assent-widget").args([
                "--crate-type",
                "cdylib",
                "--no-default-features",
                "--features",
                "dialog",
            ]))?;
            let bound = paths::scratch().join("dialog");
            Bindgen::new()
                .input_path(linked("assent_widget"))
                .out_name("dialog")
                .web(true)
                .and_then(|bindgen| {
                    bindgen
                        .typescript(false)
                        .remove_name_section(true)
                        .remove_producers_section(true)
                        .generate(&bound)
                })
                .map_err(|error| format!("wasm-bindgen: {error:#}"))?;
            let optimised = paths::scratch().join("dialog.wasm");
            process::quiet(
                node::tool("wasm-opt")
                    .args(SMALLEST)
                    .args(GATE_FEATURES)
                    .args(DIALOG_FEATURES)
                    .arg(bound.join("dialog_bg.wasm"))
                    .arg("-o")
                    .arg(&optimised),
            )?;
            let script = process::quiet(
                node::tool("esbuild")
                    .args([
                        "--bundle",
                        "--minify",
                        "--format=esm",
                        "--target=es2020",
                        "--charset=utf8",
                    ])
                    .arg("--log-level=warning")
                    .arg(bound.join("dialog.js")),
            )?;
            step::write_if_changed(&assets.join("dialog.wasm"), &fs::read(optimised)?)?;
            step::write_if_changed(&assets.join("dialog.js"), script.as_bytes())
        },
    )
}

/// Clippy over what only compiles for the browser.
pub(crate) fn clippy() -> [Command; 3] {
    let gate = |features: &str| {
        let mut gate = process::cargo();
        gate.args(["clippy", "-p", "assent-gate", "--features", features]);
        gate.args(["--target", TARGET, "--", "-D", "warnings"]);
        gate
    };
    let mut dialog = process::cargo();
    dialog.args([
        "clippy",
        "-p",
        "assent-widget",
        "--no-default-features",
        "--features",
        "dialog",
    ]);
    dialog.args(["--target", TARGET, "--", "-D", "warnings"]);
    [gate(""), gate("services"), dialog]
}

fn cargo_rustc(package: &str) -> Command {
    let mut cargo = process::cargo();
    cargo.args([
        "rustc",
        "--package",
        package,
        "--lib",
        "--target",
        TARGET,
        "--profile",
        "wasm-release",
    ]);
    cargo
}

fn linked(name: &str) -> PathBuf {
    paths::target()
        .join(TARGET)
        .join("wasm-release")
        .join(format!("{name}.wasm"))
}
