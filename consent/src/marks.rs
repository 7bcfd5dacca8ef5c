//! Pages prepared for another consent manager: how its marks are read, and what its names stand for here.
//!
//! What is known of each manager stands in [`Manager`]; the publisher writes a finished [`table`] into the
//! loader, where `app/host/src/parts/marks.ts` rewrites the marks to Assent's own before the gate looks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Category, site::SiteConfig};

/// A consent manager whose marks can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// `type="text/plain" class="optanon-category-C0002"`, several as `C0002-C0004`. Source: `OneTrust`'s
    /// "Cookie blocking", <https://my.onetrust.com/articles/en_US/Knowledge/UUID-518074a1-a6da-81c3-be52-bae7685d9c94>.
    Onetrust,
    /// `data-cookieconsent="statistics, marketing"`, with addresses in `data-cookieblock-src`. Source:
    /// <https://support.cookiebot.com/hc/en-us/articles/4405978132242-Manual-Markup-Guide>.
    Cookiebot,
    /// `data-category="analytics"`, `!` before a name. Source:
    /// <https://cookieconsent.orestbida.com/advanced/manage-scripts.html>.
    VanillaCookieconsent,
    /// `data-name` with the name of a service, addresses in `data-src` and `data-href`. Source:
    /// <https://klaro.org/docs/getting-started>.
    Klaro,
    /// `data-usercentrics` with the name of a service; its own blocker holds addresses in `data-uc-src`. Source:
    /// <https://support.usercentrics.com/hc/en-us/articles/18656524460700-Manually-blocking-services-prior-consent>.
    Usercentrics,
    /// `data-category="statistics"`, else `data-service`, else a class such as `cmplz-stats` of versions before 6;
    /// addresses in `data-cmplz-src` and `data-src-cmplz`. Its "functional" means strictly necessary. Source:
    /// `cookiebanner/js/complianz.js` of the plugin, and
    /// <https://complianz.io/developers-guide-for-third-party-integrations/>.
    Complianz,
    /// `data-cookieyes="cookieyes-analytics"`. Source:
    /// <https://www.cookieyes.com/documentation/implement-prior-consent-using-cookieyes/>.
    Cookieyes,
}

/// What a name of another manager stands for: a category, or several that are all needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Meaning {
    /// One category.
    One(Category),
    /// Each of them is needed.
    All(Vec<Category>),
}

impl Meaning {
    /// The categories, in the owner's order.
    pub fn categories(&self) -> &[Category] {
        match self {
            Self::One(category) => std::slice::from_ref(category),
            Self::All(categories) => categories,
        }
    }
}

/// The managers whose marks a site reads, each with its names. An empty map stands for the built-in one.
pub type Marks = BTreeMap<Manager, BTreeMap<String, Meaning>>;

/// One attribute in which marks stand, as the host reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// The attribute.
    pub attribute: &'static str,
    /// A regular expression of JavaScript; its group holds the names.
    pub pattern: &'static str,
    /// A regular expression for what stands between several names; empty where there is only one.
    pub between: &'static str,
    /// Attributes in which a held element has its address, beside `data-src`.
    pub held: &'static [&'static str],
    /// Name → value of `data-category`.
    pub names: BTreeMap<String, String>,
}

const WHOLE: &str = r"^\s*(.+?)\s*$";

impl Manager {
    /// Its id in a configuration.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Onetrust => "onetrust",
            Self::Cookiebot => "cookiebot",
            Self::VanillaCookieconsent => "vanilla-cookieconsent",
            Self::Klaro => "klaro",
            Self::Usercentrics => "usercentrics",
            Self::Complianz => "complianz",
            Self::Cookieyes => "cookieyes",
        }
    }

    /// Attribute, pattern and separator of each place in which its marks stand. The first that an element has
    /// decides.
    const fn places(self) -> &'static [(&'static str, &'static str, &'static str)] {
        match self {
            Self::Onetrust => &[("class", r"(?:^|\s)optanon-category-(\S+)", "-")],
            Self::Cookiebot => &[("data-cookieconsent", WHOLE, r"[\s,]+")],
            Self::VanillaCookieconsent => &[("data-category", WHOLE, "")],
            Self::Klaro => &[("data-name", WHOLE, "")],
            Self::Usercentrics => &[("data-usercentrics", WHOLE, "")],
            Self::Complianz => &[
                ("data-category", WHOLE, ""),
                ("data-service", WHOLE, ""),
                (
                    "class",
                    r"(?:^|\s)cmplz-(stats|script|statistics|marketing|preferences|functional)(?!\S)",
                    "",
                ),
            ],
            Self::Cookieyes => &[("data-cookieyes", r"^\s*cookieyes-(\S+)\s*$", "")],
        }
    }

    const fn held(self) -> &'static [&'static str] {
        match self {
            Self::Cookiebot => &["data-cookieblock-src"],
            Self::Usercentrics => &["data-uc-src"],
            Self::Complianz => &["data-cmplz-src", "data-src-cmplz"],
            Self::Onetrust | Self::VanillaCookieconsent | Self::Klaro | Self::Cookieyes => &[],
        }
    }

    /// What its own names mean where the owner says nothing. Names of services are the site's to say.
    const fn built_in(self) -> &'static [(&'static str, Category)] {
        use Category::{Functional, Necessary, Performance, Targeting};
        match self {
            // C0005 is social media.
            Self::Onetrust => &[
                ("C0001", Necessary),
                ("C0002", Performance),
                ("C0003", Functional),
                ("C0004", Targeting),
                ("C0005", Targeting),
            ],
            Self::Cookiebot => &[
                ("necessary", Necessary),
                ("preferences", Functional),
                ("statistics", Performance),
                ("marketing", Targeting),
            ],
            Self::VanillaCookieconsent => &[
                ("necessary", Necessary),
                ("functionality", Functional),
                ("analytics", Performance),
                ("marketing", Targeting),
                ("ads", Targeting),
            ],
            Self::Klaro | Self::Usercentrics => &[],
            Self::Complianz => &[
                ("functional", Necessary),
                ("preferences", Functional),
                ("statistics", Performance),
                ("marketing", Targeting),
            ],
            Self::Cookieyes => &[
                ("necessary", Necessary),
                ("functional", Functional),
                ("analytics", Performance),
                ("performance", Performance),
                ("advertisement", Targeting),
            ],
        }
    }

    /// Its names on this site, each with all that it needs. The names of Klaro and Usercentrics are those of
    /// services: the site's own are known, the owner's come on top.
    fn names(self, own: &BTreeMap<String, Meaning>, config: &SiteConfig) -> BTreeMap<String, Vec<Category>> {
        let mut names = BTreeMap::<String, Vec<Category>>::new();
        for service in &config.services {
            let name = match self {
                Self::Klaro => &service.id,
                Self::Usercentrics => &service.name,
                _ => break,
            };
            names.entry(name.clone()).or_default().push(service.category);
        }
        if own.is_empty() {
            let built_in = self.built_in().iter();
            names.extend(built_in.map(|(name, category)| ((*name).to_owned(), vec![*category])));
        }
        names.extend(
            own.iter()
                .map(|(name, meaning)| (name.clone(), meaning.categories().to_vec())),
        );
        if self == Self::Complianz {
            // As versions before 6 call them, in classes.
            for (class, name) in [("stats", "statistics"), ("script", "marketing")] {
                if let Some(categories) = names.get(name).cloned() {
                    names.entry(class.to_owned()).or_insert(categories);
                }
            }
        }
        names
    }
}

/// How the host reads the marks of a site's pages. Empty where the site names no manager.
pub fn table(config: &SiteConfig) -> Vec<Mark> {
    let mut table = Vec::new();
    for (manager, own) in &config.marks {
        let names: BTreeMap<String, String> = manager
            .names(own, config)
            .into_iter()
            .map(|(name, categories)| (name, attribute(&categories)))
            .collect();
        for &(attribute, pattern, between) in manager.places() {
            table.push(Mark {
                attribute,
                pattern,
                between,
                held: manager.held(),
                names: names.clone(),
            });
        }
    }
    table
}

/// Categories as a `data-category` attribute that needs all of them.
fn attribute(categories: &[Category]) -> String {
    let mut ids: Vec<_> = categories.iter().map(|category| category.id()).collect();
    ids.dedup();
    ids.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Categories, tag};

    fn config(marks: &str) -> SiteConfig {
        let mut config: SiteConfig =
            serde_json::from_str(include_str!("../testdata/site.json")).expect("golden configuration");
        config.marks = serde_json::from_str(marks).expect("marks");
        config
    }

    fn name(table: &[Mark], name: &str) -> Option<String> {
        table[0].names.get(name).cloned()
    }

    const ALL: &str = r#"{ "onetrust": {}, "cookiebot": {}, "vanilla-cookieconsent": {}, "klaro": {},
        "usercentrics": {}, "complianz": {}, "cookieyes": {} }"#;

    #[test]
    fn ids_are_what_a_configuration_holds() {
        for manager in config(ALL).marks.keys() {
            assert_eq!(serde_json::json!(manager), manager.id());
        }
    }

    #[test]
    fn without_a_manager_nothing_is_read() {
        assert_eq!(table(&config("{}")), []);
    }

    #[test]
    fn an_empty_map_stands_for_the_built_in_one_and_a_given_one_for_itself() {
        let built_in = table(&config(r#"{ "cookiebot": {} }"#));
        assert_eq!(name(&built_in, "statistics").as_deref(), Some("performance"));
        assert_eq!(name(&built_in, "marketing").as_deref(), Some("targeting"));
        let given = table(&config(
            r#"{ "cookiebot": { "statistics": ["performance", "targeting"] } }"#,
        ));
        assert_eq!(
            name(&given, "statistics").as_deref(),
            Some("performance targeting")
        );
        assert_eq!(
            name(&given, "marketing"),
            None,
            "what the owner leaves out stays held"
        );
    }

    #[test]
    fn services_are_known_by_id_to_klaro_and_by_name_to_usercentrics() {
        let klaro = table(&config(r#"{ "klaro": { "matomo": "performance" } }"#));
        assert_eq!(name(&klaro, "pixel").as_deref(), Some("targeting"));
        assert_eq!(name(&klaro, "matomo").as_deref(), Some("performance"));
        assert_eq!(name(&klaro, "Pixel"), None);
        let usercentrics = table(&config(r#"{ "usercentrics": { "Pixel": "functional" } }"#));
        assert_eq!(
            name(&usercentrics, "Pixel").as_deref(),
            Some("functional"),
            "the owner's word stands"
        );
        assert_eq!(name(&usercentrics, "Analytics").as_deref(), Some("performance"));
    }

    #[test]
    fn services_of_one_name_need_the_categories_of_all() {
        let mut config = config(r#"{ "usercentrics": {} }"#);
        config.services[0].name = "Pixel".to_owned();
        assert_eq!(
            name(&table(&config), "Pixel").as_deref(),
            Some("performance targeting")
        );
    }

    #[test]
    fn complianz_functional_is_necessary_and_old_classes_follow_the_owner() {
        let built_in = table(&config(r#"{ "complianz": {} }"#));
        assert_eq!(name(&built_in, "functional").as_deref(), Some("necessary"));
        assert_eq!(name(&built_in, "stats").as_deref(), Some("performance"));
        let given = table(&config(r#"{ "complianz": { "marketing": "functional" } }"#));
        assert_eq!(name(&given, "script").as_deref(), Some("functional"));
        assert_eq!(name(&given, "stats"), None);
    }

    #[test]
    fn the_gate_reads_every_value_and_nothing_optional_is_built_in_as_necessary() {
        for mark in table(&config(ALL)) {
            for (name, value) in &mark.names {
                let needs = tag::needs(value.as_bytes()).expect("names categories");
                if !["necessary", "C0001", "session"].contains(&name.as_str())
                    && !name.eq_ignore_ascii_case("session")
                    && (mark.held.len() < 2 || name != "functional")
                {
                    assert_ne!(needs.granted, Categories::NECESSARY, "{name}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_manager_or_category_is_no_configuration() {
        assert!(serde_json::from_str::<Marks>(r#"{ "cookiebott": {} }"#).is_err());
        assert!(serde_json::from_str::<Marks>(r#"{ "cookiebot": { "statistics": "statistics" } }"#).is_err());
    }
}
