//! Checkpoints (<https://c2sp.org/tlog-checkpoint>): the signed head of a log.

use ed25519_dalek::{SigningKey, VerifyingKey};

use super::{
    merkle::Hash,
    note::{self, Note, NoteError, NoteKey, Role},
};

/// How many entries a log has, and their root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: a name that it keeps for ever, in the form of its first address without the scheme.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
}

impl Checkpoint {
    /// Signs the checkpoint. `None` if the origin cannot name a key: it is empty, too long, or has spaces or `+`.
    pub fn sign(&self, key: &SigningKey) -> Option<String> {
        let text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root);
        note::sign(&text, &self.origin, key)
    }

    /// Reads a checkpoint that the log itself signed, with one of these keys.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] if it is not a checkpoint, or has more lines than the three that mean something;
    /// [`NoteError::UnknownKey`] if none of the keys signed it, [`NoteError::Altered`] if a signature does not fit.
    pub fn open(text: &str, keys: &[VerifyingKey]) -> Result<Self, NoteError> {
        let note = Note::parse(text)?;
        let checkpoint = Self::read(note.text()).ok_or(NoteError::Malformed)?;
        let mut is_signed = false;
        for key in keys {
            let key = NoteKey::new(&checkpoint.origin, Role::Log, *key).ok_or(NoteError::Malformed)?;
            is_signed |= note.signed_by(&key)?.is_some();
        }
        is_signed.then_some(checkpoint).ok_or(NoteError::UnknownKey)
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        if origin.is_empty() || lines.next().is_some() {
            return None;
        }
        Some(Self {
            origin: origin.to_owned(),
            size: note::decimal(size)?,
            root: Hash::parse(root)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::merkle::leaf;
    use super::*;
    use proptest::prelude::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "consent.example/v1/sites/shop/log".to_owned(),
            size: 20_852_163,
            root: leaf(b""),
        }
    }

    #[test]
    fn a_checkpoint_reads_back_in_its_golden_bytes() {
        let signed = checkpoint().sign(&key(7)).unwrap();
        assert_eq!(signed, include_str!("../../testdata/checkpoint.txt"));
        assert_eq!(
            Checkpoint::open(&signed, &[key(7).verifying_key()]),
            Ok(checkpoint())
        );
    }

    #[test]
    fn keys_of_the_past_still_verify() {
        let keys = [
            key(9).verifying_key(),
            key(8).verifying_key(),
            key(7).verifying_key(),
        ];
        for seed in [7, 8, 9] {
            let signed = checkpoint().sign(&key(seed)).unwrap();
            assert_eq!(Checkpoint::open(&signed, &keys), Ok(checkpoint()));
        }
        let foreign = checkpoint().sign(&key(6)).unwrap();
        assert_eq!(Checkpoint::open(&foreign, &keys), Err(NoteError::UnknownKey));
        assert_eq!(Checkpoint::open(&foreign, &[]), Err(NoteError::UnknownKey));
    }

    #[test]
    fn another_logs_checkpoint_is_not_taken_for_this_ones() {
        let text = format!("{}\n1\n{}\n", checkpoint().origin, checkpoint().root);
        let under_another_name = note::sign(&text, "consent.example/other", &key(7)).unwrap();
        assert_eq!(
            Checkpoint::open(&under_another_name, &[key(7).verifying_key()]),
            Err(NoteError::UnknownKey)
        );
    }

    #[test]
    fn what_is_not_a_checkpoint_is_refused() {
        let root = checkpoint().root;
        for text in [
            "o\n1\n".to_owned(),
            format!("o\n{root}\n1\n"),
            format!("\n1\n{root}\n"),
            format!("o\n01\n{root}\n"),
            format!("o\n+1\n{root}\n"),
            format!("o\n-1\n{root}\n"),
            format!("o\n18446744073709551616\n{root}\n"),
            format!("o\n1\n{root}\nextension\n"),
            format!("o\n1\n{root}\n\n"),
            format!("o\n1\n{}\n", &root.to_string()[..43]),
            format!("o\n1\n{root}=\n"),
        ] {
            let signed = note::sign(&text, "o", &key(7)).unwrap();
            assert_eq!(
                Checkpoint::open(&signed, &[key(7).verifying_key()]),
                Err(NoteError::Malformed),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_checkpoint_reads_back(size: u64, root: [u8; 32], origin in "[a-z0-9./:-]{1,80}") {
            let checkpoint = Checkpoint { origin, size, root: Hash(root) };
            let signed = checkpoint.sign(&key(7)).unwrap();
            prop_assert_eq!(Checkpoint::open(&signed, &[key(7).verifying_key()]), Ok(checkpoint));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "(.|\n){0,40}\n[0-9]{0,25}\n[a-zA-Z0-9+/=]{0,50}\n") {
            prop_assert!(Checkpoint::read(&text).is_none_or(|read| text.contains(&read.origin)));
            prop_assert!(Checkpoint::open(&text, &[key(7).verifying_key()]).is_err());
        }
    }
}
