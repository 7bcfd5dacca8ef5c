//! What other parties' tags are told of a choice.

#[cfg(feature = "record")]
pub mod settings;

use crate::{Categories, Category};

/// The seven types of Google Consent Mode v2, in the order of the bits that [`google`] returns.
/// Source: <https://developers.google.com/tag-platform/security/guides/consent>.
pub const GOOGLE_TYPES: [&str; 7] = [
    "ad_storage",
    "ad_user_data",
    "ad_personalization",
    "analytics_storage",
    "functionality_storage",
    "personalization_storage",
    "security_storage",
];

/// The granted types of Google Consent Mode as bits in the order of [`GOOGLE_TYPES`]: advertising follows
/// targeting, analytics follows performance, functionality and personalisation follow functional, and
/// security is always granted.
pub fn google(granted: Categories) -> u8 {
    let mut bits = 0b100_0000;
    if granted.has(Category::Targeting) {
        bits |= 0b000_0111;
    }
    if granted.has(Category::Performance) {
        bits |= 0b000_1000;
    }
    if granted.has(Category::Functional) {
        bits |= 0b011_0000;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_security_without_consent() {
        assert_eq!(google(Categories::NECESSARY), 0b100_0000);
        assert_eq!(google(Categories::ALL), 0b111_1111);
    }

    #[test]
    fn advertising_follows_targeting_alone() {
        let granted = Categories::granted(Category::Targeting.set().bits());
        let on: Vec<_> = (0..7)
            .filter(|bit| google(granted) & (1 << bit) != 0)
            .map(|bit| GOOGLE_TYPES[bit])
            .collect();
        assert_eq!(
            on,
            [
                "ad_storage",
                "ad_user_data",
                "ad_personalization",
                "security_storage"
            ]
        );
    }
}
