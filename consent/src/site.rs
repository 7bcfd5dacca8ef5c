//! A site's configuration, as its owner writes it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Categories, Category, decision::Model};

/// The most services a site may declare.
pub const SERVICES_MAX: usize = 500;
/// The most rules, languages and origins a site may have, and items or hosts a service.
pub const LIST_MAX: usize = 100;
/// The most bytes of a list that the gate reads, so that it fits the gate's buffer beside a name.
pub const GATE_LIST_LEN_MAX: usize = 15_000;

/// Everything about a site that its owner decides. Published as an immutable, numbered revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// Public id: 3 to 40 of `a`–`z`, `0`–`9` and `-`.
    pub id: String,
    /// What the visitor knows the site as.
    pub name: String,
    /// Who is responsible for the data, as named to the visitor.
    pub controller: String,
    /// Origins of the site's pages, `https://shop.example`; only these may send records.
    pub origins: Vec<String>,
    /// Address of the cookie policy, http(s).
    pub policy_url: String,
    /// Language tags that are offered, the default first.
    pub languages: Vec<String>,
    /// Rules; the first that matches the visitor's region wins.
    pub rules: Vec<Rule>,
    /// The technologies in use.
    #[serde(default)]
    pub services: Vec<Service>,
    /// Wordings that replace the built-in ones: language → key of [`Texts`](crate::notice::Texts) → text.
    #[serde(default)]
    pub texts: BTreeMap<String, BTreeMap<String, String>>,
}

/// Region → what is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Id within the site, stands in every record.
    pub id: String,
    /// ISO 3166-1 country codes (`DE`), or `*` for everywhere.
    pub regions: Vec<String>,
    /// What is asked for.
    pub model: Model,
    /// Granted before a choice; must be empty under opt-in.
    #[serde(default)]
    pub on_by_default: Vec<Category>,
    /// Whether Global Privacy Control is honoured as an objection to targeting.
    #[serde(default = "yes")]
    pub honours_gpc: bool,
    /// Days for which a choice counts, 1 to 395.
    pub expiry_days: u16,
}

const fn yes() -> bool {
    true
}

/// One technology of one category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Id within the site.
    pub id: String,
    /// The one category it belongs to.
    pub category: Category,
    /// Name known to visitors.
    pub name: String,
    /// The company behind it.
    pub provider: String,
    /// What it is for, in plain words.
    pub purpose: LocalText,
    /// The provider's privacy policy, http(s).
    #[serde(default)]
    pub policy_url: Option<String>,
    /// Hosts that it loads from.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// What it stores in the browser.
    #[serde(default)]
    pub items: Vec<Item>,
}

/// Something stored in the browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its name; `*` stands for any run of characters.
    pub name: String,
    /// Where it is stored.
    #[serde(default)]
    pub kind: ItemKind,
    /// What it is for.
    pub purpose: LocalText,
    /// How long it stays, in words: "13 months".
    pub lifetime: LocalText,
}

/// Where an item is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemKind {
    /// An HTTP cookie.
    #[default]
    Cookie,
    /// `localStorage`.
    LocalStorage,
    /// `sessionStorage`.
    SessionStorage,
}

/// A text in one language for all, or one per language tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LocalText {
    /// The same in every language.
    One(String),
    /// By language tag.
    Many(BTreeMap<String, String>),
}

impl LocalText {
    /// The text for `language`, else for `fallback`, else any.
    pub fn get(&self, language: &str, fallback: &str) -> &str {
        match self {
            Self::One(text) => text,
            Self::Many(texts) => texts
                .get(language)
                .or_else(|| texts.get(fallback))
                .or_else(|| texts.values().next())
                .map_or("", String::as_str),
        }
    }
}

/// Why a configuration cannot be published: where, and what is wrong, in words for its owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ConfigError {
    /// Path of the field, `rules[0].expiry_days`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl SiteConfig {
    /// The language that is used where no other fits.
    pub fn default_language(&self) -> &str {
        self.languages.first().map_or("en", String::as_str)
    }

    /// The first rule whose regions hold `country` (ISO code) or `*`. Without a country only `*` matches; if
    /// nothing does, the first opt-in rule, else the first rule: unknown is treated as strict.
    pub fn rule_for(&self, country: Option<&str>) -> Option<&Rule> {
        let matching = self.rules.iter().find(|rule| {
            rule.regions
                .iter()
                .any(|region| region == "*" || country.is_some_and(|code| region.eq_ignore_ascii_case(code)))
        });
        matching
            .or_else(|| self.rules.iter().find(|rule| rule.model == Model::OptIn))
            .or_else(|| self.rules.first())
    }

    /// The categories that any service belongs to.
    pub fn used_categories(&self) -> Categories {
        self.services.iter().map(|service| service.category).collect()
    }

    /// Whether a visitor who chose under `earlier` has to be asked again under `self`: a service or an item
    /// was added, or a service moved to another category, outside `necessary`.
    pub fn widens(&self, earlier: &Self) -> bool {
        self.services
            .iter()
            .filter(|service| service.category != Category::Necessary)
            .any(|service| {
                earlier
                    .services
                    .iter()
                    .find(|before| before.id == service.id && before.category == service.category)
                    .is_none_or(|before| {
                        service
                            .items
                            .iter()
                            .any(|item| !before.items.iter().any(|had| had.name == item.name))
                    })
            })
    }

    /// The declared optional items of the given kinds as the list that [`erase`](crate::erase) reads.
    pub fn erase_list(&self, kinds: &[ItemKind]) -> String {
        let entries: BTreeSet<String> = self
            .services
            .iter()
            .filter(|service| service.category != Category::Necessary)
            .flat_map(|service| {
                service
                    .items
                    .iter()
                    .filter(|item| kinds.contains(&item.kind))
                    .map(|item| format!("{}{}", service.category as u8, item.name))
            })
            .collect();
        entries.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// The declared hosts of the optional services, in the form of the list that [`erase`](crate::erase)
    /// reads: a node of a listed host waits for its category.
    pub fn host_list(&self) -> String {
        let entries: BTreeSet<String> = self
            .services
            .iter()
            .filter(|service| service.category != Category::Necessary)
            .flat_map(|service| {
                service
                    .hosts
                    .iter()
                    .map(|host| format!("{}{host}", service.category as u8))
            })
            .collect();
        entries.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// Checks everything that the types do not.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !is_id(&self.id, 3) {
            return wrong("id", "must be 3 to 40 of a–z, 0–9 and -");
        }
        text("name", &self.name)?;
        text("controller", &self.controller)?;
        web_url("policy_url", &self.policy_url)?;
        bounded("origins", self.origins.len(), 1, LIST_MAX)?;
        for (at, origin) in self.origins.iter().enumerate() {
            let field = format!("origins[{at}]");
            web_url(&field, origin)?;
            if origin
                .split("://")
                .nth(1)
                .is_none_or(|rest| rest.contains(['/', '?', '#']) || rest.chars().any(char::is_uppercase))
            {
                return wrong(&field, "must be scheme and host in lower case, without a path");
            }
        }
        bounded("languages", self.languages.len(), 1, LIST_MAX)?;
        for (at, language) in self.languages.iter().enumerate() {
            if language.is_empty()
                || language.len() > 20
                || !language
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            {
                return wrong(
                    &format!("languages[{at}]"),
                    "must be a language tag such as en or pt-BR",
                );
            }
        }
        bounded("rules", self.rules.len(), 1, LIST_MAX)?;
        for (at, rule) in self.rules.iter().enumerate() {
            self.check_rule(at, rule)?;
        }
        bounded("services", self.services.len(), 0, SERVICES_MAX)?;
        for (at, service) in self.services.iter().enumerate() {
            self.check_service(at, service)?;
        }
        let storage = [ItemKind::LocalStorage, ItemKind::SessionStorage];
        for list in [
            self.host_list(),
            self.erase_list(&[ItemKind::Cookie]),
            self.erase_list(&storage),
        ] {
            if list.len() > GATE_LIST_LEN_MAX {
                return wrong(
                    "services",
                    "declare too many hosts or items: their names together must be under 15,000 bytes",
                );
            }
        }
        Ok(())
    }

    fn check_rule(&self, at: usize, rule: &Rule) -> Result<(), ConfigError> {
        if !is_id(&rule.id, 1) {
            return wrong(&format!("rules[{at}].id"), "must be 1 to 40 of a–z, 0–9 and -");
        }
        if self.rules[..at].iter().any(|other| other.id == rule.id) {
            return wrong(&format!("rules[{at}].id"), "stands twice");
        }
        if !(1..=395).contains(&rule.expiry_days) {
            return wrong(
                &format!("rules[{at}].expiry_days"),
                "must be 1 to 395 (thirteen months)",
            );
        }
        if rule.model == Model::OptIn && !rule.on_by_default.is_empty() {
            return wrong(
                &format!("rules[{at}].on_by_default"),
                "must be empty under opt-in: nothing is granted before a choice",
            );
        }
        if rule.regions.iter().any(|region| {
            region != "*" && (region.len() != 2 || !region.bytes().all(|b| b.is_ascii_uppercase()))
        }) {
            return wrong(
                &format!("rules[{at}].regions"),
                "must hold ISO 3166-1 country codes such as DE, or *",
            );
        }
        Ok(())
    }

    fn check_service(&self, at: usize, service: &Service) -> Result<(), ConfigError> {
        let field = |name: &str| format!("services[{at}].{name}");
        if !is_id(&service.id, 1) {
            return wrong(&field("id"), "must be 1 to 40 of a–z, 0–9 and -");
        }
        if self.services[..at].iter().any(|other| other.id == service.id) {
            return wrong(&field("id"), "stands twice");
        }
        text(&field("name"), &service.name)?;
        text(&field("provider"), &service.provider)?;
        if let Some(url) = &service.policy_url {
            web_url(&field("policy_url"), url)?;
        }
        local_text(&field("purpose"), &service.purpose)?;
        bounded(&field("hosts"), service.hosts.len(), 0, LIST_MAX)?;
        for (host_at, host) in service.hosts.iter().enumerate() {
            if !is_host(host) {
                return wrong(
                    &format!("services[{at}].hosts[{host_at}]"),
                    "must be a host name in lower case such as www.vendor.example or *.vendor.example",
                );
            }
        }
        bounded(&field("items"), service.items.len(), 0, LIST_MAX)?;
        for (item_at, item) in service.items.iter().enumerate() {
            let name = format!("services[{at}].items[{item_at}].name");
            text(&name, &item.name)?;
            if item.name.bytes().all(|byte| byte == b'*') {
                return wrong(&name, "would match every cookie of the site");
            }
            if item.name.contains(char::is_whitespace) {
                return wrong(&name, "must not hold white space");
            }
            local_text(&format!("services[{at}].items[{item_at}].purpose"), &item.purpose)?;
            local_text(
                &format!("services[{at}].items[{item_at}].lifetime"),
                &item.lifetime,
            )?;
        }
        Ok(())
    }
}

fn wrong<T>(field: &str, problem: &str) -> Result<T, ConfigError> {
    Err(ConfigError {
        field: field.to_owned(),
        problem: problem.to_owned(),
    })
}

fn is_id(id: &str, len_min: usize) -> bool {
    (len_min..=40).contains(&id.len())
        && id
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn text(field: &str, value: &str) -> Result<(), ConfigError> {
    if value.trim().is_empty() || value.chars().count() > 300 {
        return wrong(field, "must be 1 to 300 characters");
    }
    Ok(())
}

fn local_text(field: &str, value: &LocalText) -> Result<(), ConfigError> {
    let (count, fits) = match value {
        LocalText::One(text) => (1, text.chars().count() <= 1_000),
        LocalText::Many(texts) => (
            texts.len(),
            texts.values().all(|text| text.chars().count() <= 1_000),
        ),
    };
    if !fits {
        return wrong(field, "must be at most 1,000 characters");
    }
    bounded(field, count, 1, LIST_MAX)
}

/// A host name in lower case, without port or trailing dot, perhaps with `*` for any run of characters.
fn is_host(host: &str) -> bool {
    (1..=253).contains(&host.len())
        && !host.ends_with('.')
        && host.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && host
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*'))
}

fn bounded(field: &str, len: usize, min: usize, max: usize) -> Result<(), ConfigError> {
    if (min..=max).contains(&len) {
        return Ok(());
    }
    wrong(field, &format!("must have {min} to {max} entries"))
}

fn web_url(field: &str, url: &str) -> Result<(), ConfigError> {
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    if host.is_none_or(|rest| rest.is_empty() || rest.starts_with('/'))
        || url.len() > 2_000
        || url
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "\"'<>`\\".contains(c))
    {
        return wrong(field, "must be an address that begins with http:// or https://");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> SiteConfig {
        serde_json::from_str(include_str!("../testdata/site.json")).expect("golden configuration")
    }

    fn problem(change: impl FnOnce(&mut SiteConfig)) -> String {
        let mut config = config();
        change(&mut config);
        config.check().expect_err("must be refused").field
    }

    #[test]
    fn the_golden_configuration_can_be_published() {
        assert_eq!(config().check(), Ok(()));
    }

    #[test]
    fn the_wrong_field_is_named() {
        assert_eq!(problem(|c| c.id = "../x".into()), "id");
        assert_eq!(
            problem(|c| c.policy_url = "javascript:alert(1)".into()),
            "policy_url"
        );
        assert_eq!(problem(|c| c.origins = vec![]), "origins");
        assert_eq!(
            problem(|c| c.origins = vec!["https://shop.example/path".into()]),
            "origins[0]"
        );
        assert_eq!(problem(|c| c.rules[0].expiry_days = 400), "rules[0].expiry_days");
        assert_eq!(
            problem(|c| c.rules[1].on_by_default = vec![Category::Targeting]),
            "rules[1].on_by_default"
        );
        assert_eq!(problem(|c| c.rules[1].id = c.rules[0].id.clone()), "rules[1].id");
        assert_eq!(
            problem(|c| c.services[0].items[0].name = "*".into()),
            "services[0].items[0].name"
        );
        assert_eq!(
            problem(|c| c.services[1].id = c.services[0].id.clone()),
            "services[1].id"
        );
    }

    #[test]
    fn hosts_that_could_never_match_are_refused() {
        for host in [
            "Tracker.example",
            "https://a.example",
            "a.example/x",
            "a.example.",
            "a.example:8",
            "*",
        ] {
            assert_eq!(
                problem(|c| c.services[0].hosts = vec![host.into()]),
                "services[0].hosts[0]",
                "{host}"
            );
        }
        let mut wild = config();
        wild.services[0].hosts = vec!["*.vendor.example".into()];
        assert_eq!(wild.check(), Ok(()));
    }

    #[test]
    fn lists_that_the_gate_cannot_read_are_refused() {
        let hosts = |c: &mut SiteConfig| {
            for at in 0..SERVICES_MAX - 10 {
                let mut service = c.services[0].clone();
                service.id = format!("s{at}");
                service.hosts = vec![format!("host-{at}.some-rather-long-vendor-name.example")];
                c.services.push(service);
            }
        };
        assert_eq!(problem(hosts), "services");
    }

    #[test]
    fn the_first_matching_rule_wins_and_unknown_is_strict() {
        let config = config();
        let rule = |country| config.rule_for(country).map(|rule| rule.id.as_str());
        assert_eq!(rule(Some("US")), Some("us"));
        assert_eq!(rule(Some("DE")), Some("eu"));
        assert_eq!(rule(Some("BR")), Some("eu"), "no rule: the strict one");
        assert_eq!(rule(None), Some("eu"));
    }

    #[test]
    fn only_what_a_visitor_has_not_seen_widens() {
        let earlier = config();
        assert!(!earlier.widens(&earlier));

        let mut fewer = config();
        fewer.services.pop();
        assert!(!fewer.widens(&earlier), "less is not wider");
        assert!(earlier.widens(&fewer), "a new service is");

        let mut moved = config();
        moved.services[0].category = Category::Targeting;
        assert!(moved.widens(&earlier));

        let mut renamed = config();
        renamed.services[0].name = "Another name".into();
        assert!(!renamed.widens(&earlier));

        let mut item = config();
        let mut more = item.services[0].items[0].clone();
        more.name = "_new".into();
        item.services[0].items.push(more);
        assert!(item.widens(&earlier));
    }

    #[test]
    fn the_erase_list_holds_optional_items_only() {
        assert_eq!(config().erase_list(&[ItemKind::Cookie]), "1_ga* 3_fbp");
        assert_eq!(config().erase_list(&[ItemKind::LocalStorage]), "3_fb*");
    }
}
