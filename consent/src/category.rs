//! The four categories and sets of them.

use core::ops::{BitAnd, BitOr};

/// What a tag, a cookie or a service is for. The ids are fixed; the labels that people read are texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "record", serde(rename_all = "lowercase"))]
#[repr(u8)]
pub enum Category {
    /// Needed for the site to work; always active, never asked about.
    Necessary = 0,
    /// Measures how the site is used.
    Performance = 1,
    /// Adds features and personalisation.
    Functional = 2,
    /// Advertising, across sites.
    Targeting = 3,
}

impl Category {
    /// All categories in the order in which people see them.
    pub const ALL: [Self; 4] = [
        Self::Necessary,
        Self::Performance,
        Self::Functional,
        Self::Targeting,
    ];

    /// The categories that a visitor decides about.
    pub const OPTIONAL: [Self; 3] = [Self::Performance, Self::Functional, Self::Targeting];

    /// The id as it stands in markup and in the API.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Necessary => "necessary",
            Self::Performance => "performance",
            Self::Functional => "functional",
            Self::Targeting => "targeting",
        }
    }

    /// Reads an id, ASCII case ignored. `None` for anything else.
    pub fn from_id(id: &[u8]) -> Option<Self> {
        let mut found = None;
        for category in Self::ALL {
            if category.id().as_bytes().eq_ignore_ascii_case(id) {
                found = Some(category);
            }
        }
        found
    }

    /// The set with only this category.
    pub const fn set(self) -> Categories {
        Categories(1 << self as u8)
    }
}

/// A set of categories; bit `n` is the category with the value `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Categories(u8);

impl Categories {
    /// Only [`Category::Necessary`].
    pub const NECESSARY: Self = Category::Necessary.set();
    /// Every category.
    pub const ALL: Self = Self(0b1111);
    /// No category at all; what no valid choice ever is.
    pub const NONE: Self = Self(0);

    /// Reads bits, dropping unknown ones and adding `necessary`, which nobody can refuse.
    pub const fn granted(bits: u8) -> Self {
        Self((bits & Self::ALL.0) | Self::NECESSARY.0)
    }

    /// The bits, 0 to 15.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether `other` is wholly inside this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the category is in the set.
    pub const fn has(self, category: Category) -> bool {
        self.contains(category.set())
    }

    /// This set without the categories of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The members in display order.
    pub fn iter(self) -> impl Iterator<Item = Category> {
        Category::ALL.into_iter().filter(move |c| self.has(*c))
    }
}

impl BitOr for Categories {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Categories {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl FromIterator<Category> for Categories {
    fn from_iter<I: IntoIterator<Item = Category>>(categories: I) -> Self {
        categories
            .into_iter()
            .fold(Self::NONE, |set, category| set | category.set())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back() {
        for category in Category::ALL {
            assert_eq!(Category::from_id(category.id().as_bytes()), Some(category));
        }
        assert_eq!(Category::from_id(b"Targeting"), Some(Category::Targeting));
        assert_eq!(Category::from_id(b"marketing"), None);
        assert_eq!(Category::from_id(b""), None);
    }

    #[test]
    fn granted_never_lacks_necessary_nor_holds_unknown_bits() {
        for bits in 0..=u8::MAX {
            let set = Categories::granted(bits);
            assert!(set.has(Category::Necessary));
            assert!(Categories::ALL.contains(set));
        }
    }
}
