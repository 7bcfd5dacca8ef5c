//! What a site's owner decides about the signals, and what of it the host reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::google;
use crate::{Categories, Category};

/// The longest that Google's tags may be made to wait, in milliseconds.
pub const WAIT_MS_MAX: u16 = 10_000;

/// Which parties are told of a choice, and how. As it is by default Google alone is told, as [`google`] says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Signals {
    /// Google's Consent Mode.
    pub google: Google,
    /// Whether Microsoft's Universal Event Tracking is told.
    pub microsoft_uet: bool,
    /// Whether Microsoft Clarity is told.
    pub clarity: bool,
    /// Whether changes are pushed onto the `dataLayer`, for triggers of Tag Manager.
    pub data_layer_events: bool,
}

/// Google's Consent Mode v2. Source of all of it:
/// <https://developers.google.com/tag-platform/security/guides/consent>.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Google {
    /// How long Google's tags wait for an update of the default.
    pub wait_for_update_ms: u16,
    /// Defaults of single regions, for visitors without a choice.
    pub regions: Vec<Region>,
    /// Whether what a click on an advert brought is passed on in addresses while cookies are denied.
    pub url_passthrough: bool,
    /// Whether identifiers of advert clicks are redacted while `ad_storage` is denied.
    pub ads_data_redaction: bool,
    /// Types that follow another category than [`google`] says.
    pub types: BTreeMap<GoogleType, Category>,
    /// Whether the tags of Google that the inline stub holds run before the choice, relying on Consent Mode alone.
    pub advanced: bool,
}

impl Default for Google {
    fn default() -> Self {
        Self {
            wait_for_update_ms: 500,
            regions: Vec::new(),
            url_passthrough: false,
            ads_data_redaction: false,
            types: BTreeMap::new(),
            advanced: false,
        }
    }
}

/// A default for some regions, which stands above the one for everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// ISO 3166-2 codes: `DE`, `US-CA`.
    pub region: Vec<String>,
    /// The types that are granted there; the others are denied, but `security_storage`.
    #[serde(default)]
    pub granted: Vec<GoogleType>,
}

/// A type of Google's Consent Mode, in the order of [`GOOGLE_TYPES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum GoogleType {
    /// Storage for advertising.
    AdStorage = 0,
    /// Sending user data to Google for advertising.
    AdUserData = 1,
    /// Personalised advertising.
    AdPersonalization = 2,
    /// Storage for analytics.
    AnalyticsStorage = 3,
    /// Storage for features of the site.
    FunctionalityStorage = 4,
    /// Storage for personalisation.
    PersonalizationStorage = 5,
    /// Storage for security.
    SecurityStorage = 6,
}

impl GoogleType {
    /// Whether it is about advertising.
    pub const fn is_ad(self) -> bool {
        matches!(self, Self::AdStorage | Self::AdUserData | Self::AdPersonalization)
    }
}

const SECURITY: u8 = 1 << GoogleType::SecurityStorage as u8;

/// The settings of `app/host/src/parts/signals.ts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that know nothing of each other"
)]
pub struct Told {
    /// For each set of categories the granted types as bits.
    pub types: [u8; 16],
    /// Milliseconds that Google's tags wait.
    pub wait: u16,
    /// Regions, and the types that are granted there.
    pub regions: Vec<(Vec<String>, u8)>,
    /// Names of the switches of Google's that are on.
    pub set: Vec<&'static str>,
    /// Whether Google's tags run before the choice.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub advanced: bool,
    /// Whether UET is told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub uet: bool,
    /// Whether Clarity is told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub clarity: bool,
    /// Whether changes go onto the `dataLayer`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub events: bool,
}

impl Signals {
    /// What the host has to know; `None` where all is as it is by default.
    pub fn told(&self) -> Option<Told> {
        if *self == Self::default() {
            return None;
        }
        let google = &self.google;
        let switches = [
            ("url_passthrough", google.url_passthrough),
            ("ads_data_redaction", google.ads_data_redaction),
        ];
        Some(Told {
            types: google.table(),
            wait: google.wait_for_update_ms,
            regions: google
                .regions
                .iter()
                .map(|region| {
                    let granted = region
                        .granted
                        .iter()
                        .fold(SECURITY, |bits, kind| bits | 1 << *kind as u8);
                    (region.region.clone(), granted)
                })
                .collect(),
            set: switches
                .into_iter()
                .filter(|(_, on)| *on)
                .map(|(name, _)| name)
                .collect(),
            advanced: google.advanced,
            uet: self.microsoft_uet,
            clarity: self.clarity,
            events: self.data_layer_events,
        })
    }
}

impl Google {
    /// Takes from the regions' defaults what follows targeting, for a visitor who objects to it.
    pub fn object(&mut self) {
        let table = self.table();
        let targeting = table[usize::from(Category::Targeting.set().bits() | 1)] ^ table[1];
        for region in &mut self.regions {
            region.granted.retain(|kind| targeting >> *kind as u8 & 1 == 0);
        }
    }

    /// For each set of categories, by its bits, the granted types as bits.
    fn table(&self) -> [u8; 16] {
        std::array::from_fn(|bits| {
            let granted = Categories::granted(u8::try_from(bits).unwrap_or_default());
            self.types
                .iter()
                .fold(google(granted), |types, (kind, category)| {
                    let bit = 1 << *kind as u8;
                    if granted.has(*category) {
                        types | bit
                    } else {
                        types & !bit
                    }
                })
        })
    }
}

/// Whether a code is one of ISO 3166-2: a country, perhaps with a subdivision.
pub fn is_region(code: &str) -> bool {
    let (country, part) = code.split_once('-').unwrap_or((code, "X"));
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=3).contains(&part.len())
        && part
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objection_takes_only_what_follows_targeting() {
        let mut google: Google = serde_json::from_str(
            r#"{ "regions": [{ "region": ["DE"] }, { "region": ["US"], "granted": ["ad_storage", "analytics_storage", "functionality_storage"] }],
                 "types": { "functionality_storage": "targeting" } }"#,
        )
        .unwrap();
        google.object();
        let granted: Vec<_> = google
            .regions
            .iter()
            .map(|region| region.granted.clone())
            .collect();
        assert_eq!(granted, [vec![], vec![GoogleType::AnalyticsStorage]]);
    }
    use crate::signals::GOOGLE_TYPES;

    fn signals(json: &str) -> Signals {
        serde_json::from_str(json).expect("signals")
    }

    #[test]
    fn what_says_nothing_new_needs_no_part() {
        for json in [
            "{}",
            r#"{ "google": {} }"#,
            r#"{ "google": { "wait_for_update_ms": 500 } }"#,
        ] {
            assert_eq!(signals(json).told(), None, "{json}");
        }
        assert!(signals(r#"{ "clarity": true }"#).told().is_some());
    }

    #[test]
    fn types_are_in_the_order_of_the_bits() {
        let types = [
            GoogleType::AdStorage,
            GoogleType::AdUserData,
            GoogleType::AdPersonalization,
            GoogleType::AnalyticsStorage,
            GoogleType::FunctionalityStorage,
            GoogleType::PersonalizationStorage,
            GoogleType::SecurityStorage,
        ];
        for (at, kind) in types.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(serde_json::json!(kind), GOOGLE_TYPES[at]);
        }
    }

    #[test]
    fn the_table_is_the_gates_answer_but_for_what_the_owner_changed() {
        let table = Google::default().table();
        for bits in 0..16_u8 {
            assert_eq!(table[usize::from(bits)], google(Categories::granted(bits)));
        }
        let changed = signals(
            r#"{ "google": { "types": { "analytics_storage": "targeting", "functionality_storage": "necessary" } } }"#,
        )
        .google
        .table();
        assert_eq!(changed[0b0001], 0b101_0000, "necessary alone");
        assert_eq!(changed[0b0011], 0b101_0000, "performance grants nothing now");
        assert_eq!(changed[0b1001], 0b101_1111, "targeting grants analytics, too");
    }

    #[test]
    fn a_region_grants_what_it_names_and_security() {
        let told = signals(
            r#"{ "google": { "regions": [{ "region": ["US-CA"], "granted": ["analytics_storage"] }, { "region": ["DE"] }],
                "url_passthrough": true } }"#,
        )
        .told()
        .expect("a part");
        assert_eq!(
            told.regions,
            [
                (vec!["US-CA".to_owned()], 0b100_1000),
                (vec!["DE".to_owned()], 0b100_0000)
            ]
        );
        assert_eq!(told.set, ["url_passthrough"]);
    }

    #[test]
    fn regions_are_iso_codes() {
        for code in ["DE", "US-CA", "GB-ENG", "FR-75"] {
            assert!(is_region(code), "{code}");
        }
        for code in ["", "D", "de", "US-", "US-CALI", "USA", "*", "US_CA", "US-ca"] {
            assert!(!is_region(code), "{code}");
        }
    }
}
