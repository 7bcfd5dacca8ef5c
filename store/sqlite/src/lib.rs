//! The SQLite store: one file, one writer, any number of readers.
//!
//! SQLite allows one writer at a time, so the store writes by one connection at a time and has a few that read; the
//! readers never wait for the writer, because the database is in WAL mode. Every commit is synced to the disk
//! before it is reported (`synchronous=FULL`).
//!
//! The schema and its reasons stand in `migrations/`. All SQL but that of `append` is checked against it when the crate
//! is built, from the descriptions in `.sqlx/`. To add an operation: declare it in `assent-store`, write its statement
//! in the module of its table, run `cargo xtask prepare`, then the conformance suite.

mod append;
mod backup;
mod custody;
mod erasure;
mod ledger;
mod owners;
mod rates;
mod records;
mod retention;
mod sites;
mod third_parties;
mod tokens;
mod transfer;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use assent_consent::{
    notice::{Notice, NoticeHash},
    record::{ConsentRecord, Subject},
    site::SiteConfig,
};
use assent_store::{
    Appended, ArchivedNotice, Batch, Batched, Due, Erased, Erasure, Grant, Hold, Logged, Order,
    OrganisationId, Outcome, Owner, Rates, Restriction, Result, RetentionRun, Revision, Session, Sighting,
    SignErasure, SignedHead, Store, StoreError, ThirdPartyDay, TrailEntry, cell,
};
use async_trait::async_trait;
use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use uuid::Uuid;

use writer::Writer;

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that read.
const READERS_MAX: u32 = 4;
/// The schema, version by version.
static MIGRATIONS: Migrator = sqlx::migrate!();

/// Assent's data in one SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: Arc<Writer>,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens a database, which is created if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file cannot be opened or written, or was made by a newer version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let writer = Writer::connect(path).await?;
        MIGRATIONS
            .run(&mut writer.lock().await?.connection)
            .await
            .map_err(|error| StoreError::Database(error.into()))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            .read_only(true);
        let readers = readers(options).await?;
        Ok(Self { writer, readers })
    }

    /// Opens a database only to read it, beside a server that runs on it or without one: nothing is created, nothing is
    /// brought up to date. Operations that write fail.
    ///
    /// # Errors
    /// [`StoreError::Database`] if there is no such file, or it was made by another version.
    pub async fn open_read_only(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            .read_only(true);
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let readers = match of_this_version(options.clone()).await {
            // A copy on a medium that cannot be written has no place for the log's index, and needs none.
            Err(_) if path.exists() && !Path::new(&log).exists() => {
                of_this_version(options.immutable(true)).await?
            }
            readers => readers?,
        };
        Ok(Self {
            writer: Writer::none(),
            readers,
        })
    }
}

impl SqliteStore {
    /// Writes a copy of the database, as it is at this moment, to a new file; whoever works on the database goes on.
    /// `keys` are put in beside it: the server's public keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file is there already or cannot be written; what was written of it stays.
    pub async fn back_up(&self, to: &Path, keys: &[[u8; 32]]) -> Result<()> {
        backup::write(&self.readers, to, keys).await
    }

    /// Makes a database of a copy that [`back_up`](Self::back_up) has written: takes the keys out of it, and returns
    /// them.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file is no such copy.
    pub async fn keys_of_backup(path: &Path) -> Result<Vec<[u8; 32]>> {
        backup::take_keys(path).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ensure_organisation(&self, id: OrganisationId, name: &str) -> Result<()> {
        sites::ensure_organisation(&self.writer, id, name).await
    }

    async fn publish_revision(
        &self,
        organisation: OrganisationId,
        config: &SiteConfig,
        now_ms: i64,
    ) -> Result<Revision> {
        sites::publish_revision(&self.writer, organisation, config, now_ms).await
    }

    async fn current_revisions(&self) -> Result<Vec<Revision>> {
        sites::current_revisions(&self.readers).await
    }

    async fn sites(&self, organisation: OrganisationId) -> Result<Vec<Revision>> {
        sites::sites(&self.readers, organisation).await
    }

    async fn notice(&self, site: &str, hash: NoticeHash) -> Result<Option<String>> {
        sites::notice(&self.readers, site, hash).await
    }

    async fn notices(
        &self,
        organisation: OrganisationId,
        site: &str,
        limit: u32,
    ) -> Result<Vec<ArchivedNotice>> {
        sites::notices(&self.readers, organisation, site, limit).await
    }

    async fn revision_notice(
        &self,
        site: &str,
        revision: u32,
        hash: NoticeHash,
    ) -> Result<Option<(Revision, Notice)>> {
        sites::revision_notice(&self.readers, site, revision, hash).await
    }

    async fn append(&self, batch: Batch) -> Result<Vec<Appended>> {
        append::append(&self.writer, &self.readers, batch).await
    }

    async fn record(&self, site: &str, id: Uuid, subject: Subject) -> Result<Option<ConsentRecord>> {
        records::record(&self.readers, site, id, subject).await
    }

    async fn history(&self, site: &str, subject: Subject, limit: u32) -> Result<Vec<ConsentRecord>> {
        records::history(&self.readers, site, subject, limit).await
    }

    async fn erase(
        &self,
        site: &str,
        subject: Subject,
        only: Option<Uuid>,
        now_ms: i64,
        sign: SignErasure<'_>,
    ) -> Result<Erased> {
        erasure::erase(&self.writer, site, subject, only, now_ms, sign).await
    }

    async fn superseded(&self, site: &str, subject: Subject) -> Result<Vec<Uuid>> {
        erasure::superseded(&self.readers, site, subject).await
    }

    async fn is_erased(&self, site: &str, id: Uuid) -> Result<bool> {
        erasure::is_erased(&self.readers, site, id).await
    }

    async fn restriction(&self, site: &str, subject: Subject) -> Result<Option<Restriction>> {
        custody::restriction(&self.readers, site, subject).await
    }

    async fn restrict(&self, site: &str, subject: Subject, now_ms: i64) -> Result<Option<Restriction>> {
        custody::restrict(&self.writer, site, subject, now_ms).await
    }

    async fn lift_restriction(&self, site: &str, subject: Subject) -> Result<bool> {
        custody::lift_restriction(&self.writer, site, subject).await
    }

    async fn holds_of(&self, site: &str, subject: Subject, now_ms: i64) -> Result<Vec<Hold>> {
        custody::holds_of(&self.readers, site, subject, now_ms).await
    }

    async fn holds(&self, site: &str, now_ms: i64, limit: u32) -> Result<Vec<Hold>> {
        custody::holds(&self.readers, site, now_ms, limit).await
    }

    async fn carry_out(
        &self,
        site: &str,
        record: Uuid,
        owner: Uuid,
        order: &Order,
        now_ms: i64,
        sign: SignErasure<'_>,
    ) -> Result<Outcome> {
        custody::carry_out(&self.writer, site, record, owner, order, now_ms, sign).await
    }

    async fn trail(&self, site: &str, limit: u32) -> Result<Vec<TrailEntry>> {
        custody::trail(&self.readers, site, limit).await
    }

    async fn erase_due(&self, site: &str, due: &Due, now_ms: i64, sign: SignErasure<'_>) -> Result<Batched> {
        retention::erase_due(&self.writer, site, due, now_ms, sign).await
    }

    async fn note_retention(&self, site: &str, ran_at_ms: i64, erased: u64, spared: u64) -> Result<()> {
        retention::note(&self.writer, site, ran_at_ms, erased, spared).await
    }

    async fn retention(&self, site: &str) -> Result<Option<RetentionRun>> {
        retention::last(&self.readers, site).await
    }

    async fn log_size(&self, site: &str) -> Result<u64> {
        ledger::size(&self.readers, site).await
    }

    async fn log_tile(&self, site: &str, level: u8, number: u64) -> Result<Option<Vec<u8>>> {
        ledger::tile(&self.readers, site, level, number).await
    }

    async fn logged(&self, site: &str, id: Uuid) -> Result<Option<Logged>> {
        records::logged(&self.readers, site, id).await
    }

    async fn log_records(&self, site: &str, from: u64, limit: u32) -> Result<Vec<Logged>> {
        records::log_records(&self.readers, site, from, limit).await
    }

    async fn log_erasures(&self, site: &str, from: u64, limit: u32) -> Result<Vec<Erasure>> {
        erasure::erasures(&self.readers, site, from, limit).await
    }

    async fn put_head(&self, site: &str, head: &SignedHead) -> Result<()> {
        ledger::put_head(&self.writer, site, head).await
    }

    async fn last_head(&self, site: &str) -> Result<Option<SignedHead>> {
        ledger::last_head(&self.readers, site).await
    }

    async fn heads(&self, site: &str, from: u64, limit: u32) -> Result<Vec<SignedHead>> {
        ledger::heads(&self.readers, site, from, limit).await
    }

    async fn rates(
        &self,
        organisation: OrganisationId,
        site: &str,
        from_day: i32,
        to_day: i32,
    ) -> Result<Rates> {
        rates::rates(&self.readers, organisation, site, from_day, to_day).await
    }

    async fn count_third_parties(&self, sightings: &[Sighting]) -> Result<()> {
        third_parties::add(&self.writer, sightings).await
    }

    async fn third_parties(
        &self,
        organisation: OrganisationId,
        site: &str,
        from_day: i32,
        to_day: i32,
    ) -> Result<Vec<ThirdPartyDay>> {
        third_parties::read(&self.readers, organisation, site, from_day, to_day).await
    }

    async fn ensure_owner(&self, organisation: OrganisationId, id: Uuid, email: &str) -> Result<Owner> {
        owners::ensure_owner(&self.writer, organisation, id, email).await
    }

    async fn owner(&self, id: Uuid) -> Result<Option<Owner>> {
        owners::owner(&self.readers, id).await
    }

    async fn owner_by_email(&self, email: &str) -> Result<Option<Owner>> {
        owners::owner_by_email(&self.readers, email).await
    }

    async fn set_password(&self, owner: Uuid, password_hash: &str) -> Result<()> {
        owners::set_password(&self.writer, owner, password_hash).await
    }

    async fn begin_session(&self, session: &Session) -> Result<()> {
        owners::begin_session(&self.writer, session).await
    }

    async fn session_owner(&self, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Owner>> {
        owners::session_owner(&self.readers, token_hash, now_ms).await
    }

    async fn end_session(&self, token_hash: [u8; 32]) -> Result<()> {
        owners::end_session(&self.writer, token_hash).await
    }

    async fn put_token(&self, token_hash: [u8; 32], grant: &Grant, expires_at_ms: i64) -> Result<()> {
        tokens::put(&self.writer, token_hash, grant, expires_at_ms).await
    }

    async fn take_token(&self, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Grant>> {
        tokens::take(&self.writer, token_hash, now_ms).await
    }

    async fn peek_token(&self, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Grant>> {
        tokens::peek(&self.readers, token_hash, now_ms).await
    }

    async fn sweep(&self, now_ms: i64) -> Result<()> {
        owners::sweep(&self.writer, now_ms).await?;
        tokens::sweep(&self.writer, now_ms).await
    }

    /// The writer closes last: it then copies the write-ahead log into the database and removes it.
    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn readers(options: SqliteConnectOptions) -> Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(database)
}

/// Connections to a database whose schema is exactly this version's.
async fn of_this_version(options: SqliteConnectOptions) -> Result<SqlitePool> {
    let readers = readers(options).await?;
    let done: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from _sqlx_migrations where success order by version")
            .fetch_all(&readers)
            .await
            .map_err(database)?;
    let is_this = done
        .iter()
        .map(|(version, checksum)| (*version, checksum.as_slice()))
        .eq(MIGRATIONS
            .iter()
            .map(|migration| (migration.version, migration.checksum.as_ref())));
    if is_this {
        return Ok(readers);
    }
    let problem = "it was made by another version of Assent; the server brings it up to date when it starts";
    Err(StoreError::Database(problem.into()))
}

/// A failed statement. A value that does not decode is the data's fault, not the database's.
fn database(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::ColumnDecode { index, source } => StoreError::Inconsistent {
            table: "unknown",
            column: "unknown",
            detail: format!("{index}: {source}"),
        },
        error => StoreError::Database(error.into()),
    }
}

/// Text for a column or a parameter that holds JSON.
fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Database(error.into()))
}

#[cfg(test)]
mod tests {
    use assent_store::conformance::sample;

    use super::*;

    #[tokio::test]
    async fn commits_are_synced_before_they_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("assent.db")).await.unwrap();
        for (name, value) in [
            ("synchronous", "2"),
            ("journal_mode", "wal"),
            ("foreign_keys", "1"),
        ] {
            let pragma = format!("select {name} || '' from pragma_{name}");
            let mut writing = store.writer.lock().await.unwrap();
            let sqlx: String = sqlx::query_scalar(sqlx::AssertSqlSafe(pragma.clone()))
                .fetch_one(&mut writing.connection)
                .await
                .unwrap();
            let appending = writing.appending.run(move |work| {
                work.query_row(&pragma, (), |row| row.get::<_, String>(0))
                    .map_err(|error| StoreError::Database(error.into()))
            });
            assert_eq!(
                (sqlx.as_str(), appending.await.unwrap().as_str()),
                (value, value),
                "{name}"
            );
        }
        store.close().await;
    }

    #[tokio::test]
    async fn a_full_database_takes_nothing_and_goes_on_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("assent.db")).await.unwrap();
        let config = sample::config("shop");
        let notice = sample::notice(&config, "first");
        let organisation = OrganisationId(Uuid::from_u128(1));
        store.ensure_organisation(organisation, "Sample").await.unwrap();
        store
            .publish_revision(organisation, &config, sample::NOW_MS)
            .await
            .unwrap();
        store
            .archive_notices("shop", 1, std::slice::from_ref(&notice))
            .await
            .unwrap();
        let batch = |first: u32| Batch {
            records: (first..first + 20)
                .map(|number| sample::record(&notice, notice.hash(), number, sample::subject(number)))
                .map(|record| sample::accepted(&notice, record))
                .collect(),
            counts: Vec::new(),
        };
        let pages = async |max: u32| {
            let writing = store.writer.lock().await.unwrap();
            let limited = writing.appending.run(move |work| {
                work.query_row(&format!("pragma max_page_count = {max}"), (), |_| Ok(()))
                    .map_err(|error| StoreError::Database(error.into()))
            });
            limited.await.unwrap();
        };
        pages(100).await;
        let mut first = 0;
        let refused = loop {
            match store.append(batch(first)).await {
                Ok(answers) => assert_eq!(answers, vec![Appended::New; 20]),
                Err(error) => break error,
            }
            first += 20;
            assert!(first < 10_000, "100 pages hold no more");
        };
        assert!(matches!(refused, StoreError::Database(_)), "{refused:?}");
        assert!(first > 0);
        assert!(store.append(batch(first)).await.is_err());
        assert_eq!(store.log_size("shop").await.unwrap(), u64::from(first));
        pages(100_000).await;
        assert_eq!(store.append(batch(first)).await.unwrap(), vec![Appended::New; 20]);
        assert_eq!(store.log_size("shop").await.unwrap(), u64::from(first) + 20);
        store.close().await;
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("assent.db")).await.unwrap();
        let written = sqlx::query("delete from site").execute(&store.readers).await;
        assert!(written.is_err());
        store.close().await;
    }
}
