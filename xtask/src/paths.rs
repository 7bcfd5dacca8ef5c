//! Where things stand in the working tree.

use std::path::{Path, PathBuf};

/// The root of the working tree.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The folder whose files the server embeds. Its place does not follow `CARGO_TARGET_DIR`: the server's
/// build script looks for it here.
pub(crate) fn assets() -> PathBuf {
    root().join("target/assets")
}

/// Working files of this program.
pub(crate) fn scratch() -> PathBuf {
    root().join("target/xtask")
}

/// An executable that cargo left in the target folder; `profile` is `debug` or `release`.
pub(crate) fn executable(profile: &str, name: &str) -> PathBuf {
    target()
        .join(profile)
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
