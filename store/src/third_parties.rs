//! Third parties that pages loaded although their visitors had not agreed: what automatic blocking would hold.

/// How many third parties a site's day holds; further ones are not counted.
pub const PER_DAY_MAX: usize = 200;
/// Days for which the counts of a day are kept.
pub const DAYS_KEPT: i32 = 90;

/// How a page loads something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A script.
    Script,
    /// A frame.
    Frame,
    /// A picture.
    Image,
    /// `fetch` or `XMLHttpRequest`.
    Request,
    /// `sendBeacon`.
    Beacon,
    /// What a style sheet names: a font, a picture, another style sheet.
    Css,
    /// A `link` element: a style sheet, a preload.
    Link,
    /// Film or sound.
    Media,
    /// Anything else.
    Other,
}

impl Kind {
    /// All kinds, in the order of their bits in [`Kinds`].
    pub const ALL: [Self; 9] = [
        Self::Script,
        Self::Frame,
        Self::Image,
        Self::Request,
        Self::Beacon,
        Self::Css,
        Self::Link,
        Self::Media,
        Self::Other,
    ];
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kinds(u16);

impl Kinds {
    /// Reads bits; `None` if one of them stands for no kind.
    pub const fn from_bits(bits: u16) -> Option<Self> {
        if bits < 1 << Kind::ALL.len() {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// The bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Everything that is in one of the two.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Its kinds, in order.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL
            .into_iter()
            .filter(move |kind| self.0 & 1 << *kind as u16 != 0)
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | 1 << kind as u16))
    }
}

/// What a third party would wait for, as the page's loader knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WaitsFor {
    /// The category of a service that declares it.
    Declared,
    /// Performance, says the shipped list.
    Performance,
    /// Functional, says the shipped list.
    Functional,
    /// Targeting, says the shipped list.
    Targeting,
    /// Nobody declares it, and the list does not know it.
    Unknown,
}

impl WaitsFor {
    /// The id as it is stored and sent.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Performance => "performance",
            Self::Functional => "functional",
            Self::Targeting => "targeting",
            Self::Unknown => "unknown",
        }
    }

    /// Reads an id.
    pub fn from_id(id: &str) -> Option<Self> {
        [
            Self::Declared,
            Self::Performance,
            Self::Functional,
            Self::Targeting,
            Self::Unknown,
        ]
        .into_iter()
        .find(|waits_for| waits_for.id() == id)
    }
}

/// One page view on which a third party was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The site.
    pub site: String,
    /// Days since 1970, UTC, of the server's clock.
    pub day: i32,
    /// The third party's host.
    pub host: String,
    /// What it would wait for.
    pub waits_for: WaitsFor,
    /// How the page loaded it.
    pub kinds: Kinds,
}

/// The page views of one UTC day on which a third party was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThirdPartyDay {
    /// Days since 1970.
    pub day: i32,
    /// The third party's host.
    pub host: String,
    /// What it would wait for.
    pub waits_for: WaitsFor,
    /// How the pages loaded it.
    pub kinds: Kinds,
    /// How many page views.
    pub page_views: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_a_set() {
        let kinds: Kinds = [Kind::Other, Kind::Script, Kind::Script].into_iter().collect();
        assert_eq!(kinds.iter().collect::<Vec<_>>(), [Kind::Script, Kind::Other]);
        assert_eq!(Kinds::from_bits(kinds.bits()), Some(kinds));
        assert_eq!(Kinds::from_bits(512), None);
    }
}
