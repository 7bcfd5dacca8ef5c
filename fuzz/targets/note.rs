//! Any signed note, checkpoint or key: it is refused, or it is exactly what it says. Nothing holds that was not signed.
#![no_main]

use arbitrary::Arbitrary;
use assent_consent::{
    ledger::{Checkpoint, Hash, Note, NoteError, NoteKey, note},
    receipt::ReceiptSigner,
};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// A note as somebody sends it, or with a signature that holds.
    text: &'a str,
    is_signed: bool,
    name: &'a str,
    size: u64,
    root: [u8; 32],
    time_s: u64,
    /// A byte of a good note, and what it is changed by.
    flip: (u16, u8),
}

fuzz_target!(|input: Input<'_>| {
    let signer = ReceiptSigner::new(&[7; 32]);
    let keys = [signer.verifying_key()];
    if let Some(key) = NoteKey::parse(input.text) {
        assert_eq!(key.to_string(), input.text, "a key has one form");
    }

    let checkpoint = Checkpoint {
        origin: input.name.to_owned(),
        size: input.size,
        root: Hash(input.root),
    };
    if let Some(mut good) = checkpoint.sign(signer.key()) {
        assert_eq!(Checkpoint::open(&good, &keys), Ok(checkpoint.clone()));
        let parsed = Note::parse(&good).expect("what was signed reads back");
        let cosigned =
            note::cosign(&parsed, "witness.example/w", signer.key(), input.time_s).expect("a name");
        assert_eq!(
            Checkpoint::open(&(good.clone() + &cosigned), &keys),
            Ok(checkpoint.clone())
        );

        let (at, change) = input.flip;
        let text_len = parsed.text().len();
        let at = usize::from(at) % text_len;
        let mut bytes = good.into_bytes();
        bytes[at] ^= change;
        if change != 0
            && let Ok(changed) = String::from_utf8(bytes)
        {
            good = changed;
            assert!(Checkpoint::open(&good, &keys).is_err(), "the text was changed");
        }
    }

    let sent = match note::sign(input.text, input.name, signer.key()) {
        Some(signed) if input.is_signed => signed,
        _ => input.text.to_owned(),
    };
    match Note::parse(&sent) {
        Ok(parsed) => assert!(sent.starts_with(parsed.text()) && parsed.text().ends_with('\n')),
        Err(error) => {
            assert_eq!(error, NoteError::Malformed);
            assert_eq!(Checkpoint::open(&sent, &keys), Err(NoteError::Malformed));
        }
    }
    if let Ok(read) = Checkpoint::open(&sent, &keys) {
        let again = read.sign(signer.key()).expect("it has a name");
        let text = Note::parse(&again).expect("it was signed").text().to_owned();
        assert!(sent.starts_with(&text), "a checkpoint has one form");
    }
});
