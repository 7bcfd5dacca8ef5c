//! Erased records: the row goes, and two things stay that do not know of each other, when an entry's record was erased
//! and a hash of the record's id.

use assent_consent::record::Subject;
use assent_store::{AskedBy, Erased, Erasure, Hold, Result, SignErasure, cell::Cell, trace};
use uuid::Uuid;

use crate::{
    connection::{Database, Lock, Work},
    custody,
};

/// A record that is to go.
pub(crate) struct Going {
    pub(crate) id: Uuid,
    pub(crate) subject: Subject,
    pub(crate) leaf: i64,
}

impl Going {
    pub(crate) fn read(id: Uuid, subject: &[u8], leaf: i64) -> Result<Self> {
        let at = Cell {
            table: "record",
            column: "subject",
        };
        Ok(Self {
            id,
            subject: Subject(at.bytes(subject)?),
            leaf,
        })
    }
}

/// Erases records, none of which may be held, and the restrictions of subjects of whom nothing is left; what is left of
/// a subject from before counts no more. The transaction holds the lock of the site's log.
pub(crate) async fn forget(
    work: &mut Work,
    site_number: i32,
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
    let ids: Vec<Uuid> = going.iter().map(|record| record.id).collect();
    let subjects: Vec<[u8; 16]> = going.iter().map(|record| record.subject.0).collect();
    let leaves: Vec<i64> = going.iter().map(|record| record.leaf).collect();
    let traces: Vec<[u8; 16]> = ids.iter().copied().map(trace).collect();
    let signatures = leaves
        .iter()
        .zip(entries(work, site_number, &leaves).await?)
        .map(|(leaf, entry)| Ok(sign(at.number(*leaf)?, entry).to_vec()))
        .collect::<Result<Vec<Vec<u8>>>>()?;
    sqlx::query!(
        "delete from record where site_number = $1 and id = any($2)",
        site_number,
        &ids,
    )
    .execute(&mut *work)
    .await
    .map_err(crate::database)?;
    sqlx::query!(
        "insert into superseded (site_number, record_id)
        select record.site_number, record.id
        from unnest($2::bytea[], $3::bigint[]) as gone (subject, leaf)
        join record
            on record.site_number = $1 and record.subject = gone.subject and record.leaf < gone.leaf
        on conflict do nothing",
        site_number,
        &subjects as _,
        &leaves,
    )
    .execute(&mut *work)
    .await
    .map_err(crate::database)?;
    sqlx::query!(
        "insert into erasure (site_number, leaf, erased_at_ms, signature)
        select $1::integer, leaf, $4::bigint, signature
        from unnest($2::bigint[], $3::bytea[]) as new (leaf, signature)",
        site_number,
        &leaves,
        &signatures,
        now_ms,
    )
    .execute(&mut *work)
    .await
    .map_err(crate::database)?;
    sqlx::query!(
        "insert into erased_id (site_number, trace) select $1::integer, trace from unnest($2::bytea[]) as new (trace)",
        site_number,
        &traces as _,
    )
    .execute(&mut *work)
    .await
    .map_err(crate::database)?;
    sqlx::query!(
        "delete from restriction
        where site_number = $1 and subject = any($2::bytea[])
            and not exists (
                select 1 from record
                where record.site_number = $1 and record.subject = restriction.subject
            )",
        site_number,
        &subjects as _,
    )
    .execute(work)
    .await
    .map_err(crate::database)?;
    Ok(())
}

/// The entries with these indices, as they stand in the site's log, in the order of the indices.
async fn entries(work: &mut Work, site_number: i32, leaves: &[i64]) -> Result<Vec<[u8; 32]>> {
    let at = Cell {
        table: "ledger_part",
        column: "body",
    };
    let entries = sqlx::query_scalar!(
        r#"select substr(body, ((leaf - first) * 32 + 1)::integer, 32) as "entry!"
        from unnest($2::bigint[]) with ordinality as wanted (leaf, position)
        cross join lateral (
            select first, body
            from ledger_part
            where site_number = $1 and level = 0 and first <= leaf
            order by first desc
            limit 1
        ) as part
        order by position"#,
        site_number,
        leaves,
    )
    .fetch_all(work)
    .await
    .map_err(crate::database)?;
    if entries.len() < leaves.len() {
        return Err(at.inconsistent("a part is missing".to_owned()));
    }
    entries.iter().map(|entry| at.bytes(entry)).collect()
}

pub(crate) async fn erase(
    database: &Database,
    site: &str,
    subject: Subject,
    only: Option<Uuid>,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<Erased> {
    // Nobody finds an id stored and, a moment later, neither stored nor erased.
    let mut work = database.begin(vec![Lock::log(site)]).await?;
    let erased = match custody::site_number(&mut work, site).await? {
        Some(site_number) => erase_in(&mut work, site_number, subject, only, now_ms, sign).await?,
        None => Erased::default(),
    };
    work.end().await?;
    Ok(erased)
}

async fn erase_in(
    work: &mut Work,
    site_number: i32,
    subject: Subject,
    only: Option<Uuid>,
    now_ms: i64,
    sign: SignErasure<'_>,
) -> Result<Erased> {
    let rows = sqlx::query!(
        r#"select record.id, leaf, reason as "reason?", held_at_ms as "held_at_ms?", until_ms as "until_ms?",
            erasure_asked_at_ms as "erasure_asked_at_ms?"
        from record
        left join legal_hold on legal_hold.site_number = record.site_number and record_id = record.id
        where record.site_number = $1 and subject = $2 and ($3::uuid is null or record.id = $3)"#,
        site_number,
        &subject.0,
        only,
    )
    .fetch_all(&mut *work)
    .await
    .map_err(crate::database)?;
    let mut going = Vec::with_capacity(rows.len());
    let mut held = Vec::new();
    for row in rows {
        let record = Going {
            id: row.id,
            subject,
            leaf: row.leaf,
        };
        match (row.reason, row.held_at_ms, row.until_ms) {
            (Some(reason), Some(held_at_ms), Some(until_ms)) if until_ms > now_ms => {
                if row.erasure_asked_at_ms.is_none() {
                    custody::ask_erasure(work, site_number, record.id, now_ms).await?;
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
                custody::end_hold(work, site_number, record.id).await?;
                going.push(record);
            }
        }
    }
    forget(work, site_number, &going, now_ms, sign).await?;
    if !held.is_empty() {
        custody::set_restriction(work, site_number, subject, AskedBy::Visitor, now_ms).await?;
    }
    Ok(Erased {
        records: going.into_iter().map(|record| record.id).collect(),
        held,
    })
}

pub(crate) async fn superseded(database: &Database, site: &str, subject: Subject) -> Result<Vec<Uuid>> {
    let mut view = database.view().await?;
    let ids = sqlx::query_scalar!(
        "select record_id
        from site
        join record on record.site_number = site.number
        join superseded on superseded.site_number = record.site_number and record_id = record.id
        where site.id = $1 and subject = $2
        order by record_id",
        site,
        &subject.0,
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    Ok(ids)
}

pub(crate) async fn is_erased(database: &Database, site: &str, id: Uuid) -> Result<bool> {
    let mut view = database.view().await?;
    let is_erased = sqlx::query_scalar!(
        r#"select exists (
            select 1 from site join erased_id on site_number = site.number
            where site.id = $1 and trace = $2
        ) as "is_erased!""#,
        site,
        &trace(id),
    )
    .fetch_one(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    Ok(is_erased)
}

pub(crate) async fn erasures(database: &Database, site: &str, from: u64, limit: u32) -> Result<Vec<Erasure>> {
    let at = |column| Cell {
        table: "erasure",
        column,
    };
    let mut view = database.view().await?;
    let rows = sqlx::query!(
        "select leaf, erased_at_ms, signature
        from erasure
        where site_number = (select number from site where id = $1) and leaf >= $2
        order by leaf
        limit $3",
        site,
        i64::try_from(from).unwrap_or(i64::MAX),
        i64::from(limit),
    )
    .fetch_all(&mut view)
    .await
    .map_err(crate::database)?;
    view.end().await?;
    rows.into_iter()
        .map(|row| {
            Ok(Erasure {
                leaf: at("leaf").number(row.leaf)?,
                erased_at_ms: row.erased_at_ms,
                signature: at("signature").bytes(&row.signature)?,
            })
        })
        .collect()
}
