//! What records and banners count as, added to the roll-up from which the consent rates are read.

use std::collections::BTreeMap;

use assent_store::{Count, Result};
use rusqlite::{Transaction, params};

use super::failed;

pub(super) const ADD: &str =
    "insert into rollup (site_number, hour, revision, rule, language, device, measure, total)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    on conflict (site_number, hour, revision, rule, language, device, measure)
    do update set total = total + excluded.total";

/// Counts by cell, each with its site's number.
#[derive(Default)]
pub(super) struct Totals<'a>(BTreeMap<&'a Count, (i64, i64)>);

impl<'a> Totals<'a> {
    pub(super) fn add(&mut self, site_number: i64, counts: &'a [Count]) {
        for count in counts {
            self.0.entry(count).or_insert((site_number, 0)).1 += 1;
        }
    }

    pub(super) fn write(self, work: &Transaction<'_>) -> Result<()> {
        let mut add = work.prepare_cached(ADD).map_err(failed)?;
        for (count, (site_number, total)) in self.0 {
            add.execute(params![
                site_number,
                count.hour,
                count.revision,
                count.rule,
                count.language,
                count.device,
                count.measure.id(),
                total,
            ])
            .map_err(failed)?;
        }
        Ok(())
    }
}
