//! Which categories a tag needs, from its `data-category` attribute.

use crate::{Categories, Category};

/// What a tag waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Categories that have to be granted.
    pub granted: Categories,
    /// Categories that must not be granted: a tag that runs only without consent.
    pub refused: Categories,
}

/// Reads a `data-category` attribute: one or more category ids between ASCII white space, each needed, or with
/// `!` before it needed not to be granted. `None` if it names none or an unknown one.
pub fn needs(attribute: &[u8]) -> Option<Needs> {
    let mut needs = Needs {
        granted: Categories::NONE,
        refused: Categories::NONE,
    };
    for mark in attribute.split(u8::is_ascii_whitespace) {
        match mark {
            [] => {}
            [b'!', id @ ..] => needs.refused = needs.refused | Category::from_id(id)?.set(),
            id => needs.granted = needs.granted | Category::from_id(id)?.set(),
        }
    }
    ((needs.granted | needs.refused).bits() != 0).then_some(needs)
}

/// Whether a tag with this attribute may run when `granted` is granted; `None` if the attribute is not one of
/// ours, for pages use the name for other things, too. Such a tag is not released.
pub fn is_released(attribute: &[u8], granted: Categories) -> Option<bool> {
    let needs = needs(attribute)?;
    Some(granted.contains(needs.granted) && (granted & needs.refused).bits() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn released(attribute: &[u8], granted: Categories) -> bool {
        is_released(attribute, granted) == Some(true)
    }

    #[test]
    fn all_named_categories_are_needed() {
        let granted = Categories::granted(Category::Targeting.set().bits());
        assert!(released(b"targeting", granted));
        assert!(released(b" necessary\ttargeting\n", granted));
        assert!(!released(b"targeting performance", granted));
    }

    #[test]
    fn a_negated_name_is_released_only_without_consent() {
        assert!(released(b"!targeting", Categories::NECESSARY));
        assert!(!released(b"!targeting", Categories::ALL));
        let performance = Categories::granted(Category::Performance.set().bits());
        assert!(released(b"performance !targeting", performance));
        assert!(!released(b"performance !targeting", Categories::ALL));
        assert!(!released(b"performance !targeting", Categories::NECESSARY));
        assert!(!released(b"!necessary", Categories::NECESSARY));
    }

    #[test]
    fn an_unknown_name_is_not_ours_even_beside_a_known_one() {
        for attribute in [
            &b"targeting marketing"[..],
            b"targeting !marketing",
            b"!",
            b"! targeting",
            b"!!targeting",
            b"",
            b"   ",
        ] {
            assert_eq!(is_released(attribute, Categories::ALL), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_fail_closed(attribute: Vec<u8>) {
            if released(&attribute, Categories::NECESSARY) {
                let text = String::from_utf8(attribute).expect("only ids pass").to_lowercase();
                prop_assert!(
                    text.split_ascii_whitespace().all(|id| id == "necessary" || id.starts_with('!'))
                );
            }
        }

        #[test]
        fn granting_more_never_holds_more_of_what_is_not_negated(
            attribute in "[a-z ]{0,24}", bits in 0_u8..16, more in 0_u8..16,
        ) {
            let less = Categories::granted(bits);
            let all = less | Categories::granted(more);
            prop_assert!(!released(attribute.as_bytes(), less) || released(attribute.as_bytes(), all));
        }
    }
}
