//! Which categories a tag needs, from its `data-category` attribute.

use crate::{Categories, Category};

/// Reads a `data-category` attribute: one or more category ids between ASCII white space. All of them are
/// needed. `None` if it names none or an unknown one; such a tag is never released.
pub fn needs(attribute: &[u8]) -> Option<Categories> {
    let mut needed = Categories::NONE;
    for id in attribute.split(u8::is_ascii_whitespace) {
        if !id.is_empty() {
            needed = needed | Category::from_id(id)?.set();
        }
    }
    (needed.bits() != 0).then_some(needed)
}

/// Whether a tag with this attribute may run when `granted` is granted.
pub fn is_released(attribute: &[u8], granted: Categories) -> bool {
    needs(attribute).is_some_and(|needed| granted.contains(needed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_named_categories_are_needed() {
        let granted = Categories::granted(Category::Targeting.set().bits());
        assert!(is_released(b"targeting", granted));
        assert!(is_released(b" necessary\ttargeting\n", granted));
        assert!(!is_released(b"targeting performance", granted));
    }

    #[test]
    fn an_unknown_name_holds_even_beside_a_granted_one() {
        assert!(!is_released(b"targeting marketing", Categories::ALL));
        assert!(!is_released(b"", Categories::ALL));
        assert!(!is_released(b"   ", Categories::ALL));
    }

    proptest! {
        #[test]
        fn any_bytes_fail_closed(attribute: Vec<u8>) {
            if is_released(&attribute, Categories::NECESSARY) {
                let text = String::from_utf8(attribute).expect("only ids pass").to_lowercase();
                prop_assert!(text.split_ascii_whitespace().all(|id| id == "necessary"));
            }
        }

        #[test]
        fn granting_more_never_holds_more(attribute in "[a-z ]{0,24}", bits in 0_u8..16, more in 0_u8..16) {
            let less = Categories::granted(bits);
            let all = less | Categories::granted(more);
            prop_assert!(!is_released(attribute.as_bytes(), less) || is_released(attribute.as_bytes(), all));
        }
    }
}
