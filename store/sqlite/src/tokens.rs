//! One-time tokens.

use assent_store::{Grant, Result};
use sqlx::SqlitePool;

use crate::{cell::Cell, database, writer::Writer};

struct GrantRow {
    owner_id: Option<Vec<u8>>,
    site_id: Option<String>,
    subject_key: Option<String>,
}

impl GrantRow {
    fn read(self) -> Result<Grant> {
        let at = |column| Cell {
            table: "one_time_token",
            column,
        };
        match (self.owner_id, self.site_id, self.subject_key) {
            (Some(owner), None, None) => Ok(Grant::SignIn(at("owner_id").uuid(&owner)?)),
            (None, Some(site), Some(key)) => Ok(Grant::Subject { site, key }),
            _ => Err(at("owner_id").inconsistent("good for none or for several things".to_owned())),
        }
    }
}

pub(crate) async fn put(
    writer: &Writer,
    token_hash: [u8; 32],
    grant: &Grant,
    expires_at_ms: i64,
) -> Result<()> {
    let token_hash = token_hash.as_slice();
    let (owner_id, site_id, subject_key) = match grant {
        Grant::SignIn(owner) => (Some(owner.as_bytes().as_slice()), None, None),
        Grant::Subject { site, key } => (None, Some(site), Some(key)),
    };
    sqlx::query!(
        "insert into one_time_token (token_hash, expires_at_ms, owner_id, site_id, subject_key)
        values (?, ?, ?, ?, ?)",
        token_hash,
        expires_at_ms,
        owner_id,
        site_id,
        subject_key,
    )
    .execute(&mut writer.lock().await?.connection)
    .await
    .map_err(database)?;
    Ok(())
}

/// One statement takes and deletes, so of two who try at once only one gets it.
pub(crate) async fn take(writer: &Writer, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Grant>> {
    let token_hash = token_hash.as_slice();
    sqlx::query_as!(
        GrantRow,
        "delete from one_time_token where token_hash = ? and expires_at_ms > ?
        returning owner_id, site_id, subject_key",
        token_hash,
        now_ms,
    )
    .fetch_optional(&mut writer.lock().await?.connection)
    .await
    .map_err(database)?
    .map(GrantRow::read)
    .transpose()
}

pub(crate) async fn peek(readers: &SqlitePool, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Grant>> {
    let token_hash = token_hash.as_slice();
    sqlx::query_as!(
        GrantRow,
        "select owner_id, site_id, subject_key
        from one_time_token
        where token_hash = ? and expires_at_ms > ?",
        token_hash,
        now_ms,
    )
    .fetch_optional(readers)
    .await
    .map_err(database)?
    .map(GrantRow::read)
    .transpose()
}

pub(crate) async fn sweep(writer: &Writer, now_ms: i64) -> Result<()> {
    sqlx::query!("delete from one_time_token where expires_at_ms <= ?", now_ms)
        .execute(&mut writer.lock().await?.connection)
        .await
        .map_err(database)?;
    Ok(())
}
