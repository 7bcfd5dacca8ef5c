//! Which cookies and storage items go when a category is not granted.
//!
//! The declared items of a site stand in one list: entries between single spaces, each a category's digit
//! followed by a name, `3_fbp`, where `*` stands for any run of characters, `1_ga*`. Where the visitor chooses per
//! service, the character of the service's slot stands in the digit's place.

use crate::Granted;

/// Whether the item `name` belongs to what is not granted. A name that also matches an entry of something
/// granted stays: erasing it would break what the visitor agreed to.
pub fn is_erased(list: &[u8], name: &[u8], granted: impl Into<Granted>) -> bool {
    let granted = granted.into();
    let mut erased = false;
    for entry in list.split(|byte| *byte == b' ') {
        if let [mark, pattern @ ..] = entry
            && let Some(is_granted) = granted.has(*mark)
            && !pattern.is_empty()
            && matches(pattern, name)
        {
            if is_granted {
                return false;
            }
            erased = true;
        }
    }
    erased
}

/// Whether what loads from `place`, a host with a path (`www.vendor.example/embed/1`), may load: every declaration of
/// the place is of something granted. `None` if nothing declares it. The list has the same form, with patterns of
/// whole places: `www.vendor.example/*`.
pub fn is_allowed(list: &[u8], place: &[u8], granted: impl Into<Granted>) -> Option<bool> {
    let granted = granted.into();
    let mut allowed = None;
    for entry in list.split(|byte| *byte == b' ') {
        if let [mark, pattern @ ..] = entry
            && let Some(is_granted) = granted.has(*mark)
            && matches(pattern, place)
            && allowed != Some(false)
        {
            allowed = Some(is_granted);
        }
    }
    allowed
}

/// Whether `name` matches `pattern`, in which `*` stands for any run of bytes, the empty one included.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && pattern[p] == name[n] {
            p += 1;
            n += 1;
        } else if let Some((star_p, star_n)) = star {
            star = Some((star_p, star_n + 1));
            p = star_p + 1;
            n = star_n + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Categories, Category};
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_owners_write_them() {
        assert!(matches(b"_ga", b"_ga"));
        assert!(!matches(b"_ga", b"_gac"));
        assert!(matches(b"_ga*", b"_ga_ABC123"));
        assert!(matches(b"*", b""));
        assert!(matches(b"_hj*_x", b"_hj_1_x_x"));
        assert!(!matches(b"a*b", b"a"));
    }

    #[test]
    fn only_ungranted_categories_lose_items() {
        let list = b"1_ga* 3_fbp 0session";
        let granted = Categories::granted(Category::Performance.set().bits());
        assert!(!is_erased(list, b"_ga_X", granted));
        assert!(is_erased(list, b"_fbp", granted));
        assert!(!is_erased(list, b"session", granted));
        assert!(!is_erased(list, b"unknown", granted));
    }

    #[test]
    fn an_item_shared_with_a_granted_category_stays() {
        let granted = Categories::granted(Category::Performance.set().bits());
        assert!(!is_erased(b"3_ga 1_ga", b"_ga", granted));
    }

    #[test]
    fn a_place_of_two_categories_needs_both() {
        let list = b"1tags.example/* 3tags.example/* 3*.ads.example/* 2maps.example/embed/*";
        let performance = Categories::granted(Category::Performance.set().bits());
        assert_eq!(is_allowed(list, b"tags.example/", performance), Some(false));
        assert_eq!(is_allowed(list, b"eu.ads.example/x.js", performance), Some(false));
        assert_eq!(
            is_allowed(list, b"tags.example/a.js", Categories::ALL),
            Some(true)
        );
        assert_eq!(is_allowed(list, b"cdn.example/", Categories::ALL), None);
        assert_eq!(
            is_allowed(list, b"maps.example/embed/1", performance),
            Some(false)
        );
        assert_eq!(is_allowed(list, b"maps.example/search", performance), None);
    }

    proptest! {
        #[test]
        fn matching_agrees_with_splitting_at_stars(pattern in "[ab*]{0,8}", name in "[ab]{0,12}") {
            fn slow(pattern: &[u8], name: &[u8]) -> bool {
                match pattern {
                    [] => name.is_empty(),
                    [b'*', rest @ ..] => (0..=name.len()).any(|skip| slow(rest, &name[skip..])),
                    [first, rest @ ..] => name.first() == Some(first) && slow(rest, &name[1..]),
                }
            }
            prop_assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                slow(pattern.as_bytes(), name.as_bytes())
            );
        }

        #[test]
        fn necessary_items_and_any_bytes_are_safe(list: Vec<u8>, name: Vec<u8>) {
            let list: Vec<u8> = list.into_iter().filter(|byte| !(b'4'..=b'o').contains(byte)).collect();
            prop_assert!(!is_erased(&list, &name, Categories::ALL));
            prop_assert_ne!(is_allowed(&list, &name, Categories::ALL), Some(false));
        }
    }
}
