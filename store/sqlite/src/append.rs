//! Records on their way in: the hot path of the whole server. A batch is one transaction, on a thread of its own
//! ([`thread`]), record by record, with its statements prepared once.
//!
//! These are the only statements that are not sqlx's, so none is checked when the crate is built; a test below prepares
//! them all.

mod counts;
pub(crate) mod thread;
mod tiles;

use std::collections::{HashMap, hash_map::Entry};

use assent_consent::{notice::NoticeHash, record::ConsentRecord};
use assent_store::{Appended, Batch, NewRecord, Result, StoreError, Stretch, trace};
use rusqlite::{CachedStatement, OptionalExtension as _, Transaction, ffi, params};
use sqlx::SqlitePool;

use crate::{json, ledger::inconsistent, records, writer::Writer};
use counts::Totals;
use tiles::End;

const SITE: &str = "select number from site where id = ?1";

const NOTICE: &str = "select notice.number, rule, language
    from notice
    join revision_notice
        on revision_notice.site_number = notice.site_number and notice_number = notice.number
    where notice.site_number = ?1 and hash = ?2 and revision = ?3";

/// Inserts nothing where the id is taken. One row of values: of a row that is selected, SQLite would keep a copy of each
/// page that it changes, to undo the statement alone.
const RECORD: &str = "insert into record (
        site_number, id, version, subject, revision, notice_number, method,
        performance, functional, targeting, services, asked, gpc, dnt,
        previous_id, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
    )
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
    on conflict (site_number, id) do nothing";

const IS_TAKEN: &str = "select 1 from record where site_number = ?1 and id = ?2";

const IS_ERASED: &str = "select 1 from erased_id where site_number = ?1 and trace = ?2";

const ERASURE: &str =
    "insert into erasure (site_number, leaf, erased_at_ms, signature) values (?1, ?2, ?3, ?4)";

/// Appends a batch and answers for each of its records, in order.
pub(crate) async fn append(writer: &Writer, readers: &SqlitePool, batch: Batch) -> Result<Vec<Appended>> {
    let (placed, batch) = writer
        .lock()
        .await?
        .appending
        .run(move |work| Ok((place(work, &batch)?, batch)))
        .await?;
    let mut answers = Vec::with_capacity(placed.len());
    for (placed, new) in placed.iter().zip(&batch.records) {
        answers.push(match placed {
            Placed::New => Appended::New,
            Placed::Erased => Appended::Conflict,
            Placed::Unknown => Appended::Unknown,
            Placed::Taken => earlier(readers, &new.record).await?,
        });
    }
    Ok(answers)
}

/// The answer for a record whose id is taken.
async fn earlier(readers: &SqlitePool, record: &ConsentRecord) -> Result<Appended> {
    Ok(match records::logged(readers, &record.site, record.id).await? {
        Some(earlier) => match earlier.record? {
            earlier if earlier.subject == record.subject => Appended::Duplicate(Box::new(earlier)),
            _ => Appended::Conflict,
        },
        // Erased since.
        None => Appended::Conflict,
    })
}

/// Appends a stretch of another store's log as it is.
pub(crate) async fn take_stretch(writer: &Writer, site: &str, stretch: &Stretch) -> Result<()> {
    let (site, stretch) = (site.to_owned(), stretch.clone());
    let writing = writer.lock().await?;
    let taken = writing.appending.run(move |work| {
        let mut site = Site::find(work, &site)?.ok_or(StoreError::Different)?;
        if site.size != stretch.first {
            return Err(StoreError::Different);
        }
        let mut insert = Insert::prepare(work)?;
        for (leaf, record) in &stretch.records {
            if insert.record(&mut site, record, *leaf)? != Placed::New {
                return Err(StoreError::Different);
            }
        }
        site.end.extend(work, &stretch.entries)?;
        let mut put = work.prepare_cached(ERASURE).map_err(failed)?;
        for erasure in &stretch.erasures {
            put.execute(params![
                site.number,
                index(erasure.leaf),
                erasure.erased_at_ms,
                erasure.signature.as_slice(),
            ])
            .map_err(failed)?;
        }
        Ok(())
    });
    taken.await
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placed {
    /// It is inserted.
    New,
    /// Its id is taken, maybe by itself.
    Taken,
    /// Its id is that of an erased record.
    Erased,
    /// Its site or its notice was never published.
    Unknown,
}

fn place(work: &Transaction<'_>, batch: &Batch) -> Result<Vec<Placed>> {
    let mut sites = HashMap::new();
    let mut insert = Insert::prepare(work)?;
    let mut totals = Totals::default();
    let mut placed = Vec::with_capacity(batch.records.len());
    for NewRecord {
        record,
        commitment,
        counts,
    } in &batch.records
    {
        let Some(site) = known(work, &mut sites, &record.site)? else {
            placed.push(Placed::Unknown);
            continue;
        };
        let leaf = site.size + site.entries.len() as u64;
        let answer = insert.record(site, record, leaf)?;
        if answer == Placed::New {
            site.entries.push(*commitment);
            totals.add(site.number, counts);
        }
        placed.push(answer);
    }
    for count in &batch.counts {
        if let Some(site) = known(work, &mut sites, &count.site)? {
            totals.add(site.number, std::slice::from_ref(count));
        }
    }
    for site in sites.into_values().flatten() {
        site.end.extend(work, &site.entries)?;
    }
    totals.write(work)?;
    Ok(placed)
}

/// Sites of a batch by their ids; nothing where one was never published.
type Sites<'a> = HashMap<&'a str, Option<Site>>;

fn known<'s, 'a>(
    work: &Transaction<'_>,
    sites: &'s mut Sites<'a>,
    id: &'a str,
) -> Result<Option<&'s mut Site>> {
    if !sites.contains_key(id) {
        sites.insert(id, Site::find(work, id)?);
    }
    Ok(sites.get_mut(id).and_then(Option::as_mut))
}

/// A site that a batch appends to.
struct Site {
    number: i64,
    /// What its revisions show, as far as this batch has asked.
    notices: HashMap<(u32, NoticeHash), Option<Notice>>,
    /// How many entries its log has before the batch.
    size: u64,
    end: End,
    /// The entries that the batch adds.
    entries: Vec<[u8; 32]>,
}

struct Notice {
    number: i64,
    rule: String,
    language: String,
}

impl Site {
    fn find(work: &Transaction<'_>, id: &str) -> Result<Option<Self>> {
        let number = work
            .prepare_cached(SITE)
            .map_err(failed)?
            .query_row([id], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        let Some(number) = number else { return Ok(None) };
        let end = End::read(work, number, 0)?;
        Ok(Some(Self {
            number,
            notices: HashMap::new(),
            size: end.size()?,
            end,
            entries: Vec::new(),
        }))
    }

    /// The number of the notice of a record, if it was published as the record says.
    fn notice(&mut self, work: &Transaction<'_>, record: &ConsentRecord) -> Result<Option<i64>> {
        let notice = match self.notices.entry((record.revision, record.notice)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(
                work.prepare_cached(NOTICE)
                    .map_err(failed)?
                    .query_row(
                        params![self.number, record.notice.0.as_slice(), record.revision],
                        |row| {
                            Ok(Notice {
                                number: row.get(0)?,
                                rule: row.get(1)?,
                                language: row.get(2)?,
                            })
                        },
                    )
                    .optional()
                    .map_err(failed)?,
            ),
        };
        Ok(notice
            .as_ref()
            .filter(|notice| notice.rule == record.rule && notice.language == record.language)
            .map(|notice| notice.number))
    }
}

/// Inserts records.
struct Insert<'w> {
    work: &'w Transaction<'w>,
    record: CachedStatement<'w>,
    is_erased: CachedStatement<'w>,
}

impl<'w> Insert<'w> {
    fn prepare(work: &'w Transaction<'w>) -> Result<Self> {
        Ok(Self {
            work,
            record: work.prepare_cached(RECORD).map_err(failed)?,
            is_erased: work.prepare_cached(IS_ERASED).map_err(failed)?,
        })
    }

    /// Inserts a record with its index in the log, unless its id is taken or it must not be stored.
    fn record(&mut self, site: &mut Site, record: &ConsentRecord, leaf: u64) -> Result<Placed> {
        let id = record.id.as_bytes().as_slice();
        let is_erased = self
            .is_erased
            .exists(params![site.number, trace(record.id).as_slice()])
            .map_err(failed)?;
        if is_erased {
            return Ok(Placed::Erased);
        }
        if let Some(notice_number) = site.notice(self.work, record)? {
            let services = Some(&record.services)
                .filter(|services| !services.is_empty())
                .map(json)
                .transpose()?;
            let inserted = self
                .record
                .execute(params![
                    site.number,
                    id,
                    record.version,
                    record.subject.0.as_slice(),
                    record.revision,
                    notice_number,
                    record.method.id(),
                    record.choice.performance,
                    record.choice.functional,
                    record.choice.targeting,
                    services,
                    record.asked,
                    record.gpc,
                    record.dnt,
                    record.previous.as_ref().map(|id| id.as_bytes().as_slice()),
                    record.decided_at_ms,
                    record.received_at_ms,
                    record.expires_at_ms,
                    record.salt.0.as_slice(),
                    index(leaf),
                ])
                .map_err(|error| match error.sqlite_error() {
                    // Of its index in the log: an id that is taken is no error.
                    Some(error) if error.extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE => inconsistent(),
                    _ => failed(error),
                })?;
            if inserted == 1 {
                return Ok(Placed::New);
            }
        }
        let is_taken = self
            .work
            .prepare_cached(IS_TAKEN)
            .and_then(|mut query| query.exists(params![site.number, id]))
            .map_err(failed)?;
        Ok(if is_taken { Placed::Taken } else { Placed::Unknown })
    }
}

/// SQLite's integers are signed.
fn index(leaf: u64) -> i64 {
    i64::try_from(leaf).unwrap_or(i64::MAX)
}

fn failed(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error.into())
}

#[cfg(test)]
mod tests {
    use assent_store::Store as _;

    use crate::SqliteStore;

    use super::*;

    #[tokio::test]
    async fn every_statement_fits_the_schema_and_reads_by_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("assent.db")).await.unwrap();
        let writing = store.writer.lock().await.unwrap();
        let plans = writing.appending.run(|work| {
            let mut plans = Vec::new();
            let own = [SITE, NOTICE, RECORD, IS_TAKEN, IS_ERASED, ERASURE];
            for statement in own.iter().chain(&[tiles::LAST, tiles::PUT, counts::ADD]) {
                let mut plan = work
                    .prepare(&format!("explain query plan {statement}"))
                    .map_err(failed)?;
                let parameters = plan.parameter_count();
                let mut steps = plan
                    .query(rusqlite::params_from_iter(vec![0; parameters]))
                    .map_err(failed)?;
                while let Some(step) = steps.next().map_err(failed)? {
                    plans.push((*statement, step.get::<_, String>("detail").map_err(failed)?));
                }
            }
            Ok(plans)
        });
        for (statement, step) in plans.await.unwrap() {
            let is_bounded = !step.contains("SCAN") || step.contains("CONSTANT ROW");
            assert!(is_bounded && !step.contains("B-TREE"), "{step}: {statement}");
        }
        drop(writing);
        store.close().await;
    }
}
