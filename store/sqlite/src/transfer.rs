//! What moving a data set needs beyond the other operations.

use std::ops::Range;

use assent_consent::record::Subject;
use assent_store::{
    Count, Custody, KeptNotice, Measure, OrganisationId, Owner, Restriction, Result, Revision, StoreError,
    Stretch, ThirdPartyDay, Transfer, cell::Cell, rates, row::RestrictionRow,
};
use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    SqliteStore, append, custody, database, json,
    owners::{self, OwnerRow},
    sites::{self, RevisionRow},
};

#[async_trait]
impl Transfer for SqliteStore {
    async fn organisations(&self) -> Result<Vec<(OrganisationId, String)>> {
        let at = Cell {
            table: "organisation",
            column: "id",
        };
        sqlx::query!("select id, name from organisation order by id")
            .fetch_all(&self.readers)
            .await
            .map_err(database)?
            .into_iter()
            .map(|row| Ok((OrganisationId(at.uuid(&row.id)?), row.name)))
            .collect()
    }

    async fn owners(&self) -> Result<Vec<Owner>> {
        sqlx::query_as!(
            OwnerRow,
            "select id, organisation_id, email, password_hash from owner order by id"
        )
        .fetch_all(&self.readers)
        .await
        .map_err(database)?
        .into_iter()
        .map(OwnerRow::read)
        .collect()
    }

    async fn revisions(&self, site: &str) -> Result<Vec<Revision>> {
        sqlx::query_as!(
            RevisionRow,
            "select organisation_id, revision, valid_from, published_at_ms, config
            from site
            join revision on revision.site_number = site.number
            where site.id = ?
            order by revision",
            site,
        )
        .fetch_all(&self.readers)
        .await
        .map_err(database)?
        .into_iter()
        .map(RevisionRow::read)
        .collect()
    }

    async fn notices_of(&self, site: &str, revision: u32) -> Result<Vec<KeptNotice>> {
        sites::notices_of(&self.readers, site, revision).await
    }

    async fn erased_ids(&self, site: &str, from: [u8; 16], limit: u32) -> Result<Vec<[u8; 16]>> {
        let at = Cell {
            table: "erased_id",
            column: "trace",
        };
        let from = from.as_slice();
        sqlx::query_scalar!(
            "select trace
            from site
            join erased_id on site_number = site.number
            where site.id = ? and trace >= ?
            order by trace
            limit ?",
            site,
            from,
            limit,
        )
        .fetch_all(&self.readers)
        .await
        .map_err(database)?
        .iter()
        .map(|trace| at.bytes(trace))
        .collect()
    }

    async fn restrictions(&self, site: &str) -> Result<Vec<(Subject, Restriction)>> {
        let at = Cell {
            table: "restriction",
            column: "subject",
        };
        sqlx::query!(
            "select subject, since_ms, asked_by
            from site
            join restriction on site_number = site.number
            where site.id = ?
            order by subject",
            site,
        )
        .fetch_all(&self.readers)
        .await
        .map_err(database)?
        .into_iter()
        .map(|row| {
            let restriction = RestrictionRow {
                since_ms: row.since_ms,
                asked_by: row.asked_by,
            };
            Ok((Subject(at.bytes(&row.subject)?), restriction.read()?))
        })
        .collect()
    }

    async fn all_superseded(&self, site: &str) -> Result<Vec<Uuid>> {
        let at = Cell {
            table: "superseded",
            column: "record_id",
        };
        sqlx::query_scalar!(
            "select record_id
            from superseded
            where site_number = (select number from site where id = ?)
            order by record_id",
            site,
        )
        .fetch_all(&self.readers)
        .await
        .map_err(database)?
        .iter()
        .map(|id| at.uuid(id))
        .collect()
    }

    async fn next_hour(&self, site: &str, from: i32) -> Result<Option<i32>> {
        let at = Cell {
            table: "rollup",
            column: "hour",
        };
        sqlx::query_scalar!(
            "select hour
            from site
            join rollup on site_number = site.number
            where site.id = ? and hour >= ?
            order by hour
            limit 1",
            site,
            from,
        )
        .fetch_optional(&self.readers)
        .await
        .map_err(database)?
        .map(|hour| at.number(hour))
        .transpose()
    }

    async fn cells(&self, site: &str, hours: Range<i32>) -> Result<Vec<(Count, u64)>> {
        let at = |column| Cell {
            table: "rollup",
            column,
        };
        sqlx::query!(
            "select hour, revision, rule, language, device, measure, total
            from site
            join rollup on site_number = site.number
            where site.id = ? and hour >= ? and hour < ?
            order by hour",
            site,
            hours.start,
            hours.end,
        )
        .fetch_all(&self.readers)
        .await
        .map_err(database)?
        .into_iter()
        .map(|row| {
            let count = Count {
                site: site.to_owned(),
                hour: at("hour").number(row.hour)?,
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
    }

    async fn take_owner(&self, owner: &Owner) -> Result<()> {
        owners::ensure_owner(&self.writer, owner.organisation, owner.id, &owner.email).await?;
        let id = owner.id.as_bytes().as_slice();
        sqlx::query!(
            "update owner set password_hash = ? where id = ?",
            owner.password_hash,
            id,
        )
        .execute(&mut self.writer.lock().await?.connection)
        .await
        .map_err(database)?;
        Ok(())
    }

    async fn take_revision(&self, revision: &Revision) -> Result<()> {
        let mut writing = self.writer.lock().await?;
        let mut work = writing.begin().await?;
        let site_number = sites::claim_site(&mut work, revision.organisation, &revision.config.id).await?;
        let config = json(&revision.config)?;
        sqlx::query!(
            "insert into revision (site_number, revision, valid_from, published_at_ms, config)
            values (?, ?, ?, ?, ?)
            on conflict (site_number, revision) do nothing",
            site_number,
            revision.number,
            revision.valid_from,
            revision.published_at_ms,
            config,
        )
        .execute(&mut *work)
        .await
        .map_err(database)?;
        let there = sqlx::query_as!(
            RevisionRow,
            "select organisation_id, revision, valid_from, published_at_ms, config
            from revision
            join site on site.number = revision.site_number
            where revision.site_number = ? and revision = ?",
            site_number,
            revision.number,
        )
        .fetch_one(&mut *work)
        .await
        .map_err(database)?
        .read()?;
        if there != *revision {
            return Err(StoreError::Different);
        }
        work.commit().await.map_err(database)
    }

    async fn take_notices(&self, site: &str, revision: u32, notices: &[KeptNotice]) -> Result<()> {
        sites::take_notices(&self.writer, site, revision, notices).await
    }

    async fn take_stretch(&self, site: &str, stretch: &Stretch) -> Result<()> {
        append::take_stretch(&self.writer, site, stretch).await
    }

    async fn take_erased_ids(&self, site: &str, traces: &[[u8; 16]]) -> Result<()> {
        let mut writing = self.writer.lock().await?;
        let mut work = writing.begin().await?;
        for trace in traces {
            let trace = trace.as_slice();
            sqlx::query!(
                "insert into erased_id (site_number, trace)
                select number, ? from site where id = ?
                on conflict do nothing",
                trace,
                site,
            )
            .execute(&mut *work)
            .await
            .map_err(database)?;
        }
        work.commit().await.map_err(database)
    }

    async fn take_custody(&self, site: &str, custody: &Custody) -> Result<()> {
        let mut writing = self.writer.lock().await?;
        let mut work = writing.begin().await?;
        let site_number = custody::site_number(&mut work, site)
            .await?
            .ok_or(StoreError::UnknownRevision)?;
        sqlx::query!("delete from legal_hold where site_number = ?", site_number)
            .execute(&mut *work)
            .await
            .map_err(database)?;
        for hold in &custody.holds {
            let id = hold.record.as_bytes().as_slice();
            sqlx::query!(
                "insert into legal_hold (site_number, record_id, reason, held_at_ms, until_ms, erasure_asked_at_ms)
                values (?, ?, ?, ?, ?, ?)",
                site_number,
                id,
                hold.reason,
                hold.held_at_ms,
                hold.until_ms,
                hold.erasure_asked_at_ms,
            )
            .execute(&mut *work)
            .await
            .map_err(database)?;
        }
        for id in &custody.superseded {
            let id = id.as_bytes().as_slice();
            sqlx::query!(
                "insert into superseded (site_number, record_id) values (?, ?) on conflict do nothing",
                site_number,
                id,
            )
            .execute(&mut *work)
            .await
            .map_err(database)?;
        }
        sqlx::query!("delete from restriction where site_number = ?", site_number)
            .execute(&mut *work)
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
            r#"select count(*) as "there!: i64" from trail where site_number = ?"#,
            site_number,
        )
        .fetch_one(&mut *work)
        .await
        .map_err(database)?;
        let missing = usize::try_from(there)
            .ok()
            .and_then(|there| custody.trail.get(there..))
            .ok_or(StoreError::Different)?;
        for entry in missing {
            let deed = entry.deed.id();
            let id = entry.record.as_bytes().as_slice();
            sqlx::query!(
                "insert into trail (site_number, at_ms, owner_id, deed, record_id)
                values (?, ?, (select id from owner where email = ?), ?, ?)",
                site_number,
                entry.at_ms,
                entry.owner,
                deed,
                id,
            )
            .execute(&mut *work)
            .await
            .map_err(database)?;
        }
        if let Some(run) = &custody.retention {
            let number = |number| i64::try_from(number).unwrap_or(i64::MAX);
            let (erased, spared, in_all) =
                (number(run.erased), number(run.spared), number(run.erased_in_all));
            sqlx::query!(
                "insert into retention (site_number, ran_at_ms, erased, spared, erased_in_all)
                values (?, ?, ?, ?, ?)
                on conflict (site_number) do update set ran_at_ms = excluded.ran_at_ms,
                    erased = excluded.erased, spared = excluded.spared, erased_in_all = excluded.erased_in_all",
                site_number,
                run.ran_at_ms,
                erased,
                spared,
                in_all,
            )
            .execute(&mut *work)
            .await
            .map_err(database)?;
        }
        work.commit().await.map_err(database)
    }

    async fn take_cells(&self, cells: &[(Count, u64)]) -> Result<()> {
        let mut writing = self.writer.lock().await?;
        let mut work = writing.begin().await?;
        for (count, total) in cells {
            let measure = count.measure.id();
            let total = i64::try_from(*total).unwrap_or(i64::MAX);
            sqlx::query!(
                "insert into rollup (site_number, hour, revision, rule, language, device, measure, total)
                select number, ?, ?, ?, ?, ?, ?, ? from site where id = ?
                on conflict (site_number, hour, revision, rule, language, device, measure)
                do update set total = excluded.total",
                count.hour,
                count.revision,
                count.rule,
                count.language,
                count.device,
                measure,
                total,
                count.site,
            )
            .execute(&mut *work)
            .await
            .map_err(database)?;
        }
        work.commit().await.map_err(database)
    }

    async fn take_third_parties(&self, site: &str, days: &[ThirdPartyDay]) -> Result<()> {
        let mut writing = self.writer.lock().await?;
        let mut work = writing.begin().await?;
        for day in days {
            let waits_for = day.waits_for.id();
            let kinds = day.kinds.bits();
            let page_views = i64::try_from(day.page_views).unwrap_or(i64::MAX);
            sqlx::query!(
                "insert into third_party (site_number, day, host, waits_for, kinds, page_views)
                select number, ?, ?, ?, ?, ? from site where id = ?
                on conflict (site_number, day, host, waits_for)
                do update set kinds = excluded.kinds, page_views = excluded.page_views",
                day.day,
                day.host,
                waits_for,
                kinds,
                page_views,
                site,
            )
            .execute(&mut *work)
            .await
            .map_err(database)?;
        }
        work.commit().await.map_err(database)
    }
}
