//! The notice: exactly what a visitor was shown. Immutable, addressed by the SHA-256 of its canonical JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Category,
    decision::Model,
    site::{ItemKind, LegalBasis, OWN_SERVICE, Rule, Service, SiteConfig},
};

/// SHA-256 of a notice, as 64 lower-case hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoticeHash(pub [u8; 32]);

impl NoticeHash {
    /// Reads 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl std::fmt::Display for NoticeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| std::fmt::Error)?;
        f.write_str(str::from_utf8(&digits).map_err(|_| std::fmt::Error)?)
    }
}

impl std::fmt::Debug for NoticeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for NoticeHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NoticeHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("a notice hash is 64 lower-case hexadecimal digits"))
    }
}

macro_rules! texts {
    ($($(#[$doc:meta])* $key:ident),+ $(,)?) => {
        /// Every wording that a visitor meets, in one language. Plain text, never HTML.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Texts {
            $($(#[$doc])* pub $key: String,)+
        }

        impl Texts {
            /// Replaces one wording by its key; `false` if there is no such key.
            pub fn replace(&mut self, key: &str, text: &str) -> bool {
                match key {
                    $(stringify!($key) => text.clone_into(&mut self.$key),)+
                    _ => return false,
                }
                true
            }
        }
    };
}

texts! {
    /// Writing direction: `ltr` or `rtl`.
    direction,
    /// The banner's heading.
    banner_title,
    /// The banner's text.
    banner_text,
    /// Label of the link to the cookie policy.
    policy_link,
    /// Grants every category.
    accept_all,
    /// Refuses every optional category.
    reject_all,
    /// Said where the browser sends Global Privacy Control and the rule honours it.
    gpc_honoured,
    /// Said where the browser sends Do Not Track and the rule honours it.
    dnt_honoured,
    /// Opens the dialog.
    settings,
    /// The small control that reopens the dialog.
    privacy_settings,
    /// The dialog's heading.
    dialog_title,
    /// The dialog's introduction.
    dialog_text,
    /// Saves the toggles as they stand.
    confirm_choices,
    /// Closes the dialog without saving.
    close,
    /// State of the necessary category, in place of a toggle.
    always_active,
    /// Label of `necessary`.
    necessary_label,
    /// Description of `necessary`.
    necessary_text,
    /// Label of `performance`.
    performance_label,
    /// Description of `performance`.
    performance_text,
    /// Label of `functional`.
    functional_label,
    /// Description of `functional`.
    functional_text,
    /// Label of `targeting`.
    targeting_label,
    /// Description of `targeting`.
    targeting_text,
    /// Heading above the services of a category.
    services_heading,
    /// Said where a category has no service.
    no_services,
    /// Said of a category some of whose services are allowed; `{on}` and `{all}` stand for their numbers.
    services_on,
    /// Said in the center where the visitor can choose among the services one by one.
    services_choice,
    /// Column: an item's name.
    item_name,
    /// Column: who is behind a service.
    item_provider,
    /// Column: what an item is for.
    item_purpose,
    /// Column: how long an item stays.
    item_lifetime,
    /// Column: where an item is stored.
    item_kind,
    /// A cookie.
    kind_cookie,
    /// An item of `localStorage`.
    kind_local_storage,
    /// An item of `sessionStorage`.
    kind_session_storage,
    /// A database of `IndexedDB`.
    kind_indexed_db,
    /// A cache of Cache Storage.
    kind_cache_storage,
    /// A service worker.
    kind_service_worker,
    /// Said of a cookie that no page can erase.
    item_http_only,
    /// Said of what belongs to another host, `{domain}`.
    item_foreign,
    /// Label of the link to a provider's policy.
    provider_policy,
    /// Said in place of a held embed; `{source}` stands for whom it comes from.
    placeholder_from,
    /// Said after it; `{category}` stands for the labels of the embed's categories.
    placeholder_category,
    /// Loads one held embed until the tab is closed.
    placeholder_once,
    /// Grants the categories of a held embed.
    placeholder_always,
    /// The center's heading.
    center_title,
    /// The center's introduction.
    center_text,
    /// Heading of the current choice in the center.
    center_current,
    /// Said in the center when there is no choice yet.
    center_none,
    /// Heading of the history.
    center_history,
    /// Said when the history is empty.
    center_history_empty,
    /// Column: when.
    center_when,
    /// Column: how a choice was made.
    center_how,
    /// Column: what was chosen.
    center_choice,
    /// Downloads a receipt.
    center_receipt,
    /// Link to the page on which receipts are checked.
    center_verify,
    /// Column: a record's id.
    center_record,
    /// Refuses everything that was granted.
    center_withdraw,
    /// What withdrawing does.
    center_withdraw_text,
    /// Label before the name of who is responsible.
    center_controller,
    /// Saves the center's form.
    center_save,
    /// Said after saving, where the site asks for the choice.
    center_saved,
    /// Said after saving, where the site learns the choice by the link back.
    center_saved_here,
    /// Said when the center no longer knows for whom its page was made.
    center_ended,
    /// Said when saving failed.
    center_failed,
    /// Link back to the site.
    center_back,
    /// A category is allowed.
    allowed,
    /// A category is not allowed.
    refused,
    /// A choice made in the banner.
    method_banner,
    /// A choice made in the dialog.
    method_dialog,
    /// A choice made in the center.
    method_center,
    /// A choice made through the site's own control.
    method_api,
    /// A choice made on the placeholder of an embed.
    method_embed,
    /// Said when the link into the center is used up or too old.
    center_link_expired,
    /// What Assent's own items are for.
    own_purpose,
    /// What the cookie with the choice is for.
    own_choice,
    /// How long it stays; `{days}` stands for the rule's expiry.
    own_choice_kept,
    /// What the records that wait are for.
    own_outbox,
    /// How long they stay.
    own_outbox_kept,
    /// What the last receipt is for.
    own_receipt,
    /// How long it stays.
    own_receipt_kept,
    /// What the mark of an opened center is for.
    own_center,
    /// How long it stays; `{days}` stands for the rule's expiry.
    own_center_kept,
    /// What the center's own cookie is for.
    own_session,
    /// How long it stays.
    own_session_kept,
    /// What the list of the embeds that were loaded once is for.
    own_once,
    /// How long it stays.
    own_once_kept,
}

impl Texts {
    /// Label and description of a category.
    pub fn category(&self, category: Category) -> (&str, &str) {
        match category {
            Category::Necessary => (&self.necessary_label, &self.necessary_text),
            Category::Performance => (&self.performance_label, &self.performance_text),
            Category::Functional => (&self.functional_label, &self.functional_text),
            Category::Targeting => (&self.targeting_label, &self.targeting_text),
        }
    }

    /// The word for where an item is stored.
    pub fn kind(&self, kind: ItemKind) -> &str {
        match kind {
            ItemKind::Cookie => &self.kind_cookie,
            ItemKind::LocalStorage => &self.kind_local_storage,
            ItemKind::SessionStorage => &self.kind_session_storage,
            ItemKind::IndexedDb => &self.kind_indexed_db,
            ItemKind::CacheStorage => &self.kind_cache_storage,
            ItemKind::ServiceWorker => &self.kind_service_worker,
        }
    }
}

/// What a visitor was shown: banner and dialog, in one language, under one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Version of this format: 1.
    pub version: u8,
    /// The site.
    pub site: String,
    /// Id of the rule.
    pub rule: String,
    /// What the rule asks for.
    pub model: Model,
    /// Where the rule applies: ISO 3166-1 country codes, or `*` for everywhere that no other rule of the site names.
    pub regions: Vec<String>,
    /// Days for which a choice counts under the rule.
    pub expiry_days: u16,
    /// Language tag.
    pub language: String,
    /// Who is responsible.
    pub controller: String,
    /// Address of the cookie policy.
    pub policy_url: String,
    /// Whether the rule honours Global Privacy Control; the dialog says so where the browser sends it.
    pub honours_gpc: bool,
    /// Whether it honours Do Not Track, likewise.
    pub honours_dnt: bool,
    /// Whether the visitor could choose among the services one by one.
    pub service_choice: bool,
    /// The banner's markup, as rendered.
    pub banner_html: String,
    /// The banner's styles.
    pub banner_css: String,
    /// The dialog's markup, as it opens before a choice and without a signal.
    pub dialog_html: String,
    /// The dialog's styles, which come after the banner's.
    pub dialog_css: String,
    /// All wordings.
    pub texts: Texts,
    /// The four categories, in order, with what they hold.
    pub categories: Vec<NoticeCategory>,
}

/// One category in a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeCategory {
    /// Which.
    pub id: Category,
    /// Its label.
    pub label: String,
    /// Its description.
    pub text: String,
    /// What its use rests on.
    pub legal_basis: LegalBasis,
    /// Its services.
    pub services: Vec<NoticeService>,
}

/// One service in a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeService {
    /// Id within the site.
    pub id: String,
    /// Name.
    pub name: String,
    /// The company behind it.
    pub provider: String,
    /// What it is for.
    pub purpose: String,
    /// What its use rests on.
    pub legal_basis: LegalBasis,
    /// The provider's policy; empty if none is known.
    pub policy_url: String,
    /// Hosts that it loads from, as declared.
    pub hosts: Vec<String>,
    /// What it stores.
    pub items: Vec<NoticeItem>,
}

/// One stored item in a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeItem {
    /// Name or pattern.
    pub name: String,
    /// Where it is stored, in words.
    pub kind: String,
    /// What it is for.
    pub purpose: String,
    /// How long it stays.
    pub lifetime: String,
    /// Who can erase it, where the site's pages cannot; else empty.
    pub note: String,
}

impl Notice {
    /// The services that the visitor could choose among one by one, by id.
    pub fn offered(&self) -> BTreeMap<String, Category> {
        let categories = self.categories.iter();
        categories
            .filter(|category| self.service_choice && category.id != Category::Necessary)
            .flat_map(|category| {
                category
                    .services
                    .iter()
                    .map(|service| (service.id.clone(), category.id))
            })
            .collect()
    }

    /// The SHA-256 of the canonical JSON (RFC 8785).
    ///
    /// # Panics
    /// Never: the type holds nothing that JSON cannot.
    pub fn hash(&self) -> NoticeHash {
        NoticeHash(Sha256::digest(self.canonical()).into())
    }

    /// Canonical JSON (RFC 8785).
    ///
    /// # Panics
    /// Never: the type holds nothing that JSON cannot.
    #[expect(clippy::expect_used, reason = "strings, numbers and lists always serialise")]
    pub fn canonical(&self) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(self).expect("a notice serialises")
    }
}

/// The four categories of `config` with their services, in the wordings of `texts`. What Assent stores itself
/// comes first under `necessary`.
pub fn categories(config: &SiteConfig, rule: &Rule, texts: &Texts, language: &str) -> Vec<NoticeCategory> {
    Category::ALL
        .into_iter()
        .map(|category| {
            let (label, text) = texts.category(category);
            let own = (category == Category::Necessary).then(|| own_service(config, rule, texts));
            let declared = config
                .services
                .iter()
                .filter(|service| service.category == category);
            NoticeCategory {
                id: category,
                label: label.to_owned(),
                text: text.to_owned(),
                legal_basis: LegalBasis::of(category, rule.model),
                services: own
                    .into_iter()
                    .chain(declared.map(|service| shown_service(config, rule, service, texts, language)))
                    .collect(),
            }
        })
        .collect()
}

fn shown_service(
    config: &SiteConfig,
    rule: &Rule,
    service: &Service,
    texts: &Texts,
    language: &str,
) -> NoticeService {
    let fallback = config.default_language();
    NoticeService {
        id: service.id.clone(),
        name: service.name.clone(),
        provider: service.provider.clone(),
        purpose: service.purpose.get(language, fallback).to_owned(),
        legal_basis: service
            .legal_basis
            .unwrap_or(LegalBasis::of(service.category, rule.model)),
        policy_url: service.policy_url.clone().unwrap_or_default(),
        hosts: service.hosts.clone(),
        items: service
            .items
            .iter()
            .map(|item| NoticeItem {
                name: item.name.clone(),
                kind: texts.kind(item.kind).to_owned(),
                purpose: item.purpose.get(language, fallback).to_owned(),
                lifetime: item.lifetime.get(language, fallback).to_owned(),
                note: match config.foreign_host(item) {
                    Some(domain) => texts.item_foreign.replace("{domain}", domain),
                    None if item.http_only => texts.item_http_only.clone(),
                    None => String::new(),
                },
            })
            .collect(),
    }
}

/// What Assent stores in the visitor's browser, as `app/host` does: no owner has to declare it.
fn own_service(config: &SiteConfig, rule: &Rule, texts: &Texts) -> NoticeService {
    let days = rule.expiry_days.to_string();
    let item = |suffix: &str, kind, purpose: &str, lifetime: &str| NoticeItem {
        name: format!("assent-{}{suffix}", config.id),
        kind: texts.kind(kind).to_owned(),
        purpose: purpose.to_owned(),
        lifetime: lifetime.replace("{days}", &days),
        note: String::new(),
    };
    let once = config.placeholders.then(|| {
        item(
            "-once",
            ItemKind::SessionStorage,
            &texts.own_once,
            &texts.own_once_kept,
        )
    });
    NoticeService {
        id: OWN_SERVICE.to_owned(),
        name: "Assent".to_owned(),
        provider: config.controller.clone(),
        purpose: texts.own_purpose.clone(),
        legal_basis: LegalBasis::Necessary,
        policy_url: String::new(),
        hosts: Vec::new(),
        items: [
            item("", ItemKind::Cookie, &texts.own_choice, &texts.own_choice_kept),
            item(
                "-center",
                ItemKind::Cookie,
                &texts.own_center,
                &texts.own_center_kept,
            ),
            NoticeItem {
                name: format!("assent-center-{}", config.id),
                ..item("", ItemKind::Cookie, &texts.own_session, &texts.own_session_kept)
            },
            item(
                "-outbox",
                ItemKind::Cookie,
                &texts.own_outbox,
                &texts.own_outbox_kept,
            ),
            item(
                "-outbox-*",
                ItemKind::LocalStorage,
                &texts.own_outbox,
                &texts.own_outbox_kept,
            ),
            item(
                "-receipt",
                ItemKind::LocalStorage,
                &texts.own_receipt,
                &texts.own_receipt_kept,
            ),
        ]
        .into_iter()
        .chain(once)
        .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_erase_what_no_page_can_is_said() {
        let mut config: SiteConfig =
            serde_json::from_str(include_str!("../testdata/site.json")).expect("golden configuration");
        let texts: Texts =
            serde_json::from_str(include_str!("../../app/texts/en.json")).expect("built-in wordings");
        let mut note = |domain: Option<&str>, http_only| {
            let item = &mut config.services[0].items[0];
            item.domain = domain.map(str::to_owned);
            item.http_only = http_only;
            let category = config.services[0].category as usize;
            let shown = categories(&config, &config.rules[0], &texts, "en");
            shown[category].services[0].items[0].note.clone()
        };
        assert_eq!(note(None, false), "");
        assert_eq!(note(None, true), texts.item_http_only);
        assert!(note(Some(".vendor.example"), true).contains("Only vendor.example "));
    }

    #[test]
    fn what_assent_stores_stands_first_under_necessary() {
        let mut config: SiteConfig =
            serde_json::from_str(include_str!("../testdata/site.json")).expect("golden configuration");
        let texts: Texts =
            serde_json::from_str(include_str!("../../app/texts/en.json")).expect("built-in wordings");
        let shown = categories(&config, &config.rules[0], &texts, "en");
        let own = &shown[0].services[0];
        assert_eq!(
            (own.id.as_str(), &own.provider),
            (OWN_SERVICE, &config.controller)
        );
        let names: Vec<_> = own.items.iter().map(|item| item.name.as_str()).collect();
        let id = &config.id;
        let suffixes = ["", "-center", "-outbox", "-outbox-*", "-receipt", "-once"];
        let mut expected: Vec<_> = suffixes
            .iter()
            .map(|suffix| format!("assent-{id}{suffix}"))
            .collect();
        expected.insert(2, format!("assent-center-{id}"));
        assert_eq!(names, expected);
        assert_eq!(
            own.items[0].lifetime,
            format!("{} days", config.rules[0].expiry_days)
        );
        assert!(
            shown[1..]
                .iter()
                .flat_map(|category| &category.services)
                .all(|service| service.id != OWN_SERVICE)
        );
        config.placeholders = false;
        let shown = categories(&config, &config.rules[0], &texts, "en");
        assert_eq!(
            shown[0].services[0].items.len(),
            6,
            "what is not used is not stored"
        );
    }
}
