//! Records on their way in: the hot path of the whole server.
//!
//! A batch is four exchanges with the server: begin and lock, look, write, commit; and one for each tile that becomes
//! full, or where ids are taken. Sets travel as arrays. The transaction holds the locks of its sites' logs, so what it
//! has looked at (the logs' ends, which ids are taken) stays so until it commits.

use std::collections::HashMap;

use assent_consent::{notice::NoticeHash, record::ConsentRecord};
use assent_store::{Appended, Batch, NewRecord, Result, StoreError, Stretch, trace};
use uuid::Uuid;

use crate::{
    connection::{Database, Lock, Work},
    database, json,
    ledger::{self, Log, Parts},
    rates::Totals,
    records,
};

/// What a record is known by: ids are unique within a site.
type Key<'a> = (&'a str, Uuid);

fn key(record: &ConsentRecord) -> Key<'_> {
    (&record.site, record.id)
}

/// What becomes of a record that is offered.
#[derive(Clone)]
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
            offered.push(&new.record);
            offered.len() - 1
        });
    }
    let sites = batch.records.iter().map(|new| &new.record.site);
    // Two who add to the same cells in another order would wait for each other.
    let counted = batch.counts.iter().map(|count| &count.site);
    let locks = sites.chain(counted).map(|site| Lock::log(site)).collect();
    let mut work = database.begin(locks).await?;
    let Seen { logs, fates } = look(&mut work, &offered).await?;

    let mut ends: HashMap<&str, u64> = logs.iter().map(|(site, log)| (*site, log.size)).collect();
    let mut entries: HashMap<&str, Vec<[u8; 32]>> = HashMap::new();
    let mut columns = Columns::default();
    let mut totals = Totals::default();
    totals.add(&batch.counts);
    let mut answers = Vec::with_capacity(batch.records.len());
    let mut is_first = vec![true; offered.len()];
    for NewRecord {
        record,
        commitment,
        counts,
    } in &batch.records
    {
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
            Fate::New(place) if std::mem::take(&mut is_first[at]) => {
                let end = ends.entry(&record.site).or_default();
                columns.push(record, *place, *end)?;
                *end += 1;
                entries.entry(&record.site).or_default().push(*commitment);
                totals.add(counts);
                answers.push(Appended::New);
                continue;
            }
            Fate::New(_) => offered[at],
            Fate::Stored(stored) => stored,
        };
        answers.push(if earlier.subject == record.subject {
            Appended::Duplicate(Box::new(earlier.clone()))
        } else {
            Appended::Conflict
        });
    }
    let mut parts = Parts::default();
    for (site, entries) in entries {
        ledger::grow(&mut work, logs[site], entries, &mut parts).await?;
    }
    write(&mut work, &columns, &parts, &totals).await?;
    work.end().await?;
    Ok(answers)
}

/// Appends a stretch of another store's log as it is; returns the number of the site.
pub(crate) async fn take(work: &mut Work, site: &str, stretch: &Stretch) -> Result<i32> {
    let log = ledger::log(work, site)
        .await?
        .filter(|log| log.size == stretch.first)
        .ok_or(StoreError::Different)?;
    let offered: Vec<_> = stretch.records.iter().map(|(_, record)| record).collect();
    let seen = look(work, &offered).await?;
    let mut columns = Columns::default();
    for ((leaf, record), fate) in stretch.records.iter().zip(seen.fates) {
        let Fate::New(place) = fate else {
            return Err(StoreError::Different);
        };
        columns.push(record, place, *leaf)?;
    }
    let mut parts = Parts::default();
    ledger::grow(work, log, stretch.entries.clone(), &mut parts).await?;
    write(work, &columns, &parts, &Totals::default()).await?;
    Ok(log.site_number)
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

/// What is there before a batch is written.
struct Seen<'a> {
    /// The logs of the sites; those that are not published have none.
    logs: HashMap<&'a str, Log>,
    /// What becomes of each record: an id that is stored or was erased is not stored again, and what was never published
    /// cannot be consented to.
    fates: Vec<Fate>,
}

async fn look<'a>(work: &mut Work, records: &[&'a ConsentRecord]) -> Result<Seen<'a>> {
    let mut seen = Seen {
        logs: HashMap::new(),
        fates: vec![Fate::Unknown; records.len()],
    };
    // Nearly all of a batch name one of a few.
    let mut namings: Vec<Naming<'a>> = Vec::new();
    let mut named_by = Vec::with_capacity(records.len());
    for record in records {
        let naming = naming(record);
        let known = namings.iter().position(|known| *known == naming);
        named_by.push(known.unwrap_or_else(|| {
            namings.push(naming);
            namings.len() - 1
        }));
    }
    if namings.is_empty() {
        return Ok(seen);
    }
    // Positions count from 1.
    let position = |position: i64| usize::try_from(position - 1).unwrap_or(usize::MAX);
    let (mut site_numbers, mut stored) = (Vec::new(), Vec::new());
    let mut erased = Vec::new();
    for row in seen_rows(work, &namings, records).await? {
        let name = position(row.position);
        let Some(naming) = namings.get(name) else { continue };
        if seen
            .logs
            .insert(naming.0, Log::new(row.site_number, row.size)?)
            .is_none()
        {
            let ids = row.stored.iter().filter_map(|at| records.get(position(*at)));
            stored.extend(ids.map(|record| record.id));
            site_numbers.resize(stored.len(), row.site_number);
            erased.extend(row.erased.iter().map(|at| position(*at)));
        }
        if let Some(notice_number) = row.notice_number {
            let place = Place {
                site_number: row.site_number,
                notice_number,
            };
            let fates = seen.fates.iter_mut().zip(&named_by);
            for (fate, _) in fates.filter(|(_, named)| **named == name) {
                *fate = Fate::New(place);
            }
        }
    }
    for at in erased {
        seen.fates[at] = Fate::Erased;
    }
    if !stored.is_empty() {
        let at: HashMap<Key<'_>, usize> = records.iter().map(|record| key(record)).zip(0..).collect();
        for record in records::stored(work, &site_numbers, &stored).await? {
            if let Some(at) = at.get(&key(&record)).copied() {
                seen.fates[at] = Fate::Stored(Box::new(record));
            }
        }
    }
    Ok(seen)
}

/// What is known of a naming and of its site.
struct SeenRow {
    /// Which naming, from 1.
    position: i64,
    site_number: i32,
    /// The end of the log's last part; nothing where it has none.
    size: Option<i64>,
    /// Nothing where no such notice was published.
    notice_number: Option<i32>,
    /// Which records of the batch are at this site and have ids that are taken, from 1.
    stored: Vec<i64>,
    /// Which of them have ids that were erased, from 1.
    erased: Vec<i64>,
}

async fn seen_rows(
    work: &mut Work,
    namings: &[Naming<'_>],
    records: &[&ConsentRecord],
) -> Result<Vec<SeenRow>> {
    let sites: Vec<&str> = namings.iter().map(|naming| naming.0).collect();
    let revisions: Vec<i64> = namings.iter().map(|naming| naming.1.into()).collect();
    let hashes: Vec<[u8; 32]> = namings.iter().map(|naming| naming.2.0).collect();
    let rules: Vec<&str> = namings.iter().map(|naming| naming.3).collect();
    let languages: Vec<&str> = namings.iter().map(|naming| naming.4).collect();
    let of: Vec<&str> = records.iter().map(|record| record.site.as_str()).collect();
    let ids: Vec<Uuid> = records.iter().map(|record| record.id).collect();
    let traces: Vec<[u8; 16]> = ids.iter().map(|id| trace(*id)).collect();
    sqlx::query_as!(
        SeenRow,
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
            revision_notice.notice_number as "notice_number?",
            array(
                select wanted.position
                from unnest($6::text[], $7::uuid[]) with ordinality as wanted (site, id, position)
                where wanted.site = named.site and exists (
                    select 1 from record where record.site_number = site.number and record.id = wanted.id
                )
            ) as "stored!",
            array(
                select wanted.position
                from unnest($6::text[], $8::bytea[]) with ordinality as wanted (site, trace, position)
                where wanted.site = named.site and exists (
                    select 1 from erased_id
                    where erased_id.site_number = site.number and erased_id.trace = wanted.trace
                )
            ) as "erased!"
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
        &of as _,
        &ids,
        &traces as _,
    )
    .fetch_all(work)
    .await
    .map_err(database)
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

/// Writes new records, what they add to tiles, and what they count as.
async fn write(work: &mut Work, new: &Columns<'_>, parts: &Parts, totals: &Totals<'_>) -> Result<()> {
    let counted = totals.columns();
    sqlx::query!(
        "with inserted as (
            insert into record (
                site_number, id, version, subject, revision, notice_number, method,
                performance, functional, targeting, services, asked, gpc, dnt,
                previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
            )
            select * from unnest(
                $1::integer[], $2::uuid[], $3::smallint[], $4::bytea[], $5::bigint[], $6::integer[], $7::text[],
                $8::boolean[], $9::boolean[], $10::boolean[], $11::text[], $12::boolean[], $13::boolean[],
                $14::boolean[], $15::uuid[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bytea[], $20::bigint[]
            )
        ), logged as (
            insert into ledger_part (site_number, level, first, body)
            select * from unnest($21::integer[], $22::smallint[], $23::bigint[], $24::bytea[])
        )
        insert into rollup (site_number, hour, revision, rule, language, device, measure, total)
        select site.number, new.hour, new.revision, new.rule, new.language, new.device, new.measure, new.total
        from unnest(
            $25::text[], $26::integer[], $27::bigint[], $28::text[], $29::text[], $30::text[], $31::text[], $32::bigint[]
        ) as new (site, hour, revision, rule, language, device, measure, total)
        join site on site.id = new.site
        on conflict (site_number, hour, revision, rule, language, device, measure)
        do update set total = rollup.total + excluded.total",
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
        &parts.site_numbers,
        &parts.levels,
        &parts.firsts,
        &parts.bodies,
        &counted.sites as _,
        &counted.hours,
        &counted.revisions,
        &counted.rules as _,
        &counted.languages as _,
        &counted.devices as _,
        &counted.measures as _,
        &counted.totals,
    )
    .execute(work)
    .await
    .map_err(database)?;
    Ok(())
}
