//! Third parties that pages loaded without consent.

use std::collections::{BTreeMap, HashSet};

use assent_store::{
    Kinds, OrganisationId, Result, Sighting, ThirdPartyDay, WaitsFor,
    cell::Cell,
    third_parties::{DAYS_KEPT, PER_DAY_MAX},
};

use crate::connection::{Database, Lock};

/// What is added to the table.
#[derive(Default)]
struct Columns<'a> {
    sites: Vec<&'a str>,
    days: Vec<i32>,
    hosts: Vec<&'a str>,
    waits_for: Vec<&'a str>,
    kinds: Vec<i32>,
    page_views: Vec<i64>,
}

pub(crate) async fn add(database: &Database, sightings: &[Sighting]) -> Result<()> {
    let mut days: BTreeMap<_, BTreeMap<_, (Kinds, i64)>> = BTreeMap::new();
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
    // How many a day has is counted here, so nobody else may add to it.
    let locks = days.keys().map(|(site, _)| Lock::third_parties(site)).collect();
    let mut work = database.begin(locks).await?;
    let mut new = Columns::default();
    for ((site, day), found) in &days {
        let known: HashSet<(String, String)> = sqlx::query!(
            "select host, waits_for
            from site
            join third_party on third_party.site_number = site.number
            where site.id = $1 and day = $2",
            site,
            day,
        )
        .fetch_all(&mut work)
        .await
        .map_err(crate::database)?
        .into_iter()
        .map(|row| (row.host, row.waits_for))
        .collect();
        if known.is_empty() {
            sqlx::query!(
                "delete from third_party
                where site_number = (select number from site where id = $1) and day <= $2::bigint",
                site,
                i64::from(*day) - i64::from(DAYS_KEPT),
            )
            .execute(&mut work)
            .await
            .map_err(crate::database)?;
        }
        let mut free = PER_DAY_MAX.saturating_sub(known.len());
        for ((host, waits_for), (kinds, page_views)) in found {
            if !known.contains(&((*host).to_owned(), (*waits_for).to_owned())) {
                if free == 0 {
                    continue;
                }
                free -= 1;
            }
            new.sites.push(site);
            new.days.push(*day);
            new.hosts.push(host);
            new.waits_for.push(waits_for);
            new.kinds.push(kinds.bits().into());
            new.page_views.push(*page_views);
        }
    }
    sqlx::query!(
        "insert into third_party (site_number, day, host, waits_for, kinds, page_views)
        select site.number, new.day, new.host, new.waits_for, new.kinds, new.page_views
        from unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::integer[], $6::bigint[])
            as new (site, day, host, waits_for, kinds, page_views)
        join site on site.id = new.site
        on conflict (site_number, day, host, waits_for)
        do update set
            kinds = third_party.kinds | excluded.kinds,
            page_views = third_party.page_views + excluded.page_views",
        &new.sites as _,
        &new.days,
        &new.hosts as _,
        &new.waits_for as _,
        &new.kinds,
        &new.page_views,
    )
    .execute(&mut work)
    .await
    .map_err(crate::database)?;
    work.end().await
}

pub(crate) async fn read(
    database: &Database,
    organisation: OrganisationId,
    site: &str,
    from_day: i32,
    to_day: i32,
) -> Result<Vec<ThirdPartyDay>> {
    let mut view = database.view().await?;
    let rows = sqlx::query!(
        "select day, host, waits_for, kinds, page_views
        from site
        join third_party on third_party.site_number = site.number
        where site.id = $1 and organisation_id = $2 and day between $3 and $4
        order by day, host, waits_for",
        site,
        organisation.0,
        from_day,
        to_day,
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    let at = |column| Cell {
        table: "third_party",
        column,
    };
    rows.into_iter()
        .map(|row| {
            Ok(ThirdPartyDay {
                day: row.day,
                host: row.host,
                waits_for: WaitsFor::from_id(&row.waits_for)
                    .ok_or_else(|| at("waits_for").inconsistent(format!("unknown: {}", row.waits_for)))?,
                kinds: Kinds::from_bits(at("kinds").number(row.kinds.into())?)
                    .ok_or_else(|| at("kinds").inconsistent(format!("unknown: {}", row.kinds)))?,
                page_views: at("page_views").number(row.page_views)?,
            })
        })
        .collect()
}
