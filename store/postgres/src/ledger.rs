//! The logs. Entries are appended with their records (`append`).

use assent_consent::ledger::{merkle, tile};
use assent_store::{Result, SignedHead, StoreError, cell::Cell, row::HeadRow};

use crate::{
    connection::{Database, Work},
    database,
};

const SIZE: Cell = Cell {
    table: "ledger_part",
    column: "first",
};
const HASHES: Cell = Cell {
    table: "ledger_part",
    column: "body",
};

/// A site's log as it is before a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    pub(crate) site_number: i32,
    pub(crate) size: u64,
}

impl Log {
    /// `end` is that of the log's last part.
    pub(crate) fn new(site_number: i32, end: Option<i64>) -> Result<Self> {
        let size = SIZE.number(end.unwrap_or(0))?;
        Ok(Self { site_number, size })
    }
}

/// What is added to tiles: for each part its site, level, the index of its first hash, and the hashes.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) site_numbers: Vec<i32>,
    pub(crate) levels: Vec<i16>,
    pub(crate) firsts: Vec<i64>,
    pub(crate) bodies: Vec<Vec<u8>>,
}

/// Works out what entries add to a log: to its last tile, and where a tile becomes full, its root to the level above.
pub(crate) async fn grow(work: &mut Work, log: Log, entries: Vec<[u8; 32]>, parts: &mut Parts) -> Result<()> {
    let (mut size, mut added) = (log.size, entries);
    let mut level: u8 = 0;
    while !added.is_empty() {
        let mut above = Vec::new();
        let mut end = size;
        let mut rest = added.as_slice();
        while !rest.is_empty() {
            let first = end;
            let free = usize::try_from(tile::WIDTH - first % tile::WIDTH).unwrap_or(rest.len());
            let (part, others) = rest.split_at(free.min(rest.len()));
            end += part.len() as u64;
            rest = others;
            if end % tile::WIDTH == 0 {
                let mut body = full_tile(&mut *work, log.site_number, level, end - tile::WIDTH).await?;
                body.extend_from_slice(part.as_flattened());
                let hashes = tile::hashes(&body)
                    .filter(|hashes| hashes.len() as u64 == tile::WIDTH)
                    .ok_or_else(|| {
                        HASHES.inconsistent(format!("a part is missing of {first}, level {level}"))
                    })?;
                let is_entries = level == 0;
                let root = merkle::root(
                    hashes
                        .into_iter()
                        .map(|hash| if is_entries { merkle::leaf(&hash.0) } else { hash }),
                );
                above.push(root.0);
            }
            parts.site_numbers.push(log.site_number);
            parts.levels.push(level.into());
            parts
                .firsts
                .push(i64::try_from(first).map_err(|error| StoreError::Database(error.into()))?);
            parts.bodies.push(part.as_flattened().to_vec());
        }
        size /= tile::WIDTH;
        added = above;
        level += 1;
    }
    Ok(())
}

/// What is stored of a tile that is about to become full.
async fn full_tile(work: &mut Work, site_number: i32, level: u8, first: u64) -> Result<Vec<u8>> {
    let first = i64::try_from(first).unwrap_or(i64::MAX);
    let body = sqlx::query_scalar!(
        "select string_agg(body, ''::bytea order by first)
        from ledger_part
        where site_number = $1 and level = $2 and first >= $3",
        site_number,
        i16::from(level),
        first,
    )
    .fetch_one(work)
    .await
    .map_err(database)?;
    Ok(body.unwrap_or_default())
}

/// A site's log in a transaction; `None` if the site is not published.
pub(crate) async fn log(work: &mut Work, site: &str) -> Result<Option<Log>> {
    let row = sqlx::query!(
        r#"select
            number,
            (
                select first + length(body) / 32
                from ledger_part
                where site_number = number and level = 0
                order by first desc
                limit 1
            ) as "end: i64"
        from site
        where id = $1"#,
        site,
    )
    .fetch_optional(work)
    .await
    .map_err(database)?;
    row.map(|row| Log::new(row.number, row.end)).transpose()
}

/// A log's size.
pub(crate) async fn size(database: &Database, site: &str) -> Result<u64> {
    let mut view = database.view().await?;
    let end = sqlx::query_scalar!(
        r#"select first + length(body) / 32 as "end!"
        from ledger_part
        where site_number = (select number from site where id = $1) and level = 0
        order by first desc
        limit 1"#,
        site,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    SIZE.number(end.unwrap_or(0))
}

pub(crate) async fn tile(database: &Database, site: &str, level: u8, number: u64) -> Result<Option<Vec<u8>>> {
    let width = i64::try_from(tile::WIDTH).unwrap_or(i64::MAX);
    let Some((first, end)) = i64::try_from(number)
        .ok()
        .and_then(|number| number.checked_mul(width))
        .and_then(|first| Some((first, first.checked_add(width)?)))
    else {
        return Ok(None);
    };
    let mut view = database.view().await?;
    let body = sqlx::query_scalar!(
        "select string_agg(body, ''::bytea order by first)
        from site
        join ledger_part on ledger_part.site_number = site.number
        where site.id = $1 and level = $2 and first >= $3 and first < $4",
        site,
        i16::from(level),
        first,
        end,
    )
    .fetch_one(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    Ok(body)
}

pub(crate) async fn put_head(database: &Database, site: &str, head: &SignedHead) -> Result<()> {
    let mut work = database.begin(Vec::new()).await?;
    sqlx::query!(
        "insert into checkpoint (site_number, size, note, made_at_ms)
        select number, $2::bigint, $3::text, $4::bigint from site where id = $1
        on conflict (site_number, size) do nothing",
        site,
        i64::try_from(head.size).unwrap_or(i64::MAX),
        head.note,
        head.made_at_ms,
    )
    .execute(&mut work)
    .await
    .map_err(crate::database)?;
    work.end().await
}

pub(crate) async fn last_head(database: &Database, site: &str) -> Result<Option<SignedHead>> {
    let mut view = database.view().await?;
    let row = sqlx::query_as!(
        HeadRow,
        "select size, note, made_at_ms
        from checkpoint
        where site_number = (select number from site where id = $1)
        order by size desc
        limit 1",
        site,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    row.map(HeadRow::read).transpose()
}

pub(crate) async fn heads(database: &Database, site: &str, from: u64, limit: u32) -> Result<Vec<SignedHead>> {
    let mut view = database.view().await?;
    let rows = sqlx::query_as!(
        HeadRow,
        "select size, note, made_at_ms
        from checkpoint
        where site_number = (select number from site where id = $1) and size >= $2
        order by size
        limit $3",
        site,
        i64::try_from(from).unwrap_or(i64::MAX),
        i64::from(limit),
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    rows.into_iter().map(HeadRow::read).collect()
}
