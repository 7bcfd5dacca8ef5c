//! What is sent often, compressed once, as well as it goes: by the server when a site is published, by its build script
//! for what it embeds, by `cargo xtask size` for what it measures.
//!
//! A crate of its own, because the encoders are generic: they are compiled, and in a debug build optimized, where they
//! are called.

use std::io::Write as _;

/// Brotli, quality 11, with a window of 256 KiB; nothing that Assent serves is larger.
///
/// # Panics
/// Never: memory takes all that is written.
pub fn brotli(bytes: &[u8]) -> Vec<u8> {
    let params = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 18,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut out, &params).expect("memory takes all");
    out
}

/// Gzip, level 9.
///
/// # Panics
/// Never: memory takes all that is written.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("memory takes all")
}
