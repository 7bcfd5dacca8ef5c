//! The roll-up from which the consent rates are read.

use std::collections::BTreeMap;

use assent_store::{Count, Measure, OrganisationId, RateRow, Rates, Result};
use sqlx::{SqliteConnection, SqlitePool};

use crate::{cell::Cell, database, json};

/// Adds counts in the transaction of the records that they count.
pub(crate) async fn add(work: &mut SqliteConnection, counts: &[&Count]) -> Result<()> {
    let mut totals: BTreeMap<&Count, u64> = BTreeMap::new();
    for count in counts {
        *totals.entry(count).or_default() += 1;
    }
    if totals.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = totals
        .iter()
        .map(|(count, total)| {
            (
                &count.site,
                count.hour,
                count.revision,
                &count.rule,
                &count.language,
                count.device,
                count.measure.id(),
                total,
            )
        })
        .collect();
    let rows = json(&rows)?;
    sqlx::query!(
        "insert into rollup (site_number, hour, revision, rule, language, device, measure, total)
        select
            site.number,
            new.value ->> 1,
            new.value ->> 2,
            new.value ->> 3,
            new.value ->> 4,
            new.value ->> 5,
            new.value ->> 6,
            new.value ->> 7
        from jsonb_each(?) as new
        cross join site on site.id = new.value ->> 0
        where true
        on conflict (site_number, hour, revision, rule, language, device, measure)
        do update set total = total + excluded.total",
        rows,
    )
    .execute(work)
    .await
    .map_err(database)?;
    Ok(())
}

pub(crate) async fn rates(
    readers: &SqlitePool,
    organisation: OrganisationId,
    site: &str,
    from_day: i32,
    to_day: i32,
) -> Result<Rates> {
    let organisation_id = organisation.0.as_bytes().as_slice();
    let from_hour = i64::from(from_day) * 24;
    let to_hour = i64::from(to_day) * 24 + 23;
    let rows = sqlx::query!(
        r#"select hour / 24 as "day!: i64", measure, sum(total) as "total!: i64"
        from site
        join rollup on rollup.site_number = site.number
        where site.id = ? and organisation_id = ? and hour between ? and ?
        group by hour / 24, measure
        order by hour / 24"#,
        site,
        organisation_id,
        from_hour,
        to_hour,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?;
    let at = |column| Cell {
        table: "rollup",
        column,
    };
    let mut rates = Rates::default();
    for row in rows {
        let day = at("hour").number(row.day)?;
        let measure = Measure::ALL
            .into_iter()
            .find(|measure| measure.id() == row.measure)
            .ok_or_else(|| at("measure").inconsistent(format!("unknown: {}", row.measure)))?;
        if rates.days.last().is_none_or(|last| last.day != day) {
            rates.days.push(RateRow::new(day));
        }
        if let Some(last) = rates.days.last_mut() {
            last.add(measure, at("total").number(row.total)?);
        }
    }
    Ok(rates)
}
