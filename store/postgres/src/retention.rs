//! Records that are kept for too long, and holds that have ended.

use assent_store::{Batched, Deed, Due, Result, RetentionRun, SignErasure, cell::Cell};
use uuid::Uuid;

use crate::{
    connection::{Database, Lock, Work},
    custody::{self, site_number},
    erasure::{self, Going},
};

pub(crate) async fn erase_due(
    database: &Database,
    site: &str,
    due: &Due,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<Batched> {
    let mut work = database.begin(vec![Lock::log(site)]).await?;
    let batched = match site_number(&mut work, site).await? {
        Some(site_number) => erase_batch(&mut work, site_number, due, now_ms, sign).await?,
        None => Batched::default(),
    };
    work.end().await?;
    Ok(batched)
}

async fn erase_batch(
    work: &mut Work,
    site_number: i32,
    due: &Due,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<Batched> {
    let (waited, holds_remain) = end_holds(work, site_number, due.limit, now_ms, sign).await?;
    let (from_ms, behind) = due.after.unwrap_or((i64::MIN, Uuid::nil()));
    let rows = sqlx::query!(
        r#"select record.id, record.subject, leaf, expires_at_ms,
            (record_id is not null or restriction.subject is not null) as "is_spared!"
        from record
        left join legal_hold
            on legal_hold.site_number = record.site_number and record_id = record.id
        left join restriction
            on restriction.site_number = record.site_number and restriction.subject = record.subject
        where record.site_number = $1 and (expires_at_ms, record.id) > ($2::bigint, $3::uuid) and expires_at_ms <= $4
        order by expires_at_ms, record.id
        limit $5"#,
        site_number,
        from_ms,
        behind,
        due.expired_by_ms,
        i64::from(due.limit),
    )
    .fetch_all(&mut *work)
    .await
    .map_err(crate::database)?;
    let next = rows
        .last()
        .filter(|_| rows.len() == due.limit as usize)
        .map(|last| (last.expires_at_ms, last.id));
    let looked_at = rows.len() as u64;
    let going = rows
        .into_iter()
        .filter(|row| !row.is_spared)
        .map(|row| Going::read(row.id, &row.subject, row.leaf))
        .collect::<Result<Vec<_>>>()?;
    erasure::forget(work, site_number, &going, now_ms, sign).await?;
    let erased = going.len() as u64;
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
    work: &mut Work,
    site_number: i32,
    limit: u32,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<(u64, bool)> {
    let ended = sqlx::query!(
        "select record_id, subject, leaf, erasure_asked_at_ms
        from legal_hold
        join record on record.site_number = legal_hold.site_number and record.id = record_id
        where legal_hold.site_number = $1 and until_ms <= $2
        order by until_ms
        limit $3",
        site_number,
        now_ms,
        i64::from(limit),
    )
    .fetch_all(&mut *work)
    .await
    .map_err(crate::database)?;
    let is_full = ended.len() == limit as usize;
    let mut going = Vec::new();
    for row in ended {
        let record = Going::read(row.record_id, &row.subject, row.leaf)?;
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
    database: &Database,
    site: &str,
    ran_at_ms: i64,
    erased: u64,
    spared: u64,
) -> Result<()> {
    let mut work = database.begin(Vec::new()).await?;
    sqlx::query!(
        "insert into retention (site_number, ran_at_ms, erased, spared, erased_in_all)
        select number, $2::bigint, $3::bigint, $4::bigint, $3::bigint from site where id = $1
        on conflict (site_number) do update set ran_at_ms = excluded.ran_at_ms, erased = excluded.erased,
            spared = excluded.spared, erased_in_all = retention.erased_in_all + excluded.erased",
        site,
        ran_at_ms,
        i64::try_from(erased).unwrap_or(i64::MAX),
        i64::try_from(spared).unwrap_or(i64::MAX),
    )
    .execute(&mut work)
    .await
    .map_err(crate::database)?;
    work.end().await
}

pub(crate) async fn last(database: &Database, site: &str) -> Result<Option<RetentionRun>> {
    let at = |column| Cell {
        table: "retention",
        column,
    };
    let mut view = database.view().await?;
    let row = sqlx::query!(
        "select ran_at_ms, erased, spared, erased_in_all
        from site
        join retention on site_number = site.number
        where site.id = $1",
        site,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    row.map(|row| {
        Ok(RetentionRun {
            ran_at_ms: row.ran_at_ms,
            erased: at("erased").number(row.erased)?,
            spared: at("spared").number(row.spared)?,
            erased_in_all: at("erased_in_all").number(row.erased_in_all)?,
        })
    })
    .transpose()
}
