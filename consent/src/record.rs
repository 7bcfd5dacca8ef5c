//! The consent record: what the browser submits, what the server stores and signs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Categories, Category, cookie, notice::NoticeHash};

/// How far a browser's clock may be ahead of the server's, in milliseconds.
pub const CLOCK_AHEAD_MS_MAX: i64 = 24 * 3_600_000;
/// How old a submitted choice may be, in milliseconds: an outbox may wait for its server as long as the longest-lived choice
/// counts (`rules[].expiry_days`).
pub const AGE_MS_MAX: i64 = 395 * 24 * 3_600_000;

/// Where a choice was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// On the banner.
    Banner,
    /// In the dialog.
    Dialog,
    /// In the preference center.
    Center,
    /// By the site's own control, through `window.assent`.
    Api,
    /// On the placeholder of a held embed, by "Always allow".
    Embed,
}

impl Method {
    /// Every way.
    pub const ALL: [Self; 5] = [Self::Banner, Self::Dialog, Self::Center, Self::Api, Self::Embed];

    /// The id as it stands in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Banner => "banner",
            Self::Dialog => "dialog",
            Self::Center => "center",
            Self::Api => "api",
            Self::Embed => "embed",
        }
    }

    /// Reads an id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.id() == id)
    }
}

/// What a record tells of. Expiry is none of these: it comes without a record, at [`ConsentRecord::expires_at_ms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// A first choice, with something optional allowed.
    Given,
    /// Nothing optional was allowed, when the banner asked or as a first choice.
    Refused,
    /// The banner asked again, and something optional was allowed.
    Renewed,
    /// The visitor came back to an earlier choice, and something optional is allowed still or anew.
    Changed,
    /// The visitor came back to an earlier choice, and nothing optional is allowed any more.
    Withdrawn,
}

impl Event {
    /// What a decision was, by what its own submission says.
    ///
    /// The record before is not looked up for it: that would cost a read for each record that is stored. It stands in the
    /// record's signed bytes without being stored, so what version 1 says here can never change.
    pub fn of(asked: bool, previous: Option<Uuid>, choice: Choice, services: &Services) -> Self {
        let allows =
            Categories::from(choice) != Categories::NECESSARY || services.values().any(|answer| *answer);
        match (allows, previous, asked) {
            (true, None, _) => Self::Given,
            (true, Some(_), true) => Self::Renewed,
            (true, Some(_), false) => Self::Changed,
            (false, Some(_), false) => Self::Withdrawn,
            (false, _, _) => Self::Refused,
        }
    }

    /// The id as it stands in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Refused => "refused",
            Self::Renewed => "renewed",
            Self::Changed => "changed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// The decision per optional category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Performance.
    pub performance: bool,
    /// Functional.
    pub functional: bool,
    /// Targeting.
    pub targeting: bool,
}

impl From<Categories> for Choice {
    fn from(granted: Categories) -> Self {
        Self {
            performance: granted.has(Category::Performance),
            functional: granted.has(Category::Functional),
            targeting: granted.has(Category::Targeting),
        }
    }
}

impl From<Choice> for Categories {
    fn from(choice: Choice) -> Self {
        [
            (true, Category::Necessary),
            (choice.performance, Category::Performance),
            (choice.functional, Category::Functional),
            (choice.targeting, Category::Targeting),
        ]
        .into_iter()
        .filter_map(|(granted, category)| granted.then_some(category))
        .collect()
    }
}

/// The exceptions of a choice: the services, by id, whose answer differs from their category's. Empty where the site
/// offers no choice per service.
pub type Services = BTreeMap<String, bool>;

/// Checks exceptions against the optional services that a notice offered.
///
/// # Errors
/// A service that was not offered, or whose answer is its category's.
pub fn check_services(
    services: &Services,
    choice: Choice,
    offered: &BTreeMap<String, Category>,
) -> Result<(), Invalid> {
    let granted = Categories::from(choice);
    for (id, answer) in services {
        let problem = match offered.get(id) {
            None => "names a service that the notice does not offer",
            Some(category) if granted.has(*category) == *answer => "must differ from the category's answer",
            Some(_) => continue,
        };
        return Err(Invalid {
            field: "services",
            problem,
        });
    }
    Ok(())
}

/// Makes a subject key: 32 lower-case hexadecimal digits, the first eight of them the time in units of 4,096 ms since
/// 1970 (its low 32 bits), the others 96 random bits.
///
/// Nobody trusts the time. It is there so that new subjects stand beside each other in every index: appending to a
/// log of millions then touches the index's last page, as record ids of version 7 do, and not any page of it.
pub fn subject_key(made_ms: i64, random: [u8; 12]) -> String {
    let made = (made_ms >> 12) & 0xffff_ffff;
    format!("{made:08x}{}", hex::encode(random))
}

/// The public id of a visitor at one site: the first 4 bytes of the subject key, which tell when it was made, then the
/// first 12 bytes of the key's SHA-256.
///
/// The rest of the key is random and stays with the visitor; whoever holds it is the subject, and the server needs no
/// other secret to check that.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject(pub [u8; 16]);

impl Subject {
    /// The subject of a key of 32 lower-case hexadecimal digits. `None` if it is not one.
    pub fn of_key(key: &str) -> Option<Self> {
        if !cookie::is_key(key.as_bytes()) {
            return None;
        }
        let digest = Sha256::new_with_prefix(b"assent subject\0")
            .chain_update(key.as_bytes())
            .finalize();
        let mut id = [0; 16];
        hex::decode_to_slice(&key[..8], &mut id[..4]).ok()?;
        id[4..].copy_from_slice(&digest[..12]);
        Some(Self(id))
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Serialize for Subject {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        digits::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        digits::deserialize(deserializer).map(Self)
    }
}

/// What makes a record's commitment impossible to guess: 16 random bytes, made by the server when it takes the record
/// and erased with it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt(#[serde(with = "digits")] pub [u8; 16]);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// 16 bytes as 32 hexadecimal digits.
mod digits {
    use serde::{Deserialize as _, Deserializer, Serializer, de, ser};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 32];
        hex::encode_to_slice(bytes, &mut digits).map_err(ser::Error::custom)?;
        serializer.serialize_str(str::from_utf8(&digits).map_err(ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(String::deserialize(deserializer)?, &mut bytes).map_err(de::Error::custom)?;
        Ok(bytes)
    }
}

/// What the browser sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// UUID version 7, made in the browser. The same id twice is one record.
    pub id: Uuid,
    /// The subject key; its random bits are never stored.
    pub key: String,
    /// The revision that was shown.
    pub revision: u32,
    /// What was shown.
    pub notice: NoticeHash,
    /// Where the choice was made.
    pub method: Method,
    /// The choice.
    pub choice: Choice,
    /// Its exceptions.
    #[serde(default, skip_serializing_if = "Services::is_empty")]
    pub services: Services,
    /// Whether the banner asked for it; `false` for a change that the visitor began.
    pub asked: bool,
    /// Whether Global Privacy Control was on.
    pub gpc: bool,
    /// Whether Do Not Track was on.
    pub dnt: bool,
    /// The record that this one replaces.
    pub previous: Option<Uuid>,
    /// The browser's clock, in milliseconds since 1970.
    pub decided_at_ms: i64,
}

/// What is wrong with a submission: which field, and why, in words for a developer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// The field.
    pub field: &'static str,
    /// The problem.
    pub problem: &'static str,
}

impl Submission {
    /// Checks all that needs no store, and returns the subject.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self, now_ms: i64) -> Result<Subject, Invalid> {
        let wrong = |field, problem| Err(Invalid { field, problem });
        if self.id.get_version_num() != 7 {
            return wrong("id", "must be a UUID of version 7");
        }
        if self.previous == Some(self.id) {
            return wrong("previous", "must be another record's id");
        }
        if self.decided_at_ms > now_ms.saturating_add(CLOCK_AHEAD_MS_MAX) {
            return wrong("decided_at_ms", "is more than a day ahead of the server's clock");
        }
        if self.decided_at_ms < now_ms.saturating_sub(AGE_MS_MAX) {
            return wrong("decided_at_ms", "is more than 395 days ago");
        }
        Subject::of_key(&self.key).ok_or(Invalid {
            field: "key",
            problem: "must be 32 lower-case hexadecimal digits",
        })
    }
}

/// A consent record, as it is stored and signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentRecord {
    /// Version of this format: 1.
    pub version: u8,
    /// The record's id.
    pub id: Uuid,
    /// The site.
    pub site: String,
    /// The visitor.
    pub subject: Subject,
    /// The revision that was shown.
    pub revision: u32,
    /// What was shown.
    pub notice: NoticeHash,
    /// Id of the rule that applied.
    pub rule: String,
    /// Language of the notice.
    pub language: String,
    /// What happened, [`Event::of`] the fields below.
    pub event: Event,
    /// Where the choice was made.
    pub method: Method,
    /// The choice.
    pub choice: Choice,
    /// Its exceptions.
    #[serde(default, skip_serializing_if = "Services::is_empty")]
    pub services: Services,
    /// Whether the banner asked for it.
    pub asked: bool,
    /// Whether Global Privacy Control was on.
    pub gpc: bool,
    /// Whether Do Not Track was on.
    pub dnt: bool,
    /// The record that this one replaces.
    pub previous: Option<Uuid>,
    /// The browser's clock, in milliseconds since 1970.
    pub decided_at_ms: i64,
    /// The server's clock, in milliseconds since 1970.
    pub received_at_ms: i64,
    /// When the choice stops to count, in milliseconds since 1970.
    pub expires_at_ms: i64,
    /// Hides the record behind its commitment.
    pub salt: Salt,
}

/// The record's fields in the order of RFC 8785, which sorts them by name.
#[derive(Serialize)]
struct Canonical<'a> {
    asked: bool,
    choice: CanonicalChoice,
    decided_at_ms: i64,
    dnt: bool,
    event: Event,
    expires_at_ms: i64,
    gpc: bool,
    id: Uuid,
    language: &'a str,
    method: Method,
    notice: NoticeHash,
    previous: Option<Uuid>,
    received_at_ms: i64,
    revision: u32,
    rule: &'a str,
    salt: Salt,
    #[serde(skip_serializing_if = "Services::is_empty")]
    services: &'a Services,
    site: &'a str,
    subject: Subject,
    version: u8,
}

#[derive(Serialize)]
struct CanonicalChoice {
    functional: bool,
    performance: bool,
    targeting: bool,
}

impl ConsentRecord {
    /// Canonical JSON (RFC 8785): what is signed.
    ///
    /// Every record is signed while its visitor waits, so the fields stand in order here instead of being
    /// sorted each time; a test compares the bytes with those of a general implementation.
    ///
    /// # Panics
    /// Never: the type holds nothing that JSON cannot.
    #[expect(
        clippy::expect_used,
        reason = "strings, numbers and booleans always serialise"
    )]
    pub fn canonical(&self) -> Vec<u8> {
        let canonical = Canonical {
            asked: self.asked,
            choice: CanonicalChoice {
                functional: self.choice.functional,
                performance: self.choice.performance,
                targeting: self.choice.targeting,
            },
            decided_at_ms: self.decided_at_ms,
            dnt: self.dnt,
            event: self.event,
            expires_at_ms: self.expires_at_ms,
            gpc: self.gpc,
            id: self.id,
            language: &self.language,
            method: self.method,
            notice: self.notice,
            previous: self.previous,
            received_at_ms: self.received_at_ms,
            revision: self.revision,
            rule: &self.rule,
            salt: self.salt,
            services: &self.services,
            site: &self.site,
            subject: self.subject,
            version: self.version,
        };
        serde_json::to_vec(&canonical).expect("a record serialises")
    }

    /// What stands for the record in its site's log ([`crate::ledger`]): SHA-256 of `assent record v1`, a zero byte and
    /// the canonical JSON. The salt in there keeps it from being found by trying records out.
    pub fn commitment(&self) -> [u8; 32] {
        Sha256::new_with_prefix(b"assent record v1\0")
            .chain_update(self.canonical())
            .finalize()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn canonical_bytes_are_those_of_rfc_8785(
            bits in 0_u8..16, asked: bool, gpc: bool, dnt: bool, version: u8, revision: u32, id: u128,
            previous in proptest::option::of(any::<u128>()), rule: String, language: String, site: String,
            times in prop::array::uniform3(-(1_i64 << 53)..1_i64 << 53), subject: [u8; 16], notice: [u8; 32],
            services in prop::collection::btree_map("[a-z0-9-]{1,9}", any::<bool>(), 0..4),
            salt: [u8; 16],
        ) {
            let record = ConsentRecord {
                version,
                id: Uuid::from_u128(id),
                site,
                subject: Subject(subject),
                revision,
                notice: NoticeHash(notice),
                rule,
                language,
                event: Event::of(asked, None, Categories::granted(bits).into(), &services),
                method: Method::Embed,
                choice: Categories::granted(bits).into(),
                services,
                asked,
                gpc,
                dnt,
                previous: previous.map(Uuid::from_u128),
                decided_at_ms: times[0],
                received_at_ms: times[1],
                expires_at_ms: times[2],
                salt: Salt(salt),
            };
            let general = serde_json_canonicalizer::to_vec(&record).expect("a record serialises");
            prop_assert_eq!(record.canonical(), general);
        }
    }

    const NOW_MS: i64 = 1_795_291_200_000;

    fn submission() -> Submission {
        serde_json::from_str(include_str!("../testdata/submission.json")).expect("golden submission")
    }

    #[test]
    fn a_submission_names_its_subject() {
        let subject = submission().check(NOW_MS).expect("valid");
        assert_eq!(Some(subject), Subject::of_key(&submission().key));
        assert_eq!(hex::encode(subject.0), "001122335818b042d98dd8941b64e48d");
    }

    #[test]
    fn a_subject_tells_when_its_key_was_made_and_nothing_else_of_it() {
        let random = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb";
        let key = subject_key(NOW_MS, random);
        assert_eq!(key, format!("{:08x}00112233445566778899aabb", NOW_MS / 4096));
        let [subject, later] =
            [&key, &subject_key(NOW_MS + 4096, random)].map(|key| Subject::of_key(key).expect("a key").0);
        assert_eq!(hex::encode(&subject[..4]), key[..8]);
        assert!(subject < later, "subjects are in the order of their keys");
        assert_ne!(subject[4..], later[4..]);
        assert!(
            subject
                .windows(2)
                .all(|pair| !random.windows(2).any(|given| given == pair))
        );
    }

    proptest! {
        #[test]
        fn every_key_that_is_made_has_a_subject(made_ms: i64, random: [u8; 12]) {
            prop_assert!(Subject::of_key(&subject_key(made_ms, random)).is_some());
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let field = |change: fn(&mut Submission)| {
            let mut submission = submission();
            change(&mut submission);
            submission.check(NOW_MS).expect_err("invalid").field
        };
        assert_eq!(field(|s| s.id = Uuid::from_u128(4)), "id");
        assert_eq!(field(|s| s.key = "ABC".to_owned()), "key");
        assert_eq!(field(|s| s.previous = Some(s.id)), "previous");
        assert_eq!(
            field(|s| s.decided_at_ms = NOW_MS + CLOCK_AHEAD_MS_MAX + 1),
            "decided_at_ms"
        );
        assert_eq!(
            field(|s| s.decided_at_ms = NOW_MS - AGE_MS_MAX - 1),
            "decided_at_ms"
        );
        assert_eq!(field(|s| s.decided_at_ms = i64::MAX), "decided_at_ms");
        assert_eq!(field(|s| s.decided_at_ms = i64::MIN), "decided_at_ms");
    }

    #[test]
    fn unknown_categories_and_fields_are_refused() {
        let text = include_str!("../testdata/submission.json");
        for broken in [
            text.replace("\"targeting\"", "\"marketing\""),
            text.replace("\"asked\"", "\"asket\""),
            text.replace("\"banner\"", "\"telepathy\""),
        ] {
            assert!(serde_json::from_str::<Submission>(&broken).is_err());
        }
    }

    #[test]
    fn exceptions_are_of_offered_services_and_differ_from_their_category() {
        let offered = BTreeMap::from([
            ("maps".to_owned(), Category::Functional),
            ("pixel".to_owned(), Category::Targeting),
        ]);
        let choice = Categories::granted(Category::Functional.set().bits()).into();
        let check = |id: &str, answer| {
            check_services(&Services::from([(id.to_owned(), answer)]), choice, &offered)
                .map_err(|invalid| invalid.field)
        };
        assert_eq!(check("maps", false), Ok(()));
        assert_eq!(check("pixel", true), Ok(()));
        assert_eq!(check("maps", true), Err("services"));
        assert_eq!(check("pixel", false), Err("services"));
        assert_eq!(check("session", false), Err("services"));
        assert_eq!(check_services(&Services::new(), choice, &offered), Ok(()));
    }

    #[test]
    fn an_event_follows_from_the_submission() {
        let of = |asked, previous: bool, bits, exception: Option<bool>| {
            let services = exception
                .map(|answer| ("maps".to_owned(), answer))
                .into_iter()
                .collect();
            let previous = previous.then_some(Uuid::nil());
            Event::of(asked, previous, Categories::granted(bits).into(), &services)
        };
        for asked in [true, false] {
            assert_eq!(of(asked, false, 0b1000, None), Event::Given);
            assert_eq!(of(asked, false, 0, None), Event::Refused);
        }
        assert_eq!(of(true, true, 0b0010, None), Event::Renewed);
        assert_eq!(of(true, true, 0, None), Event::Refused);
        assert_eq!(of(false, true, 0b0100, None), Event::Changed);
        assert_eq!(of(false, true, 0, None), Event::Withdrawn);
        assert_eq!(
            of(false, true, 0, Some(true)),
            Event::Changed,
            "one service is something"
        );
        assert_eq!(of(false, false, 0b0100, Some(false)), Event::Given);
    }

    #[test]
    fn choices_and_categories_say_the_same() {
        for bits in 0..16 {
            let granted = Categories::granted(bits);
            assert_eq!(Categories::from(Choice::from(granted)), granted);
        }
    }
}
