//! Organisations, sites, revisions and notices: written rarely, never changed.

use assent_consent::{
    notice::{Notice, NoticeHash},
    site::SiteConfig,
};
use assent_store::{
    ArchivedNotice, KeptNotice, OrganisationId, Result, Revision, StoreError,
    row::{ArchivedRow, KeptRow, NOTICE_BODY, check_notice},
};
use sha2::{Digest, Sha256};
use sqlx::{SqliteConnection, SqlitePool};

use crate::{cell::Cell, database, json, writer::Writer};

pub(crate) struct RevisionRow {
    pub(crate) organisation_id: Vec<u8>,
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
            organisation: OrganisationId(
                Cell {
                    table: "site",
                    column: "organisation_id",
                }
                .uuid(&self.organisation_id)?,
            ),
            number: at("revision").number(self.revision)?,
            valid_from: at("valid_from").number(self.valid_from)?,
            published_at_ms: self.published_at_ms,
            config: at("config").json(&self.config)?,
        })
    }
}

pub(crate) async fn ensure_organisation(writer: &Writer, id: OrganisationId, name: &str) -> Result<()> {
    let id = id.0.as_bytes().as_slice();
    sqlx::query!(
        "insert into organisation (id, name) values (?, ?) on conflict (id) do nothing",
        id,
        name,
    )
    .execute(&mut writer.lock().await?.connection)
    .await
    .map_err(database)?;
    Ok(())
}

pub(crate) async fn publish_revision(
    writer: &Writer,
    organisation: OrganisationId,
    config: &SiteConfig,
    now_ms: i64,
) -> Result<Revision> {
    let mut writing = writer.lock().await?;
    let mut work = writing.begin().await?;
    let site_number = claim_site(&mut work, organisation, &config.id).await?;
    let current = sqlx::query_as!(
        RevisionRow,
        r#"select organisation_id, revision, valid_from, published_at_ms, config
        from revision
        join site on site.number = revision.site_number
        where revision.site_number = ?
        order by revision desc
        limit 1"#,
        site_number,
    )
    .fetch_optional(&mut *work)
    .await
    .map_err(database)?
    .map(RevisionRow::read)
    .transpose()?;
    let (number, valid_from) = match current {
        Some(current) if current.config == *config => return Ok(current),
        Some(current) => {
            let number = current.number + 1;
            let asks_again = config.widens(&current.config);
            (number, if asks_again { number } else { current.valid_from })
        }
        None => (1, 1),
    };
    let text = json(config)?;
    sqlx::query!(
        "insert into revision (site_number, revision, valid_from, published_at_ms, config)
        values (?, ?, ?, ?, ?)",
        site_number,
        number,
        valid_from,
        now_ms,
        text,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    work.commit().await.map_err(database)?;
    Ok(Revision {
        organisation,
        number,
        valid_from,
        published_at_ms: now_ms,
        config: config.clone(),
    })
}

/// The number of a site, which is made if its id is free.
pub(crate) async fn claim_site(
    work: &mut SqliteConnection,
    organisation: OrganisationId,
    id: &str,
) -> Result<i64> {
    let organisation_id = organisation.0.as_bytes().as_slice();
    sqlx::query!(
        "insert into site (id, organisation_id) values (?, ?) on conflict (id) do nothing",
        id,
        organisation_id,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    sqlx::query_scalar!(
        "select number from site where id = ? and organisation_id = ?",
        id,
        organisation_id,
    )
    .fetch_optional(&mut *work)
    .await
    .map_err(database)?
    .ok_or(StoreError::ForeignSite)
}

pub(crate) async fn current_revisions(readers: &SqlitePool) -> Result<Vec<Revision>> {
    sqlx::query_as!(
        RevisionRow,
        r#"select organisation_id, revision, valid_from, published_at_ms, config
        from site
        join revision on revision.site_number = site.number
        where revision = (select max(revision) from revision where site_number = site.number)
        order by site.id"#,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(RevisionRow::read)
    .collect()
}

pub(crate) async fn sites(readers: &SqlitePool, organisation: OrganisationId) -> Result<Vec<Revision>> {
    let organisation_id = organisation.0.as_bytes().as_slice();
    sqlx::query_as!(
        RevisionRow,
        r#"select organisation_id, revision, valid_from, published_at_ms, config
        from site
        join revision on revision.site_number = site.number
        where site.organisation_id = ?
        and revision = (select max(revision) from revision where site_number = site.number)
        order by site.id"#,
        organisation_id,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(RevisionRow::read)
    .collect()
}

pub(crate) async fn take_notices(
    writer: &Writer,
    site: &str,
    revision: u32,
    notices: &[KeptNotice],
) -> Result<()> {
    let mut writing = writer.lock().await?;
    let mut work = writing.begin().await?;
    let site_number = sqlx::query_scalar!(
        "select number
        from site
        join revision on revision.site_number = site.number
        where site.id = ? and revision = ?",
        site,
        revision,
    )
    .fetch_optional(&mut *work)
    .await
    .map_err(database)?
    .ok_or(StoreError::UnknownRevision)?;
    for notice in notices {
        let hash = Sha256::digest(&notice.body);
        let hash = hash.as_slice();
        sqlx::query!(
            "insert into notice (site_number, hash, rule, language, body)
            values (?, ?, ?, ?, ?)
            on conflict (site_number, hash) do nothing",
            site_number,
            hash,
            notice.rule,
            notice.language,
            notice.body,
        )
        .execute(&mut *work)
        .await
        .map_err(database)?;
        sqlx::query!(
            "insert into revision_notice (site_number, revision, notice_number)
            select site_number, ?, number from notice where site_number = ? and hash = ?
            on conflict do nothing",
            revision,
            site_number,
            hash,
        )
        .execute(&mut *work)
        .await
        .map_err(database)?;
    }
    work.commit().await.map_err(database)
}

pub(crate) async fn notice(readers: &SqlitePool, site: &str, hash: NoticeHash) -> Result<Option<String>> {
    let hash_bytes = hash.0.as_slice();
    let body = sqlx::query_scalar!(
        "select body
        from site
        join notice on notice.site_number = site.number
        where site.id = ? and hash = ?",
        site,
        hash_bytes,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?;
    if let Some(body) = &body {
        check_notice(body, hash)?;
    }
    Ok(body)
}

/// The notices that a revision shows, in the order in which they were archived.
pub(crate) async fn notices_of(readers: &SqlitePool, site: &str, revision: u32) -> Result<Vec<KeptNotice>> {
    sqlx::query_as!(
        KeptRow,
        "select hash, rule, language, body
        from site
        join revision_notice on revision_notice.site_number = site.number
        join notice on notice.number = notice_number
        where site.id = ? and revision = ?
        order by notice_number",
        site,
        revision,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(KeptRow::read)
    .collect()
}

pub(crate) async fn notices(
    readers: &SqlitePool,
    organisation: OrganisationId,
    site: &str,
    limit: u32,
) -> Result<Vec<ArchivedNotice>> {
    let organisation_id = organisation.0.as_bytes().as_slice();
    sqlx::query_as!(
        ArchivedRow,
        r#"select
            hash as "hash!", rule as "rule!", language as "language!",
            min(revision.revision) as "first_revision!: i64",
            max(revision.revision) as "last_revision!: i64",
            min(published_at_ms) as "published_at_ms!: i64"
        from site
        join revision_notice on revision_notice.site_number = site.number
        join notice on notice.number = notice_number
        join revision
            on revision.site_number = site.number and revision.revision = revision_notice.revision
        where site.organisation_id = ? and site.id = ?
        group by notice.number
        order by max(revision.revision) desc, rule, language
        limit ?"#,
        organisation_id,
        site,
        limit,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(ArchivedRow::read)
    .collect()
}

pub(crate) async fn revision_notice(
    readers: &SqlitePool,
    site: &str,
    revision: u32,
    hash: NoticeHash,
) -> Result<Option<(Revision, Notice)>> {
    let hash_bytes = hash.0.as_slice();
    let Some(row) = sqlx::query!(
        "select organisation_id, revision.revision, valid_from, published_at_ms, config, body
        from site
        join notice on notice.site_number = site.number
        join revision_notice
            on revision_notice.site_number = site.number and notice_number = notice.number
        join revision
            on revision.site_number = site.number and revision.revision = revision_notice.revision
        where site.id = ? and revision_notice.revision = ? and hash = ?",
        site,
        revision,
        hash_bytes,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?
    else {
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
