//! Consent records: the hot path of the whole server.
//!
//! A batch is a handful of statements, whatever its length: sets travel as arrays. The transaction holds the locks of its
//! sites' logs, so what it has looked at (the logs' ends, which ids are taken) stays so until it commits.

use std::collections::HashMap;

use assent_consent::{
    notice::NoticeHash,
    record::{Choice, ConsentRecord, Event, Method, Salt, Services, Subject},
};
use assent_store::{Appended, Batch, Logged, NewRecord, Result, StoreError, cell::Cell, trace};
use uuid::Uuid;

use crate::{
    connection::{Database, Lock, Work},
    database, json,
    ledger::{self, Log},
    rates,
};

/// What a record is known by: ids are unique within a site.
type Key<'a> = (&'a str, Uuid);

fn key(record: &ConsentRecord) -> Key<'_> {
    (&record.site, record.id)
}

#[expect(clippy::struct_excessive_bools, reason = "each is a column")]
struct RecordRow {
    site: String,
    id: Uuid,
    version: i16,
    subject: Vec<u8>,
    revision: i64,
    hash: Vec<u8>,
    rule: String,
    language: String,
    method: String,
    performance: bool,
    functional: bool,
    targeting: bool,
    services: Option<String>,
    asked: bool,
    gpc: bool,
    dnt: bool,
    previous_id: Option<Uuid>,
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
            performance: self.performance,
            functional: self.functional,
            targeting: self.targeting,
        };
        let services = match &self.services {
            Some(json) => at("services").json(json)?,
            None => Services::new(),
        };
        Ok(ConsentRecord {
            version: at("version").number(self.version.into())?,
            id: self.id,
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
            event: Event::of(self.asked, self.previous_id, choice, &services),
            choice,
            services,
            asked: self.asked,
            gpc: self.gpc,
            dnt: self.dnt,
            previous: self.previous_id,
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

/// What becomes of a record that is offered.
enum Fate {
    New(Place),
    Stored(Box<ConsentRecord>),
    Erased,
    Unknown,
}

/// Where a new record belongs.
#[derive(Clone, Copy)]
struct Place {
    site_number: i32,
    notice_number: i32,
}

pub(crate) async fn append(database: &Database, batch: &Batch) -> Result<Vec<Appended>> {
    if *batch == Batch::default() {
        return Ok(Vec::new());
    }
    // Where each key stands first. A record that stands there again is a duplicate of that one.
    let mut firsts: HashMap<Key<'_>, usize> = HashMap::with_capacity(batch.records.len());
    let mut offered = Vec::with_capacity(batch.records.len());
    for new in &batch.records {
        firsts.entry(key(&new.record)).or_insert_with(|| {
            offered.push(new);
            offered.len() - 1
        });
    }
    let sites = batch.records.iter().map(|new| &new.record.site);
    // Two who add to the same cells in another order would wait for each other.
    let counted = batch.counts.iter().map(|count| &count.site);
    let locks = sites.chain(counted).map(|site| Lock::log(site)).collect();
    let mut work = database.begin(locks).await?;

    let records: Vec<_> = offered.iter().map(|new| &new.record).collect();
    let shown = Shown::of(&mut work, &records).await?;
    let fates = fates(&mut work, &shown, &records).await?;
    let (new, places): (Vec<&NewRecord>, Vec<_>) = offered
        .iter()
        .zip(&fates)
        .filter_map(|(new, fate)| match fate {
            Fate::New(place) => Some((*new, (&new.record, *place))),
            _ => None,
        })
        .unzip();
    insert(&mut work, &numbered(&shown.logs, &places)).await?;
    ledger::extend(&mut work, &shown.logs, &new).await?;

    let mut counts: Vec<_> = batch.counts.iter().collect();
    let mut answers = Vec::with_capacity(batch.records.len());
    let mut is_first = vec![true; offered.len()];
    for new in &batch.records {
        let record = &new.record;
        let at = firsts[&key(record)];
        let earlier = match &fates[at] {
            Fate::Erased => {
                answers.push(Appended::Conflict);
                continue;
            }
            Fate::Unknown => {
                answers.push(Appended::Unknown);
                continue;
            }
            Fate::New(_) if std::mem::take(&mut is_first[at]) => {
                counts.extend(&new.counts);
                answers.push(Appended::New);
                continue;
            }
            Fate::New(_) => records[at],
            Fate::Stored(stored) => stored,
        };
        answers.push(if earlier.subject == record.subject {
            Appended::Duplicate(Box::new(earlier.clone()))
        } else {
            Appended::Conflict
        });
    }
    rates::add(&mut work, &counts).await?;
    work.end().await?;
    Ok(answers)
}

/// A notice as a record names it: site, revision, hash, rule and language.
type Naming<'a> = (&'a str, u32, NoticeHash, &'a str, &'a str);

fn naming(record: &ConsentRecord) -> Naming<'_> {
    (
        &record.site,
        record.revision,
        record.notice,
        &record.rule,
        &record.language,
    )
}

/// What the records of a batch belong to.
struct Shown<'a> {
    /// The logs of the sites; those that are not published have none.
    logs: HashMap<&'a str, Log>,
    /// The numbers of the notices that were published as they are named.
    notices: HashMap<Naming<'a>, i32>,
}

impl<'a> Shown<'a> {
    async fn of(work: &mut Work, records: &[&'a ConsentRecord]) -> Result<Self> {
        let mut shown = Self {
            logs: HashMap::new(),
            notices: HashMap::new(),
        };
        let mut named: Vec<Naming<'a>> = Vec::new();
        for record in records {
            let naming = naming(record);
            // Nearly all of a batch name one of a few.
            if !named.contains(&naming) {
                named.push(naming);
            }
        }
        if named.is_empty() {
            return Ok(shown);
        }
        let sites: Vec<&str> = named.iter().map(|named| named.0).collect();
        let revisions: Vec<i64> = named.iter().map(|named| named.1.into()).collect();
        let hashes: Vec<[u8; 32]> = named.iter().map(|named| named.2.0).collect();
        let rules: Vec<&str> = named.iter().map(|named| named.3).collect();
        let languages: Vec<&str> = named.iter().map(|named| named.4).collect();
        let rows = sqlx::query!(
            r#"select
                named.position as "position!",
                site.number as "site_number!",
                (
                    select first + length(body) / 32
                    from ledger_part
                    where ledger_part.site_number = site.number and level = 0
                    order by first desc
                    limit 1
                ) as "size: i64",
                revision_notice.notice_number as "notice_number?"
            from unnest($1::text[], $2::bigint[], $3::bytea[], $4::text[], $5::text[])
                with ordinality as named (site, revision, hash, rule, language, position)
            join site on site.id = named.site
            left join notice
                on notice.site_number = site.number
                and notice.hash = named.hash
                and notice.rule = named.rule
                and notice.language = named.language
            left join revision_notice
                on revision_notice.site_number = site.number
                and revision_notice.revision = named.revision
                and revision_notice.notice_number = notice.number"#,
            &sites as _,
            &revisions,
            &hashes as _,
            &rules as _,
            &languages as _,
        )
        .fetch_all(work)
        .await
        .map_err(database)?;
        for row in rows {
            let position = usize::try_from(row.position).unwrap_or(0);
            let Some(naming) = position.checked_sub(1).and_then(|at| named.get(at)) else {
                continue;
            };
            let log = Log::new(row.site_number, row.size)?;
            shown.logs.insert(naming.0, log);
            if let Some(number) = row.notice_number {
                shown.notices.insert(*naming, number);
            }
        }
        Ok(shown)
    }
}

/// What becomes of each record: an id that is stored or was erased is not stored again, and what was never published
/// cannot be consented to.
async fn fates(work: &mut Work, shown: &Shown<'_>, records: &[&ConsentRecord]) -> Result<Vec<Fate>> {
    let mut fates: Vec<Fate> = records
        .iter()
        .map(|record| {
            let log = shown.logs.get(record.site.as_str());
            let notice = shown.notices.get(&naming(record));
            log.zip(notice).map_or(Fate::Unknown, |(log, notice)| {
                Fate::New(Place {
                    site_number: log.site_number,
                    notice_number: *notice,
                })
            })
        })
        .collect();
    let mut positions = Vec::with_capacity(records.len());
    let mut site_numbers = Vec::with_capacity(records.len());
    let mut ids = Vec::with_capacity(records.len());
    let mut traces = Vec::with_capacity(records.len());
    for (position, record) in records.iter().enumerate() {
        if let Some(log) = shown.logs.get(record.site.as_str()) {
            positions.push(position);
            site_numbers.push(log.site_number);
            ids.push(record.id);
            traces.push(trace(record.id));
        }
    }
    if positions.is_empty() {
        return Ok(fates);
    }
    let taken = sqlx::query!(
        r#"select wanted.position as "position!", record.id is not null as "is_stored!"
        from unnest($1::integer[], $2::uuid[], $3::bytea[])
            with ordinality as wanted (site_number, id, trace, position)
        left join record on record.site_number = wanted.site_number and record.id = wanted.id
        left join erased_id
            on erased_id.site_number = wanted.site_number and erased_id.trace = wanted.trace
        where record.id is not null or erased_id.trace is not null"#,
        &site_numbers,
        &ids,
        &traces as _,
    )
    .fetch_all(&mut *work)
    .await
    .map_err(database)?;
    let mut stored_at = HashMap::new();
    for row in taken {
        let position = usize::try_from(row.position).unwrap_or(0);
        let Some(at) = position.checked_sub(1).and_then(|at| positions.get(at)) else {
            continue;
        };
        if row.is_stored {
            stored_at.insert(key(records[*at]), *at);
        } else {
            fates[*at] = Fate::Erased;
        }
    }
    if !stored_at.is_empty() {
        for record in stored(work, shown, stored_at.keys().copied().collect()).await? {
            if let Some(at) = stored_at.get(&key(&record)).copied() {
                fates[at] = Fate::Stored(Box::new(record));
            }
        }
    }
    Ok(fates)
}

/// The columns of new records.
#[derive(Default)]
struct Columns<'a> {
    site_numbers: Vec<i32>,
    ids: Vec<Uuid>,
    versions: Vec<i16>,
    subjects: Vec<[u8; 16]>,
    revisions: Vec<i64>,
    notice_numbers: Vec<i32>,
    methods: Vec<&'a str>,
    performance: Vec<bool>,
    functional: Vec<bool>,
    targeting: Vec<bool>,
    services: Vec<Option<String>>,
    asked: Vec<bool>,
    gpc: Vec<bool>,
    dnt: Vec<bool>,
    previous_ids: Vec<Option<Uuid>>,
    decided_at_ms: Vec<i64>,
    received_at_ms: Vec<i64>,
    expires_at_ms: Vec<i64>,
    salts: Vec<[u8; 16]>,
    leaves: Vec<i64>,
}

impl Columns<'_> {
    fn push(&mut self, record: &ConsentRecord, place: Place, leaf: u64) -> Result<()> {
        self.site_numbers.push(place.site_number);
        self.ids.push(record.id);
        self.versions.push(record.version.into());
        self.subjects.push(record.subject.0);
        self.revisions.push(record.revision.into());
        self.notice_numbers.push(place.notice_number);
        self.methods.push(record.method.id());
        self.performance.push(record.choice.performance);
        self.functional.push(record.choice.functional);
        self.targeting.push(record.choice.targeting);
        let services = Some(&record.services).filter(|services| !services.is_empty());
        self.services.push(services.map(json).transpose()?);
        self.asked.push(record.asked);
        self.gpc.push(record.gpc);
        self.dnt.push(record.dnt);
        self.previous_ids.push(record.previous);
        self.decided_at_ms.push(record.decided_at_ms);
        self.received_at_ms.push(record.received_at_ms);
        self.expires_at_ms.push(record.expires_at_ms);
        self.salts.push(record.salt.0);
        self.leaves
            .push(i64::try_from(leaf).map_err(|error| StoreError::Database(error.into()))?);
        Ok(())
    }
}

/// Gives each record the next index of its site's log.
fn numbered<'a>(
    logs: &HashMap<&str, Log>,
    records: &[(&'a ConsentRecord, Place)],
) -> Vec<(&'a ConsentRecord, Place, u64)> {
    let mut ends: HashMap<&str, u64> = logs.iter().map(|(site, log)| (*site, log.size)).collect();
    let numbered = records.iter().map(|(record, place)| {
        let end = ends.entry(&record.site).or_default();
        *end += 1;
        (*record, *place, *end - 1)
    });
    numbered.collect()
}

/// Inserts records, each with its index in its site's log.
async fn insert(work: &mut Work, records: &[(&ConsentRecord, Place, u64)]) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let mut new = Columns::default();
    for (record, place, leaf) in records {
        new.push(record, *place, *leaf)?;
    }
    sqlx::query!(
        "insert into record (
            site_number, id, version, subject, revision, notice_number, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        )
        select * from unnest(
            $1::integer[], $2::uuid[], $3::smallint[], $4::bytea[], $5::bigint[], $6::integer[], $7::text[],
            $8::boolean[], $9::boolean[], $10::boolean[], $11::text[], $12::boolean[], $13::boolean[], $14::boolean[],
            $15::uuid[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bytea[], $20::bigint[]
        )",
        &new.site_numbers,
        &new.ids,
        &new.versions,
        &new.subjects as _,
        &new.revisions,
        &new.notice_numbers,
        &new.methods as _,
        &new.performance,
        &new.functional,
        &new.targeting,
        &new.services as _,
        &new.asked,
        &new.gpc,
        &new.dnt,
        &new.previous_ids as _,
        &new.decided_at_ms,
        &new.received_at_ms,
        &new.expires_at_ms,
        &new.salts as _,
        &new.leaves,
    )
    .execute(work)
    .await
    .map_err(database)?;
    Ok(())
}

/// Inserts records as they were elsewhere, with their indices; false if one of them cannot be stored.
pub(crate) async fn take(work: &mut Work, records: &[(u64, ConsentRecord)]) -> Result<bool> {
    let offered: Vec<_> = records.iter().map(|(_, record)| record).collect();
    let shown = Shown::of(work, &offered).await?;
    let fates = fates(work, &shown, &offered).await?;
    let new: Vec<_> = records
        .iter()
        .zip(fates)
        .filter_map(|((leaf, record), fate)| match fate {
            Fate::New(place) => Some((record, place, *leaf)),
            _ => None,
        })
        .collect();
    insert(work, &new).await?;
    Ok(new.len() == records.len())
}

/// What stands under these keys.
async fn stored(work: &mut Work, shown: &Shown<'_>, keys: Vec<Key<'_>>) -> Result<Vec<ConsentRecord>> {
    let (site_numbers, ids): (Vec<i32>, Vec<Uuid>) = keys
        .into_iter()
        .filter_map(|(site, id)| Some((shown.logs.get(site)?.site_number, id)))
        .unzip();
    sqlx::query_as!(
        RecordRow,
        "select
            site.id as site, record.id, version, subject, record.revision, hash, rule, language, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        from unnest($1::integer[], $2::uuid[]) as wanted (site_number, id)
        join record on record.site_number = wanted.site_number and record.id = wanted.id
        join site on site.number = record.site_number
        join notice on notice.site_number = record.site_number and notice.number = notice_number",
        &site_numbers,
        &ids,
    )
    .fetch_all(work)
    .await
    .map_err(database)?
    .into_iter()
    .map(RecordRow::read)
    .collect()
}

pub(crate) async fn record(
    database: &Database,
    site: &str,
    id: Uuid,
    subject: Subject,
) -> Result<Option<ConsentRecord>> {
    let mut view = database.view().await?;
    let row = sqlx::query_as!(
        RecordRow,
        "select
            site.id as site, record.id, version, subject, record.revision, hash, rule, language, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        from site
        join record on record.site_number = site.number
        join notice on notice.site_number = site.number and notice.number = notice_number
        where site.id = $1 and record.id = $2 and subject = $3",
        site,
        id,
        &subject.0,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    row.map(RecordRow::read).transpose()
}

pub(crate) async fn history(
    database: &Database,
    site: &str,
    subject: Subject,
    limit: u32,
) -> Result<Vec<ConsentRecord>> {
    let mut view = database.view().await?;
    let rows = sqlx::query_as!(
        RecordRow,
        "select
            site.id as site, record.id, version, subject, record.revision, hash, rule, language, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        from site
        join record on record.site_number = site.number
        join notice on notice.site_number = site.number and notice.number = notice_number
        where site.id = $1 and subject = $2
        order by leaf desc
        limit $3",
        site,
        &subject.0,
        i64::from(limit),
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    rows.into_iter().map(RecordRow::read).collect()
}

pub(crate) async fn logged(database: &Database, site: &str, id: Uuid) -> Result<Option<Logged>> {
    let mut view = database.view().await?;
    let row = sqlx::query_as!(
        RecordRow,
        "select
            site.id as site, record.id, version, subject, record.revision, hash, rule, language, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        from site
        join record on record.site_number = site.number
        join notice on notice.site_number = site.number and notice.number = notice_number
        where site.id = $1 and record.id = $2",
        site,
        id,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    row.map(RecordRow::logged).transpose()
}

pub(crate) async fn log_records(
    database: &Database,
    site: &str,
    from: u64,
    limit: u32,
) -> Result<Vec<Logged>> {
    let mut view = database.view().await?;
    let rows = sqlx::query_as!(
        RecordRow,
        "select
            site.id as site, record.id, version, subject, record.revision, hash, rule, language, method,
            performance, functional, targeting, services, asked, gpc, dnt,
            previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
        from site
        cross join lateral (
            select * from record where site_number = site.number and leaf >= $2 order by leaf limit $3
        ) as record
        join notice on notice.site_number = site.number and notice.number = notice_number
        where site.id = $1
        order by leaf",
        site,
        i64::try_from(from).unwrap_or(i64::MAX),
        i64::from(limit),
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    rows.into_iter().map(RecordRow::logged).collect()
}
