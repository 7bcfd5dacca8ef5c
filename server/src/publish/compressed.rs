//! A body, compressed once and served often.

use assent_compression::{brotli, gzip};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::negotiate::Encoding;

/// A body in each encoding, with its tag.
#[derive(Debug)]
pub(crate) struct Compressed {
    plain: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
    /// First 32 hexadecimal digits of the body's SHA-256.
    digest: String,
}

impl Compressed {
    /// Compresses with brotli 11 and gzip 9.
    pub(crate) fn new(plain: Vec<u8>) -> Self {
        Self {
            brotli: Some(brotli(&plain).into()),
            gzip: Some(gzip(&plain).into()),
            ..Self::plain(plain)
        }
    }

    /// Without compression, for what is sent seldom.
    pub(crate) fn plain(plain: Vec<u8>) -> Self {
        let mut digest = hex::encode(Sha256::digest(&plain));
        digest.truncate(32);
        Self {
            plain: plain.into(),
            brotli: None,
            gzip: None,
            digest,
        }
    }

    /// The body in the wanted encoding, or as it is; with the encoding that it has.
    pub(crate) fn body(&self, wanted: Encoding) -> (Bytes, Encoding) {
        match (wanted, &self.brotli, &self.gzip) {
            (Encoding::Brotli, Some(brotli), _) => (brotli.clone(), Encoding::Brotli),
            (Encoding::Gzip, _, Some(gzip)) => (gzip.clone(), Encoding::Gzip),
            _ => (self.plain.clone(), Encoding::Identity),
        }
    }

    /// The strong entity tag of the body in an encoding; each encoding has its own.
    pub(crate) fn etag(&self, encoding: Encoding) -> String {
        let suffix = match encoding {
            Encoding::Identity => "",
            Encoding::Gzip => "-gz",
            Encoding::Brotli => "-br",
        };
        format!("\"{}{suffix}\"", self.digest)
    }
}
