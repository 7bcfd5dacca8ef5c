//! Entries of a log, appended to the tiles in which it is kept.

use assent_consent::ledger::{merkle, tile};
use assent_store::Result;
use rusqlite::{OptionalExtension as _, Transaction};

use super::failed;
use crate::ledger::{SIZE, inconsistent};

/// The last tile of a level.
pub(super) const LAST: &str = "select number, body
    from ledger_tile
    where site_number = ?1 and level = ?2
    order by number desc
    limit 1";

pub(super) const PUT: &str = "insert into ledger_tile (site_number, level, number, body)
    values (?1, ?2, ?3, ?4)
    on conflict (site_number, level, number) do update set body = excluded.body";

/// The end of one level of a log.
pub(super) struct End {
    site_number: i64,
    level: u8,
    /// Which tile comes next, or is not full yet.
    number: i64,
    /// What is in it so far, one hash after the other.
    body: Vec<u8>,
}

impl End {
    /// Reads where a level ends.
    pub(super) fn read(work: &Transaction<'_>, site_number: i64, level: u8) -> Result<Self> {
        let last: Option<(i64, Vec<u8>)> = work
            .prepare_cached(LAST)
            .map_err(failed)?
            .query_row((site_number, level), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(failed)?;
        let (number, body) = match last {
            None => (0, Vec::new()),
            Some((number, body)) if len(&body) == tile::WIDTH => (number + 1, Vec::new()),
            Some(last) => last,
        };
        Ok(Self {
            site_number,
            level,
            number,
            body,
        })
    }

    /// How many hashes the level has.
    pub(super) fn size(&self) -> Result<u64> {
        let number: u64 = SIZE.number(self.number)?;
        Ok(number * tile::WIDTH + len(&self.body))
    }

    /// Appends hashes, and to the level above the root of each tile that becomes full.
    pub(super) fn extend(mut self, work: &Transaction<'_>, mut added: &[[u8; 32]]) -> Result<()> {
        let mut put = work.prepare_cached(PUT).map_err(failed)?;
        let mut above = Vec::new();
        while !added.is_empty() {
            let free = usize::try_from(tile::WIDTH - len(&self.body)).unwrap_or(added.len());
            let (part, rest) = added.split_at(free.min(added.len()));
            added = rest;
            self.body.extend_from_slice(part.as_flattened());
            put.execute((self.site_number, self.level, self.number, &self.body))
                .map_err(failed)?;
            if len(&self.body) == tile::WIDTH {
                let hashes = tile::hashes(&self.body).ok_or_else(inconsistent)?;
                let is_entries = self.level == 0;
                let root = merkle::root(
                    hashes
                        .into_iter()
                        .map(|hash| if is_entries { merkle::leaf(&hash.0) } else { hash }),
                );
                above.push(root.0);
                self.number += 1;
                self.body.clear();
            }
        }
        if above.is_empty() {
            return Ok(());
        }
        Self::read(work, self.site_number, self.level + 1)?.extend(work, &above)
    }
}

/// Hashes in a tile; no more than fit, which its column checks.
fn len(body: &[u8]) -> u64 {
    (body.len() / 32) as u64
}
