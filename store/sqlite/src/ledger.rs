//! The logs, as they are read. Entries are appended with their records (`append`).

use assent_store::{Result, SignedHead, StoreError, row::HeadRow};
use sqlx::SqlitePool;

use crate::{cell::Cell, database, writer::Writer};

/// What a log's size is known by.
pub(crate) const SIZE: Cell = Cell {
    table: "ledger_tile",
    column: "body",
};

/// The log's tiles and the records' indices do not fit each other.
pub(crate) fn inconsistent() -> StoreError {
    SIZE.inconsistent("the last tile does not end where the records do".to_owned())
}

/// A log's size.
pub(crate) async fn size(readers: &SqlitePool, site: &str) -> Result<u64> {
    let entries = sqlx::query_scalar!(
        r#"select ledger_tile.number * 256 + length(body) / 32 as "size!: i64"
        from site
        join ledger_tile on ledger_tile.site_number = site.number and level = 0
        where site.id = ?
        order by ledger_tile.number desc
        limit 1"#,
        site,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?;
    SIZE.number(entries.unwrap_or(0))
}

pub(crate) async fn tile(
    readers: &SqlitePool,
    site: &str,
    level: u8,
    number: u64,
) -> Result<Option<Vec<u8>>> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query_scalar!(
        "select body
        from site
        join ledger_tile on ledger_tile.site_number = site.number
        where site.id = ? and level = ? and ledger_tile.number = ?",
        site,
        level,
        number,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)
}

pub(crate) async fn put_head(writer: &Writer, site: &str, head: &SignedHead) -> Result<()> {
    let entries = i64::try_from(head.size).unwrap_or(i64::MAX);
    sqlx::query!(
        "insert into checkpoint (site_number, size, note, made_at_ms)
        select number, ?, ?, ? from site where id = ?
        on conflict (site_number, size) do nothing",
        entries,
        head.note,
        head.made_at_ms,
        site,
    )
    .execute(&mut writer.lock().await?.connection)
    .await
    .map_err(database)?;
    Ok(())
}

pub(crate) async fn last_head(readers: &SqlitePool, site: &str) -> Result<Option<SignedHead>> {
    sqlx::query_as!(
        HeadRow,
        "select size, note, made_at_ms
        from site
        join checkpoint on site_number = site.number
        where site.id = ?
        order by size desc
        limit 1",
        site,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?
    .map(HeadRow::read)
    .transpose()
}

pub(crate) async fn heads(
    readers: &SqlitePool,
    site: &str,
    from: u64,
    limit: u32,
) -> Result<Vec<SignedHead>> {
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    sqlx::query_as!(
        HeadRow,
        "select size, note, made_at_ms
        from site
        join checkpoint on site_number = site.number
        where site.id = ? and size >= ?
        order by size
        limit ?",
        site,
        from,
        limit,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(HeadRow::read)
    .collect()
}
