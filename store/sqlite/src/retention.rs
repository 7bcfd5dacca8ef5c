//! Records that are kept for too long, and holds that have ended.

use assent_store::{Batched, Deed, Due, Result, RetentionRun, SignErasure};
use sqlx::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use crate::{
    cell::Cell,
    custody::{self, site_number},
    database,
    erasure::{self, Going},
    writer::Writer,
};

pub(crate) async fn erase_due(
    writer: &Writer,
    site: &str,
    due: &Due,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<Batched> {
    let mut writing = writer.lock().await?;
    let mut work = writing.begin().await?;
    let Some(site_number) = site_number(&mut work, site).await? else {
        return Ok(Batched::default());
    };
    let (waited, holds_remain) = end_holds(&mut work, site_number, due.limit, now_ms, sign).await?;
    let (from_ms, behind) = due.after.unwrap_or((i64::MIN, Uuid::nil()));
    let behind = behind.as_bytes().as_slice();
    let rows = sqlx::query!(
        r#"select id, subject, leaf, expires_at_ms, (
            exists (
                select 1 from legal_hold
                where legal_hold.site_number = record.site_number and record_id = record.id
            ) or exists (
                select 1 from restriction
                where restriction.site_number = record.site_number and restriction.subject = record.subject
            )
        ) as "is_spared!: bool"
        from record
        where site_number = ? and (expires_at_ms, id) > (?, ?) and expires_at_ms <= ?
        order by expires_at_ms, id
        limit ?"#,
        site_number,
        from_ms,
        behind,
        due.expired_by_ms,
        due.limit,
    )
    .fetch_all(&mut *work)
    .await
    .map_err(database)?;
    let at = Cell {
        table: "record",
        column: "id",
    };
    let mut next = None;
    if let Some(last) = rows.last()
        && rows.len() == due.limit as usize
    {
        next = Some((last.expires_at_ms, at.uuid(&last.id)?));
    }
    let looked_at = rows.len() as u64;
    let going = rows
        .into_iter()
        .filter(|row| !row.is_spared)
        .map(|row| Going::read(&row.id, &row.subject, row.leaf))
        .collect::<Result<Vec<_>>>()?;
    erasure::forget(&mut work, site_number, &going, now_ms, sign).await?;
    work.commit().await.map_err(database)?;
    let erased = going.len() as u64;
    if erased + waited > 0 {
        writer.note_erasure();
    }
    Ok(Batched {
        erased: erased + waited,
        spared: looked_at - erased,
        next,
        holds_remain,
    })
}

/// Clears away holds that have ended; returns how many records were erased because their visitors had asked, and whether
/// there may be more.
async fn end_holds(
    work: &mut SqliteConnection,
    site_number: i64,
    limit: u32,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<(u64, bool)> {
    let ended = sqlx::query!(
        "select record_id, subject, leaf, erasure_asked_at_ms
        from legal_hold
        join record on record.site_number = legal_hold.site_number and record.id = record_id
        where legal_hold.site_number = ? and until_ms <= ?
        order by until_ms
        limit ?",
        site_number,
        now_ms,
        limit,
    )
    .fetch_all(&mut *work)
    .await
    .map_err(database)?;
    let is_full = ended.len() == limit as usize;
    let mut going = Vec::new();
    for row in ended {
        let record = Going::read(&row.record_id, &row.subject, row.leaf)?;
        custody::end_hold(work, site_number, record.id).await?;
        if row.erasure_asked_at_ms.is_some() {
            custody::write_trail(work, site_number, None, Deed::Erase, record.id, now_ms).await?;
            going.push(record);
        }
    }
    erasure::forget(work, site_number, &going, now_ms, sign).await?;
    Ok((going.len() as u64, is_full))
}

pub(crate) async fn note(
    writer: &Writer,
    site: &str,
    ran_at_ms: i64,
    erased: u64,
    spared: u64,
) -> Result<()> {
    let erased = i64::try_from(erased).unwrap_or(i64::MAX);
    let spared = i64::try_from(spared).unwrap_or(i64::MAX);
    sqlx::query!(
        "insert into retention (site_number, ran_at_ms, erased, spared, erased_in_all)
        select number, ?2, ?3, ?4, ?3 from site where id = ?1
        on conflict (site_number) do update set ran_at_ms = excluded.ran_at_ms, erased = excluded.erased,
            spared = excluded.spared, erased_in_all = erased_in_all + excluded.erased",
        site,
        ran_at_ms,
        erased,
        spared,
    )
    .execute(&mut writer.lock().await?.connection)
    .await
    .map_err(database)?;
    Ok(())
}

pub(crate) async fn last(readers: &SqlitePool, site: &str) -> Result<Option<RetentionRun>> {
    let at = |column| Cell {
        table: "retention",
        column,
    };
    sqlx::query!(
        "select ran_at_ms, erased, spared, erased_in_all
        from site
        join retention on site_number = site.number
        where site.id = ?",
        site,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?
    .map(|row| {
        Ok(RetentionRun {
            ran_at_ms: row.ran_at_ms,
            erased: at("erased").number(row.erased)?,
            spared: at("spared").number(row.spared)?,
            erased_in_all: at("erased_in_all").number(row.erased_in_all)?,
        })
    })
    .transpose()
}
