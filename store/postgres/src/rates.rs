//! The roll-up from which the consent rates are read.

use std::collections::BTreeMap;

use assent_store::{Count, Measure, OrganisationId, RateRow, Rates, Result, cell::Cell};

use crate::{
    connection::{Database, Work},
    database,
};

/// Adds counts in the transaction of the records that they count.
pub(crate) async fn add(work: &mut Work, counts: &[&Count]) -> Result<()> {
    let mut totals: BTreeMap<&Count, i64> = BTreeMap::new();
    for count in counts {
        *totals.entry(count).or_default() += 1;
    }
    if totals.is_empty() {
        return Ok(());
    }
    let sites: Vec<&str> = totals.keys().map(|count| count.site.as_str()).collect();
    let hours: Vec<i32> = totals.keys().map(|count| count.hour).collect();
    let revisions: Vec<i64> = totals.keys().map(|count| count.revision.into()).collect();
    let rules: Vec<&str> = totals.keys().map(|count| count.rule.as_str()).collect();
    let languages: Vec<&str> = totals.keys().map(|count| count.language.as_str()).collect();
    let devices: Vec<&str> = totals.keys().map(|count| count.device).collect();
    let measures: Vec<&str> = totals.keys().map(|count| count.measure.id()).collect();
    let totals: Vec<i64> = totals.into_values().collect();
    sqlx::query!(
        "insert into rollup (site_number, hour, revision, rule, language, device, measure, total)
        select site.number, new.hour, new.revision, new.rule, new.language, new.device, new.measure, new.total
        from unnest(
            $1::text[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[]
        ) as new (site, hour, revision, rule, language, device, measure, total)
        join site on site.id = new.site
        on conflict (site_number, hour, revision, rule, language, device, measure)
        do update set total = rollup.total + excluded.total",
        &sites as _,
        &hours,
        &revisions,
        &rules as _,
        &languages as _,
        &devices as _,
        &measures as _,
        &totals,
    )
    .execute(work)
    .await
    .map_err(database)?;
    Ok(())
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
        let measure = Measure::ALL
            .into_iter()
            .find(|measure| measure.id() == row.measure)
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
