//! One-time tokens.

use assent_store::{Grant, Result, cell::Cell};
use uuid::Uuid;

use crate::connection::Database;

struct GrantRow {
    owner_id: Option<Uuid>,
    site_id: Option<String>,
    subject_key: Option<String>,
}

impl GrantRow {
    fn read(self) -> Result<Grant> {
        let at = Cell {
            table: "one_time_token",
            column: "owner_id",
        };
        match (self.owner_id, self.site_id, self.subject_key) {
            (Some(owner), None, None) => Ok(Grant::SignIn(owner)),
            (None, Some(site), Some(key)) => Ok(Grant::Subject { site, key }),
            _ => Err(at.inconsistent("good for none or for several things".to_owned())),
        }
    }
}

pub(crate) async fn put(
    database: &Database,
    token_hash: [u8; 32],
    grant: &Grant,
    expires_at_ms: i64,
) -> Result<()> {
    let (owner_id, site_id, subject_key) = match grant {
        Grant::SignIn(owner) => (Some(*owner), None, None),
        Grant::Subject { site, key } => (None, Some(site), Some(key)),
    };
    let mut work = database.begin(Vec::new()).await?;
    sqlx::query!(
        "insert into one_time_token (token_hash, expires_at_ms, owner_id, site_id, subject_key)
        values ($1, $2, $3, $4, $5)",
        &token_hash,
        expires_at_ms,
        owner_id,
        site_id,
        subject_key,
    )
    .execute(&mut work)
    .await
    .map_err(crate::database)?;
    work.end().await
}

/// One statement takes and deletes, so of two who try at once only one gets it.
pub(crate) async fn take(database: &Database, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Grant>> {
    let mut work = database.begin(Vec::new()).await?;
    let row = sqlx::query_as!(
        GrantRow,
        "delete from one_time_token where token_hash = $1 and expires_at_ms > $2
        returning owner_id, site_id, subject_key",
        &token_hash,
        now_ms,
    )
    .fetch_optional(&mut work)
    .await
    .map_err(crate::database)?;
    work.end().await?;
    row.map(GrantRow::read).transpose()
}

pub(crate) async fn peek(database: &Database, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Grant>> {
    let mut view = database.view().await?;
    let row = sqlx::query_as!(
        GrantRow,
        "select owner_id, site_id, subject_key
        from one_time_token
        where token_hash = $1 and expires_at_ms > $2",
        &token_hash,
        now_ms,
    )
    .fetch_optional(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    row.map(GrantRow::read).transpose()
}

pub(crate) async fn sweep(database: &Database, now_ms: i64) -> Result<()> {
    let mut work = database.begin(Vec::new()).await?;
    sqlx::query!("delete from one_time_token where expires_at_ms <= $1", now_ms)
        .execute(&mut work)
        .await
        .map_err(crate::database)?;
    work.end().await
}
