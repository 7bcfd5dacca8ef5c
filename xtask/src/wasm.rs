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

/// Builds `gate.wasm` and, from it, `gate.js`.
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
        &[assets.join("gate.wasm"), assets.join("gate.js")],
        || {
            let optimised = paths::scratch().join("gate.wasm");
            let translated = paths::scratch().join("gate.js");
            fs::create_dir_all(paths::scratch())?;
            // The gate keeps 16 KiB of buffer and next to nothing on the stack: all in one page of memory.
            process::quiet(cargo_rustc("assent-gate").args(["--", "-Clink-arg=-zstack-size=16384"]))?;
            process::quiet(
                node::tool("wasm-opt")
                    .args(SMALLEST)
                    .args(GATE_FEATURES)
                    // The linker's own; the host calls none of them.
                    .arg("--remove-exports=__*")
                    .arg(linked("assent_gate"))
                    .arg("-o")
                    .arg(&optimised),
            )?;
            // From the very module that the loader carries, so that both gates are one program.
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
            step::write_if_changed(&assets.join("gate.wasm"), &fs::read(optimised)?)?;
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
pub(crate) fn clippy() -> [Command; 2] {
    let mut gate = process::cargo();
    gate.args([
        "clippy",
        "-p",
        "assent-gate",
        "--target",
        TARGET,
        "--",
        "-D",
        "warnings",
    ]);
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
    [gate, dialog]
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
