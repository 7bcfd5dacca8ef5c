//! The files that the binary carries: the browser's assets and `public/`.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

/// An embedded file.
#[derive(Debug)]
pub(crate) struct File {
    /// Path below its folder.
    pub(crate) name: &'static str,
    /// Its bytes.
    pub(crate) bytes: &'static [u8],
    /// Brotli of them; empty where the file is not compressed.
    pub(crate) brotli: &'static [u8],
    /// Gzip of them; empty where the file is not compressed.
    pub(crate) gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// First 16 hexadecimal digits of the SHA-256 over all assets: one address for one build.
pub(crate) static ASSETS_HASH: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for file in ASSETS {
        hash.update(file.name.as_bytes());
        hash.update([0]);
        hash.update(file.bytes.len().to_be_bytes());
        hash.update(file.bytes);
    }
    let mut digits = hex::encode(hash.finalize());
    digits.truncate(16);
    digits
});

/// An asset by its name.
pub(crate) fn asset(name: &str) -> Option<&'static File> {
    ASSETS.iter().find(|file| file.name == name)
}

/// An asset as text; empty if there is none (the build makes sure of those that are needed).
pub(crate) fn asset_text(name: &str) -> &'static str {
    asset(name)
        .and_then(|file| std::str::from_utf8(file.bytes).ok())
        .unwrap_or_default()
}

/// A file of `public/` by its path.
pub(crate) fn public(path: &str) -> Option<&'static File> {
    PUBLIC.iter().find(|file| file.name == path)
}

/// Media type by the ending of a name.
pub(crate) fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
