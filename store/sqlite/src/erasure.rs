//! Erased records: the row goes, and two things stay that do not know of each other, when an entry's record was erased
//! and a hash of the record's id.

use assent_consent::record::Subject;
use assent_store::{Erasure, Result, SignErasure};
use sha2::{Digest as _, Sha256};
use sqlx::SqlitePool;
use uuid::Uuid;

use crate::{cell::Cell, database, writer::Writer};

/// What stays of an erased record's id: the first 16 bytes of its SHA-256. Ids have 74 random bits, so only who has an
/// id can tell that it was erased.
pub(crate) fn trace(id: Uuid) -> [u8; 16] {
    let digest = Sha256::new_with_prefix(b"assent erased\0")
        .chain_update(id.as_bytes())
        .finalize();
    let mut trace = [0; 16];
    trace.copy_from_slice(&digest[..16]);
    trace
}

pub(crate) async fn erase(
    writer: &Writer,
    site: &str,
    subject: Subject,
    only: Option<Uuid>,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<Vec<Uuid>> {
    let mut writing = writer.lock().await?;
    let mut work = writing.begin().await?;
    let only = only.as_ref().map(|id| id.as_bytes().as_slice());
    let subject = subject.0.as_slice();
    let rows = sqlx::query!(
        "delete from record
        where site_number = (select number from site where site.id = ?1) and subject = ?2
            and (?3 is null or id = ?3)
        returning site_number, id, leaf",
        site,
        subject,
        only,
    )
    .fetch_all(&mut *work)
    .await
    .map_err(database)?;
    let at = |column| Cell {
        table: "record",
        column,
    };
    let mut erased = Vec::with_capacity(rows.len());
    for row in rows {
        let id = at("id").uuid(&row.id)?;
        let trace = trace(id);
        let trace = trace.as_slice();
        let signature = sign(at("leaf").number(row.leaf)?);
        let signature = signature.as_slice();
        sqlx::query!(
            "insert into erasure (site_number, leaf, erased_at_ms, signature) values (?, ?, ?, ?)",
            row.site_number,
            row.leaf,
            now_ms,
            signature,
        )
        .execute(&mut *work)
        .await
        .map_err(database)?;
        sqlx::query!(
            "insert into erased_id (site_number, trace) values (?, ?)",
            row.site_number,
            trace,
        )
        .execute(&mut *work)
        .await
        .map_err(database)?;
        erased.push(id);
    }
    work.commit().await.map_err(database)?;
    Ok(erased)
}

pub(crate) async fn is_erased(readers: &SqlitePool, site: &str, id: Uuid) -> Result<bool> {
    let trace = trace(id);
    let trace = trace.as_slice();
    let found = sqlx::query_scalar!(
        r#"select exists (
            select 1 from site join erased_id on site_number = site.number
            where site.id = ? and trace = ?
        ) as "found: bool""#,
        site,
        trace,
    )
    .fetch_one(readers)
    .await
    .map_err(database)?;
    Ok(found)
}

pub(crate) async fn erasures(
    readers: &SqlitePool,
    site: &str,
    from: u64,
    limit: u32,
) -> Result<Vec<Erasure>> {
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let at = |column| Cell {
        table: "erasure",
        column,
    };
    sqlx::query!(
        "select leaf, erased_at_ms, signature
        from site
        join erasure on site_number = site.number
        where site.id = ? and leaf >= ?
        order by leaf
        limit ?",
        site,
        from,
        limit,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(|row| {
        Ok(Erasure {
            leaf: at("leaf").number(row.leaf)?,
            erased_at_ms: row.erased_at_ms,
            signature: at("signature").bytes(&row.signature)?,
        })
    })
    .collect()
}
