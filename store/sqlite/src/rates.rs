//! The roll-up from which the consent rates are read.

use assent_store::{Measure, OrganisationId, RateRow, Rates, Result};
use sqlx::SqlitePool;

use crate::{cell::Cell, database};

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
        let measure = Measure::from_id(&row.measure)
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
