//! Fills the demo site's log with records, for measurements at that size: `assent-store-fill DATABASE RECORDS`.
//!
//! `DATABASE` is a file of SQLite's or an address of PostgreSQL's in which `assent serve --demo` has published the site.
//! Records go in through [`Store::append`], as the server would have appended them under load: full batches, one second
//! between two decisions, the last one now.

use std::{
    error::Error,
    sync::Arc,
    time::{Instant, SystemTime},
};

use assent_consent::{
    notice::NoticeHash,
    record::{Choice, ConsentRecord, Event, Method, Salt, Services, Subject, subject_key},
};
use assent_store::{Appended, Batch, Count, Measure, NewRecord, Store};
use assent_store_postgres::PostgresStore;
use assent_store_sqlite::SqliteStore;
use sha2::{Digest as _, Sha256};

const SITE: &str = "demo";
const LANGUAGE: &str = "en";
/// The most that the server puts in one commit.
const BATCH: u32 = 512;
/// Between two decisions.
const STEP_MS: i64 = 1_000;
/// Records between two lines of progress.
const REPORT: u32 = 250_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// What all records have in common.
struct Shown {
    revision: u32,
    notice: NoticeHash,
    rule: String,
    expiry_days: u32,
    /// When the first decision was made, in milliseconds since 1970.
    first_ms: i64,
}

#[expect(clippy::disallowed_methods, reason = "measures real time")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, records] = arguments.as_slice() else {
        return Err("usage: assent-store-fill DATABASE RECORDS".into());
    };
    let records: u32 = records.parse()?;
    let store: Arc<dyn Store> = if database.starts_with("postgres") {
        Arc::new(PostgresStore::open(database).await?)
    } else {
        Arc::new(SqliteStore::open(database).await?)
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now_ms = i64::try_from(now.as_millis())?;
    let shown = shown(store.as_ref(), now_ms - i64::from(records) * STEP_MS).await?;

    let begun = Instant::now();
    for first in (0..records).step_by(BATCH as usize) {
        let end = records.min(first + BATCH);
        let batch = Batch {
            records: (first..end)
                .map(|number| shown.record(number))
                .collect::<Result<_, _>>()?,
            counts: Vec::new(),
        };
        let appended = store.append(batch).await?;
        if let Some(other) = appended.iter().find(|answer| **answer != Appended::New) {
            return Err(format!("a record was not appended: {other:?}").into());
        }
        if end / REPORT > first / REPORT || end == records {
            let rate = f64::from(end) / begun.elapsed().as_secs_f64();
            eprintln!("{end:>11} of {records} records, {rate:.0}/s");
        }
    }
    store.close().await;
    Ok(())
}

async fn shown(store: &dyn Store, first_ms: i64) -> Result<Shown, Box<dyn Error>> {
    let revisions = store.current_revisions().await?;
    let revision = revisions
        .into_iter()
        .find(|revision| revision.config.id == SITE)
        .ok_or("the demo site is not published there; start `assent serve --demo` on it once")?;
    let notices = store.notices(revision.organisation, SITE, 1_000).await?;
    let notice = notices
        .into_iter()
        .find(|notice| notice.last_revision == revision.number && notice.language == LANGUAGE)
        .ok_or("the demo site has no notice in English")?;
    let rules = &revision.config.rules;
    let rule = rules
        .iter()
        .find(|rule| rule.id == notice.rule)
        .ok_or("the notice's rule is none of the site's")?;
    Ok(Shown {
        revision: revision.number,
        notice: notice.hash,
        expiry_days: rule.expiry_days.into(),
        rule: notice.rule,
        first_ms,
    })
}

impl Shown {
    /// The `number`-th record. What is random in real ones comes from a hash, so that it is spread as they are.
    fn record(&self, number: u32) -> Result<NewRecord, Box<dyn Error>> {
        let choice = Choice {
            performance: number.is_multiple_of(2),
            functional: number.is_multiple_of(3),
            targeting: number.is_multiple_of(5),
        };
        let decided_at_ms = self.first_ms + i64::from(number) * STEP_MS;
        let [key, salt, random] = ["key", "salt", "id"].map(|purpose| spread(purpose, number));
        let key = subject_key(decided_at_ms, *key.first_chunk().ok_or("too short")?);
        let services = Services::new();
        let record = ConsentRecord {
            version: 1,
            id: uuid::Builder::from_unix_timestamp_millis(
                u64::try_from(decided_at_ms)?,
                random.first_chunk().ok_or("too short")?,
            )
            .into_uuid(),
            site: SITE.to_owned(),
            subject: Subject::of_key(&key).ok_or("no subject key")?,
            revision: self.revision,
            notice: self.notice,
            rule: self.rule.clone(),
            language: LANGUAGE.to_owned(),
            event: Event::of(true, None, choice, &services),
            method: Method::Banner,
            choice,
            services,
            asked: true,
            gpc: false,
            dnt: false,
            previous: None,
            decided_at_ms,
            received_at_ms: decided_at_ms + 150,
            expires_at_ms: decided_at_ms + i64::from(self.expiry_days) * DAY_MS,
            salt: Salt(salt),
        };
        let counts = self.counts(choice, decided_at_ms)?;
        Ok(NewRecord::new(record, counts))
    }

    /// What the server would count.
    fn counts(&self, choice: Choice, decided_at_ms: i64) -> Result<Vec<Count>, Box<dyn Error>> {
        let hour = i32::try_from(decided_at_ms / HOUR_MS)?;
        let counts = Measure::of(choice, &Services::new(), true).map(|measure| Count {
            site: SITE.to_owned(),
            hour,
            revision: self.revision,
            rule: self.rule.clone(),
            language: LANGUAGE.to_owned(),
            device: "phone",
            measure,
        });
        Ok(counts.collect())
    }
}

/// 16 bytes that nobody can tell from random ones, the same for the same number.
fn spread(purpose: &str, number: u32) -> [u8; 16] {
    let digest = Sha256::new_with_prefix(purpose)
        .chain_update(number.to_be_bytes())
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes
}
