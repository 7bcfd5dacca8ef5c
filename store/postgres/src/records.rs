//! Consent records, as they are read.

use assent_consent::{
    notice::NoticeHash,
    record::{Choice, ConsentRecord, Event, Method, Salt, Services, Subject},
};
use assent_store::{Logged, Result, cell::Cell};
use uuid::Uuid;

use crate::connection::{Database, Work};

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

/// What stands under these ids, each with the number of its site.
pub(crate) async fn stored(
    work: &mut Work,
    site_numbers: &[i32],
    ids: &[Uuid],
) -> Result<Vec<ConsentRecord>> {
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
        site_numbers,
        ids,
    )
    .fetch_all(work)
    .await
    .map_err(crate::database)?
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
