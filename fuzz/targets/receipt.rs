//! Any receipt and any set of keys: nothing holds that was not signed, and what holds reads back.
#![no_main]

use assent_consent::receipt::{self, ReceiptError, ReceiptSigner};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8], u16, u8)| {
    let (text, payload, at, change) = input;
    let signer = ReceiptSigner::new(&[7; 32]);
    let keys = [
        ReceiptSigner::new(&[6; 32]).verifying_key(),
        signer.verifying_key(),
    ];
    if let Ok(jwks) = serde_json::from_str(text) {
        let _ = receipt::keys_of_jwks(&jwks);
    }

    // Whatever the server signs as a receipt is a record, or is said to be none.
    let signed = signer.sign_as(receipt::TYPE, payload);
    for sent in [text, &signed] {
        match receipt::verify_with(sent, &keys) {
            Ok(record) => {
                let again = signer.sign(&record);
                assert_eq!(receipt::verify_with(&again, &keys), Ok(record));
            }
            Err(error) => assert!(sent != signed || error == ReceiptError::Unreadable, "{error}"),
        }
    }
    // Of another kind it never is one.
    let other = signer.sign_as("erasure-confirmation+jws", payload);
    assert_eq!(receipt::verify_with(&other, &keys), Err(ReceiptError::Malformed));

    let mut bytes = signed.clone().into_bytes();
    let at = usize::from(at) % bytes.len();
    bytes[at] ^= change;
    if change != 0
        && let Ok(changed) = String::from_utf8(bytes)
    {
        assert!(
            receipt::verify_with(&changed, &keys).is_err(),
            "a byte was changed"
        );
    }
});
