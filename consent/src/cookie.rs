//! The one first-party cookie in which the browser keeps a choice.
//!
//! `1.{revision}.{granted}.{decided_at_s}.{key}.{record}`: a version, the revision that was shown, the granted
//! categories as one hexadecimal digit, the time in seconds, the subject key (32 lower-case hexadecimal
//! digits, [made so](crate::record::subject_key)) and the id of the last consent record (a UUID in its usual text
//! form). Where the visitor has chosen per service, `.{exceptions}` follows: see [`services`](crate::services). 95 bytes
//! at most without exceptions, 276 with them. All numbers are decimal without sign or leading zeros. Anything else does
//! not parse, and what does not parse is no consent.

use crate::{Categories, services::EXCEPTIONS_LEN_MAX};

/// The longest value that [`write`](Stored::write) produces, in bytes.
pub const LEN_MAX: usize = 2 + 11 + 2 + 11 + 33 + 36 + 1 + EXCEPTIONS_LEN_MAX;
/// Length of a subject key in its text form.
pub const KEY_LEN: usize = 32;
/// Length of a record id in its text form.
pub const RECORD_LEN: usize = 36;

/// A choice as the browser keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// The revision that the visitor was shown.
    pub revision: u32,
    /// What the visitor granted; `necessary` is always in it.
    pub granted: Categories,
    /// When the choice was made, in seconds since 1970.
    pub decided_at_s: u32,
    /// The subject key.
    pub key: [u8; KEY_LEN],
    /// The id of the record of this choice.
    pub record: [u8; RECORD_LEN],
    /// The services whose answer differs from their category's, not read yet: see
    /// [`are_exceptions`](crate::services::are_exceptions).
    pub exceptions: Option<&'a [u8]>,
}

impl<'a> Stored<'a> {
    /// Reads a cookie's value. `None` when it is not exactly of this format and version.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut parts = value.split(|byte| *byte == b'.');
        if parts.next()? != b"1" {
            return None;
        }
        let revision = number(parts.next()?)?;
        let &[granted] = parts.next()? else {
            return None;
        };
        let bits = match granted {
            b'0'..=b'9' => granted - b'0',
            b'a'..=b'f' => granted - b'a' + 10,
            _ => return None,
        };
        if bits & 1 == 0 {
            return None;
        }
        let decided_at_s = number(parts.next()?)?;
        let key: [u8; KEY_LEN] = parts.next()?.try_into().ok()?;
        let record: [u8; RECORD_LEN] = parts.next()?.try_into().ok()?;
        let exceptions = parts.next();
        if parts.next().is_some() || !is_key(&key) || !is_uuid(&record) {
            return None;
        }
        Some(Self {
            revision,
            granted: Categories::granted(bits),
            decided_at_s,
            key,
            record,
            exceptions,
        })
    }

    /// Writes the value into `out` and returns its length. `out` must hold [`LEN_MAX`] bytes.
    pub fn write(&self, out: &mut [u8; LEN_MAX]) -> usize {
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            for byte in bytes {
                if let Some(slot) = out.get_mut(at) {
                    *slot = *byte;
                    at += 1;
                }
            }
        };
        let digit = b"0123456789abcdef"[usize::from(self.granted.bits() & 15)];
        put(b"1.");
        decimal(self.revision, &mut put);
        put(&[b'.', digit, b'.']);
        decimal(self.decided_at_s, &mut put);
        put(b".");
        put(&self.key);
        put(b".");
        put(&self.record);
        if let Some(exceptions) = self.exceptions {
            put(b".");
            put(exceptions);
        }
        at
    }
}

fn decimal(mut number: u32, put: &mut impl FnMut(&[u8])) {
    let mut digits = [0_u8; 10];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 || at == 0 {
            break;
        }
    }
    put(&digits[at..]);
}

fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    let mut value = 0_u32;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))?;
    }
    Some(value)
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Whether the bytes are a subject key in its text form.
pub fn is_key(key: &[u8]) -> bool {
    key.len() == KEY_LEN && key.iter().all(|byte| is_hex(*byte))
}

fn is_uuid(id: &[u8; RECORD_LEN]) -> bool {
    id.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => is_hex(*byte),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOLDEN: &[u8] =
        b"1.3.9.1795291200.00112233445566778899aabbccddeeff.019aa7f0-1234-7abc-8def-0123456789ab";

    #[test]
    fn golden_bytes_read_and_write() {
        let stored = Stored::parse(GOLDEN).expect("golden value parses");
        assert_eq!(stored.revision, 3);
        assert_eq!(stored.granted.bits(), 9);
        assert_eq!(stored.decided_at_s, 1_795_291_200);
        let mut out = [0; LEN_MAX];
        let len = stored.write(&mut out);
        assert_eq!(&out[..len], GOLDEN);
    }

    #[test]
    fn a_choice_without_necessary_is_no_choice() {
        let value = String::from_utf8_lossy(GOLDEN).replace(".9.", ".8.");
        assert_eq!(Stored::parse(value.as_bytes()), None);
    }

    #[test]
    fn near_misses_are_no_consent() {
        let golden = String::from_utf8_lossy(GOLDEN).into_owned();
        for broken in [
            golden.replace("1.3", "2.3"),
            golden.replace("1.3", "1.03"),
            golden.replace(".9.", ".g."),
            golden.replace("0011", "001G"),
            golden.replace("-1234", "x1234"),
            format!("{golden}0"),
            format!("{golden}.AAA."),
            golden.replace("1795291200", "99999999999"),
            String::new(),
        ] {
            assert_eq!(Stored::parse(broken.as_bytes()), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            revision: u32, bits in 0_u8..16, decided_at_s: u32,
            exceptions in proptest::option::of("([A-Za-z0-9_-]{3}){1,60}"),
            key in "[0-9a-f]{32}", record in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        ) {
            let stored = Stored {
                revision,
                granted: Categories::granted(bits),
                decided_at_s,
                key: key.as_bytes().try_into().expect("32 digits"),
                record: record.as_bytes().try_into().expect("36 characters"),
                exceptions: exceptions.as_deref().map(str::as_bytes),
            };
            let mut out = [0; LEN_MAX];
            let len = stored.write(&mut out);
            prop_assert!(len < 400);
            prop_assert_eq!(Stored::parse(&out[..len]), Some(stored));
        }

        #[test]
        fn any_bytes_are_read_without_panic(value: Vec<u8>) {
            if let Some(stored) = Stored::parse(&value)
                && stored.exceptions.is_none_or(|codes| codes.len() <= EXCEPTIONS_LEN_MAX)
            {
                let mut out = [0; LEN_MAX];
                let len = stored.write(&mut out);
                prop_assert_eq!(&out[..len], &value[..]);
            }
        }
    }
}
