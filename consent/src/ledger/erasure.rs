//! The signature with which a server says that it erased a record on request, and when. Without it, whoever can write
//! to the database could delete a record and list it as erased.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// Signs that the record of entry `leaf` in the log of `site` was erased, at `erased_at_ms` in milliseconds since 1970.
pub fn sign(site: &str, leaf: u64, erased_at_ms: i64, key: &SigningKey) -> [u8; SIGNATURE_LEN] {
    key.sign(text(site, leaf, erased_at_ms).as_bytes()).to_bytes()
}

/// Whether one of the keys signed that.
pub fn is_signed(
    site: &str,
    leaf: u64,
    erased_at_ms: i64,
    signature: &[u8; SIGNATURE_LEN],
    keys: &[VerifyingKey],
) -> bool {
    let text = text(site, leaf, erased_at_ms);
    let signature = Signature::from_bytes(signature);
    keys.iter()
        .any(|key| key.verify_strict(text.as_bytes(), &signature).is_ok())
}

/// Nothing else that the key signs begins like this: the name of a log has no spaces, a JWS no line feed.
fn text(site: &str, leaf: u64, erased_at_ms: i64) -> String {
    format!("assent erasure v1\n{site}\n{leaf}\n{erased_at_ms}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erasure_is_signed_for_its_place_and_time_only() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let known = [
            SigningKey::from_bytes(&[6; 32]).verifying_key(),
            key.verifying_key(),
        ];
        let signature = sign("shop", 7, 1_795_291_200_000, &key);
        assert!(is_signed("shop", 7, 1_795_291_200_000, &signature, &known));
        assert!(!is_signed("blog", 7, 1_795_291_200_000, &signature, &known));
        assert!(!is_signed("shop", 8, 1_795_291_200_000, &signature, &known));
        assert!(!is_signed("shop", 7, 1_795_291_200_001, &signature, &known));
        assert!(!is_signed("shop", 7, 1_795_291_200_000, &[0; 64], &known));
        assert!(!is_signed("shop", 7, 1_795_291_200_000, &signature, &known[..1]));
    }

    #[test]
    fn the_signed_text_is_golden() {
        assert_eq!(text("shop", 7, 1), "assent erasure v1\nshop\n7\n1\n");
    }
}
