//! Holds, restrictions and the trail.

use assent_consent::record::Subject;
use assent_store::{
    AskedBy, Deed, Hold, Order, Outcome, Restriction, Result, SignErasure, TrailEntry, row::RestrictionRow,
};
use sqlx::{SqliteConnection, SqliteExecutor, SqlitePool};
use uuid::Uuid;

use crate::{
    cell::Cell,
    database,
    erasure::{self, Going},
    writer::Writer,
};

struct HoldRow {
    record_id: Vec<u8>,
    subject: Vec<u8>,
    reason: String,
    held_at_ms: i64,
    until_ms: i64,
    erasure_asked_at_ms: Option<i64>,
}

impl HoldRow {
    fn read(self) -> Result<Hold> {
        let at = |table, column| Cell { table, column };
        Ok(Hold {
            record: at("legal_hold", "record_id").uuid(&self.record_id)?,
            subject: Subject(at("record", "subject").bytes(&self.subject)?),
            reason: self.reason,
            held_at_ms: self.held_at_ms,
            until_ms: self.until_ms,
            erasure_asked_at_ms: self.erasure_asked_at_ms,
        })
    }
}

/// The number under which this file knows a site.
pub(crate) async fn site_number(work: &mut SqliteConnection, site: &str) -> Result<Option<i64>> {
    sqlx::query_scalar!(r#"select number as "number!" from site where id = ?"#, site)
        .fetch_optional(work)
        .await
        .map_err(database)
}

pub(crate) async fn restriction(
    readers: &SqlitePool,
    site: &str,
    subject: Subject,
) -> Result<Option<Restriction>> {
    let subject = subject.0.as_slice();
    sqlx::query_as!(
        RestrictionRow,
        "select since_ms, asked_by
        from site
        join restriction on site_number = site.number
        where site.id = ? and subject = ?",
        site,
        subject,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?
    .map(RestrictionRow::read)
    .transpose()
}

async fn restriction_in(
    work: impl SqliteExecutor<'_>,
    site_number: i64,
    subject: Subject,
) -> Result<Option<Restriction>> {
    let subject = subject.0.as_slice();
    sqlx::query_as!(
        RestrictionRow,
        "select since_ms, asked_by from restriction where site_number = ? and subject = ?",
        site_number,
        subject,
    )
    .fetch_optional(work)
    .await
    .map_err(database)?
    .map(RestrictionRow::read)
    .transpose()
}

/// Restricts a subject's records. An owner's restriction becomes the visitor's, but not the other way round.
pub(crate) async fn set_restriction(
    work: &mut SqliteConnection,
    site_number: i64,
    subject: Subject,
    asked_by: AskedBy,
    now_ms: i64,
) -> Result<()> {
    let subject = subject.0.as_slice();
    let asked_by = asked_by.id();
    sqlx::query!(
        "insert into restriction (site_number, subject, since_ms, asked_by) values (?, ?, ?, ?)
        on conflict (site_number, subject) do update set asked_by = excluded.asked_by
        where excluded.asked_by = 'visitor'",
        site_number,
        subject,
        now_ms,
        asked_by,
    )
    .execute(work)
    .await
    .map_err(database)?;
    Ok(())
}

async fn end_restriction(work: &mut SqliteConnection, site_number: i64, subject: Subject) -> Result<bool> {
    let subject = subject.0.as_slice();
    let gone = sqlx::query!(
        "delete from restriction where site_number = ? and subject = ?",
        site_number,
        subject,
    )
    .execute(work)
    .await
    .map_err(database)?;
    Ok(gone.rows_affected() > 0)
}

pub(crate) async fn restrict(
    writer: &Writer,
    site: &str,
    subject: Subject,
    now_ms: i64,
) -> Result<Option<Restriction>> {
    let mut writing = writer.lock().await?;
    let mut work = writing.begin().await?;
    let Some(site_number) = site_number(&mut work, site).await? else {
        return Ok(None);
    };
    let subject_id = subject.0.as_slice();
    let has_records = sqlx::query_scalar!(
        r#"select exists (
            select 1 from record where site_number = ? and subject = ?
        ) as "found: bool""#,
        site_number,
        subject_id,
    )
    .fetch_one(&mut *work)
    .await
    .map_err(database)?;
    if !has_records {
        return Ok(None);
    }
    set_restriction(&mut work, site_number, subject, AskedBy::Visitor, now_ms).await?;
    let restriction = restriction_in(&mut *work, site_number, subject).await?;
    work.commit().await.map_err(database)?;
    Ok(restriction)
}

pub(crate) async fn lift_restriction(writer: &Writer, site: &str, subject: Subject) -> Result<bool> {
    let mut writing = writer.lock().await?;
    let mut work = writing.begin().await?;
    let Some(site_number) = site_number(&mut work, site).await? else {
        return Ok(false);
    };
    let was_there = end_restriction(&mut work, site_number, subject).await?;
    work.commit().await.map_err(database)?;
    Ok(was_there)
}

pub(crate) async fn holds_of(
    readers: &SqlitePool,
    site: &str,
    subject: Subject,
    now_ms: i64,
) -> Result<Vec<Hold>> {
    let subject = subject.0.as_slice();
    sqlx::query_as!(
        HoldRow,
        "select record_id, subject, reason, held_at_ms, until_ms, erasure_asked_at_ms
        from site
        join record on record.site_number = site.number
        join legal_hold on legal_hold.site_number = record.site_number and record_id = record.id
        where site.id = ? and subject = ? and (until_ms > ? or erasure_asked_at_ms is not null)
        order by record_id",
        site,
        subject,
        now_ms,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(HoldRow::read)
    .collect()
}

pub(crate) async fn holds(readers: &SqlitePool, site: &str, now_ms: i64, limit: u32) -> Result<Vec<Hold>> {
    sqlx::query_as!(
        HoldRow,
        "select record_id, subject, reason, held_at_ms, until_ms, erasure_asked_at_ms
        from site
        join legal_hold on legal_hold.site_number = site.number
        join record on record.site_number = legal_hold.site_number and record.id = record_id
        where site.id = ? and until_ms > ?
        order by until_ms, record_id
        limit ?",
        site,
        now_ms,
        limit,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(HoldRow::read)
    .collect()
}

/// Notes that the visitor wants a held record erased.
pub(crate) async fn ask_erasure(
    work: &mut SqliteConnection,
    site_number: i64,
    record: Uuid,
    now_ms: i64,
) -> Result<()> {
    let id = record.as_bytes().as_slice();
    sqlx::query!(
        "update legal_hold set erasure_asked_at_ms = ? where site_number = ? and record_id = ?",
        now_ms,
        site_number,
        id,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    write_trail(work, site_number, None, Deed::AskErasure, record, now_ms).await
}

pub(crate) async fn end_hold(work: &mut SqliteConnection, site_number: i64, record: Uuid) -> Result<()> {
    let id = record.as_bytes().as_slice();
    sqlx::query!(
        "delete from legal_hold where site_number = ? and record_id = ?",
        site_number,
        id,
    )
    .execute(work)
    .await
    .map_err(database)?;
    Ok(())
}

/// Writes one line into the trail; `owner` is `None` where it is done at the visitor's request.
pub(crate) async fn write_trail(
    work: &mut SqliteConnection,
    site_number: i64,
    owner: Option<Uuid>,
    deed: Deed,
    record: Uuid,
    now_ms: i64,
) -> Result<()> {
    let owner_id = owner.as_ref().map(|id| id.as_bytes().as_slice());
    let deed = deed.id();
    let id = record.as_bytes().as_slice();
    sqlx::query!(
        "insert into trail (site_number, at_ms, owner_id, deed, record_id) values (?, ?, ?, ?, ?)",
        site_number,
        now_ms,
        owner_id,
        deed,
        id,
    )
    .execute(work)
    .await
    .map_err(database)?;
    Ok(())
}

pub(crate) async fn carry_out(
    writer: &Writer,
    site: &str,
    record: Uuid,
    owner: Uuid,
    order: &Order,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<Outcome> {
    let mut writing = writer.lock().await?;
    let mut work = writing.begin().await?;
    let id = record.as_bytes().as_slice();
    let found = sqlx::query!(
        r#"select record.site_number, subject, leaf, until_ms as "until_ms?", erasure_asked_at_ms
        from site
        join record on record.site_number = site.number
        left join legal_hold on legal_hold.site_number = record.site_number and record_id = record.id
        where site.id = ? and record.id = ?"#,
        site,
        id,
    )
    .fetch_optional(&mut *work)
    .await
    .map_err(database)?;
    let Some(found) = found else {
        return Ok(Outcome::Absent);
    };
    let site_number = found.site_number;
    let going = Going::read(id, &found.subject, found.leaf)?;
    let subject = going.subject;
    let is_held = found.until_ms.is_some_and(|until_ms| until_ms > now_ms);
    let restriction = restriction_in(&mut *work, site_number, subject).await?;
    match order {
        Order::Export | Order::Erase if restriction.is_some() => return Ok(Outcome::Restricted),
        Order::Export => {}
        Order::Erase if is_held => return Ok(Outcome::Held),
        Order::Erase => {
            end_hold(&mut work, site_number, record).await?;
            erasure::forget(&mut work, site_number, &[going], now_ms, sign).await?;
        }
        Order::Hold { reason, until_ms } => {
            sqlx::query!(
                "insert into legal_hold (site_number, record_id, reason, held_at_ms, until_ms)
                values (?, ?, ?, ?, ?)
                on conflict (site_number, record_id)
                do update set reason = excluded.reason, held_at_ms = excluded.held_at_ms,
                    until_ms = excluded.until_ms",
                site_number,
                id,
                reason,
                now_ms,
                until_ms,
            )
            .execute(&mut *work)
            .await
            .map_err(database)?;
        }
        Order::LiftHold if !is_held => return Ok(Outcome::Unchanged),
        Order::LiftHold => end_hold(&mut work, site_number, record).await?,
        Order::Restrict if restriction.is_some() => return Ok(Outcome::Unchanged),
        Order::Restrict => {
            set_restriction(&mut work, site_number, subject, AskedBy::Owner, now_ms).await?;
        }
        Order::LiftRestriction => match restriction.map(|restriction| restriction.asked_by) {
            None => return Ok(Outcome::Unchanged),
            Some(AskedBy::Visitor) => return Ok(Outcome::Restricted),
            Some(AskedBy::Owner) => {
                end_restriction(&mut work, site_number, subject).await?;
            }
        },
    }
    write_trail(&mut work, site_number, Some(owner), order.deed(), record, now_ms).await?;
    if *order == Order::LiftHold && found.erasure_asked_at_ms.is_some() {
        let going = Going::read(id, &found.subject, found.leaf)?;
        erasure::forget(&mut work, site_number, &[going], now_ms, sign).await?;
        write_trail(&mut work, site_number, None, Deed::Erase, record, now_ms).await?;
    }
    work.commit().await.map_err(database)?;
    if matches!(order, Order::Erase | Order::LiftHold) {
        writer.note_erasure();
    }
    Ok(Outcome::Done)
}

pub(crate) async fn trail(readers: &SqlitePool, site: &str, limit: u32) -> Result<Vec<TrailEntry>> {
    let at = |column| Cell {
        table: "trail",
        column,
    };
    sqlx::query!(
        r#"select at_ms, email as "email?", deed, record_id
        from site
        join trail on trail.site_number = site.number
        left join owner on owner.id = owner_id
        where site.id = ?
        order by trail.number desc
        limit ?"#,
        site,
        limit,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(|row| {
        Ok(TrailEntry {
            at_ms: row.at_ms,
            owner: row.email,
            deed: Deed::from_id(&row.deed)
                .ok_or_else(|| at("deed").inconsistent(format!("unknown: {}", row.deed)))?,
            record: at("record_id").uuid(&row.record_id)?,
        })
    })
    .collect()
}
