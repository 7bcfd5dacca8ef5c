//! Consent records, as they are read.

use assent_consent::{
    notice::NoticeHash,
    record::{Choice, ConsentRecord, Event, Method, Salt, Services, Subject},
};
use assent_store::{Logged, Result};
use sqlx::SqlitePool;
use uuid::Uuid;

use crate::{cell::Cell, database};

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
