//! The choice per service, on sites that offer it.
//!
//! The optional services of such a site stand in one list, four characters each: the digit of the category, then
//! the code of the service ([`CODE_LEN`] characters of base64url), sorted by code. A service's place in the list is
//! its slot. A choice is a set of categories and its exceptions: the codes of the services whose answer differs from
//! their category's, sorted, one after the other. Codes and not slots, so that a later revision with other services
//! still reads them.

use core::ops::RangeInclusive;

use crate::{Categories, decision::Decision};

/// The most services that a visitor can choose among one by one.
pub const SERVICES_MAX: usize = 60;
/// Length of a service's code.
pub const CODE_LEN: usize = 3;
/// The longest exceptions, in bytes.
pub const EXCEPTIONS_LEN_MAX: usize = SERVICES_MAX * CODE_LEN;

type Code = [u8; CODE_LEN];

/// Length of a service's entry in the list.
pub const ENTRY_LEN: usize = 1 + CODE_LEN;
/// The bit of the first slot; below it are the categories.
const FIRST: usize = 4;

/// What is granted: the categories in bits 0 to 3, above them the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted(u64);

impl From<Categories> for Granted {
    fn from(categories: Categories) -> Self {
        Self(categories.bits().into())
    }
}

impl Granted {
    /// Only what is necessary.
    pub const NECESSARY: Self = Self(Categories::NECESSARY.bits() as u64);

    /// Whether that for which `mark` stands is granted: the digit of a category, or the character of a slot. `None`
    /// for any other character.
    pub const fn has(self, mark: u8) -> Option<bool> {
        let bit = mark.wrapping_sub(b'0');
        if bit < 64 {
            Some(self.0 >> bit & 1 == 1)
        } else {
            None
        }
    }

    /// The categories alone.
    pub const fn categories(self) -> Categories {
        Categories::granted((self.0 & 15) as u8)
    }
}

/// The characters that stand for the slots in the lists of items and hosts, as the digits stand for the categories.
pub const MARKS: RangeInclusive<char> = '4'..='o';

/// The list of services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Services<'a>(&'a [u8]);

impl<'a> Services<'a> {
    /// Reads a list, leaving out what is beyond [`SERVICES_MAX`].
    pub const fn of(list: &'a [u8]) -> Self {
        Self(list)
    }

    /// Whether there are none, as on a site that offers no choice among them.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Category, code and bit of each service.
    fn entries(self) -> impl Iterator<Item = (u8, Code, u64)> + use<'a> {
        let mut bit = 1 << (FIRST - 1);
        let entries = self.0.as_chunks::<ENTRY_LEN>().0.iter().take(SERVICES_MAX);
        entries.map(move |&[category, a, b, c]| {
            bit <<= 1;
            (category, [a, b, c], bit)
        })
    }

    /// What a decision grants when the stored choice has these exceptions. They count with a choice that counts; of
    /// another, what they refuse stays refused and what they grant is not granted.
    pub fn granted(self, decision: &Decision, exceptions: &[u8]) -> Granted {
        let mut granted = Granted::from(decision.granted);
        for (category, code, bit) in self.entries() {
            let is_on = granted.has(category) == Some(true);
            let differs = codes(exceptions)
                .iter()
                .any(|other| number(*other) == number(code));
            if is_on != differs && (is_on || decision.chosen) {
                granted.0 |= bit;
            }
        }
        granted
    }
}

/// Whether these are exceptions as they are written: whole codes, each once, sorted.
pub fn are_exceptions(text: &[u8]) -> bool {
    let mut before = 0;
    let is_sorted = codes(text).iter().all(|code| {
        let after = number(*code) > before;
        before = number(*code);
        after
    });
    let is_code = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=EXCEPTIONS_LEN_MAX).contains(&text.len())
        && text.len().is_multiple_of(CODE_LEN)
        && is_sorted
        && text.iter().all(is_code)
}

fn codes(text: &[u8]) -> &[Code] {
    text.as_chunks().0
}

/// A code as a number, because the gate is shorter without a comparison of slices.
fn number([a, b, c]: Code) -> u32 {
    u32::from_be_bytes([0, a, b, c])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Category, cookie, decision};
    use proptest::prelude::*;

    /// Two services of performance, one of functional, two of targeting.
    const LIST: &[u8] = b"1AAA3Bcd2b-_1c003zzz";

    fn decision(bits: u8, chosen: bool) -> Decision {
        Decision {
            granted: Categories::granted(bits),
            ask: !chosen,
            chosen,
        }
    }

    /// Whether each service is granted.
    fn answers(granted: Granted) -> Vec<bool> {
        MARKS
            .take(5)
            .map(|mark| granted.has(mark as u8) == Some(true))
            .collect()
    }

    #[test]
    fn a_service_follows_its_category_but_for_exceptions() {
        let granted = Services::of(LIST).granted(&decision(0b0011, true), b"AAABcd");
        assert_eq!(answers(granted), [false, true, false, true, false]);
        assert_eq!(granted.categories().bits(), 0b0011);
    }

    #[test]
    fn while_the_visitor_is_asked_again_exceptions_only_refuse() {
        let granted = Services::of(LIST).granted(&decision(0b0011, false), b"AAABcd");
        assert_eq!(answers(granted), [false, false, false, true, false]);
    }

    #[test]
    fn codes_of_services_that_are_gone_say_nothing() {
        let granted = Services::of(LIST).granted(&decision(0b1111, true), b"AAB___zzz");
        assert_eq!(answers(granted), [true, true, true, true, false]);
    }

    #[test]
    fn exceptions_are_whole_sorted_codes() {
        assert!(are_exceptions(b"-__AAA"));
        for broken in [
            &b""[..],
            b"A",
            b"AAAB",
            b"AAAAAA",
            b"BBBAAA",
            b"A.A",
            b"AA\0",
            &[b'a'; 183],
        ] {
            assert!(!are_exceptions(broken), "{broken:?}");
        }
    }

    #[test]
    fn every_slot_has_a_mark_that_parts_nothing() {
        assert_eq!(MARKS.count(), SERVICES_MAX);
        assert_eq!(*MARKS.start() as u8 - b'0', 4);
        assert_eq!(Granted::NECESSARY.has(b'p'), None);
        assert_eq!(Granted::NECESSARY.has(b' '), None);
        assert_eq!(Granted::NECESSARY.has(b'*'), None);
    }

    proptest! {
        #[test]
        fn nothing_is_granted_that_neither_a_category_nor_a_counting_choice_grants(
            bits in 0_u8..16, chosen: bool, list in "([0-3][ab_]{3}){0,61}.?", exceptions in "[ab_]{0,30}",
        ) {
            let decision = decision(bits, chosen);
            let granted = Services::of(list.as_bytes()).granted(&decision, exceptions.as_bytes());
            prop_assert_eq!(granted.categories(), decision.granted);
            for (category, code, bit) in Services::of(list.as_bytes()).entries() {
                let is_on = Granted::from(decision.granted).has(category) == Some(true);
                if granted.0 & bit != 0 && !is_on {
                    prop_assert!(chosen && codes(exceptions.as_bytes()).contains(&code));
                }
            }
        }

        #[test]
        fn what_any_cookie_holds_grants_no_service_under_opt_in_unless_it_counts(
            value in "1\\.[0-9]\\.[0-9a-f]\\.[0-9]{1,9}\\.[0-9a-f]{32}\\.00000000-0000-7000-8000-000000000000(\\.[A-Cz]{0,9}){0,2}",
            now_s in 0_u32..1_000_000_000,
        ) {
            let terms = decision::Terms {
                model: decision::Model::OptIn,
                on_by_default: Categories::NECESSARY,
                honours: decision::Objections::default(),
                expiry_s: 100_000_000,
                valid_from_revision: 2,
                by_service: true,
            };
            let stored = cookie::Stored::parse(value.as_bytes());
            let decision = decision::decide(&terms, decision::Objections::default(), stored.as_ref(), now_s);
            let exceptions = stored.and_then(|stored| stored.exceptions).unwrap_or_default();
            let granted = Services::of(LIST).granted(&decision, exceptions);
            if !decision.chosen {
                prop_assert_eq!(granted, Granted::from(Category::Necessary.set()));
            } else if !exceptions.is_empty() {
                prop_assert!(are_exceptions(exceptions));
            }
        }
    }
}
