//! What moving a data set needs beyond the other operations.

use std::ops::Range;

use assent_consent::{record::Subject, site::SiteConfig};
use assent_store::{
    Count, Custody, KeptNotice, Measure, OrganisationId, Owner, Restriction, Result, Revision, StoreError,
    Stretch, ThirdPartyDay, Transfer, cell::Cell, rates, row::RestrictionRow,
};
use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    PostgresStore, append,
    connection::Lock,
    custody, database, in_time, json,
    owners::{self, OwnerRow},
    sites::{self, RevisionRow},
};

#[async_trait]
impl Transfer for PostgresStore {
    async fn organisations(&self) -> Result<Vec<(OrganisationId, String)>> {
        in_time(async {
            let mut view = self.database.view().await?;
            let rows = sqlx::query!("select id, name from organisation order by id")
                .fetch_all(&mut view)
                .await
                .map_err(database)?;
            view.end().await?;
            Ok(rows
                .into_iter()
                .map(|row| (OrganisationId(row.id), row.name))
                .collect())
        })
        .await
    }

    async fn owners(&self) -> Result<Vec<Owner>> {
        in_time(async {
            let mut view = self.database.view().await?;
            let rows = sqlx::query_as!(
                OwnerRow,
                "select id, organisation_id, email, password_hash from owner order by id"
            )
            .fetch_all(&mut view)
            .await
            .map_err(database)?;
            view.end().await?;
            Ok(rows.into_iter().map(Owner::from).collect())
        })
        .await
    }

    async fn revisions(&self, site: &str) -> Result<Vec<Revision>> {
        in_time(async {
            let mut view = self.database.view().await?;
            let rows = sqlx::query_as!(
                RevisionRow,
                "select organisation_id, revision, valid_from, published_at_ms, config
                from site
                join revision on revision.site_number = site.number
                where site.id = $1
                order by revision",
                site,
            )
            .fetch_all(&mut view)
            .await
            .map_err(database)?;
            view.end().await?;
            rows.into_iter().map(RevisionRow::read).collect()
        })
        .await
    }

    async fn notices_of(&self, site: &str, revision: u32) -> Result<Vec<KeptNotice>> {
        in_time(sites::notices_of(&self.database, site, revision)).await
    }

    async fn erased_ids(&self, site: &str, from: [u8; 16], limit: u32) -> Result<Vec<[u8; 16]>> {
        in_time(async {
            let mut view = self.database.view().await?;
            let traces = sqlx::query_scalar!(
                "select trace
                from erased_id
                where site_number = (select number from site where id = $1) and trace >= $2
                order by trace
                limit $3",
                site,
                &from,
                i64::from(limit),
            )
            .fetch_all(&mut view)
            .await
            .map_err(database)?;
            view.end().await?;
            let at = Cell {
                table: "erased_id",
                column: "trace",
            };
            traces.iter().map(|trace| at.bytes(trace)).collect()
        })
        .await
    }

    async fn restrictions(&self, site: &str) -> Result<Vec<(Subject, Restriction)>> {
        in_time(async {
            let mut view = self.database.view().await?;
            let rows = sqlx::query!(
                "select subject, since_ms, asked_by
                from site
                join restriction on site_number = site.number
                where site.id = $1
                order by subject",
                site,
            )
            .fetch_all(&mut view)
            .await
            .map_err(database)?;
            view.end().await?;
            let at = Cell {
                table: "restriction",
                column: "subject",
            };
            rows.into_iter()
                .map(|row| {
                    let restriction = RestrictionRow {
                        since_ms: row.since_ms,
                        asked_by: row.asked_by,
                    };
                    Ok((Subject(at.bytes(&row.subject)?), restriction.read()?))
                })
                .collect()
        })
        .await
    }

    async fn all_superseded(&self, site: &str) -> Result<Vec<Uuid>> {
        in_time(async {
            let mut view = self.database.view().await?;
            let ids = sqlx::query_scalar!(
                "select record_id
                from superseded
                where site_number = (select number from site where id = $1)
                order by record_id",
                site,
            )
            .fetch_all(&mut view)
            .await
            .map_err(database)?;
            view.end().await?;
            Ok(ids)
        })
        .await
    }

    async fn next_hour(&self, site: &str, from: i32) -> Result<Option<i32>> {
        in_time(async {
            let mut view = self.database.view().await?;
            let hour = sqlx::query_scalar!(
                "select hour
                from rollup
                where site_number = (select number from site where id = $1) and hour >= $2
                order by hour
                limit 1",
                site,
                from,
            )
            .fetch_optional(&mut view)
            .await
            .map_err(database)?;
            view.end().await?;
            Ok(hour)
        })
        .await
    }

    async fn cells(&self, site: &str, hours: Range<i32>) -> Result<Vec<(Count, u64)>> {
        in_time(async {
            let mut view = self.database.view().await?;
            let rows = sqlx::query!(
                "select hour, revision, rule, language, device, measure, total
                from site
                join rollup on site_number = site.number
                where site.id = $1 and hour >= $2 and hour < $3
                order by hour",
                site,
                hours.start,
                hours.end,
            )
            .fetch_all(&mut view)
            .await
            .map_err(database)?;
            view.end().await?;
            let at = |column| Cell {
                table: "rollup",
                column,
            };
            rows.into_iter()
                .map(|row| {
                    let count = Count {
                        site: site.to_owned(),
                        hour: row.hour,
                        revision: at("revision").number(row.revision)?,
                        rule: row.rule,
                        language: row.language,
                        device: rates::device(&row.device)
                            .ok_or_else(|| at("device").inconsistent(format!("unknown: {}", row.device)))?,
                        measure: Measure::from_id(&row.measure)
                            .ok_or_else(|| at("measure").inconsistent(format!("unknown: {}", row.measure)))?,
                    };
                    Ok((count, at("total").number(row.total)?))
                })
                .collect()
        })
        .await
    }

    async fn take_owner(&self, owner: &Owner) -> Result<()> {
        in_time(async {
            owners::ensure_owner(&self.database, owner.organisation, owner.id, &owner.email).await?;
            let mut work = self.database.begin(Vec::new()).await?;
            sqlx::query!(
                "update owner set password_hash = $1 where id = $2",
                owner.password_hash,
                owner.id,
            )
            .execute(&mut work)
            .await
            .map_err(database)?;
            work.end().await
        })
        .await
    }

    async fn take_revision(&self, revision: &Revision) -> Result<()> {
        in_time(async {
            let mut work = self.database.begin(Vec::new()).await?;
            let site_number =
                sites::claim_site(&mut work, revision.organisation, &revision.config.id).await?;
            sqlx::query!(
                "insert into revision (site_number, revision, valid_from, published_at_ms, config)
                values ($1, $2, $3, $4, $5)
                on conflict (site_number, revision) do nothing",
                site_number,
                i64::from(revision.number),
                i64::from(revision.valid_from),
                revision.published_at_ms,
                json::<SiteConfig>(&revision.config)?,
            )
            .execute(&mut work)
            .await
            .map_err(database)?;
            let there = sqlx::query_as!(
                RevisionRow,
                "select organisation_id, revision, valid_from, published_at_ms, config
                from revision
                join site on site.number = revision.site_number
                where revision.site_number = $1 and revision = $2",
                site_number,
                i64::from(revision.number),
            )
            .fetch_one(&mut work)
            .await
            .map_err(database)?
            .read()?;
            if there != *revision {
                return Err(StoreError::Different);
            }
            work.end().await
        })
        .await
    }

    async fn take_notices(&self, site: &str, revision: u32, notices: &[KeptNotice]) -> Result<()> {
        in_time(sites::take_notices(&self.database, site, revision, notices)).await
    }

    async fn take_stretch(&self, site: &str, stretch: &Stretch) -> Result<()> {
        in_time(async {
            let mut work = self.database.begin(vec![Lock::log(site)]).await?;
            let site_number = append::take(&mut work, site, stretch).await?;
            let leaves: Vec<i64> = stretch
                .erasures
                .iter()
                .map(|erasure| i64::try_from(erasure.leaf).unwrap_or(i64::MAX))
                .collect();
            let times: Vec<i64> = stretch
                .erasures
                .iter()
                .map(|erasure| erasure.erased_at_ms)
                .collect();
            let signatures: Vec<Vec<u8>> = stretch
                .erasures
                .iter()
                .map(|erasure| erasure.signature.to_vec())
                .collect();
            sqlx::query!(
                "insert into erasure (site_number, leaf, erased_at_ms, signature)
                select $1::integer, leaf, erased_at_ms, signature
                from unnest($2::bigint[], $3::bigint[], $4::bytea[]) as new (leaf, erased_at_ms, signature)",
                site_number,
                &leaves,
                &times,
                &signatures,
            )
            .execute(&mut work)
            .await
            .map_err(database)?;
            work.end().await
        })
        .await
    }

    async fn take_erased_ids(&self, site: &str, traces: &[[u8; 16]]) -> Result<()> {
        in_time(async {
            let mut work = self.database.begin(Vec::new()).await?;
            sqlx::query!(
                "insert into erased_id (site_number, trace)
                select number, trace from site, unnest($2::bytea[]) as new (trace) where id = $1
                on conflict do nothing",
                site,
                traces as _,
            )
            .execute(&mut work)
            .await
            .map_err(database)?;
            work.end().await
        })
        .await
    }

    async fn take_custody(&self, site: &str, custody: &Custody) -> Result<()> {
        in_time(async {
            let mut work = self.database.begin(vec![Lock::log(site)]).await?;
            let site_number = custody::site_number(&mut work, site)
                .await?
                .ok_or(StoreError::UnknownRevision)?;
            sqlx::query!("delete from legal_hold where site_number = $1", site_number)
                .execute(&mut work)
                .await
                .map_err(database)?;
            for hold in &custody.holds {
                sqlx::query!(
                    "insert into legal_hold (site_number, record_id, reason, held_at_ms, until_ms, erasure_asked_at_ms)
                    values ($1, $2, $3, $4, $5, $6)",
                    site_number,
                    hold.record,
                    hold.reason,
                    hold.held_at_ms,
                    hold.until_ms,
                    hold.erasure_asked_at_ms,
                )
                .execute(&mut work)
                .await
                .map_err(database)?;
            }
            sqlx::query!(
                "insert into superseded (site_number, record_id)
                select $1::integer, record_id from unnest($2::uuid[]) as new (record_id)
                on conflict do nothing",
                site_number,
                &custody.superseded,
            )
            .execute(&mut work)
            .await
            .map_err(database)?;
            sqlx::query!("delete from restriction where site_number = $1", site_number)
                .execute(&mut work)
                .await
                .map_err(database)?;
            for (subject, restriction) in &custody.restrictions {
                custody::set_restriction(
                    &mut work,
                    site_number,
                    *subject,
                    restriction.asked_by,
                    restriction.since_ms,
                )
                .await?;
            }
            let there = sqlx::query_scalar!(
                r#"select count(*) as "there!" from trail where site_number = $1"#,
                site_number,
            )
            .fetch_one(&mut work)
            .await
            .map_err(database)?;
            let missing = usize::try_from(there)
                .ok()
                .and_then(|there| custody.trail.get(there..))
                .ok_or(StoreError::Different)?;
            for entry in missing {
                sqlx::query!(
                    "insert into trail (site_number, at_ms, owner_id, deed, record_id)
                    values ($1, $2, (select id from owner where email = $3), $4, $5)",
                    site_number,
                    entry.at_ms,
                    entry.owner,
                    entry.deed.id(),
                    entry.record,
                )
                .execute(&mut work)
                .await
                .map_err(database)?;
            }
            if let Some(run) = &custody.retention {
                let number = |number| i64::try_from(number).unwrap_or(i64::MAX);
                sqlx::query!(
                    "insert into retention (site_number, ran_at_ms, erased, spared, erased_in_all)
                    values ($1, $2, $3, $4, $5)
                    on conflict (site_number) do update set ran_at_ms = excluded.ran_at_ms,
                        erased = excluded.erased, spared = excluded.spared, erased_in_all = excluded.erased_in_all",
                    site_number,
                    run.ran_at_ms,
                    number(run.erased),
                    number(run.spared),
                    number(run.erased_in_all),
                )
                .execute(&mut work)
                .await
                .map_err(database)?;
            }
            work.end().await
        })
        .await
    }

    async fn take_cells(&self, cells: &[(Count, u64)]) -> Result<()> {
        in_time(async {
            let mut work = self.database.begin(Vec::new()).await?;
            for (count, total) in cells {
                sqlx::query!(
                    "insert into rollup (site_number, hour, revision, rule, language, device, measure, total)
                    select number, $2::integer, $3::bigint, $4::text, $5::text, $6::text, $7::text, $8::bigint
                    from site where id = $1
                    on conflict (site_number, hour, revision, rule, language, device, measure)
                    do update set total = excluded.total",
                    count.site,
                    count.hour,
                    i64::from(count.revision),
                    count.rule,
                    count.language,
                    count.device,
                    count.measure.id(),
                    i64::try_from(*total).unwrap_or(i64::MAX),
                )
                .execute(&mut work)
                .await
                .map_err(database)?;
            }
            work.end().await
        })
        .await
    }

    async fn take_third_parties(&self, site: &str, days: &[ThirdPartyDay]) -> Result<()> {
        in_time(async {
            let mut work = self.database.begin(Vec::new()).await?;
            for day in days {
                sqlx::query!(
                    "insert into third_party (site_number, day, host, waits_for, kinds, page_views)
                    select number, $2::integer, $3::text, $4::text, $5::integer, $6::bigint
                    from site where id = $1
                    on conflict (site_number, day, host, waits_for)
                    do update set kinds = excluded.kinds, page_views = excluded.page_views",
                    site,
                    day.day,
                    day.host,
                    day.waits_for.id(),
                    i32::from(day.kinds.bits()),
                    i64::try_from(day.page_views).unwrap_or(i64::MAX),
                )
                .execute(&mut work)
                .await
                .map_err(database)?;
            }
            work.end().await
        })
        .await
    }
}
