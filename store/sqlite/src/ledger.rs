//! The logs: entries are appended in the transaction of their records.

use std::collections::HashMap;

use assent_consent::ledger::{merkle, tile};
use assent_store::{NewRecord, Result, SignedHead, StoreError};
use sqlx::{SqliteConnection, SqliteExecutor, SqlitePool};

use crate::{cell::Cell, database, json, records::NotAppended, writer::Writer};

const SIZE: Cell = Cell {
    table: "ledger_tile",
    column: "body",
};

/// A site's log as it is before a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    pub(crate) site_number: i64,
    pub(crate) size: u64,
}

/// Learns the logs of these sites that are not known yet; sites that are not published have none.
pub(crate) async fn learn(
    work: &mut SqliteConnection,
    logs: &mut HashMap<String, Log>,
    mut sites: Vec<&str>,
) -> Result<()> {
    sites.sort_unstable();
    sites.dedup();
    sites.retain(|site| !logs.contains_key(*site));
    if sites.is_empty() {
        return Ok(());
    }
    let sites = json(&sites)?;
    let rows = sqlx::query!(
        r#"select
            site.id as site,
            site.number as "site_number!",
            (
                select ledger_tile.number * 256 + length(body) / 32
                from ledger_tile
                where ledger_tile.site_number = site.number and level = 0
                order by ledger_tile.number desc
                limit 1
            ) as "size: i64"
        from jsonb_each(?) as wanted
        cross join site on site.id = wanted.value"#,
        sites,
    )
    .fetch_all(work)
    .await
    .map_err(database)?;
    for row in rows {
        let log = Log {
            site_number: row.site_number,
            size: SIZE.number(row.size.unwrap_or(0))?,
        };
        logs.insert(row.site, log);
    }
    Ok(())
}

/// Appends the entries of records, which stand in the order of their indices.
pub(crate) async fn extend(
    work: &mut SqliteConnection,
    logs: &mut HashMap<String, Log>,
    records: &[&NewRecord],
) -> Result<(), NotAppended> {
    let mut entries: HashMap<&str, Vec<[u8; 32]>> = HashMap::new();
    for new in records {
        entries.entry(&new.record.site).or_default().push(new.commitment);
    }
    let mut added = Vec::with_capacity(entries.len());
    for (site, entries) in entries {
        if let Some(log) = logs.get_mut(site) {
            let before = *log;
            log.size += entries.len() as u64;
            added.push((before, entries));
        }
    }
    add(work, added).await
}

/// Appends entries to logs.
pub(crate) async fn add(
    work: &mut SqliteConnection,
    added: Vec<(Log, Vec<[u8; 32]>)>,
) -> Result<(), NotAppended> {
    let mut parts = Vec::new();
    for (log, entries) in added {
        grow(work, log, entries, &mut parts).await?;
    }
    if parts.is_empty() {
        return Ok(());
    }
    let rows = json(&parts)?;
    // Blobs put together are text to SQLite, whatever their bytes. A tile of another length than is known is left.
    let grown = sqlx::query!(
        "insert into ledger_tile (site_number, level, number, body)
        select new.value ->> 0, new.value ->> 1, new.value ->> 2, unhex(new.value ->> 4)
        from jsonb_each(?1) as new
        where true
        on conflict (site_number, level, number)
        do update set body = cast(body || excluded.body as blob)
        where length(body) = (
            select 32 * (new.value ->> 3) from jsonb_each(?1) as new
            where new.value ->> 0 = excluded.site_number
                and new.value ->> 1 = excluded.level
                and new.value ->> 2 = excluded.number
        )",
        rows,
    )
    .execute(work)
    .await
    .map_err(database)?;
    if grown.rows_affected() == parts.len() as u64 {
        Ok(())
    } else {
        Err(NotAppended::Stale)
    }
}

/// The log's tiles and the records' indices do not fit each other.
pub(crate) fn inconsistent() -> StoreError {
    SIZE.inconsistent("the last tile does not end where the records do".to_owned())
}

/// What is added to a tile: site, level, number, how many hashes it has before, and those added in hexadecimal digits.
type Part = (i64, u8, u64, u64, String);

/// Appends to one log: to its last tile of entries, and where a tile becomes full, its root to the level above.
async fn grow(
    work: &mut SqliteConnection,
    log: Log,
    entries: Vec<[u8; 32]>,
    parts: &mut Vec<Part>,
) -> Result<(), NotAppended> {
    let (mut size, mut added) = (log.size, entries);
    let mut level = 0;
    while !added.is_empty() {
        let mut above = Vec::new();
        let mut end = size;
        let mut rest = added.as_slice();
        while !rest.is_empty() {
            let number = end / tile::WIDTH;
            let before = end % tile::WIDTH;
            let free = usize::try_from(tile::WIDTH - before).unwrap_or(rest.len());
            let (part, others) = rest.split_at(free.min(rest.len()));
            end += part.len() as u64;
            rest = others;
            if end % tile::WIDTH == 0 {
                let mut body = read_tile(&mut *work, log.site_number, level, number)
                    .await?
                    .unwrap_or_default();
                body.extend_from_slice(part.as_flattened());
                let hashes = tile::hashes(&body)
                    .filter(|hashes| hashes.len() as u64 == tile::WIDTH)
                    .ok_or(NotAppended::Stale)?;
                let is_entries = level == 0;
                let root = merkle::root(
                    hashes
                        .into_iter()
                        .map(|hash| if is_entries { merkle::leaf(&hash.0) } else { hash }),
                );
                above.push(root.0);
            }
            parts.push((
                log.site_number,
                level,
                number,
                before,
                hex::encode(part.as_flattened()),
            ));
        }
        size /= tile::WIDTH;
        added = above;
        level += 1;
    }
    Ok(())
}

async fn read_tile(
    database_view: impl SqliteExecutor<'_>,
    site_number: i64,
    level: u8,
    number: u64,
) -> Result<Option<Vec<u8>>> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query_scalar!(
        "select body from ledger_tile where site_number = ? and level = ? and number = ?",
        site_number,
        level,
        number,
    )
    .fetch_optional(database_view)
    .await
    .map_err(database)
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

struct HeadRow {
    size: i64,
    note: String,
    made_at_ms: i64,
}

impl HeadRow {
    fn read(self) -> Result<SignedHead> {
        let at = Cell {
            table: "checkpoint",
            column: "size",
        };
        Ok(SignedHead {
            size: at.number(self.size)?,
            note: self.note,
            made_at_ms: self.made_at_ms,
        })
    }
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
