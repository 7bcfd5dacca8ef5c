//! Small valid values for the suite and for measurements.

use std::collections::BTreeMap;

use assent_consent::{
    Category,
    decision::Model,
    notice::{Notice, NoticeHash, Texts, categories},
    record::{Choice, ConsentRecord, Event, Method, Salt, Subject},
    signals::settings::Signals,
    site::{Blocking, Item, ItemKind, LocalText, RETENTION_DAYS, Rule, Service, SiteConfig},
};
use serde::{Deserialize, Deserializer, de};
use uuid::Uuid;

use crate::{Batch, Count, Measure, NewRecord, OrganisationId, Store};

/// Milliseconds since 1970 at which the samples happen.
pub const NOW_MS: i64 = 1_795_291_200_000;

/// A configuration with one rule (`eu`), one language (`en`) and one performance service (`analytics`).
pub fn config(site: &str) -> SiteConfig {
    SiteConfig {
        id: site.to_owned(),
        name: "Sample".to_owned(),
        controller: "Sample Ltd".to_owned(),
        origins: vec!["https://sample.example".to_owned()],
        policy_url: "https://sample.example/cookies".to_owned(),
        languages: vec!["en".to_owned()],
        rules: vec![Rule {
            id: "eu".to_owned(),
            regions: vec!["*".to_owned()],
            model: Model::OptIn,
            on_by_default: Vec::new(),
            honours_gpc: true,
            honours_dnt: false,
            expiry_days: 180,
        }],
        services: vec![service("analytics", Category::Performance, &["_visits"])],
        blocking: Blocking::default(),
        texts: BTreeMap::new(),
        marks: BTreeMap::new(),
        signals: Signals::default(),
        placeholders: true,
        reload_on_withdrawal: false,
        service_choice: false,
        trusted_types: false,
        turbo: false,
        contact: None,
        retention_days: RETENTION_DAYS,
    }
}

/// A service that stores the cookies named.
pub fn service(id: &str, category: Category, cookies: &[&str]) -> Service {
    let text = |text: &str| LocalText::One(text.to_owned());
    Service {
        id: id.to_owned(),
        category,
        name: id.to_owned(),
        provider: "Provider Ltd".to_owned(),
        purpose: text("A purpose."),
        legal_basis: None,
        policy_url: None,
        hosts: Vec::new(),
        items: cookies
            .iter()
            .map(|name| Item {
                name: (*name).to_owned(),
                kind: ItemKind::Cookie,
                purpose: text("A purpose."),
                lifetime: text("13 months"),
                http_only: false,
                domain: None,
            })
            .collect(),
    }
}

/// A notice of a configuration, under its first rule and in its default language; `version` tells several
/// of them apart.
///
/// # Panics
/// If the configuration has no rule.
pub fn notice(config: &SiteConfig, version: &str) -> Notice {
    let texts = Texts::deserialize(EachKey).expect("every wording has a key");
    let language = config.default_language();
    Notice {
        version: 1,
        site: config.id.clone(),
        rule: config.rules[0].id.clone(),
        model: config.rules[0].model,
        regions: config.rules[0].regions.clone(),
        expiry_days: config.rules[0].expiry_days,
        language: language.to_owned(),
        controller: config.controller.clone(),
        policy_url: config.policy_url.clone(),
        honours_gpc: true,
        honours_dnt: false,
        service_choice: config.service_choice,
        banner_html: format!("<p>{version}</p>"),
        banner_css: String::new(),
        dialog_html: String::new(),
        dialog_css: String::new(),
        categories: categories(config, &config.rules[0], &texts, language),
        texts,
    }
}

/// The `number`-th subject. Subjects are hashes, so these are spread over the whole range too.
pub fn subject(number: u32) -> Subject {
    Subject(spread(number).to_be_bytes())
}

/// The id of the `number`-th record, a UUID of version 7; they grow with time as browsers' ids do.
///
/// # Panics
/// Never: the samples happen after 1970.
pub fn id(number: u32) -> Uuid {
    let millis = u64::try_from(NOW_MS).expect("after 1970") + u64::from(number / 10);
    let mut random = [0; 10];
    random.copy_from_slice(&spread(number).to_be_bytes()[..10]);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Multiples of an odd number with evenly mixed bits (the golden ratio's) visit the whole range.
const fn spread(number: u32) -> u128 {
    (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

/// The `number`-th record of a subject, who accepted all of `notice` on revision 1, `number` milliseconds
/// after [`NOW_MS`].
pub fn record(notice: &Notice, hash: NoticeHash, number: u32, subject: Subject) -> ConsentRecord {
    let decided_at_ms = NOW_MS + i64::from(number);
    ConsentRecord {
        version: 1,
        id: id(number),
        site: notice.site.clone(),
        subject,
        revision: 1,
        notice: hash,
        rule: notice.rule.clone(),
        language: notice.language.clone(),
        event: Event::Given,
        method: Method::Banner,
        choice: Choice {
            performance: true,
            functional: true,
            targeting: true,
        },
        services: BTreeMap::new(),
        asked: true,
        gpc: false,
        dnt: false,
        previous: None,
        decided_at_ms,
        received_at_ms: decided_at_ms + 150,
        expires_at_ms: decided_at_ms + 180 * 86_400_000,
        salt: Salt(spread(number).to_le_bytes()),
    }
}

/// One count of a notice's rule and language on revision 1, in the hour of [`NOW_MS`] plus `hours`.
pub fn count(notice: &Notice, hours: i32, measure: Measure) -> Count {
    Count {
        site: notice.site.clone(),
        hour: HOUR + hours,
        revision: 1,
        rule: notice.rule.clone(),
        language: notice.language.clone(),
        device: "phone",
        measure,
    }
}

/// The hour of [`NOW_MS`], in hours since 1970: the twenty-first of its day, which has three more.
pub const HOUR: i32 = 498_692;

/// A record with the counts of an acceptance.
pub fn accepted(notice: &Notice, record: ConsentRecord) -> NewRecord {
    let counts = [
        Measure::AcceptedAll,
        Measure::Performance,
        Measure::Functional,
        Measure::Targeting,
    ]
    .map(|measure| count(notice, 0, measure))
    .to_vec();
    NewRecord::new(record, counts)
}

/// A struct of texts in which each text is its own key.
struct EachKey;

impl<'de> Deserializer<'de> for EachKey {
    type Error = de::value::Error;

    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _name: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_map(de::value::MapDeserializer::new(
            keys.iter().map(|key| (*key, *key)),
        ))
    }

    fn deserialize_any<V: de::Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("not a struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Puts the site `shop` of this organisation into a new store, with a notice and its first record; returns the notice.
///
/// # Panics
/// If the store fails.
pub async fn fill(store: &dyn Store, organisation: OrganisationId) -> Notice {
    let config = config("shop");
    let notice = notice(&config, "first");
    let record = record(&notice, notice.hash(), 0, subject(0));
    let batch = Batch {
        records: vec![accepted(&notice, record)],
        counts: vec![count(&notice, 0, Measure::Shown)],
    };
    let filled = async {
        store.ensure_organisation(organisation, "Sample Ltd").await?;
        store.publish_revision(organisation, &config, NOW_MS).await?;
        store
            .archive_notices("shop", 1, std::slice::from_ref(&notice))
            .await?;
        store.append(batch).await
    };
    filled.await.expect("a new store takes what belongs together");
    notice
}
