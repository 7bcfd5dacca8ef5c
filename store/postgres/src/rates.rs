//! The roll-up from which the consent rates are read.

use std::collections::BTreeMap;

use assent_store::{Count, Measure, OrganisationId, RateRow, Rates, Result, cell::Cell};

use crate::connection::Database;

/// Counts by cell, to be written with the records that they count.
#[derive(Default)]
pub(crate) struct Totals<'a>(BTreeMap<&'a Count, i64>);

/// The columns of [`Totals`].
#[derive(Default)]
pub(crate) struct TotalColumns<'a> {
    pub(crate) sites: Vec<&'a str>,
    pub(crate) hours: Vec<i32>,
    pub(crate) revisions: Vec<i64>,
    pub(crate) rules: Vec<&'a str>,
    pub(crate) languages: Vec<&'a str>,
    pub(crate) devices: Vec<&'a str>,
    pub(crate) measures: Vec<&'a str>,
    pub(crate) totals: Vec<i64>,
}

impl<'a> Totals<'a> {
    pub(crate) fn add(&mut self, counts: &'a [Count]) {
        for count in counts {
            *self.0.entry(count).or_default() += 1;
        }
    }

    /// In one order for all, so that no two who add to the same cells wait for each other.
    pub(crate) fn columns(&self) -> TotalColumns<'a> {
        let mut columns = TotalColumns::default();
        for (count, total) in &self.0 {
            columns.sites.push(&count.site);
            columns.hours.push(count.hour);
            columns.revisions.push(count.revision.into());
            columns.rules.push(&count.rule);
            columns.languages.push(&count.language);
            columns.devices.push(count.device);
            columns.measures.push(count.measure.id());
            columns.totals.push(*total);
        }
        columns
    }
}

pub(crate) async fn rates(
    database: &Database,
    organisation: OrganisationId,
    site: &str,
    from_day: i32,
    to_day: i32,
) -> Result<Rates> {
    let mut view = database.view().await?;
    let rows = sqlx::query!(
        r#"select hour / 24 as "day!", measure, sum(total)::bigint as "total!"
        from site
        join rollup on rollup.site_number = site.number
        where site.id = $1 and organisation_id = $2 and hour between $3::bigint and $4::bigint
        group by hour / 24, measure
        order by hour / 24"#,
        site,
        organisation.0,
        i64::from(from_day) * 24,
        i64::from(to_day) * 24 + 23,
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    let at = |column| Cell {
        table: "rollup",
        column,
    };
    let mut rates = Rates::default();
    for row in rows {
        let measure = Measure::from_id(&row.measure)
            .ok_or_else(|| at("measure").inconsistent(format!("unknown: {}", row.measure)))?;
        if rates.days.last().is_none_or(|last| last.day != row.day) {
            rates.days.push(RateRow::new(row.day));
        }
        if let Some(last) = rates.days.last_mut() {
            last.add(measure, at("total").number(row.total)?);
        }
    }
    Ok(rates)
}
