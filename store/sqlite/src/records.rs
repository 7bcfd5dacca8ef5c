//! Consent records: the hot path of the whole server.
//!
//! A batch is one statement, whatever its length: the records travel as one JSON array, and the statement
//! finds the site and the notice of each and inserts it. Only when some were not inserted do further
//! statements look for what is stored under their ids. `jsonb_each` hands on the parsed form of each record;
//! with `json_each` the same statement takes three times as long.

use std::collections::{HashMap, HashSet};

use assent_consent::{
    notice::NoticeHash,
    record::{Choice, ConsentRecord, Event, Method, Salt, Services, Subject},
};
use assent_store::{Appended, Batch, Logged, NewRecord, StoreError, trace};
use sqlx::{SqliteConnection, SqliteExecutor, SqlitePool};
use uuid::Uuid;

use crate::{
    cell::Cell,
    database, erasure, json,
    ledger::{self, Log},
    rates,
    writer::{self, Writer, Writing},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What a record is known by: ids are unique within a site.
type Key<'a> = (&'a str, Uuid);

/// Where in the batch each key stands first. A record that stands there again is a duplicate of that one.
type Firsts<'a> = HashMap<Key<'a>, usize>;

fn key(record: &ConsentRecord) -> Key<'_> {
    (&record.site, record.id)
}

struct RecordRow {
    site: String,
    id: Vec<u8>,
    version: i64,
    subject: Vec<u8>,
    revision: i64,
    hash: Vec<u8>,
    rule: String,
    language: String,
    method: String,
    performance: i64,
    functional: i64,
    targeting: i64,
    services: Option<String>,
    asked: i64,
    gpc: i64,
    dnt: i64,
    previous_id: Option<Vec<u8>>,
    decided_at_ms: i64,
    received_at_ms: i64,
    expires_at_ms: i64,
    salt: Vec<u8>,
    leaf: i64,
}

impl RecordRow {
    fn read(self) -> Result<ConsentRecord> {
        let at = |column| Cell {
            table: "record",
            column,
        };
        let choice = Choice {
            performance: at("performance").flag(self.performance)?,
            functional: at("functional").flag(self.functional)?,
            targeting: at("targeting").flag(self.targeting)?,
        };
        let services = match &self.services {
            Some(json) => at("services").json(json)?,
            None => Services::new(),
        };
        let asked = at("asked").flag(self.asked)?;
        let previous = self
            .previous_id
            .map(|id| at("previous_id").uuid(&id))
            .transpose()?;
        Ok(ConsentRecord {
            version: at("version").number(self.version)?,
            id: at("id").uuid(&self.id)?,
            site: self.site,
            subject: Subject(at("subject").bytes(&self.subject)?),
            revision: at("revision").number(self.revision)?,
            notice: NoticeHash(
                Cell {
                    table: "notice",
                    column: "hash",
                }
                .bytes(&self.hash)?,
            ),
            rule: self.rule,
            language: self.language,
            method: Method::from_id(&self.method)
                .ok_or_else(|| at("method").inconsistent(format!("unknown: {}", self.method)))?,
            event: Event::of(asked, previous, choice, &services),
            choice,
            services,
            asked,
            gpc: at("gpc").flag(self.gpc)?,
            dnt: at("dnt").flag(self.dnt)?,
            previous,
            decided_at_ms: self.decided_at_ms,
            received_at_ms: self.received_at_ms,
            expires_at_ms: self.expires_at_ms,
            salt: Salt(at("salt").bytes(&self.salt)?),
        })
    }

    fn logged(self) -> Result<Logged> {
        let at = Cell {
            table: "record",
            column: "leaf",
        };
        Ok(Logged {
            leaf: at.number(self.leaf)?,
            record: self.read(),
        })
    }
}

pub(crate) async fn append(writer: &Writer, readers: &SqlitePool, batch: &Batch) -> Result<Vec<Appended>> {
    let mut firsts = Firsts::with_capacity(batch.records.len());
    let mut offered = Vec::with_capacity(batch.records.len());
    for (position, new) in batch.records.iter().enumerate() {
        firsts.entry(key(&new.record)).or_insert_with(|| {
            offered.push(new);
            position
        });
    }
    let offer = Offer {
        batch,
        firsts,
        offered,
    };
    let Writing { connection, logs } = &mut *writer.lock().await?;
    // Only what this batch leaves behind is known afterwards: nothing if it fails.
    let known = std::mem::take(logs);
    let is_fresh = known.is_empty();
    let (answers, now) = match offer.append(connection, readers, known).await {
        Err(NotAppended::Stale) if !is_fresh => offer.append(connection, readers, HashMap::new()).await,
        done => done,
    }?;
    *logs = now;
    Ok(answers)
}

/// Why a batch was not appended.
pub(crate) enum NotAppended {
    /// The log was not as it was known to be: another process has appended to it.
    Stale,
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for NotAppended {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<NotAppended> for StoreError {
    fn from(error: NotAppended) -> Self {
        match error {
            NotAppended::Stale => ledger::inconsistent(),
            NotAppended::Store(error) => error,
        }
    }
}

/// A batch, and what of it is to be inserted.
struct Offer<'a> {
    batch: &'a Batch,
    firsts: Firsts<'a>,
    /// One of each key.
    offered: Vec<&'a NewRecord>,
}

impl Offer<'_> {
    /// Appends in one transaction, given what is known of the logs; returns the answers and the logs as they are then.
    async fn append(
        &self,
        connection: &mut SqliteConnection,
        readers: &SqlitePool,
        mut logs: HashMap<String, Log>,
    ) -> Result<(Vec<Appended>, HashMap<String, Log>), NotAppended> {
        let Self { batch, firsts, .. } = self;
        let mut offered = self.offered.clone();
        let mut work = writer::begin(connection).await?;
        let sites = offered.iter().map(|new| new.record.site.as_str());
        ledger::learn(&mut work, &mut logs, sites.collect()).await?;
        let inserted = insert(&mut work, &numbered(&logs, &offered)).await?;
        let mut before = HashMap::new();
        let mut unknown = HashSet::new();
        let mut erased = HashSet::new();
        if inserted < offered.len() {
            // The writer holds the lock and has not committed, so a reader sees what was there before.
            before = stored(readers, &offered, firsts).await?;
            if inserted + before.len() < offered.len() {
                let after = stored(&mut *work, &offered, firsts).await?;
                unknown = firsts
                    .values()
                    .copied()
                    .filter(|first| !after.contains_key(first))
                    .collect();
                for first in &unknown {
                    let record = &batch.records[*first].record;
                    if erasure::is_erased(readers, &record.site, record.id).await? {
                        erased.insert(*first);
                    }
                }
            }
            // Indices were given to all that was offered; what is new now gets them without gaps.
            offered.retain(|new| {
                let first = firsts[&key(&new.record)];
                !before.contains_key(&first) && !unknown.contains(&first)
            });
            withdraw(&mut work, &offered).await?;
            insert(&mut work, &numbered(&logs, &offered)).await?;
        }
        ledger::extend(&mut work, &mut logs, &offered).await?;

        let mut counts: Vec<_> = batch.counts.iter().collect();
        let mut answers = Vec::with_capacity(batch.records.len());
        for (position, new) in batch.records.iter().enumerate() {
            let record = &new.record;
            let first = firsts[&key(record)];
            let earlier = before
                .get(&first)
                .or((position > first).then(|| &batch.records[first].record));
            answers.push(match earlier {
                _ if erased.contains(&first) => Appended::Conflict,
                _ if unknown.contains(&first) => Appended::Unknown,
                Some(earlier) if earlier.subject == record.subject => {
                    Appended::Duplicate(Box::new(earlier.clone()))
                }
                Some(_) => Appended::Conflict,
                None => {
                    counts.extend(&new.counts);
                    Appended::New
                }
            });
        }
        rates::add(&mut work, &counts).await?;
        work.commit().await.map_err(database)?;
        Ok((answers, logs))
    }
}

/// What [`insert`] reads of a record, as an array: names would have to be looked for, once for each column.
#[derive(serde::Serialize)]
struct Row<'a>(
    &'a str,
    NoticeHash,
    &'a str,
    &'a str,
    u32,
    Uuid,
    u8,
    Subject,
    Method,
    u8,
    u8,
    u8,
    u8,
    u8,
    u8,
    Option<Uuid>,
    i64,
    i64,
    i64,
    Option<&'a Services>,
    Salt,
    u64,
    Salt,
);

impl<'a> Row<'a> {
    fn new(record: &'a ConsentRecord, leaf: u64) -> Self {
        Self(
            &record.site,
            record.notice,
            &record.rule,
            &record.language,
            record.revision,
            record.id,
            record.version,
            record.subject,
            record.method,
            record.choice.performance.into(),
            record.choice.functional.into(),
            record.choice.targeting.into(),
            record.asked.into(),
            record.gpc.into(),
            record.dnt.into(),
            record.previous,
            record.decided_at_ms,
            record.received_at_ms,
            record.expires_at_ms,
            Some(&record.services).filter(|services| !services.is_empty()),
            record.salt,
            leaf,
            // Written as the salt is, in hexadecimal digits.
            Salt(trace(record.id)),
        )
    }
}

/// Gives each record the next index of its site's log.
fn numbered<'a>(logs: &HashMap<String, Log>, records: &[&'a NewRecord]) -> Vec<(&'a ConsentRecord, u64)> {
    let mut ends: HashMap<&str, u64> = logs.iter().map(|(site, log)| (site.as_str(), log.size)).collect();
    let numbered = records.iter().map(|new| {
        let end = ends.entry(&new.record.site).or_default();
        *end += 1;
        (&new.record, *end - 1)
    });
    numbered.collect()
}

/// Inserts the records whose ids are free and were not erased and whose notice was published as they say, each with its
/// index in its site's log; returns how many were. It does not return which: handing rows from SQLite's thread to ours
/// costs more than inserting them.
pub(crate) async fn insert(
    work: &mut SqliteConnection,
    records: &[(&ConsentRecord, u64)],
) -> Result<usize, NotAppended> {
    if records.is_empty() {
        return Ok(0);
    }
    let rows: Vec<_> = records
        .iter()
        .map(|(record, leaf)| Row::new(record, *leaf))
        .collect();
    let rows = json(&rows)?;
    let inserted = sqlx::query!(
        "insert into record (
            site_number, id, version, subject, revision, notice_number, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        )
        select
            site.number,
            unhex(new.value ->> 5, '-'),
            new.value ->> 6,
            unhex(new.value ->> 7),
            revision_notice.revision,
            notice.number,
            new.value ->> 8,
            new.value ->> 9,
            new.value ->> 10,
            new.value ->> 11,
            new.value ->> 19,
            new.value ->> 12,
            new.value ->> 13,
            new.value ->> 14,
            unhex(new.value ->> 15, '-'),
            new.value ->> 16,
            new.value ->> 17,
            new.value ->> 18,
            unhex(new.value ->> 20),
            new.value ->> 21
        from jsonb_each(?) as new
        cross join site on site.id = new.value ->> 0
        cross join notice
            on notice.site_number = site.number
            and notice.hash = unhex(new.value ->> 1)
            and notice.rule = new.value ->> 2
            and notice.language = new.value ->> 3
        cross join revision_notice
            on revision_notice.site_number = site.number
            and revision_notice.revision = new.value ->> 4
            and revision_notice.notice_number = notice.number
        where not exists (
            select 1 from erased_id
            where erased_id.site_number = site.number and erased_id.trace = unhex(new.value ->> 22)
        )
        on conflict (site_number, id) do nothing",
        rows,
    )
    .execute(work)
    .await
    .map_err(|error| match error.as_database_error() {
        // Of its index in the log: an id that is taken is no error.
        Some(error) if error.is_unique_violation() => NotAppended::Stale,
        _ => NotAppended::Store(database(error)),
    })?;
    Ok(usize::try_from(inserted.rows_affected()).unwrap_or(usize::MAX))
}

/// Takes back what this transaction inserted of these records.
async fn withdraw(work: &mut SqliteConnection, records: &[&NewRecord]) -> Result<()> {
    let keys: Vec<_> = records.iter().map(|new| key(&new.record)).collect();
    let keys = json(&keys)?;
    sqlx::query!(
        "delete from record
        where (site_number, id) in (
            select site.number, unhex(wanted.value ->> 1, '-')
            from jsonb_each(?) as wanted
            cross join site on site.id = wanted.value ->> 0
        )",
        keys,
    )
    .execute(work)
    .await
    .map_err(database)?;
    Ok(())
}

/// What stands under the ids of these records, by position.
async fn stored(
    database_view: impl SqliteExecutor<'_>,
    records: &[&NewRecord],
    firsts: &Firsts<'_>,
) -> Result<HashMap<usize, ConsentRecord>> {
    let keys: Vec<_> = records.iter().map(|new| key(&new.record)).collect();
    let keys = json(&keys)?;
    let rows = sqlx::query_as!(
        RecordRow,
        r#"select
            site.id as site, record.id, version, subject, revision, hash, rule, language, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        from jsonb_each(?) as wanted
        cross join site on site.id = wanted.value ->> 0
        cross join record
            on record.site_number = site.number and record.id = unhex(wanted.value ->> 1, '-')
        cross join notice on notice.number = notice_number"#,
        keys,
    )
    .fetch_all(database_view)
    .await
    .map_err(database)?;
    let mut stored = HashMap::with_capacity(rows.len());
    for row in rows {
        let record = row.read()?;
        if let Some(first) = firsts.get(&key(&record)) {
            stored.insert(*first, record);
        }
    }
    Ok(stored)
}

pub(crate) async fn record(
    readers: &SqlitePool,
    site: &str,
    id: Uuid,
    subject: Subject,
) -> Result<Option<ConsentRecord>> {
    let id = id.as_bytes().as_slice();
    let subject = subject.0.as_slice();
    sqlx::query_as!(
        RecordRow,
        r#"select
            site.id as site, record.id, version, subject, revision, hash, rule, language, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        from site
        join record on record.site_number = site.number
        join notice on notice.number = notice_number
        where site.id = ? and record.id = ? and subject = ?"#,
        site,
        id,
        subject,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?
    .map(RecordRow::read)
    .transpose()
}

pub(crate) async fn history(
    readers: &SqlitePool,
    site: &str,
    subject: Subject,
    limit: u32,
) -> Result<Vec<ConsentRecord>> {
    let subject = subject.0.as_slice();
    sqlx::query_as!(
        RecordRow,
        r#"select
            site.id as site, record.id, version, subject, revision, hash, rule, language, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        from site
        join record on record.site_number = site.number
        join notice on notice.number = notice_number
        where site.id = ? and subject = ?
        order by leaf desc
        limit ?"#,
        site,
        subject,
        limit,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(RecordRow::read)
    .collect()
}

pub(crate) async fn logged(readers: &SqlitePool, site: &str, id: Uuid) -> Result<Option<Logged>> {
    let id = id.as_bytes().as_slice();
    sqlx::query_as!(
        RecordRow,
        r#"select
            site.id as site, record.id, version, subject, revision, hash, rule, language, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        from site
        join record on record.site_number = site.number
        join notice on notice.number = notice_number
        where site.id = ? and record.id = ?"#,
        site,
        id,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?
    .map(RecordRow::logged)
    .transpose()
}

pub(crate) async fn log_records(
    readers: &SqlitePool,
    site: &str,
    from: u64,
    limit: u32,
) -> Result<Vec<Logged>> {
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    sqlx::query_as!(
        RecordRow,
        r#"select
            site.id as site, record.id, version, subject, revision, hash, rule, language, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        from site
        join record on record.site_number = site.number
        join notice on notice.number = notice_number
        where site.id = ? and leaf >= ?
        order by leaf
        limit ?"#,
        site,
        from,
        limit,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(RecordRow::logged)
    .collect()
}
