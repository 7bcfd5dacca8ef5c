//! Signed notes (<https://c2sp.org/signed-note>): a text with lines that sign it, by the log and by witnesses
//! (<https://c2sp.org/tlog-cosignature>).

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// The longest note that is read, in bytes.
pub const BYTES_MAX: usize = 64 * 1024;
/// The most signatures that are read; the specification asks for at least 16.
const SIGNATURES_MAX: usize = 32;
/// The longest signature that is read, key id included: room for the post-quantum ones that are not ours.
const SIGNATURE_BYTES_MAX: usize = 5 * 1024;
/// The longest name of a key.
const NAME_BYTES_MAX: usize = 255;

/// Why a note does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not exactly of the format.
    #[error("this is not a signed note")]
    Malformed,
    /// No known key signed it.
    #[error("no known key signed this note")]
    UnknownKey,
    /// A known key's signature does not fit the text.
    #[error("the signature does not fit the text: the note was altered")]
    Altered,
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The text itself (type 0x01): the log.
    Log,
    /// That it saw this head, and when (type 0x04, `cosignature/v1`): a witness.
    Witness,
}

impl Role {
    const fn byte(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Witness => 4,
        }
    }
}

/// A signature that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The log's.
    ByLog,
    /// A witness's.
    ByWitness {
        /// When it saw this head, in seconds since 1970.
        at_s: u64,
    },
}

/// A public key with the name that it signs under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    role: Role,
    key: VerifyingKey,
}

impl NoteKey {
    /// A key under a name. `None` if the name cannot stand in a note: it is empty or longer than 255 bytes, or has
    /// spaces, control characters or `+`.
    pub fn new(name: &str, role: Role, key: VerifyingKey) -> Option<Self> {
        let name = is_name(name).then(|| name.to_owned())?;
        Some(Self { name, role, key })
    }

    /// Reads `NAME+ID+KEY`, the form in which keys are passed around.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        if key.len() != 44 {
            return None;
        }
        let key = BASE64.decode(key).ok()?;
        let (role, key) = key.split_first()?;
        let role = [Role::Log, Role::Witness]
            .into_iter()
            .find(|known| known.byte() == *role)?;
        let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        let key = Self::new(name, role, key)?;
        (hex::encode(key.id()) == id).then_some(key)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256(name, line feed, type, key).
    pub fn id(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.role.byte()])
            .chain_update(self.key.as_bytes())
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }
}

impl std::fmt::Display for NoteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut key = [0; 33];
        key[0] = self.role.byte();
        key[1..].copy_from_slice(self.key.as_bytes());
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex::encode(self.id()),
            BASE64.encode(key)
        )
    }
}

/// A text and the lines that sign it; none of them is checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Line>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    name: String,
    id: [u8; 4],
    /// What follows the id.
    signature: Vec<u8>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] if it is not exactly of the format, or longer than [`BYTES_MAX`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        Self::read(note).ok_or(NoteError::Malformed)
    }

    fn read(note: &str) -> Option<Self> {
        let is_plain = note.bytes().all(|byte| byte == b'\n' || byte >= b' ');
        if note.len() > BYTES_MAX || !is_plain {
            return None;
        }
        let (text, lines) = note.rsplit_once("\n\n")?;
        let lines = lines.strip_suffix('\n')?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return None;
        }
        Some(Self {
            text: format!("{text}\n"),
            signatures: lines.split('\n').map(Line::read).collect::<Option<_>>()?,
        })
    }

    /// What is signed, with the line feed at its end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names under which it is signed, or said to be.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|line| line.name.as_str())
    }

    /// Checks the signature of one key. `None` if the key has not signed.
    ///
    /// # Errors
    /// [`NoteError::Altered`] if the signature does not fit.
    pub fn signed_by(&self, key: &NoteKey) -> Result<Option<Signed>, NoteError> {
        let id = key.id();
        let mut found = None;
        for line in &self.signatures {
            if line.id == id && line.name == key.name {
                found = Some(line.check(key, &self.text).ok_or(NoteError::Altered)?);
            }
        }
        Ok(found)
    }
}

impl Line {
    fn read(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        if !is_name(name) || signature.len() > SIGNATURE_BYTES_MAX.div_ceil(3) * 4 {
            return None;
        }
        let bytes = BASE64.decode(signature).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        let has_signature = !signature.is_empty();
        has_signature.then(|| Self {
            name: name.to_owned(),
            id: *id,
            signature: signature.to_vec(),
        })
    }

    /// `None` if the signature does not fit.
    fn check(&self, key: &NoteKey, text: &str) -> Option<Signed> {
        let (signed, message, signature) = match key.role {
            Role::Log => (Signed::ByLog, text.to_owned(), self.signature.as_slice()),
            Role::Witness => {
                let (time, signature) = self.signature.split_first_chunk::<8>()?;
                let at_s = u64::from_be_bytes(*time);
                (Signed::ByWitness { at_s }, cosigned(at_s, text), signature)
            }
        };
        let signature = Signature::from_slice(signature).ok()?;
        key.key.verify_strict(message.as_bytes(), &signature).ok()?;
        Some(signed)
    }
}

/// Signs a text, which ends in a line feed, as the log of this name. `None` if the name cannot stand in a note.
pub fn sign(text: &str, name: &str, key: &SigningKey) -> Option<String> {
    let note_key = NoteKey::new(name, Role::Log, key.verifying_key())?;
    let signature = key.sign(text.as_bytes()).to_bytes();
    Some(format!("{text}\n{}", line(&note_key, &signature)))
}

/// The line with which a witness of this name says that it saw the note's head at `time_s`, in seconds since 1970.
/// It goes below the note's other signatures. `None` if the name cannot stand in a note.
pub fn cosign(note: &Note, name: &str, key: &SigningKey, time_s: u64) -> Option<String> {
    let note_key = NoteKey::new(name, Role::Witness, key.verifying_key())?;
    let mut signature = time_s.to_be_bytes().to_vec();
    signature.extend_from_slice(&key.sign(cosigned(time_s, &note.text).as_bytes()).to_bytes());
    Some(line(&note_key, &signature))
}

fn cosigned(time_s: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}

fn line(key: &NoteKey, signature: &[u8]) -> String {
    let signature = BASE64.encode([key.id().as_slice(), signature].concat());
    format!("— {} {signature}\n", key.name)
}

fn is_name(name: &str) -> bool {
    let is_plain = |char: char| !char.is_whitespace() && !char.is_control() && char != '+';
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(is_plain)
}

/// Reads a number as the formats write it: decimal digits without leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn known(role: Role) -> NoteKey {
        NoteKey::new("log.example/shop", role, key().verifying_key()).unwrap()
    }

    /// The key and the note of Go's `golang.org/x/mod/sumdb/note`, where the format comes from.
    #[test]
    fn the_note_of_the_reference_implementation_holds() {
        let key =
            NoteKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        assert_eq!(
            key.to_string(),
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        );
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let note = format!(
            "{text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        );
        let note = Note::parse(&note).unwrap();
        assert_eq!(note.text(), text);
        assert_eq!(note.signed_by(&key), Ok(Some(Signed::ByLog)));
    }

    #[test]
    fn a_note_is_checked_against_the_keys_that_are_known() {
        let note = sign("log.example/shop\n1\nroot\n", "log.example/shop", &key()).unwrap();
        let read = Note::parse(&note).unwrap();
        assert_eq!(read.signed_by(&known(Role::Log)), Ok(Some(Signed::ByLog)));
        assert_eq!(read.signed_by(&known(Role::Witness)), Ok(None));
        let renamed = NoteKey::new("log.example/other", Role::Log, key().verifying_key()).unwrap();
        assert_eq!(read.signed_by(&renamed), Ok(None));
        let altered = Note::parse(&note.replacen("\n1\n", "\n2\n", 1)).unwrap();
        assert_eq!(altered.signed_by(&known(Role::Log)), Err(NoteError::Altered));
    }

    #[test]
    fn a_witness_says_when() {
        let note = sign("log.example/shop\n1\nroot\n", "log.example/shop", &key()).unwrap();
        let witness = SigningKey::from_bytes(&[9; 32]);
        let line = cosign(
            &Note::parse(&note).unwrap(),
            "witness.example",
            &witness,
            1_679_315_147,
        )
        .unwrap();
        let both = Note::parse(&format!("{note}{line}")).unwrap();
        let key = NoteKey::new("witness.example", Role::Witness, witness.verifying_key()).unwrap();
        assert_eq!(
            both.signed_by(&key),
            Ok(Some(Signed::ByWitness { at_s: 1_679_315_147 }))
        );
        assert_eq!(both.signed_by(&known(Role::Log)), Ok(Some(Signed::ByLog)));
        assert_eq!(NoteKey::parse(&key.to_string()), Some(key.clone()));

        let foreign = sign("log.example/shop\n2\nroot\n", "log.example/shop", &self::key()).unwrap();
        let moved = Note::parse(&format!("{foreign}{line}")).unwrap();
        assert_eq!(moved.signed_by(&key), Err(NoteError::Altered));
    }

    #[test]
    fn what_is_not_a_note_is_refused() {
        let note = sign("a\n\nb\n", "log", &key()).unwrap();
        assert_eq!(Note::parse(&note).unwrap().text(), "a\n\nb\n");
        let line = note.split_once("— ").unwrap().1;
        for broken in [
            String::new(),
            "\n\n".to_owned(),
            "a\n".to_owned(),
            "a\n\n".to_owned(),
            note.trim_end().to_owned(),
            format!("{note}\n"),
            note.replace("— ", "- "),
            note.replace("— log", "— l+g"),
            note.replace("— log", "— "),
            note.replace("— log", "— l\u{a0}g"),
            note.replace('a', "\t"),
            note.replace('a', "\r"),
            note.replace('=', ""),
            "a\n\n— log AAAA\n".to_owned(),
            format!("a\n\n{}", format!("— {line}").repeat(33)),
            format!("{}{note}", " ".repeat(BYTES_MAX)),
        ] {
            assert_eq!(Note::parse(&broken), Err(NoteError::Malformed), "{broken:.40}");
        }
        let keys = [
            "",
            "log",
            "log+00000000",
            "log+00000000+",
            "log+00000000+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        ];
        for broken in keys {
            assert_eq!(NoteKey::parse(broken), None, "{broken}");
        }
        assert_eq!(sign("a\n", "", &key()), None);
        assert_eq!(sign("a\n", "two words", &key()), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(.|\n){0,60}(\n\n— .{0,20} [a-zA-Z0-9+/=]{0,40}\n)?") {
            if let Ok(note) = Note::parse(&text) {
                prop_assert!(text.starts_with(note.text()));
                prop_assert_eq!(note.signed_by(&known(Role::Log)), Ok(None));
            }
            prop_assert_eq!(NoteKey::parse(&text), None);
        }

        #[test]
        fn one_flipped_bit_never_verifies(at: prop::sample::Index, bit in 0_u8..8) {
            let note = sign("log.example/shop\n1\nroot\n", "log.example/shop", &key()).unwrap();
            let mut bytes = note.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(note) = String::from_utf8(bytes).map_err(|_| ()).and_then(|note| Note::parse(&note).map_err(|_| ())) {
                prop_assert_ne!(note.signed_by(&known(Role::Log)), Ok(Some(Signed::ByLog)));
            }
        }
    }
}
