//! The signature with which a server says that it erased a record on request, and when. Without it, whoever can write
//! to the database could delete a record and list it as erased.
//!
//! It is of the entry, not only of its place: a log that was put back from a backup gives the same index to another
//! record, and an erasure from before must not cover that.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::merkle;

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// Signs that the record of `entry`, which stands at index `leaf` in the log of `site`, was erased at `erased_at_ms`, in
/// milliseconds since 1970.
pub fn sign(
    site: &str,
    leaf: u64,
    entry: &[u8; 32],
    erased_at_ms: i64,
    key: &SigningKey,
) -> [u8; SIGNATURE_LEN] {
    key.sign(text(site, leaf, entry, erased_at_ms).as_bytes())
        .to_bytes()
}

/// Whether one of the keys signed that.
pub fn is_signed(
    site: &str,
    leaf: u64,
    entry: &[u8; 32],
    erased_at_ms: i64,
    signature: &[u8; SIGNATURE_LEN],
    keys: &[VerifyingKey],
) -> bool {
    let text = text(site, leaf, entry, erased_at_ms);
    let signature = Signature::from_bytes(signature);
    keys.iter()
        .any(|key| key.verify_strict(text.as_bytes(), &signature).is_ok())
}

/// Nothing else that the key signs begins like this: the name of a log has no spaces, a JWS no line feed.
fn text(site: &str, leaf: u64, entry: &[u8; 32], erased_at_ms: i64) -> String {
    let hash = merkle::leaf(entry);
    format!("assent erasure v1\n{site}\n{leaf}\n{hash}\n{erased_at_ms}\n")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    const ENTRY: [u8; 32] = [5; 32];
    const AT_MS: i64 = 1_795_291_200_000;

    #[test]
    fn an_erasure_is_signed_for_its_entry_place_and_time_only() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let known = [
            SigningKey::from_bytes(&[6; 32]).verifying_key(),
            key.verifying_key(),
        ];
        let signature = sign("shop", 7, &ENTRY, AT_MS, &key);
        assert!(is_signed("shop", 7, &ENTRY, AT_MS, &signature, &known));
        assert!(!is_signed("blog", 7, &ENTRY, AT_MS, &signature, &known));
        assert!(!is_signed("shop", 8, &ENTRY, AT_MS, &signature, &known));
        assert!(!is_signed("shop", 7, &[6; 32], AT_MS, &signature, &known));
        assert!(!is_signed("shop", 7, &ENTRY, AT_MS + 1, &signature, &known));
        assert!(!is_signed("shop", 7, &ENTRY, AT_MS, &[0; 64], &known));
        assert!(!is_signed("shop", 7, &ENTRY, AT_MS, &signature, &known[..1]));
    }

    /// `testdata/erasure.json`, which the page `/verify` is tested with as well.
    #[derive(Deserialize)]
    struct Golden {
        /// Of the secret key, hexadecimal.
        seed: String,
        site: String,
        index: u64,
        /// Hexadecimal.
        entry: String,
        erased_at_ms: i64,
        text: String,
        /// Hexadecimal.
        signature: String,
    }

    #[test]
    fn the_signed_text_and_its_signature_are_golden() {
        let golden: Golden = serde_json::from_str(include_str!("../../testdata/erasure.json")).unwrap();
        let bytes = |text: &str| <[u8; 32]>::try_from(hex::decode(text).unwrap()).unwrap();
        let (site, entry) = (&golden.site, bytes(&golden.entry));
        assert_eq!(text(site, golden.index, &entry, golden.erased_at_ms), golden.text);
        let key = SigningKey::from_bytes(&bytes(&golden.seed));
        let signature = sign(site, golden.index, &entry, golden.erased_at_ms, &key);
        assert_eq!(hex::encode(signature), golden.signature);
    }
}
