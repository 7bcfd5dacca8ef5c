//! Owners and their console sessions.

use assent_store::{OrganisationId, Owner, Result, Session};
use uuid::Uuid;

use crate::connection::Database;

pub(crate) struct OwnerRow {
    pub(crate) id: Uuid,
    pub(crate) organisation_id: Uuid,
    pub(crate) email: String,
    pub(crate) password_hash: Option<String>,
}

impl From<OwnerRow> for Owner {
    fn from(row: OwnerRow) -> Self {
        Self {
            id: row.id,
            organisation: OrganisationId(row.organisation_id),
            email: row.email,
            password_hash: row.password_hash,
        }
    }
}

pub(crate) async fn ensure_owner(
    database: &Database,
    organisation: OrganisationId,
    id: Uuid,
    email: &str,
) -> Result<Owner> {
    let mut work = database.begin(Vec::new()).await?;
    sqlx::query!(
        "insert into owner (id, organisation_id, email) values ($1, $2, $3) on conflict do nothing",
        id,
        organisation.0,
        email,
    )
    .execute(&mut work)
    .await
    .map_err(crate::database)?;
    sqlx::query!(
        r#"update owner set email = $2
        where id = $1
            and not exists (select 1 from owner as other where lower(other.email) = lower($2 collate "C"))"#,
        id,
        email,
    )
    .execute(&mut work)
    .await
    .map_err(crate::database)?;
    let owner = sqlx::query_as!(
        OwnerRow,
        r#"select id, organisation_id, email, password_hash from owner where lower(email) = lower($1 collate "C")"#,
        email,
    )
    .fetch_one(&mut work)
    .await
    .map_err(crate::database)?;
    work.end().await?;
    Ok(owner.into())
}

pub(crate) async fn owner(database: &Database, id: Uuid) -> Result<Option<Owner>> {
    let mut view = database.view().await?;
    let row = sqlx::query_as!(
        OwnerRow,
        "select id, organisation_id, email, password_hash from owner where id = $1",
        id,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    Ok(row.map(Owner::from))
}

pub(crate) async fn owner_by_email(database: &Database, email: &str) -> Result<Option<Owner>> {
    // PostgreSQL takes no text with a zero byte, so nobody has such an address.
    if email.contains('\0') {
        return Ok(None);
    }
    let mut view = database.view().await?;
    let row = sqlx::query_as!(
        OwnerRow,
        r#"select id, organisation_id, email, password_hash from owner where lower(email) = lower($1 collate "C")"#,
        email,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    Ok(row.map(Owner::from))
}

pub(crate) async fn set_password(database: &Database, owner: Uuid, password_hash: &str) -> Result<()> {
    let mut work = database.begin(Vec::new()).await?;
    sqlx::query!(
        "update owner set password_hash = $1 where id = $2",
        password_hash,
        owner,
    )
    .execute(&mut work)
    .await
    .map_err(crate::database)?;
    sqlx::query!("delete from session where owner_id = $1", owner)
        .execute(&mut work)
        .await
        .map_err(crate::database)?;
    // A link that was made before the password must not set another one.
    sqlx::query!("delete from one_time_token where owner_id = $1", owner)
        .execute(&mut work)
        .await
        .map_err(crate::database)?;
    work.end().await
}

pub(crate) async fn begin_session(database: &Database, session: &Session) -> Result<()> {
    let mut work = database.begin(Vec::new()).await?;
    sqlx::query!(
        "insert into session (token_hash, owner_id, expires_at_ms) values ($1, $2, $3)",
        &session.token_hash,
        session.owner,
        session.expires_at_ms,
    )
    .execute(&mut work)
    .await
    .map_err(crate::database)?;
    work.end().await
}

pub(crate) async fn session_owner(
    database: &Database,
    token_hash: [u8; 32],
    now_ms: i64,
) -> Result<Option<Owner>> {
    let mut view = database.view().await?;
    let row = sqlx::query_as!(
        OwnerRow,
        "select id, organisation_id, email, password_hash
        from session
        join owner on owner.id = owner_id
        where token_hash = $1 and expires_at_ms > $2",
        &token_hash,
        now_ms,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    Ok(row.map(Owner::from))
}

pub(crate) async fn end_session(database: &Database, token_hash: [u8; 32]) -> Result<()> {
    let mut work = database.begin(Vec::new()).await?;
    sqlx::query!("delete from session where token_hash = $1", &token_hash)
        .execute(&mut work)
        .await
        .map_err(crate::database)?;
    work.end().await
}

pub(crate) async fn sweep(database: &Database, now_ms: i64) -> Result<()> {
    let mut work = database.begin(Vec::new()).await?;
    sqlx::query!("delete from session where expires_at_ms <= $1", now_ms)
        .execute(&mut work)
        .await
        .map_err(crate::database)?;
    work.end().await
}
