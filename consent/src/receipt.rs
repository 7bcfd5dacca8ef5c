//! The receipt: a consent record, signed. A compact JWS (RFC 7515) with `EdDSA` (RFC 8037).

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ed25519_dalek::{Signature, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::record::ConsentRecord;

/// Media type in the header of every receipt.
pub const TYPE: &str = "consent-receipt+jws";

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// Signs receipts.
pub struct ReceiptSigner {
    key: SigningKey,
    /// The same key for AWS-LC, which signs in half the time: a server signs a receipt for each record.
    fast: Ed25519KeyPair,
    header: String,
    kid: String,
}

impl ReceiptSigner {
    /// A signer from 32 secret random bytes.
    ///
    /// # Panics
    /// Never: any 32 bytes are a key.
    pub fn new(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let fast = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a key");
        let kid = key_id(&key.verifying_key());
        let header = BASE64.encode(format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"{TYPE}"}}"#));
        Self {
            key,
            fast,
            header,
            kid,
        }
    }

    /// Id of the key: its RFC 7638 thumbprint.
    pub fn key_id(&self) -> &str {
        &self.kid
    }

    /// The receipt of a record. The same record always gives the same receipt.
    pub fn sign(&self, record: &ConsentRecord) -> String {
        self.seal(&self.header, &record.canonical())
    }

    /// A compact JWS of another kind than a receipt; `typ`, its media type, keeps the one from being taken for the other.
    pub fn sign_as(&self, typ: &str, payload: &[u8]) -> String {
        let header = BASE64.encode(format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"{typ}"}}"#, self.kid));
        self.seal(&header, payload)
    }

    fn seal(&self, header: &str, payload: &[u8]) -> String {
        let mut sealed = format!("{header}.{}", BASE64.encode(payload));
        let signature = self.fast.sign(sealed.as_bytes());
        sealed.push('.');
        BASE64.encode_string(signature, &mut sealed);
        sealed
    }

    /// The public key as a JWK (RFC 8037).
    pub fn jwk(&self) -> serde_json::Value {
        jwk(&self.key.verifying_key())
    }

    /// The key itself, which signs the log's checkpoints too: a receipt's signed text has no line feed and a
    /// checkpoint's has three, so neither can be taken for the other.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The public key.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.key.verifying_key()
    }
}

impl std::fmt::Debug for ReceiptSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiptSigner")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// A public key as a JWK (RFC 8037).
pub fn jwk(key: &VerifyingKey) -> serde_json::Value {
    serde_json::json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "kid": key_id(key),
        "x": BASE64.encode(key.as_bytes()),
    })
}

/// The Ed25519 keys of a JWK set, as `/.well-known/jwks.json` has them. Other keys are left out.
pub fn keys_of_jwks(jwks: &serde_json::Value) -> Vec<VerifyingKey> {
    let keys = jwks["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    keys.iter()
        .filter(|key| key["kty"] == "OKP" && key["crv"] == "Ed25519")
        .filter_map(|key| {
            let x = BASE64.decode(key["x"].as_str()?).ok()?;
            VerifyingKey::from_bytes(x.as_slice().try_into().ok()?).ok()
        })
        .collect()
}

/// RFC 7638 thumbprint of an Ed25519 key.
fn key_id(key: &VerifyingKey) -> String {
    let x = BASE64.encode(key.as_bytes());
    BASE64.encode(Sha256::digest(format!(
        r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#
    )))
}

/// Why a receipt does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// It is not three base64url parts with the expected header.
    #[error("this is not a receipt")]
    Malformed,
    /// It was signed with another key.
    #[error("the receipt was signed with a key that is not known")]
    UnknownKey,
    /// The signature does not fit the content.
    #[error("the signature does not fit the content: the receipt was altered")]
    Altered,
    /// The signature holds, but the content is not a record of a known version.
    #[error("the receipt's content cannot be read")]
    Unreadable,
}

/// Checks a receipt against a public key and returns its record.
///
/// # Errors
/// What does not hold.
pub fn verify(receipt: &str, key: &VerifyingKey) -> Result<ConsentRecord, ReceiptError> {
    let (signed, signature) = receipt.rsplit_once('.').ok_or(ReceiptError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(ReceiptError::Malformed)?;
    let header: Header = BASE64
        .decode(header)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or(ReceiptError::Malformed)?;
    if header.alg != "EdDSA" || header.typ != TYPE {
        return Err(ReceiptError::Malformed);
    }
    if header.kid != key_id(key) {
        return Err(ReceiptError::UnknownKey);
    }
    let signature = BASE64
        .decode(signature)
        .ok()
        .and_then(|bytes| Signature::from_slice(&bytes).ok())
        .ok_or(ReceiptError::Malformed)?;
    key.verify(signed.as_bytes(), &signature)
        .map_err(|_| ReceiptError::Altered)?;
    let payload = BASE64.decode(payload).map_err(|_| ReceiptError::Malformed)?;
    let record: ConsentRecord = serde_json::from_slice(&payload).map_err(|_| ReceiptError::Unreadable)?;
    if record.version != 1 {
        return Err(ReceiptError::Unreadable);
    }
    Ok(record)
}

/// Checks a receipt against several public keys, of which one has signed it.
///
/// # Errors
/// What does not hold.
pub fn verify_with(receipt: &str, keys: &[VerifyingKey]) -> Result<ConsentRecord, ReceiptError> {
    keys.iter()
        .map(|key| verify(receipt, key))
        .find(|result| *result != Err(ReceiptError::UnknownKey))
        .unwrap_or(Err(ReceiptError::UnknownKey))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOLDEN: &[u8] = include_bytes!("../testdata/record.json");

    fn record() -> ConsentRecord {
        serde_json::from_slice(GOLDEN).expect("golden record")
    }

    fn signer() -> ReceiptSigner {
        ReceiptSigner::new(&[7; 32])
    }

    #[test]
    fn a_record_is_signed_in_its_golden_bytes() {
        assert_eq!(record().canonical(), GOLDEN);
        let receipt = signer().sign(&record());
        assert_eq!(receipt, signer().sign(&record()));
        assert_eq!(verify(&receipt, &signer().verifying_key()), Ok(record()));
    }

    #[test]
    fn the_commitment_is_that_of_the_golden_bytes() {
        // (printf 'assent record v1\0'; cat record.json) | sha256sum
        assert_eq!(
            hex::encode(record().commitment()),
            "7844a5fea11c294d947ecbab6cc37960910f93c78dee1673a9b2427bf1aae4ff"
        );
    }

    #[test]
    fn another_key_does_not_verify() {
        let receipt = ReceiptSigner::new(&[8; 32]).sign(&record());
        assert_eq!(
            verify(&receipt, &signer().verifying_key()),
            Err(ReceiptError::UnknownKey)
        );
    }

    #[test]
    fn keys_of_the_past_still_verify() {
        let old = ReceiptSigner::new(&[8; 32]);
        let jwks = serde_json::json!({ "keys": [signer().jwk(), { "kty": "RSA" }, old.jwk()] });
        let keys = keys_of_jwks(&jwks);
        assert_eq!(keys, [signer().verifying_key(), old.verifying_key()]);
        for by in [signer(), old] {
            assert_eq!(verify_with(&by.sign(&record()), &keys), Ok(record()));
        }
        let foreign = ReceiptSigner::new(&[9; 32]).sign(&record());
        assert_eq!(verify_with(&foreign, &keys), Err(ReceiptError::UnknownKey));
        assert_eq!(verify_with(&foreign, &[]), Err(ReceiptError::UnknownKey));
        assert_eq!(verify_with("", &keys), Err(ReceiptError::Malformed));
        assert_eq!(keys_of_jwks(&serde_json::json!([])), []);
    }

    #[test]
    fn a_changed_choice_does_not_verify() {
        let receipt = signer().sign(&record());
        let mut other = record();
        other.choice.targeting = true;
        let forged = receipt.replace(
            &BASE64.encode(record().canonical()),
            &BASE64.encode(other.canonical()),
        );
        assert_ne!(receipt, forged);
        assert_eq!(
            verify(&forged, &signer().verifying_key()),
            Err(ReceiptError::Altered)
        );
    }

    /// The key pair of RFC 8037, appendix A.
    #[test]
    fn the_key_id_is_the_thumbprint_of_rfc_8037() {
        let seed = BASE64
            .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
            .expect("base64url");
        let signer = ReceiptSigner::new(seed.as_slice().try_into().expect("32 bytes"));
        assert_eq!(signer.key_id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(signer.jwk()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    }

    proptest! {
        #[test]
        fn one_flipped_bit_never_verifies(at: prop::sample::Index, bit in 0_u8..7) {
            let receipt = signer().sign(&record());
            let mut bytes = receipt.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(forged) = String::from_utf8(bytes) {
                prop_assert!(verify(&forged, &signer().verifying_key()).is_err());
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,200}") {
            prop_assert!(verify(&text, &signer().verifying_key()).is_err());
        }
    }
}
