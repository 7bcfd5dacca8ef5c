//! From a rule, the signals seen and the stored choice to what is granted now.

use crate::{Categories, Category, cookie::Stored, services::are_exceptions};

/// What a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "record", serde(rename_all = "kebab-case"))]
#[repr(u8)]
pub enum Model {
    /// Nothing optional before the visitor agrees (GDPR, `ePrivacy`).
    OptIn = 0,
    /// Optional categories are on until the visitor objects (US state laws).
    OptOut = 1,
    /// As opt-out, and the banner only informs.
    Notice = 2,
    /// No banner; optional categories are on.
    None = 3,
}

impl Model {
    /// Reads the number that the loader's configuration carries. An unknown one is the strictest.
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::OptOut,
            2 => Self::Notice,
            3 => Self::None,
            _ => Self::OptIn,
        }
    }
}

/// Signals with which a browser objects on its visitor's behalf, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Objections(u8);

impl Objections {
    /// Global Privacy Control: `navigator.globalPrivacyControl`, `Sec-GPC: 1`. Source: <https://w3c.github.io/gpc/>.
    pub const GPC: Self = Self(1);
    /// Do Not Track: `navigator.doNotTrack`, `DNT: 1`. Source: <https://www.w3.org/TR/tracking-dnt/>.
    pub const DNT: Self = Self(2);

    /// Reads bits, dropping unknown ones.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 3)
    }

    /// The bits, 0 to 3.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// This set, and `other` where `on`.
    #[must_use]
    pub const fn and(self, other: Self, on: bool) -> Self {
        if on { Self(self.0 | other.0) } else { self }
    }

    /// Whether any signal is in both sets.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The part of a rule that the gate needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What is asked for.
    pub model: Model,
    /// Categories granted before any choice; ignored under opt-in.
    pub on_by_default: Categories,
    /// The signals that switch targeting off until the visitor chooses otherwise.
    pub honours: Objections,
    /// How long a choice counts, in seconds. The CNIL recommends six months, thirteen at most.
    pub expiry_s: u32,
    /// Choices made on an earlier revision no longer count: categories or services have widened since.
    pub valid_from_revision: u32,
    /// Whether the site offers a choice per service.
    pub by_service: bool,
}

/// What holds on this page now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The categories whose tags may run.
    pub granted: Categories,
    /// Whether the visitor has to be asked or informed: show the banner.
    pub ask: bool,
    /// Whether a stored choice is what decided.
    pub chosen: bool,
}

impl Decision {
    /// As the host reads it: the granted categories in bits 0 to 3, bit 4 if the visitor has to be asked, bit 5
    /// if a stored choice decided.
    pub const fn bits(self) -> u8 {
        self.granted.bits() | (self.ask as u8) << 4 | (self.chosen as u8) << 5
    }
}

/// Decides what is granted at `now_s` (seconds since 1970).
///
/// `seen` holds the signals that the browser sends. A stored choice counts if it is not older than the terms allow,
/// not from the future by more than a day, and was made on a revision that still counts.
/// One with exceptions counts where they can be honoured; elsewhere nobody knows what of a category it refused.
pub fn decide(terms: &Terms, seen: Objections, stored: Option<&Stored<'_>>, now_s: u32) -> Decision {
    let is_readable = |stored: &Stored<'_>| {
        stored
            .exceptions
            .is_none_or(|codes| terms.by_service && are_exceptions(codes))
    };
    if let Some(stored) = stored
        && is_readable(stored)
        && stored.revision >= terms.valid_from_revision
        && stored.decided_at_s <= now_s.saturating_add(86_400)
        && now_s.saturating_sub(stored.decided_at_s) < terms.expiry_s
    {
        return Decision {
            granted: stored.granted | Categories::NECESSARY,
            ask: false,
            chosen: true,
        };
    }
    let mut granted = match terms.model {
        Model::OptIn => Categories::NECESSARY,
        _ => terms.on_by_default | Categories::NECESSARY,
    };
    if seen.meets(terms.honours) {
        granted = granted.without(Category::Targeting.set());
    }
    // Asking again is no leave to run what was refused before.
    if let Some(stored) = stored {
        let kept = if is_readable(stored) {
            stored.granted
        } else {
            Categories::NONE
        };
        granted = granted & (kept | Categories::NECESSARY);
    }
    Decision {
        granted,
        ask: terms.model as u8 != Model::None as u8,
        chosen: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookie::{KEY_LEN, RECORD_LEN};
    use proptest::prelude::*;

    const NOW_S: u32 = 1_800_000_000;
    const NONE: Objections = Objections::from_bits(0);

    fn terms(model: Model) -> Terms {
        Terms {
            model,
            on_by_default: Categories::ALL,
            honours: Objections::GPC,
            expiry_s: 15_552_000,
            valid_from_revision: 2,
            by_service: false,
        }
    }

    fn stored(revision: u32, decided_at_s: u32) -> Stored<'static> {
        Stored {
            revision,
            granted: Categories::ALL,
            decided_at_s,
            key: [b'0'; KEY_LEN],
            record: [b'0'; RECORD_LEN],
            exceptions: None,
        }
    }

    #[test]
    fn opt_in_grants_nothing_before_a_choice() {
        let decision = decide(&terms(Model::OptIn), NONE, None, NOW_S);
        assert_eq!(decision.granted, Categories::NECESSARY);
        assert!(decision.ask);
    }

    #[test]
    fn opt_out_honours_the_signals_that_the_rule_names() {
        let both = Objections::GPC.and(Objections::DNT, true);
        for (honours, seen, objects) in [
            (Objections::GPC, NONE, false),
            (Objections::GPC, Objections::GPC, true),
            (Objections::GPC, Objections::DNT, false),
            (Objections::DNT, Objections::DNT, true),
            (Objections::DNT, Objections::GPC, false),
            (NONE, both, false),
            (both, Objections::DNT, true),
        ] {
            let terms = Terms {
                honours,
                ..terms(Model::OptOut)
            };
            let expected = if objects {
                Categories::ALL.without(Category::Targeting.set())
            } else {
                Categories::ALL
            };
            assert_eq!(
                decide(&terms, seen, None, NOW_S).granted,
                expected,
                "{honours:?} {seen:?}"
            );
        }
    }

    #[test]
    fn no_banner_without_a_rule() {
        assert!(!decide(&terms(Model::None), NONE, None, NOW_S).ask);
    }

    #[test]
    fn a_stored_choice_counts_until_it_expires_or_the_site_widens() {
        let terms = terms(Model::OptIn);
        assert!(decide(&terms, Objections::GPC, Some(&stored(2, NOW_S - 10)), NOW_S).chosen);
        assert!(!decide(&terms, NONE, Some(&stored(1, NOW_S - 10)), NOW_S).chosen);
        assert!(!decide(&terms, NONE, Some(&stored(2, NOW_S - 15_552_000)), NOW_S).chosen);
        assert!(!decide(&terms, NONE, Some(&stored(2, NOW_S + 90_000)), NOW_S).chosen);
    }

    #[test]
    fn a_refusal_holds_until_the_visitor_decides_again() {
        let mut refused = stored(1, NOW_S - 10);
        refused.granted = Categories::NECESSARY;
        for model in [Model::OptOut, Model::Notice, Model::None] {
            let widened = decide(&terms(model), NONE, Some(&refused), NOW_S);
            assert_eq!(widened.granted, Categories::NECESSARY);
            assert!(!widened.chosen);
            let expired = decide(&terms(model), NONE, Some(&refused), NOW_S + 99_000_000);
            assert_eq!(expired.granted, Categories::NECESSARY);
        }
    }

    #[test]
    fn a_choice_with_exceptions_counts_only_where_they_can_be_honoured() {
        for (by_service, exceptions, granted) in [
            (true, &b"abc"[..], Categories::ALL),
            (false, b"abc", Categories::NECESSARY),
            (true, b"ab", Categories::NECESSARY),
            (true, b"", Categories::NECESSARY),
        ] {
            let terms = Terms {
                by_service,
                ..terms(Model::OptOut)
            };
            let mut stored = stored(2, NOW_S - 10);
            stored.exceptions = Some(exceptions);
            let decision = decide(&terms, NONE, Some(&stored), NOW_S);
            assert_eq!(decision.granted, granted, "{by_service} {exceptions:?}");
            assert_eq!(decision.chosen, granted == Categories::ALL);
        }
    }

    proptest! {
        #[test]
        fn under_opt_in_only_a_counting_choice_grants(
            seen: u8, revision in 0_u32..5, decided_at_s: u32, now_s: u32, has: bool,
        ) {
            let terms = terms(Model::OptIn);
            let stored = stored(revision, decided_at_s);
            let decision = decide(&terms, Objections::from_bits(seen), has.then_some(&stored), now_s);
            prop_assert!(decision.granted.has(Category::Necessary));
            if decision.granted != Categories::NECESSARY {
                prop_assert!(has && decision.chosen && revision >= 2);
            }
            prop_assert_eq!(decision.ask, !decision.chosen);
        }
    }
}
