//! Organisations, sites, revisions and notices: written rarely, never changed.

use assent_consent::{
    notice::{Notice, NoticeHash},
    site::SiteConfig,
};
use assent_store::{
    ArchivedNotice, KeptNotice, OrganisationId, Result, Revision, StoreError,
    cell::Cell,
    row::{ArchivedRow, KeptRow, NOTICE_BODY, check_notice},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    connection::{Database, Work},
    database, json,
};

pub(crate) struct RevisionRow {
    pub(crate) organisation_id: Uuid,
    pub(crate) revision: i64,
    pub(crate) valid_from: i64,
    pub(crate) published_at_ms: i64,
    pub(crate) config: String,
}

impl RevisionRow {
    pub(crate) fn read(self) -> Result<Revision> {
        let at = |column| Cell {
            table: "revision",
            column,
        };
        Ok(Revision {
            organisation: OrganisationId(self.organisation_id),
            number: at("revision").number(self.revision)?,
            valid_from: at("valid_from").number(self.valid_from)?,
            published_at_ms: self.published_at_ms,
            config: at("config").json(&self.config)?,
        })
    }
}

pub(crate) async fn ensure_organisation(database: &Database, id: OrganisationId, name: &str) -> Result<()> {
    let mut work = database.begin(Vec::new()).await?;
    sqlx::query!(
        "insert into organisation (id, name) values ($1, $2) on conflict (id) do nothing",
        id.0,
        name,
    )
    .execute(&mut work)
    .await
    .map_err(crate::database)?;
    work.end().await
}

pub(crate) async fn publish_revision(
    database: &Database,
    organisation: OrganisationId,
    config: &SiteConfig,
    now_ms: i64,
) -> Result<Revision> {
    let mut work = database.begin(Vec::new()).await?;
    let site_number = claim_site(&mut work, organisation, &config.id).await?;
    let current = sqlx::query_as!(
        RevisionRow,
        "select organisation_id, revision, valid_from, published_at_ms, config
        from revision
        join site on site.number = revision.site_number
        where revision.site_number = $1
        order by revision desc
        limit 1",
        site_number,
    )
    .fetch_optional(&mut work)
    .await
    .map_err(crate::database)?
    .map(RevisionRow::read)
    .transpose()?;
    let (number, valid_from) = match current {
        Some(current) if current.config == *config => {
            work.end().await?;
            return Ok(current);
        }
        Some(current) => {
            let number = current.number + 1;
            let asks_again = config.widens(&current.config);
            (number, if asks_again { number } else { current.valid_from })
        }
        None => (1, 1),
    };
    sqlx::query!(
        "insert into revision (site_number, revision, valid_from, published_at_ms, config)
        values ($1, $2, $3, $4, $5)",
        site_number,
        i64::from(number),
        i64::from(valid_from),
        now_ms,
        json(config)?,
    )
    .execute(&mut work)
    .await
    .map_err(crate::database)?;
    work.end().await?;
    Ok(Revision {
        organisation,
        number,
        valid_from,
        published_at_ms: now_ms,
        config: config.clone(),
    })
}

/// The number of a site, which is made if its id is free. Nobody else publishes it until the transaction ends.
pub(crate) async fn claim_site(work: &mut Work, organisation: OrganisationId, id: &str) -> Result<i32> {
    sqlx::query!(
        "insert into site (id, organisation_id)
        select $1::text, $2::uuid where not exists (select 1 from site where id = $1)
        on conflict (id) do nothing",
        id,
        organisation.0,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    sqlx::query_scalar!(
        "select number from site where id = $1 and organisation_id = $2 for no key update",
        id,
        organisation.0,
    )
    .fetch_optional(work)
    .await
    .map_err(database)?
    .ok_or(StoreError::ForeignSite)
}

pub(crate) async fn current_revisions(database: &Database) -> Result<Vec<Revision>> {
    let mut view = database.view().await?;
    let rows = sqlx::query_as!(
        RevisionRow,
        "select organisation_id, revision, valid_from, published_at_ms, config
        from site
        cross join lateral (
            select * from revision where site_number = site.number order by revision desc limit 1
        ) as newest
        order by site.id",
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    rows.into_iter().map(RevisionRow::read).collect()
}

pub(crate) async fn sites(database: &Database, organisation: OrganisationId) -> Result<Vec<Revision>> {
    let mut view = database.view().await?;
    let rows = sqlx::query_as!(
        RevisionRow,
        "select organisation_id, revision, valid_from, published_at_ms, config
        from site
        cross join lateral (
            select * from revision where site_number = site.number order by revision desc limit 1
        ) as newest
        where organisation_id = $1
        order by site.id",
        organisation.0,
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    rows.into_iter().map(RevisionRow::read).collect()
}

pub(crate) async fn take_notices(
    database: &Database,
    site: &str,
    revision: u32,
    notices: &[KeptNotice],
) -> Result<()> {
    let mut work = database.begin(Vec::new()).await?;
    // Nodes render a new revision at the same time, and archive the same notices.
    let site_number = sqlx::query_scalar!(
        "select number
        from site
        join revision on revision.site_number = site.number
        where site.id = $1 and revision = $2
        for no key update of site",
        site,
        i64::from(revision),
    )
    .fetch_optional(&mut work)
    .await
    .map_err(crate::database)?
    .ok_or(StoreError::UnknownRevision)?;
    for notice in notices {
        let hash = Sha256::digest(&notice.body);
        let hash = hash.as_slice();
        sqlx::query!(
            "insert into notice (site_number, hash, rule, language, body)
            select $1::integer, $2::bytea, $3::text, $4::text, $5::text
            where not exists (select 1 from notice where site_number = $1 and hash = $2)",
            site_number,
            hash,
            notice.rule,
            notice.language,
            notice.body,
        )
        .execute(&mut work)
        .await
        .map_err(crate::database)?;
        sqlx::query!(
            "insert into revision_notice (site_number, revision, notice_number)
            select site_number, $1::bigint, number from notice where site_number = $2 and hash = $3
            on conflict do nothing",
            i64::from(revision),
            site_number,
            hash,
        )
        .execute(&mut work)
        .await
        .map_err(crate::database)?;
    }
    work.end().await
}

pub(crate) async fn notice(database: &Database, site: &str, hash: NoticeHash) -> Result<Option<String>> {
    let mut view = database.view().await?;
    let body = sqlx::query_scalar!(
        "select body
        from site
        join notice on notice.site_number = site.number
        where site.id = $1 and hash = $2",
        site,
        &hash.0,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    if let Some(body) = &body {
        check_notice(body, hash)?;
    }
    Ok(body)
}

/// The notices that a revision shows, in the order in which they were archived.
pub(crate) async fn notices_of(database: &Database, site: &str, revision: u32) -> Result<Vec<KeptNotice>> {
    let mut view = database.view().await?;
    let rows = sqlx::query_as!(
        KeptRow,
        "select hash, rule, language, body
        from site
        join revision_notice on revision_notice.site_number = site.number
        join notice on notice.site_number = site.number and notice.number = notice_number
        where site.id = $1 and revision = $2
        order by notice_number",
        site,
        i64::from(revision),
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    rows.into_iter().map(KeptRow::read).collect()
}

pub(crate) async fn notices(
    database: &Database,
    organisation: OrganisationId,
    site: &str,
    limit: u32,
) -> Result<Vec<ArchivedNotice>> {
    let mut view = database.view().await?;
    let rows = sqlx::query_as!(
        ArchivedRow,
        r#"select
            hash, rule, language,
            min(revision.revision) as "first_revision!",
            max(revision.revision) as "last_revision!",
            min(published_at_ms) as "published_at_ms!"
        from site
        join revision_notice on revision_notice.site_number = site.number
        join notice on notice.site_number = site.number and notice.number = notice_number
        join revision
            on revision.site_number = site.number and revision.revision = revision_notice.revision
        where site.organisation_id = $1 and site.id = $2
        group by notice.number, hash, rule, language
        order by max(revision.revision) desc, rule, language
        limit $3"#,
        organisation.0,
        site,
        i64::from(limit),
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    rows.into_iter().map(ArchivedRow::read).collect()
}

pub(crate) async fn revision_notice(
    database: &Database,
    site: &str,
    revision: u32,
    hash: NoticeHash,
) -> Result<Option<(Revision, Notice)>> {
    let mut view = database.view().await?;
    let row = sqlx::query!(
        "select organisation_id, revision.revision, valid_from, published_at_ms, config, body
        from site
        join notice on notice.site_number = site.number
        join revision_notice
            on revision_notice.site_number = site.number and notice_number = notice.number
        join revision
            on revision.site_number = site.number and revision.revision = revision_notice.revision
        where site.id = $1 and revision_notice.revision = $2 and hash = $3",
        site,
        i64::from(revision),
        &hash.0,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    let Some(row) = row else {
        return Ok(None);
    };
    check_notice(&row.body, hash)?;
    let notice = NOTICE_BODY.json(&row.body)?;
    let revision = RevisionRow {
        organisation_id: row.organisation_id,
        revision: row.revision,
        valid_from: row.valid_from,
        published_at_ms: row.published_at_ms,
        config: row.config,
    };
    Ok(Some((revision.read()?, notice)))
}
