//! Third parties that pages loaded without consent.

use std::collections::{BTreeMap, HashSet};

use assent_store::{
    Kinds, OrganisationId, Result, Sighting, ThirdPartyDay, WaitsFor,
    third_parties::{DAYS_KEPT, PER_DAY_MAX},
};
use sqlx::SqlitePool;

use crate::{cell::Cell, database, json, writer::Writer};

pub(crate) async fn add(writer: &Writer, sightings: &[Sighting]) -> Result<()> {
    let mut days: BTreeMap<_, BTreeMap<_, (Kinds, u64)>> = BTreeMap::new();
    for sighting in sightings {
        let found = days.entry((sighting.site.as_str(), sighting.day)).or_default();
        let (kinds, page_views) = found
            .entry((sighting.host.as_str(), sighting.waits_for.id()))
            .or_default();
        *kinds = kinds.and(sighting.kinds);
        *page_views += 1;
    }
    if days.is_empty() {
        return Ok(());
    }
    let mut writing = writer.lock().await?;
    let mut work = writing.begin().await?;
    let mut rows = Vec::new();
    for ((site, day), found) in &days {
        let known: HashSet<(String, String)> = sqlx::query!(
            "select host, waits_for
            from site
            join third_party on third_party.site_number = site.number
            where site.id = ? and day = ?",
            site,
            day,
        )
        .fetch_all(&mut *work)
        .await
        .map_err(database)?
        .into_iter()
        .map(|row| (row.host, row.waits_for))
        .collect();
        if known.is_empty() {
            let last_gone = i64::from(*day) - i64::from(DAYS_KEPT);
            sqlx::query!(
                "delete from third_party
                where site_number = (select number from site where id = ?) and day <= ?",
                site,
                last_gone,
            )
            .execute(&mut *work)
            .await
            .map_err(database)?;
        }
        let mut free = PER_DAY_MAX.saturating_sub(known.len());
        for ((host, waits_for), (kinds, page_views)) in found {
            if !known.contains(&((*host).to_owned(), (*waits_for).to_owned())) {
                if free == 0 {
                    continue;
                }
                free -= 1;
            }
            rows.push((site, day, host, waits_for, kinds.bits(), page_views));
        }
    }
    let rows = json(&rows)?;
    sqlx::query!(
        "insert into third_party (site_number, day, host, waits_for, kinds, page_views)
        select
            site.number,
            new.value ->> 1,
            new.value ->> 2,
            new.value ->> 3,
            new.value ->> 4,
            new.value ->> 5
        from jsonb_each(?) as new
        cross join site on site.id = new.value ->> 0
        where true
        on conflict (site_number, day, host, waits_for)
        do update set kinds = kinds | excluded.kinds, page_views = page_views + excluded.page_views",
        rows,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    work.commit().await.map_err(database)
}

pub(crate) async fn read(
    readers: &SqlitePool,
    organisation: OrganisationId,
    site: &str,
    from_day: i32,
    to_day: i32,
) -> Result<Vec<ThirdPartyDay>> {
    let organisation_id = organisation.0.as_bytes().as_slice();
    let rows = sqlx::query!(
        "select day, host, waits_for, kinds, page_views
        from site
        join third_party on third_party.site_number = site.number
        where site.id = ? and organisation_id = ? and day between ? and ?
        order by day, host, waits_for",
        site,
        organisation_id,
        from_day,
        to_day,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?;
    let at = |column| Cell {
        table: "third_party",
        column,
    };
    rows.into_iter()
        .map(|row| {
            Ok(ThirdPartyDay {
                day: at("day").number(row.day)?,
                host: row.host,
                waits_for: WaitsFor::from_id(&row.waits_for)
                    .ok_or_else(|| at("waits_for").inconsistent(format!("unknown: {}", row.waits_for)))?,
                kinds: Kinds::from_bits(at("kinds").number(row.kinds)?)
                    .ok_or_else(|| at("kinds").inconsistent(format!("unknown: {}", row.kinds)))?,
                page_views: at("page_views").number(row.page_views)?,
            })
        })
        .collect()
}
