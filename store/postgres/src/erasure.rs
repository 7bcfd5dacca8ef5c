//! Erased records: the row goes, and two things stay that do not know of each other, when an entry's record was erased
//! and a hash of the record's id.

use assent_consent::record::Subject;
use assent_store::{Erasure, Result, cell::Cell, trace};
use uuid::Uuid;

use crate::connection::{Database, Lock};

pub(crate) async fn erase(
    database: &Database,
    site: &str,
    subject: Subject,
    only: Option<Uuid>,
    now_ms: i64,
) -> Result<Vec<Uuid>> {
    // Nobody finds an id stored and, a moment later, neither stored nor erased.
    let mut work = database.begin(vec![Lock::log(site)]).await?;
    let rows = sqlx::query!(
        "delete from record
        where site_number = (select number from site where site.id = $1)
            and subject = $2
            and ($3::uuid is null or id = $3)
        returning site_number, id, leaf",
        site,
        &subject.0,
        only,
    )
    .fetch_all(&mut work)
    .await
    .map_err(crate::database)?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let site_numbers: Vec<i32> = rows.iter().map(|row| row.site_number).collect();
    let leaves: Vec<i64> = rows.iter().map(|row| row.leaf).collect();
    let traces: Vec<[u8; 16]> = ids.iter().copied().map(trace).collect();
    if !ids.is_empty() {
        sqlx::query!(
            "insert into erasure (site_number, leaf, erased_at_ms)
            select site_number, leaf, $3::bigint
            from unnest($1::integer[], $2::bigint[]) as new (site_number, leaf)",
            &site_numbers,
            &leaves,
            now_ms,
        )
        .execute(&mut work)
        .await
        .map_err(crate::database)?;
        sqlx::query!(
            "insert into erased_id (site_number, trace) select * from unnest($1::integer[], $2::bytea[])",
            &site_numbers,
            &traces as _,
        )
        .execute(&mut work)
        .await
        .map_err(crate::database)?;
    }
    work.end().await?;
    Ok(ids)
}

pub(crate) async fn is_erased(database: &Database, site: &str, id: Uuid) -> Result<bool> {
    let mut view = database.view().await?;
    let is_erased = sqlx::query_scalar!(
        r#"select exists (
            select 1 from site join erased_id on site_number = site.number
            where site.id = $1 and trace = $2
        ) as "is_erased!""#,
        site,
        &trace(id),
    )
    .fetch_one(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    Ok(is_erased)
}

pub(crate) async fn erasures(database: &Database, site: &str, from: u64, limit: u32) -> Result<Vec<Erasure>> {
    let at = Cell {
        table: "erasure",
        column: "leaf",
    };
    let mut view = database.view().await?;
    let rows = sqlx::query!(
        "select leaf, erased_at_ms
        from site
        join erasure on site_number = site.number
        where site.id = $1 and leaf >= $2
        order by leaf
        limit $3",
        site,
        i64::try_from(from).unwrap_or(i64::MAX),
        i64::from(limit),
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    rows.into_iter()
        .map(|row| {
            Ok(Erasure {
                leaf: at.number(row.leaf)?,
                erased_at_ms: row.erased_at_ms,
            })
        })
        .collect()
}
