//! A site's configuration, as its owner writes it.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    Categories, Category,
    decision::{Model, Objections},
    erase,
    marks::{Manager, Marks},
    services,
    signals::settings::{Signals, WAIT_MS_MAX, is_region},
};

/// The most services a site may declare.
pub const SERVICES_MAX: usize = 500;
/// The most rules, languages and origins a site may have, and items or hosts a service.
pub const LIST_MAX: usize = 100;
/// The most bytes of a list that the gate reads, so that it fits the gate's buffer beside a name.
pub const GATE_LIST_LEN_MAX: usize = 15_000;

/// Days for which a record is kept after it has stopped to count, where the owner says nothing else: five years.
pub const RETENTION_DAYS: u16 = 1_826;
/// The most days that an owner can set: twenty years.
pub const RETENTION_DAYS_MAX: u16 = 7_305;

/// Id of the service that stands for Assent itself; it is declared by Assent.
pub const OWN_SERVICE: &str = "assent";

/// Everything about a site that its owner decides. Published as an immutable, numbered revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, as the owner writes it"
)]
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
    /// What becomes of tags that nobody has marked.
    #[serde(default)]
    pub blocking: Blocking,
    /// Wordings that replace the built-in ones: language → key of [`Texts`](crate::notice::Texts) → text.
    #[serde(default)]
    pub texts: BTreeMap<String, BTreeMap<String, String>>,
    /// Other consent managers for which the pages are prepared.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub marks: Marks,
    /// How other parties' tags are told of a choice.
    #[serde(default, skip_serializing_if = "is_default")]
    pub signals: Signals,
    /// Whether a held embed shows what it is, with the buttons that load it.
    #[serde(default = "yes")]
    pub placeholders: bool,
    /// Whether a page on which scripts of a category have run is loaded anew when the category is taken back.
    #[serde(default)]
    pub reload_on_withdrawal: bool,
    /// Whether the visitor can choose among the services of a category one by one.
    #[serde(default)]
    pub service_choice: bool,
    /// Whether the site's pages require Trusted Types of their scripts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusted_types: bool,
    /// Whether Turbo exchanges the site's pages, beside the inline stub.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub turbo: bool,
    /// How the controller is reached. Exports of records name it; the Kantara format cannot do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// Days for which a record is kept after it has stopped to count, at most [`RETENTION_DAYS_MAX`].
    #[serde(default = "retention_days", skip_serializing_if = "is_retention_days")]
    pub retention_days: u16,
}

/// How the controller is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Who to ask for: a person or an office.
    pub name: String,
    /// Postal address, without the country.
    pub address: String,
    /// Its country, an ISO 3166-1 code (`DE`).
    pub country: String,
    /// E-mail address.
    pub email: String,
    /// Telephone number.
    pub phone: String,
}

/// What the use of a category or a service rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LegalBasis {
    /// Strictly necessary for what the visitor asked for; needs no consent (`ePrivacy` Directive, Article 5(3)).
    Necessary,
    /// Consent: nothing runs before it (GDPR, Article 6(1)(a)).
    Consent,
    /// A legitimate interest: runs until the visitor objects (GDPR, Article 6(1)(f); likewise the opt-out of US laws).
    LegitimateInterest,
    /// A contract with the visitor (GDPR, Article 6(1)(b)).
    Contract,
    /// A legal obligation (GDPR, Article 6(1)(c)).
    LegalObligation,
}

impl LegalBasis {
    /// What a category rests on under a rule's model.
    pub const fn of(category: Category, model: Model) -> Self {
        match (category, model) {
            (Category::Necessary, _) => Self::Necessary,
            (_, Model::OptIn) => Self::Consent,
            _ => Self::LegitimateInterest,
        }
    }
}

/// Automatic blocking: tags, frames, pictures and calls of third parties wait for their category without a mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocking {
    /// Whether it is on.
    #[serde(default)]
    pub mode: BlockingMode,
    /// Whether a third party that neither a service nor the shipped list names waits as well, for all categories.
    #[serde(default)]
    pub hold_unknown: bool,
    /// Hosts that are never touched, with all below them, beside the site's own.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// Modes of automatic blocking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockingMode {
    /// Only marked tags are held.
    #[default]
    Off,
    /// Nothing more is held, but the page says what would be.
    Report,
    /// Third parties wait for their category.
    Enforce,
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
    /// Whether Do Not Track is honoured likewise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub honours_dnt: bool,
    /// Days for which a choice counts, 1 to 395.
    pub expiry_days: u16,
}

impl Rule {
    /// What is granted before a choice, as far as no signal objects.
    pub fn before_choice(&self) -> Categories {
        self.on_by_default.iter().copied().collect::<Categories>() | Categories::NECESSARY
    }

    /// The signals that count as an objection to targeting.
    pub fn honours(&self) -> Objections {
        Objections::default()
            .and(Objections::GPC, self.honours_gpc)
            .and(Objections::DNT, self.honours_dnt)
    }
}

fn is_default(signals: &Signals) -> bool {
    *signals == Signals::default()
}

const fn yes() -> bool {
    true
}

const fn retention_days() -> u16 {
    RETENTION_DAYS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_retention_days(days: &u16) -> bool {
    *days == RETENTION_DAYS
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
    /// What its use rests on, where it is necessary and the owner wants to name more than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<LegalBasis>,
    /// The provider's privacy policy, http(s).
    #[serde(default)]
    pub policy_url: Option<String>,
    /// Hosts that it loads from, `*` standing for any run of characters, perhaps with a path: `www.vendor.example/maps/*`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// What it stores in the browser.
    #[serde(default)]
    pub items: Vec<Item>,
}

impl Service {
    /// By what the visitor's cookie knows it: the first 18 bits of the SHA-256 of its id, in base64url.
    pub fn code(&self) -> String {
        code(&self.id)
    }
}

/// By what the cookie knows the service with this id: the first [`CODE_LEN`](services::CODE_LEN) characters of the
/// SHA-256 in base64url.
pub fn code(id: &str) -> String {
    let mut code = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(id));
    code.truncate(services::CODE_LEN);
    code
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
    /// Whether it is a cookie that no script sees, and therefore none erases.
    #[serde(default)]
    pub http_only: bool,
    /// The host that it belongs to, where that is not the site's.
    #[serde(default)]
    pub domain: Option<String>,
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
    /// A database of `IndexedDB`.
    IndexedDb,
    /// A cache of Cache Storage.
    CacheStorage,
    /// A service worker, by the address or the path of its script or its scope.
    ServiceWorker,
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
                        service.items.iter().any(|item| {
                            !before
                                .items
                                .iter()
                                .any(|had| had.name == item.name && had.kind == item.kind)
                        })
                    })
            })
    }

    /// Whose an item is, if no page of the site can erase it because it belongs to another host.
    pub fn foreign_host<'a>(&self, item: &'a Item) -> Option<&'a str> {
        let domain = item.domain.as_deref()?.trim_start_matches('.');
        let reaches = |host: &str| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        (!self.origin_hosts().any(reaches)).then_some(domain)
    }

    fn origin_hosts(&self) -> impl Iterator<Item = &str> {
        self.origins.iter().filter_map(|origin| {
            let host = origin.split("://").nth(1)?;
            Some(host.rsplit_once(':').map_or(host, |(name, _)| name))
        })
    }

    /// The services that a visitor can choose among one by one, each with its code, in the order of their slots.
    /// Empty where the site does not offer it.
    pub fn slots(&self) -> BTreeMap<String, &Service> {
        self.services
            .iter()
            .filter(|service| self.service_choice && service.category != Category::Necessary)
            .map(|service| (service.code(), service))
            .collect()
    }

    /// For each service the character that stands for it in the lists that the gate reads: its slot's, or
    /// the digit of its category.
    fn marks_in_lists(&self) -> impl Iterator<Item = (&Service, char)> {
        let slots: BTreeMap<String, char> = self.slots().into_keys().zip(services::MARKS).collect();
        self.services.iter().map(move |service| {
            let slot = match service.category {
                Category::Necessary => None,
                _ => slots.get(&service.code()).copied(),
            };
            (service, slot.unwrap_or(char::from(b'0' + service.category as u8)))
        })
    }

    /// The declared optional items of the given kinds that a page can erase, as the list that
    /// [`erase`](crate::erase) reads. Necessary ones stand there only where the name of an optional one stands for them, too:
    /// so they stay.
    pub fn erase_list(&self, kinds: &[ItemKind]) -> String {
        let items: Vec<_> = self
            .marks_in_lists()
            .flat_map(|(service, mark)| {
                service
                    .items
                    .iter()
                    .map(move |item| (service.category, mark, item))
            })
            .filter(|(_, _, item)| kinds.contains(&item.kind) && self.foreign_host(item).is_none())
            .collect();
        let is_optional = |category: Category| category != Category::Necessary;
        let is_meant = |name: &str| {
            let mut optional = items.iter().filter(|(category, ..)| is_optional(*category));
            optional.any(|(.., item)| erase::matches(item.name.as_bytes(), name.as_bytes()))
        };
        let entries: BTreeSet<String> = items
            .iter()
            .filter(|(category, _, item)| is_optional(*category) || is_meant(&item.name))
            .map(|(_, mark, item)| format!("{mark}{}", item.name))
            .collect();
        entries.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// The declared hosts of the optional services as patterns of places, in the form of the list that
    /// [`erase`](crate::erase) reads: what loads from there waits for its category. With automatic blocking those of
    /// the necessary ones, too, which the shipped list would hold otherwise. A path that names one file stands there with
    /// a slash behind it as well: the loader looks up what the inline stub has held as if it were a folder, because stubs
    /// that stand in pages since earlier builds name the host alone.
    pub fn host_list(&self) -> String {
        let entries: BTreeSet<String> = self
            .marks_in_lists()
            .filter(|(service, _)| {
                service.category != Category::Necessary || self.blocking.mode != BlockingMode::Off
            })
            .flat_map(|(service, mark)| {
                service.hosts.iter().flat_map(move |host| {
                    let ends: &[&str] = if !host.contains('/') {
                        &["/*"]
                    } else if host.ends_with('*') {
                        &[""]
                    } else {
                        &["", "/"]
                    };
                    ends.iter().map(move |end| format!("{mark}{host}{end}"))
                })
            })
            .collect();
        entries.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// The hosts that automatic blocking never touches, each with all below it: the site's own, without `www.`, and
    /// those that the owner allows.
    pub fn own_hosts(&self) -> BTreeSet<&str> {
        let origins = self
            .origin_hosts()
            .map(|host| host.strip_prefix("www.").unwrap_or(host));
        let allowed = self.blocking.allow.iter();
        origins
            .chain(allowed.map(|host| host.strip_prefix("*.").unwrap_or(host)))
            .collect()
    }

    /// Checks everything that the types do not.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.faults().into_iter().next().map_or(Ok(()), Err)
    }

    /// Every field that is wrong, in the order of the fields.
    pub fn faults(&self) -> Vec<ConfigError> {
        let mut faults = Faults::default();
        if !is_id(&self.id, 3) {
            faults.add("id", "must be 3 to 40 of a–z, 0–9 and -");
        }
        faults.text("name", &self.name);
        faults.text("controller", &self.controller);
        faults.bounded("origins", self.origins.len(), 1, LIST_MAX);
        for (at, origin) in self.origins.iter().enumerate() {
            faults.origin(&format!("origins[{at}]"), origin);
        }
        faults.web_url("policy_url", &self.policy_url);
        faults.bounded("languages", self.languages.len(), 1, LIST_MAX);
        for (at, language) in self.languages.iter().enumerate() {
            if language.is_empty()
                || language.len() > 20
                || !language
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            {
                faults.add(
                    &format!("languages[{at}]"),
                    "must be a language tag such as en or pt-BR",
                );
            }
        }
        faults.bounded("rules", self.rules.len(), 1, LIST_MAX);
        for (at, rule) in self.rules.iter().enumerate() {
            faults.unique(
                &format!("rules[{at}].id"),
                &rule.id,
                self.rules[..at].iter().map(|other| &other.id),
            );
            faults.rule(&format!("rules[{at}]"), rule);
        }
        faults.bounded("services", self.services.len(), 0, SERVICES_MAX);
        for (at, service) in self.services.iter().enumerate() {
            let id = format!("services[{at}].id");
            faults.unique(
                &id,
                &service.id,
                self.services[..at].iter().map(|other| &other.id),
            );
            if service.id == OWN_SERVICE {
                faults.add(
                    &id,
                    "stands for Assent itself, which lists what it stores by itself",
                );
            }
            faults.service(&format!("services[{at}]"), service);
        }
        faults.service_choice(self);
        faults.bounded("blocking.allow", self.blocking.allow.len(), 0, LIST_MAX);
        for (at, host) in self.blocking.allow.iter().enumerate() {
            if !is_host(host.strip_prefix("*.").unwrap_or(host))
                || host.get(1..).is_some_and(|rest| rest.contains('*'))
            {
                faults.add(
                    &format!("blocking.allow[{at}]"),
                    "must be a host name in lower case such as cdn.vendor.example, which stands for all below it too",
                );
            }
        }
        let kinds: [&[ItemKind]; 5] = [
            &[ItemKind::Cookie],
            &[ItemKind::LocalStorage, ItemKind::SessionStorage],
            &[ItemKind::IndexedDb],
            &[ItemKind::CacheStorage],
            &[ItemKind::ServiceWorker],
        ];
        if kinds
            .map(|kinds| self.erase_list(kinds))
            .iter()
            .chain([&self.host_list()])
            .any(|list| list.len() > GATE_LIST_LEN_MAX)
        {
            faults.add(
                "services",
                "declare too many hosts or items: their names together must be under 15,000 bytes",
            );
        }
        faults.marks(&self.marks);
        faults.signals(&self.signals);
        faults.contact(self.contact.as_ref());
        if self.retention_days > RETENTION_DAYS_MAX {
            faults.add("retention_days", "must be 0 to 7,305 (twenty years)");
        }
        faults.0
    }
}

/// What is wrong with a configuration.
#[derive(Default)]
struct Faults(Vec<ConfigError>);

impl Faults {
    fn add(&mut self, field: &str, problem: &str) {
        self.0.push(ConfigError {
            field: field.to_owned(),
            problem: problem.to_owned(),
        });
    }

    fn rule(&mut self, path: &str, rule: &Rule) {
        if !(1..=395).contains(&rule.expiry_days) {
            self.add(
                &format!("{path}.expiry_days"),
                "must be 1 to 395 (thirteen months)",
            );
        }
        if rule.model == Model::OptIn && !rule.on_by_default.is_empty() {
            self.add(
                &format!("{path}.on_by_default"),
                "must be empty under opt-in: nothing is granted before a choice",
            );
        }
        if rule.regions.iter().any(|region| {
            region != "*" && (region.len() != 2 || !region.bytes().all(|b| b.is_ascii_uppercase()))
        }) {
            self.add(
                &format!("{path}.regions"),
                "must hold ISO 3166-1 country codes such as DE, or *",
            );
        }
    }

    fn service(&mut self, path: &str, service: &Service) {
        self.text(&format!("{path}.name"), &service.name);
        self.text(&format!("{path}.provider"), &service.provider);
        if let Some(url) = &service.policy_url {
            self.web_url(&format!("{path}.policy_url"), url);
        }
        if service.legal_basis.is_some()
            && (service.category != Category::Necessary || service.legal_basis == Some(LegalBasis::Consent))
        {
            self.add(
                &format!("{path}.legal_basis"),
                "is for necessary services, and not consent: what others rest on follows from the rule's model",
            );
        }
        self.local_text(&format!("{path}.purpose"), &service.purpose);
        self.bounded(&format!("{path}.hosts"), service.hosts.len(), 0, LIST_MAX);
        for (at, host) in service.hosts.iter().enumerate() {
            let (name, below) = host.split_once('/').unwrap_or((host, ""));
            if !is_host(name) || below.contains(char::is_whitespace) || host.len() > 253 {
                self.add(
                    &format!("{path}.hosts[{at}]"),
                    "must be a host name in lower case such as www.vendor.example or *.vendor.example, perhaps with a path such as www.vendor.example/maps/*",
                );
            }
        }
        self.bounded(&format!("{path}.items"), service.items.len(), 0, LIST_MAX);
        for (at, item) in service.items.iter().enumerate() {
            let path = format!("{path}.items[{at}]");
            let name = format!("{path}.name");
            self.text(&name, &item.name);
            if !item.name.is_empty() && item.name.bytes().all(|byte| byte == b'*') {
                self.add(&name, "would match everything of its kind");
            }
            if item.name.contains(char::is_whitespace) {
                self.add(&name, "must not hold white space");
            }
            self.local_text(&format!("{path}.purpose"), &item.purpose);
            self.local_text(&format!("{path}.lifetime"), &item.lifetime);
            if item.http_only && item.kind != ItemKind::Cookie {
                self.add(&format!("{path}.http_only"), "is for cookies only");
            }
            if let Some(domain) = &item.domain
                && (!is_host(domain) || domain.contains('*'))
            {
                self.add(
                    &format!("{path}.domain"),
                    "must be a host name in lower case such as vendor.example",
                );
            }
        }
    }

    fn contact(&mut self, contact: Option<&Contact>) {
        let Some(contact) = contact else { return };
        for (field, text) in [
            ("contact.name", &contact.name),
            ("contact.address", &contact.address),
            ("contact.phone", &contact.phone),
        ] {
            self.text(field, text);
        }
        if contact.country.len() != 2 || !contact.country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            self.add("contact.country", "must be an ISO 3166-1 country code such as DE");
        }
        let is_address = contact.email.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty()
                && host.contains('.')
                && !host.contains('@')
                && !contact.email.contains(char::is_whitespace)
        });
        if !is_address || contact.email.len() > 254 {
            self.add("contact.email", "must be an e-mail address");
        }
    }

    fn service_choice(&mut self, config: &SiteConfig) {
        let mut codes = BTreeSet::new();
        let mut optional = 0;
        for (at, service) in config.services.iter().enumerate() {
            if service.category == Category::Necessary || !config.service_choice {
                continue;
            }
            optional += 1;
            if !codes.insert(service.code()) {
                self.add(
                    &format!("services[{at}].id"),
                    "cannot be told from another service's in the visitor's cookie: choose another id",
                );
            }
        }
        if optional > services::SERVICES_MAX {
            self.add(
                "service_choice",
                "is for at most 60 services outside necessary: nobody could choose among more",
            );
        }
    }

    fn marks(&mut self, marks: &Marks) {
        // Both stand in data-category, with names that mean different things.
        if marks.contains_key(&Manager::VanillaCookieconsent) && marks.contains_key(&Manager::Complianz) {
            self.add(
                "marks.complianz",
                "cannot be read beside vanilla-cookieconsent: both use data-category",
            );
        }
        for (manager, names) in marks {
            let path = format!("marks.{}", manager.id());
            self.bounded(&path, names.len(), 0, SERVICES_MAX);
            for (name, meaning) in names {
                let path = format!("{path}.{name}");
                self.text(&path, name);
                self.bounded(&path, meaning.categories().len(), 1, Category::ALL.len());
            }
        }
    }

    fn signals(&mut self, signals: &Signals) {
        let google = &signals.google;
        if google.wait_for_update_ms > WAIT_MS_MAX {
            self.add(
                "signals.google.wait_for_update_ms",
                "must be 0 to 10,000 milliseconds",
            );
        }
        self.bounded("signals.google.regions", google.regions.len(), 0, LIST_MAX);
        for (at, region) in google.regions.iter().enumerate() {
            let path = format!("signals.google.regions[{at}].region");
            self.bounded(&path, region.region.len(), 1, LIST_MAX);
            if !region.region.iter().all(|code| is_region(code)) {
                self.add(&path, "must hold ISO 3166-2 codes such as DE or US-CA");
            }
        }
        for (kind, category) in &google.types {
            if kind.is_ad() && *category == Category::Necessary {
                self.add(
                    "signals.google.types",
                    "must not hold necessary for advertising: it would be granted to everybody",
                );
            }
        }
    }

    /// An id of a list's entry, which must not stand before.
    fn unique<'a>(&mut self, field: &str, id: &str, mut before: impl Iterator<Item = &'a String>) {
        if !is_id(id, 1) {
            self.add(field, "must be 1 to 40 of a–z, 0–9 and -");
        } else if before.any(|other| other == id) {
            self.add(field, "stands twice");
        }
    }

    fn origin(&mut self, field: &str, origin: &str) {
        if !is_web_url(origin) {
            self.add(field, NO_WEB_URL);
        } else if origin
            .split("://")
            .nth(1)
            .is_none_or(|rest| rest.contains(['/', '?', '#']) || rest.chars().any(char::is_uppercase))
        {
            self.add(field, "must be scheme and host in lower case, without a path");
        }
    }

    fn web_url(&mut self, field: &str, url: &str) {
        if !is_web_url(url) {
            self.add(field, NO_WEB_URL);
        }
    }

    fn text(&mut self, field: &str, value: &str) {
        if value.trim().is_empty() || value.chars().count() > 300 {
            self.add(field, "must be 1 to 300 characters");
        }
    }

    fn local_text(&mut self, field: &str, value: &LocalText) {
        let (count, fits) = match value {
            LocalText::One(text) => (1, text.chars().count() <= 1_000),
            LocalText::Many(texts) => (
                texts.len(),
                texts.values().all(|text| text.chars().count() <= 1_000),
            ),
        };
        if !fits {
            self.add(field, "must be at most 1,000 characters");
        }
        self.bounded(field, count, 1, LIST_MAX);
    }

    fn bounded(&mut self, field: &str, len: usize, min: usize, max: usize) {
        if !(min..=max).contains(&len) {
            self.add(field, &format!("must have {min} to {max} entries"));
        }
    }
}

fn is_id(id: &str, len_min: usize) -> bool {
    (len_min..=40).contains(&id.len())
        && id
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
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

const NO_WEB_URL: &str = "must be an address that begins with http:// or https://";

fn is_web_url(url: &str) -> bool {
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.len() <= 2_000
        && !url
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "\"'<>`\\".contains(c))
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
        assert_eq!(problem(|c| c.retention_days = 7_306), "retention_days");
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
    fn a_name_of_another_manager_needs_a_category() {
        let marks = |json: &str| serde_json::from_str(json).expect("marks");
        assert_eq!(
            problem(|c| c.marks = marks(r#"{ "cookiebot": { "statistics": [] } }"#)),
            "marks.cookiebot.statistics"
        );
        assert_eq!(
            problem(|c| c.marks = marks(r#"{ "vanilla-cookieconsent": { " ": "targeting" } }"#)),
            "marks.vanilla-cookieconsent. "
        );
        assert_eq!(
            problem(|c| c.marks = marks(r#"{ "vanilla-cookieconsent": {}, "complianz": {} }"#)),
            "marks.complianz"
        );
    }

    #[test]
    fn signals_that_google_could_not_read_are_refused() {
        let signals = |json: &str| serde_json::from_str(json).expect("signals");
        assert_eq!(
            problem(|c| c.signals = signals(r#"{ "google": { "wait_for_update_ms": 10001 } }"#)),
            "signals.google.wait_for_update_ms"
        );
        assert_eq!(
            problem(|c| c.signals = signals(r#"{ "google": { "types": { "ad_storage": "necessary" } } }"#)),
            "signals.google.types"
        );
        for regions in [r#"[{ "region": ["California"] }]"#, r#"[{ "region": [] }]"#] {
            assert_eq!(
                problem(|c| c.signals = signals(&format!(r#"{{ "google": {{ "regions": {regions} }} }}"#))),
                "signals.google.regions[0].region"
            );
        }
    }

    #[test]
    fn hosts_that_could_never_match_are_refused() {
        for host in [
            "Tracker.example",
            "https://a.example",
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

        let mut kept_elsewhere = config();
        kept_elsewhere.services[0].items[0].kind = ItemKind::IndexedDb;
        assert!(kept_elsewhere.widens(&earlier));

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
        assert_eq!(config().erase_list(&[ItemKind::IndexedDb]), "");
    }

    #[test]
    fn what_is_necessary_stays_although_an_optional_pattern_stands_for_it_too() {
        let mut config = config();
        config.services[0].items[0].name = "shop_*".to_owned();
        config.services[1].items[0].name = "shop_session".to_owned();
        let list = config.erase_list(&[ItemKind::Cookie]);
        assert_eq!(list, "0shop_session 1shop_* 3_fbp");
        let is_erased =
            |name: &str| erase::is_erased(list.as_bytes(), name.as_bytes(), Categories::NECESSARY);
        assert!(!is_erased("shop_session") && is_erased("shop_visits"));
    }

    #[test]
    fn where_services_are_chosen_one_by_one_the_lists_hold_their_slots() {
        let mut config = config();
        config.service_choice = true;
        config.services[2].hosts = vec!["ads.example".to_owned()];
        let slots: Vec<_> = config.slots().into_iter().collect();
        let ids: Vec<_> = slots
            .iter()
            .map(|(code, service)| (code.as_str(), service.id.as_str()))
            .collect();
        assert_eq!(ids, [("P41", "pixel"), ("Zfm", "analytics")]);
        assert_eq!(config.erase_list(&[ItemKind::Cookie]), "4_fbp 5_ga*");
        assert_eq!(config.host_list(), "4ads.example/*");
    }

    #[test]
    fn the_host_list_holds_patterns_of_places() {
        let mut config = config();
        let hosts = ["ads.example", "tags.example/maps/*", "cdn.example/x.js"];
        config.services[2].hosts = hosts.map(str::to_owned).to_vec();
        assert_eq!(
            config.host_list(),
            "3ads.example/* 3cdn.example/x.js 3cdn.example/x.js/ 3tags.example/maps/*"
        );
    }

    #[test]
    fn more_services_than_anybody_could_choose_among_are_refused() {
        let mut config = config();
        config.services.truncate(1);
        for at in 0..services::SERVICES_MAX {
            let mut service = config.services[0].clone();
            service.id = format!("service-{at}");
            config.services.push(service);
        }
        assert_eq!(config.check(), Ok(()));
        config.service_choice = true;
        let fields = |config: &SiteConfig| -> Vec<_> {
            config.faults().into_iter().map(|fault| fault.field).collect()
        };
        assert_eq!(fields(&config), ["service_choice"]);
        config.services.pop();
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn services_that_the_cookie_could_not_tell_apart_are_refused() {
        let mut config = config();
        let mut ids = BTreeMap::new();
        let (one, other) = (0..)
            .find_map(|at| {
                config.services[0].id = format!("s{at}");
                let before = ids.insert(config.services[0].code(), at)?;
                Some((format!("s{before}"), format!("s{at}")))
            })
            .expect("among a thousand ids some share a code");
        config.services[0].id = one;
        config.services[2].id = other;
        assert_eq!(config.check(), Ok(()));
        config.service_choice = true;
        assert_eq!(config.check().expect_err("one code").field, "services[2].id");
    }

    #[test]
    fn a_legal_basis_is_named_for_necessary_services_only() {
        let named = |at: usize, basis| {
            let mut config = config();
            config.services[at].legal_basis = Some(basis);
            config.faults().into_iter().map(|fault| fault.field).next()
        };
        assert_eq!(named(1, LegalBasis::Contract), None);
        assert_eq!(
            named(1, LegalBasis::Consent).as_deref(),
            Some("services[1].legal_basis")
        );
        assert_eq!(
            named(0, LegalBasis::LegitimateInterest).as_deref(),
            Some("services[0].legal_basis")
        );
        assert_eq!(
            LegalBasis::of(Category::Targeting, Model::OptIn),
            LegalBasis::Consent
        );
        assert_eq!(
            LegalBasis::of(Category::Targeting, Model::OptOut),
            LegalBasis::LegitimateInterest
        );
        assert_eq!(
            LegalBasis::of(Category::Necessary, Model::OptIn),
            LegalBasis::Necessary
        );
    }

    #[test]
    fn a_contact_is_whole() {
        let mut config = config();
        let contact = Contact {
            name: "The data protection officer".to_owned(),
            address: "1 High Street, 10115 Berlin".to_owned(),
            country: "DE".to_owned(),
            email: "privacy@shop.example".to_owned(),
            phone: "+49 30 1234567".to_owned(),
        };
        config.contact = Some(contact.clone());
        assert_eq!(config.faults(), []);
        config.contact = Some(Contact {
            phone: String::new(),
            country: "Germany".to_owned(),
            email: "privacy".to_owned(),
            ..contact
        });
        let fields: Vec<_> = config.faults().into_iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["contact.phone", "contact.country", "contact.email"]);
    }

    #[test]
    fn what_belongs_to_another_host_is_not_for_the_page_to_erase() {
        let mut config = config();
        config.origins = vec!["https://www.shop.example:8443".into()];
        let mut list = |domain: &str| {
            let item = &mut config.services[0].items[0];
            item.domain = Some(domain.to_owned());
            assert_eq!(config.check(), Ok(()), "{domain}");
            config.erase_list(&[ItemKind::Cookie]) == "1_ga* 3_fbp"
        };
        assert!(list("www.shop.example"));
        assert!(list(".shop.example"), "a cookie of a parent");
        assert!(!list("stats.shop.example"), "a page does not reach its siblings");
        assert!(!list("op.example"));
        assert!(!list(".vendor.example"));
        assert_eq!(
            problem(|c| c.services[0].items[0].domain = Some("*.vendor.example".into())),
            "services[0].items[0].domain"
        );
        assert_eq!(
            problem(|c| {
                c.services[0].items[0].kind = ItemKind::LocalStorage;
                c.services[0].items[0].http_only = true;
            }),
            "services[0].items[0].http_only"
        );
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let mut config = config();
        config.id = "X".to_owned();
        config.rules[0].expiry_days = 0;
        config.services[0].id = OWN_SERVICE.to_owned();
        let fields: Vec<_> = config.faults().into_iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["id", "rules[0].expiry_days", "services[0].id"]);
    }

    #[test]
    fn blocking_never_touches_the_sites_own_hosts() {
        let mut config = config();
        config.origins = vec![
            "https://www.shop.example:8443".to_owned(),
            "http://127.0.0.1:80".to_owned(),
        ];
        config.blocking.allow = vec!["*.cdn.example".to_owned()];
        let own: Vec<_> = config.own_hosts().into_iter().collect();
        assert_eq!(own, ["127.0.0.1", "cdn.example", "shop.example"]);
        config.blocking.allow = vec!["*".to_owned(), "a.*.example".to_owned(), String::new()];
        let fields: Vec<_> = config.faults().into_iter().map(|fault| fault.field).collect();
        assert_eq!(
            fields,
            ["blocking.allow[0]", "blocking.allow[1]", "blocking.allow[2]"]
        );
    }

    #[test]
    fn a_service_may_name_a_path_of_a_host() {
        let mut config = config();
        config.services[1].hosts = vec!["www.vendor.example/maps/*".to_owned()];
        assert_eq!(config.faults(), []);
        config.services[1].hosts = vec!["/maps".to_owned(), "a.example/b c".to_owned()];
        assert_eq!(config.faults().len(), 2);
    }
}
