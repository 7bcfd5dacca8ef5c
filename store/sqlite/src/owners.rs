//! Owners and their console sessions.

use assent_store::{OrganisationId, Owner, Result, Session};
use sqlx::SqlitePool;
use uuid::Uuid;

use crate::{cell::Cell, database, writer::Writer};

pub(crate) struct OwnerRow {
    pub(crate) id: Vec<u8>,
    pub(crate) organisation_id: Vec<u8>,
    pub(crate) email: String,
    pub(crate) password_hash: Option<String>,
}

impl OwnerRow {
    pub(crate) fn read(self) -> Result<Owner> {
        let at = |column| Cell {
            table: "owner",
            column,
        };
        Ok(Owner {
            id: at("id").uuid(&self.id)?,
            organisation: OrganisationId(at("organisation_id").uuid(&self.organisation_id)?),
            email: self.email,
            password_hash: self.password_hash,
        })
    }
}

pub(crate) async fn ensure_owner(
    writer: &Writer,
    organisation: OrganisationId,
    id: Uuid,
    email: &str,
) -> Result<Owner> {
    let id = id.as_bytes().as_slice();
    let organisation_id = organisation.0.as_bytes().as_slice();
    let mut writing = writer.lock().await?;
    let mut work = writing.begin().await?;
    sqlx::query!(
        "insert into owner (id, organisation_id, email) values (?, ?, ?)
        on conflict (email) do nothing
        on conflict (id) do update set email = excluded.email",
        id,
        organisation_id,
        email,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    let owner = sqlx::query_as!(
        OwnerRow,
        "select id, organisation_id, email, password_hash from owner where email = ?",
        email,
    )
    .fetch_one(&mut *work)
    .await
    .map_err(database)?;
    work.commit().await.map_err(database)?;
    owner.read()
}

pub(crate) async fn owner(readers: &SqlitePool, id: Uuid) -> Result<Option<Owner>> {
    let id = id.as_bytes().as_slice();
    sqlx::query_as!(
        OwnerRow,
        "select id, organisation_id, email, password_hash from owner where id = ?",
        id,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?
    .map(OwnerRow::read)
    .transpose()
}

pub(crate) async fn owner_by_email(readers: &SqlitePool, email: &str) -> Result<Option<Owner>> {
    sqlx::query_as!(
        OwnerRow,
        "select id, organisation_id, email, password_hash from owner where email = ?",
        email,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?
    .map(OwnerRow::read)
    .transpose()
}

pub(crate) async fn set_password(writer: &Writer, owner: Uuid, password_hash: &str) -> Result<()> {
    let owner_id = owner.as_bytes().as_slice();
    let mut writing = writer.lock().await?;
    let mut work = writing.begin().await?;
    sqlx::query!(
        "update owner set password_hash = ? where id = ?",
        password_hash,
        owner_id,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    sqlx::query!("delete from session where owner_id = ?", owner_id)
        .execute(&mut *work)
        .await
        .map_err(database)?;
    // A link that was made before the password must not set another one.
    sqlx::query!("delete from one_time_token where owner_id = ?", owner_id)
        .execute(&mut *work)
        .await
        .map_err(database)?;
    work.commit().await.map_err(database)
}

pub(crate) async fn begin_session(writer: &Writer, session: &Session) -> Result<()> {
    let token_hash = session.token_hash.as_slice();
    let owner_id = session.owner.as_bytes().as_slice();
    sqlx::query!(
        "insert into session (token_hash, owner_id, expires_at_ms) values (?, ?, ?)",
        token_hash,
        owner_id,
        session.expires_at_ms,
    )
    .execute(&mut writer.lock().await?.connection)
    .await
    .map_err(database)?;
    Ok(())
}

pub(crate) async fn session_owner(
    readers: &SqlitePool,
    token_hash: [u8; 32],
    now_ms: i64,
) -> Result<Option<Owner>> {
    let token_hash = token_hash.as_slice();
    sqlx::query_as!(
        OwnerRow,
        "select id, organisation_id, email, password_hash
        from session
        join owner on owner.id = owner_id
        where token_hash = ? and expires_at_ms > ?",
        token_hash,
        now_ms,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?
    .map(OwnerRow::read)
    .transpose()
}

pub(crate) async fn end_session(writer: &Writer, token_hash: [u8; 32]) -> Result<()> {
    let token_hash = token_hash.as_slice();
    sqlx::query!("delete from session where token_hash = ?", token_hash)
        .execute(&mut writer.lock().await?.connection)
        .await
        .map_err(database)?;
    Ok(())
}

pub(crate) async fn sweep(writer: &Writer, now_ms: i64) -> Result<()> {
    sqlx::query!("delete from session where expires_at_ms <= ?", now_ms)
        .execute(&mut writer.lock().await?.connection)
        .await
        .map_err(database)?;
    Ok(())
}
