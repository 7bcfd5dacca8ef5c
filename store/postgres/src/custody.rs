//! Holds, restrictions and the trail.

use assent_consent::record::Subject;
use assent_store::{
    AskedBy, Deed, Hold, Order, Outcome, Restriction, Result, SignErasure, TrailEntry, cell::Cell,
    row::RestrictionRow,
};
use uuid::Uuid;

use crate::{
    connection::{Database, Lock, Work},
    erasure::{self, Going},
};

struct HoldRow {
    record_id: Uuid,
    subject: Vec<u8>,
    reason: String,
    held_at_ms: i64,
    until_ms: i64,
    erasure_asked_at_ms: Option<i64>,
}

impl HoldRow {
    fn read(self) -> Result<Hold> {
        let at = Cell {
            table: "record",
            column: "subject",
        };
        Ok(Hold {
            record: self.record_id,
            subject: Subject(at.bytes(&self.subject)?),
            reason: self.reason,
            held_at_ms: self.held_at_ms,
            until_ms: self.until_ms,
            erasure_asked_at_ms: self.erasure_asked_at_ms,
        })
    }
}

/// The number under which this database knows a site.
pub(crate) async fn site_number(work: &mut Work, site: &str) -> Result<Option<i32>> {
    sqlx::query_scalar!("select number from site where id = $1", site)
        .fetch_optional(work)
        .await
        .map_err(crate::database)
}

pub(crate) async fn restriction(
    database: &Database,
    site: &str,
    subject: Subject,
) -> Result<Option<Restriction>> {
    let mut view = database.view().await?;
    let found = sqlx::query_as!(
        RestrictionRow,
        "select since_ms, asked_by
        from site
        join restriction on site_number = site.number
        where site.id = $1 and subject = $2",
        site,
        &subject.0,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    found.map(RestrictionRow::read).transpose()
}

async fn restriction_in(work: &mut Work, site_number: i32, subject: Subject) -> Result<Option<Restriction>> {
    sqlx::query_as!(
        RestrictionRow,
        "select since_ms, asked_by from restriction where site_number = $1 and subject = $2",
        site_number,
        &subject.0,
    )
    .fetch_optional(work)
    .await
    .map_err(crate::database)?
    .map(RestrictionRow::read)
    .transpose()
}

/// Restricts a subject's records. An owner's restriction becomes the visitor's, but not the other way round.
pub(crate) async fn set_restriction(
    work: &mut Work,
    site_number: i32,
    subject: Subject,
    asked_by: AskedBy,
    now_ms: i64,
) -> Result<()> {
    sqlx::query!(
        "insert into restriction (site_number, subject, since_ms, asked_by) values ($1, $2, $3, $4)
        on conflict (site_number, subject) do update set asked_by = excluded.asked_by
        where excluded.asked_by = 'visitor'",
        site_number,
        &subject.0,
        now_ms,
        asked_by.id(),
    )
    .execute(work)
    .await
    .map_err(crate::database)?;
    Ok(())
}

async fn end_restriction(work: &mut Work, site_number: i32, subject: Subject) -> Result<bool> {
    let gone = sqlx::query!(
        "delete from restriction where site_number = $1 and subject = $2",
        site_number,
        &subject.0,
    )
    .execute(work)
    .await
    .map_err(crate::database)?;
    Ok(gone.rows_affected() > 0)
}

pub(crate) async fn restrict(
    database: &Database,
    site: &str,
    subject: Subject,
    now_ms: i64,
) -> Result<Option<Restriction>> {
    let mut work = database.begin(vec![Lock::log(site)]).await?;
    let site_number = sqlx::query_scalar!(
        "select number
        from site
        where id = $1 and exists (select 1 from record where site_number = number and subject = $2)",
        site,
        &subject.0,
    )
    .fetch_optional(&mut work)
    .await
    .map_err(crate::database)?;
    let mut restriction = None;
    if let Some(site_number) = site_number {
        set_restriction(&mut work, site_number, subject, AskedBy::Visitor, now_ms).await?;
        restriction = restriction_in(&mut work, site_number, subject).await?;
    }
    work.end().await?;
    Ok(restriction)
}

pub(crate) async fn lift_restriction(database: &Database, site: &str, subject: Subject) -> Result<bool> {
    let mut work = database.begin(vec![Lock::log(site)]).await?;
    let was_there = match site_number(&mut work, site).await? {
        Some(site_number) => end_restriction(&mut work, site_number, subject).await?,
        None => false,
    };
    work.end().await?;
    Ok(was_there)
}

pub(crate) async fn holds_of(
    database: &Database,
    site: &str,
    subject: Subject,
    now_ms: i64,
) -> Result<Vec<Hold>> {
    let mut view = database.view().await?;
    let found = sqlx::query_as!(
        HoldRow,
        "select record_id, subject, reason, held_at_ms, until_ms, erasure_asked_at_ms
        from site
        join record on record.site_number = site.number
        join legal_hold on legal_hold.site_number = record.site_number and record_id = record.id
        where site.id = $1 and subject = $2 and (until_ms > $3 or erasure_asked_at_ms is not null)
        order by record_id",
        site,
        &subject.0,
        now_ms,
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    found.into_iter().map(HoldRow::read).collect()
}

pub(crate) async fn holds(database: &Database, site: &str, now_ms: i64, limit: u32) -> Result<Vec<Hold>> {
    let mut view = database.view().await?;
    let found = sqlx::query_as!(
        HoldRow,
        "select record_id, subject, reason, held_at_ms, until_ms, erasure_asked_at_ms
        from site
        join legal_hold on legal_hold.site_number = site.number
        join record on record.site_number = legal_hold.site_number and record.id = record_id
        where site.id = $1 and until_ms > $2
        order by until_ms, record_id
        limit $3",
        site,
        now_ms,
        i64::from(limit),
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    found.into_iter().map(HoldRow::read).collect()
}

/// Notes that the visitor wants a held record erased.
pub(crate) async fn ask_erasure(work: &mut Work, site_number: i32, record: Uuid, now_ms: i64) -> Result<()> {
    sqlx::query!(
        "update legal_hold set erasure_asked_at_ms = $1 where site_number = $2 and record_id = $3",
        now_ms,
        site_number,
        record,
    )
    .execute(&mut *work)
    .await
    .map_err(crate::database)?;
    write_trail(work, site_number, None, Deed::AskErasure, record, now_ms).await
}

pub(crate) async fn end_hold(work: &mut Work, site_number: i32, record: Uuid) -> Result<()> {
    sqlx::query!(
        "delete from legal_hold where site_number = $1 and record_id = $2",
        site_number,
        record,
    )
    .execute(work)
    .await
    .map_err(crate::database)?;
    Ok(())
}

/// Writes one line into the trail; `owner` is `None` where it is done at the visitor's request.
pub(crate) async fn write_trail(
    work: &mut Work,
    site_number: i32,
    owner: Option<Uuid>,
    deed: Deed,
    record: Uuid,
    now_ms: i64,
) -> Result<()> {
    sqlx::query!(
        "insert into trail (site_number, at_ms, owner_id, deed, record_id) values ($1, $2, $3, $4, $5)",
        site_number,
        now_ms,
        owner,
        deed.id(),
        record,
    )
    .execute(work)
    .await
    .map_err(crate::database)?;
    Ok(())
}

pub(crate) async fn carry_out(
    database: &Database,
    site: &str,
    record: Uuid,
    owner: Uuid,
    order: &Order,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<Outcome> {
    let mut work = database.begin(vec![Lock::log(site)]).await?;
    let outcome = carry_out_in(&mut work, site, record, owner, order, now_ms, sign).await?;
    work.end().await?;
    Ok(outcome)
}

async fn carry_out_in(
    work: &mut Work,
    site: &str,
    record: Uuid,
    owner: Uuid,
    order: &Order,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<Outcome> {
    let found = sqlx::query!(
        r#"select record.site_number, subject, leaf, until_ms as "until_ms?", erasure_asked_at_ms as "erasure_asked_at_ms?"
        from site
        join record on record.site_number = site.number
        left join legal_hold on legal_hold.site_number = record.site_number and record_id = record.id
        where site.id = $1 and record.id = $2"#,
        site,
        record,
    )
    .fetch_optional(&mut *work)
    .await
    .map_err(crate::database)?;
    let Some(found) = found else {
        return Ok(Outcome::Absent);
    };
    let site_number = found.site_number;
    let going = Going::read(record, &found.subject, found.leaf)?;
    let subject = going.subject;
    let is_held = found.until_ms.is_some_and(|until_ms| until_ms > now_ms);
    let restriction = restriction_in(work, site_number, subject).await?;
    match order {
        Order::Export | Order::Erase if restriction.is_some() => return Ok(Outcome::Restricted),
        Order::Export => {}
        Order::Erase if is_held => return Ok(Outcome::Held),
        Order::Erase => {
            end_hold(work, site_number, record).await?;
            erasure::forget(work, site_number, &[going], now_ms, sign).await?;
        }
        Order::Hold { reason, until_ms } => {
            sqlx::query!(
                "insert into legal_hold (site_number, record_id, reason, held_at_ms, until_ms)
                values ($1, $2, $3, $4, $5)
                on conflict (site_number, record_id)
                do update set reason = excluded.reason, held_at_ms = excluded.held_at_ms,
                    until_ms = excluded.until_ms",
                site_number,
                record,
                reason,
                now_ms,
                *until_ms,
            )
            .execute(&mut *work)
            .await
            .map_err(crate::database)?;
        }
        Order::LiftHold if !is_held => return Ok(Outcome::Unchanged),
        Order::LiftHold => end_hold(work, site_number, record).await?,
        Order::Restrict if restriction.is_some() => return Ok(Outcome::Unchanged),
        Order::Restrict => {
            set_restriction(work, site_number, subject, AskedBy::Owner, now_ms).await?;
        }
        Order::LiftRestriction => match restriction.map(|restriction| restriction.asked_by) {
            None => return Ok(Outcome::Unchanged),
            Some(AskedBy::Visitor) => return Ok(Outcome::Restricted),
            Some(AskedBy::Owner) => {
                end_restriction(work, site_number, subject).await?;
            }
        },
    }
    write_trail(work, site_number, Some(owner), order.deed(), record, now_ms).await?;
    if *order == Order::LiftHold && found.erasure_asked_at_ms.is_some() {
        let going = Going::read(record, &found.subject, found.leaf)?;
        erasure::forget(work, site_number, &[going], now_ms, sign).await?;
        write_trail(work, site_number, None, Deed::Erase, record, now_ms).await?;
    }
    Ok(Outcome::Done)
}

pub(crate) async fn trail(database: &Database, site: &str, limit: u32) -> Result<Vec<TrailEntry>> {
    let at = |column| Cell {
        table: "trail",
        column,
    };
    let mut view = database.view().await?;
    let found = sqlx::query!(
        r#"select at_ms, email as "email?", deed, record_id
        from (
            select *
            from trail
            where site_number = (select number from site where id = $1)
            order by number desc
            limit $2
        ) as trail
        left join owner on owner.id = owner_id
        order by trail.number desc"#,
        site,
        i64::from(limit),
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    found
        .into_iter()
        .map(|row| {
            Ok(TrailEntry {
                at_ms: row.at_ms,
                owner: row.email,
                deed: Deed::from_id(&row.deed)
                    .ok_or_else(|| at("deed").inconsistent(format!("unknown: {}", row.deed)))?,
                record: row.record_id,
            })
        })
        .collect()
}
