//! Erased records: the row goes, and two things stay that do not know of each other, when an entry's record was erased
//! and a hash of the record's id.

use assent_consent::record::Subject;
use assent_store::{AskedBy, Erased, Erasure, Hold, Result, SignErasure, trace};
use sqlx::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use crate::{cell::Cell, custody, database, json, writer::Writer};

/// A record that is to go.
pub(crate) struct Going {
    pub(crate) id: Uuid,
    pub(crate) subject: Subject,
    pub(crate) leaf: i64,
}

impl Going {
    pub(crate) fn read(id: &[u8], subject: &[u8], leaf: i64) -> Result<Self> {
        let at = |column| Cell {
            table: "record",
            column,
        };
        Ok(Self {
            id: at("id").uuid(id)?,
            subject: Subject(at("subject").bytes(subject)?),
            leaf,
        })
    }
}

/// Erases records, none of which may be held, and the restrictions of subjects of whom nothing is left; what is left of
/// a subject from before counts no more.
pub(crate) async fn forget(
    work: &mut SqliteConnection,
    site_number: i64,
    going: &[Going],
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<()> {
    if going.is_empty() {
        return Ok(());
    }
    let at = Cell {
        table: "record",
        column: "leaf",
    };
    let rows = going
        .iter()
        .zip(entries(work, site_number, going).await?)
        .map(|(record, entry)| {
            let trace = Uuid::from_bytes(trace(record.id));
            let signature = hex::encode(sign(at.number(record.leaf)?, entry));
            Ok((record.id, record.subject, record.leaf, trace, signature))
        })
        .collect::<Result<Vec<_>>>()?;
    let rows = json(&rows)?;
    sqlx::query!(
        "delete from record
        where site_number = ?1 and id in (select unhex(value ->> 0, '-') from jsonb_each(?2))",
        site_number,
        rows,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    sqlx::query!(
        "insert into superseded (site_number, record_id)
        select ?1, record.id
        from jsonb_each(?2) as gone
        cross join record
            on record.site_number = ?1 and record.subject = unhex(gone.value ->> 1)
            and record.leaf < gone.value ->> 2
        where true
        on conflict do nothing",
        site_number,
        rows,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    sqlx::query!(
        "insert into erasure (site_number, leaf, erased_at_ms, signature)
        select ?1, value ->> 2, ?3, unhex(value ->> 4) from jsonb_each(?2)",
        site_number,
        rows,
        now_ms,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    sqlx::query!(
        "insert into erased_id (site_number, trace)
        select ?1, unhex(value ->> 3, '-') from jsonb_each(?2)",
        site_number,
        rows,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    sqlx::query!(
        "delete from restriction
        where site_number = ?1 and subject in (select unhex(value ->> 1) from jsonb_each(?2))
            and not exists (
                select 1 from record
                where record.site_number = ?1 and record.subject = restriction.subject
            )",
        site_number,
        rows,
    )
    .execute(&mut *work)
    .await
    .map_err(database)?;
    Ok(())
}

/// The records' entries, as they stand in the site's log, in the order of the records.
async fn entries(work: &mut SqliteConnection, site_number: i64, going: &[Going]) -> Result<Vec<[u8; 32]>> {
    let at = Cell {
        table: "ledger_tile",
        column: "body",
    };
    let leaves: Vec<_> = going.iter().map(|record| record.leaf).collect();
    let leaves = json(&leaves)?;
    let rows = sqlx::query_scalar!(
        r#"select substr(body, value % 256 * 32 + 1, 32) as "entry!: Vec<u8>"
        from jsonb_each(?2) as wanted
        cross join ledger_tile
            on ledger_tile.site_number = ?1 and level = 0 and ledger_tile.number = value / 256
        order by wanted.key"#,
        site_number,
        leaves,
    )
    .fetch_all(work)
    .await
    .map_err(database)?;
    if rows.len() < going.len() {
        return Err(at.inconsistent("a tile is missing".to_owned()));
    }
    rows.iter().map(|entry| at.bytes(entry)).collect()
}

pub(crate) async fn erase(
    writer: &Writer,
    site: &str,
    subject: Subject,
    only: Option<Uuid>,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<Erased> {
    let mut writing = writer.lock().await?;
    let mut work = writing.begin().await?;
    let Some(site_number) = custody::site_number(&mut work, site).await? else {
        return Ok(Erased::default());
    };
    let only = only.as_ref().map(|id| id.as_bytes().as_slice());
    let subject_id = subject.0.as_slice();
    let rows = sqlx::query!(
        r#"select record.id, leaf, reason as "reason?", held_at_ms as "held_at_ms?", until_ms as "until_ms?",
            erasure_asked_at_ms
        from record
        left join legal_hold on legal_hold.site_number = record.site_number and record_id = record.id
        where record.site_number = ?1 and subject = ?2 and (?3 is null or record.id = ?3)"#,
        site_number,
        subject_id,
        only,
    )
    .fetch_all(&mut *work)
    .await
    .map_err(database)?;
    let mut going = Vec::with_capacity(rows.len());
    let mut held = Vec::new();
    for row in rows {
        let record = Going::read(&row.id, subject_id, row.leaf)?;
        match (row.reason, row.held_at_ms, row.until_ms) {
            (Some(reason), Some(held_at_ms), Some(until_ms)) if until_ms > now_ms => {
                if row.erasure_asked_at_ms.is_none() {
                    custody::ask_erasure(&mut work, site_number, record.id, now_ms).await?;
                }
                held.push(Hold {
                    record: record.id,
                    subject,
                    reason,
                    held_at_ms,
                    until_ms,
                    erasure_asked_at_ms: row.erasure_asked_at_ms.or(Some(now_ms)),
                });
            }
            (None, ..) => going.push(record),
            _ => {
                custody::end_hold(&mut work, site_number, record.id).await?;
                going.push(record);
            }
        }
    }
    forget(&mut work, site_number, &going, now_ms, sign).await?;
    if !held.is_empty() {
        custody::set_restriction(&mut work, site_number, subject, AskedBy::Visitor, now_ms).await?;
    }
    work.commit().await.map_err(database)?;
    if !going.is_empty() {
        writer.note_erasure();
    }
    Ok(Erased {
        records: going.into_iter().map(|record| record.id).collect(),
        held,
    })
}

pub(crate) async fn superseded(readers: &SqlitePool, site: &str, subject: Subject) -> Result<Vec<Uuid>> {
    let at = Cell {
        table: "superseded",
        column: "record_id",
    };
    let subject = subject.0.as_slice();
    sqlx::query_scalar!(
        "select record_id
        from site
        join record on record.site_number = site.number
        join superseded on superseded.site_number = record.site_number and record_id = record.id
        where site.id = ? and subject = ?
        order by record_id",
        site,
        subject,
    )
    .fetch_all(readers)
    .await
    .map_err(database)?
    .into_iter()
    .map(|id| at.uuid(&id))
    .collect()
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
