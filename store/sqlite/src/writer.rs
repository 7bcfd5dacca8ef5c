//! The connections that write, one at a time: one of sqlx's, and the one that appends records.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use assent_store::{Result, StoreError};
use sqlx::{
    ConnectOptions as _, Connection as _, Sqlite, SqliteConnection, Transaction, sqlite::SqliteConnectOptions,
};
use tokio::{
    sync::{MappedMutexGuard, Mutex, MutexGuard, Notify},
    task::JoinSet,
};

use crate::{BUSY_TIMEOUT, append::thread::Thread, database};

/// Statements of a transaction that writes begin with the write lock, so that two never deadlock.
const BEGIN: &str = "begin immediate";
/// What both connections are set to.
const SETTINGS: [(&str, &str); 6] = [
    ("journal_mode", "wal"),
    ("synchronous", "full"),
    ("foreign_keys", "on"),
    // What is erased is overwritten, not only given free.
    ("secure_delete", "on"),
    // A statement that inserts many rows keeps what it would have to undo; in a file that doubles its writes.
    ("temp_store", "memory"),
    // Pages of the write-ahead log after which a commit copies them into the database, and takes as long as that takes:
    // only where it was not done beside ([`COPY_AFTER`]).
    ("wal_autocheckpoint", "16384"),
];
/// Commits after which the write-ahead log is copied into the database. One record by itself changes about ten pages of
/// 4 KiB, a full batch some twenty, so that the log stays at 10 to 20 MiB.
const COPY_AFTER: usize = 256;
/// How often the log is copied while others write: each time less is left, which was written meanwhile. What is left then
/// is copied while nobody writes.
const COPIES_BESIDE: usize = 3;
/// How long that last copy waits for those who read, and may hold up those who write.
const COPY_WAIT: Duration = Duration::from_millis(100);
/// How long after what was erased has gone from the write-ahead log, or could not yet, that is looked after again. Each
/// time holds up what is written, so many erasures share one.
const EMPTY_EVERY: Duration = Duration::from_secs(10);
/// How long that waits for those who read, and may hold up those who write.
const EMPTY_WAIT: Duration = Duration::from_secs(1);

/// Lets one write at a time, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    options: SqliteConnectOptions,
    /// Nothing once it is closed, or where nothing may be written.
    writing: Mutex<Option<Writing>>,
    /// Told when the write-ahead log may hold what was erased.
    erased: Arc<Notify>,
    /// How often something was written since the log was copied.
    written: AtomicUsize,
    /// Told when that was often.
    grown: Arc<Notify>,
    /// Held while the write-ahead log is copied.
    copying: Mutex<()>,
    /// The tasks that do so; they end with the writer.
    _copiers: JoinSet<()>,
}

/// The connections. SQLite would make one wait for the other too, but by asking again and again.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) connection: SqliteConnection,
    pub(crate) appending: Thread,
}

impl Writer {
    /// Opens the connection.
    pub(crate) async fn connect(path: &Path) -> Result<Arc<Self>> {
        let options = SETTINGS.iter().fold(
            SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .busy_timeout(BUSY_TIMEOUT),
            |options, (name, value)| options.pragma(*name, *value),
        );
        let writing = Writing {
            connection: options.connect().await.map_err(database)?,
            appending: Thread::start(path, &SETTINGS, BUSY_TIMEOUT)?,
        };
        let erased = Arc::new(Notify::new());
        let grown = Arc::new(Notify::new());
        Ok(Arc::new_cyclic(|writer| {
            let mut copiers = JoinSet::new();
            copiers.spawn(keep_empty(Weak::clone(writer), Arc::clone(&erased)));
            copiers.spawn(keep_short(Weak::clone(writer), Arc::clone(&grown)));
            Self {
                path: path.to_owned(),
                options,
                writing: Mutex::new(Some(writing)),
                erased,
                written: AtomicUsize::new(0),
                grown,
                copying: Mutex::new(()),
                _copiers: copiers,
            }
        }))
    }

    /// Where nothing may be written.
    pub(crate) fn none() -> Arc<Self> {
        Arc::new(Self {
            path: PathBuf::new(),
            options: SqliteConnectOptions::new(),
            writing: Mutex::new(None),
            erased: Arc::default(),
            written: AtomicUsize::new(0),
            grown: Arc::default(),
            copying: Mutex::new(()),
            _copiers: JoinSet::new(),
        })
    }

    /// Waits for those before. Each time is counted as one commit: now and then the write-ahead log is copied into the
    /// database, beside what is written.
    pub(crate) async fn lock(&self) -> Result<MappedMutexGuard<'_, Writing>> {
        let mut writing = MutexGuard::try_map(self.writing.lock().await, Option::as_mut)
            .map_err(|_| StoreError::Database(sqlx::Error::PoolClosed.into()))?;
        if self.written.fetch_add(1, Ordering::Relaxed) >= COPY_AFTER {
            self.grown.notify_one();
        }
        if writing.appending.has_ended() {
            writing.appending = Thread::start(&self.path, &SETTINGS, BUSY_TIMEOUT)?;
        }
        if writing.is_stuck().await {
            writing.connection = self.options.connect().await.map_err(database)?;
        }
        Ok(writing)
    }

    /// To be called when something was erased and that is committed: it goes from the write-ahead log as well, soon.
    pub(crate) fn note_erasure(&self) {
        self.erased.notify_one();
    }

    /// Copies the write-ahead log into the database and cuts it off: only then the bytes of what was deleted are nowhere
    /// any more. Whether that could be done; those who read what was there before prevent it.
    async fn empty_log(&self) -> Result<bool> {
        self.copy_log("pragma wal_checkpoint(truncate)", EMPTY_WAIT).await
    }

    /// Copies the write-ahead log into the database, so that it is written from its beginning again.
    async fn shorten_log(&self) -> Result<bool> {
        self.copy_log("pragma wal_checkpoint(restart)", COPY_WAIT).await
    }

    async fn copy_log(&self, last: &'static str, wait: Duration) -> Result<bool> {
        let _copying = self.copying.lock().await;
        if self.writing.lock().await.is_none() {
            return Ok(true);
        }
        self.written.store(0, Ordering::Relaxed);
        let options = self.options.clone().busy_timeout(wait);
        let mut connection = options.connect().await.map_err(database)?;
        for _ in 0..COPIES_BESIDE {
            sqlx::query("pragma wal_checkpoint(passive)")
                .execute(&mut connection)
                .await
                .map_err(database)?;
        }
        // Whoever writes next waits in order, and does not ask SQLite again and again.
        let writing = self.writing.lock().await;
        let busy: i64 = sqlx::query_scalar(last)
            .fetch_one(&mut connection)
            .await
            .map_err(database)?;
        drop(writing);
        connection.close().await.map_err(database)?;
        Ok(busy == 0)
    }

    /// Ends the connection; nothing can be written afterwards.
    pub(crate) async fn close(&self) {
        let _copying = self.copying.lock().await;
        if let Some(writing) = self.writing.lock().await.take() {
            writing.appending.close().await;
            // What is committed is safe, however the connection ends.
            let _ = writing.connection.close().await;
        }
    }
}

/// Empties the write-ahead log at first, because a server that was killed may have left something there, and whenever
/// something was erased, for as long as there is a writer.
async fn keep_empty(writer: Weak<Writer>, erased: Arc<Notify>) {
    let mut pause = Duration::ZERO;
    while let Some(present) = writer.upgrade() {
        // Who reads or writes next hears of it if the database fails.
        let is_empty = present.empty_log().await.unwrap_or(false);
        drop(present);
        tokio::time::sleep(if is_empty { pause } else { EMPTY_EVERY }).await;
        pause = EMPTY_EVERY;
        if is_empty {
            erased.notified().await;
        }
    }
}

/// Copies the write-ahead log whenever much was written, for as long as there is a writer.
async fn keep_short(writer: Weak<Writer>, grown: Arc<Notify>) {
    loop {
        grown.notified().await;
        let Some(present) = writer.upgrade() else { return };
        // What could not be copied now is copied the next time, or by the commit that finds the log too long.
        let _ = present.shorten_log().await;
    }
}

impl Writing {
    /// Whether the connection takes a transaction for open that is not. Where the disk is full, SQLite rolls back by
    /// itself; sqlx then cannot, and begins no other ever after.
    async fn is_stuck(&mut self) -> bool {
        self.connection.is_in_transaction()
            // A rollback may still be on its way.
            && (self.connection.ping().await.is_err() || self.connection.is_in_transaction())
    }

    /// Begins a transaction; it is rolled back unless it is committed.
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>> {
        begin(&mut self.connection).await
    }
}

/// Begins a transaction; it is rolled back unless it is committed.
pub(crate) async fn begin(connection: &mut SqliteConnection) -> Result<Transaction<'_, Sqlite>> {
    connection.begin_with(BEGIN).await.map_err(database)
}

#[cfg(test)]
mod tests {
    use assent_store::{Batch, OrganisationId, Store as _, conformance::sample};
    use uuid::Uuid;

    use crate::SqliteStore;

    use super::*;

    #[tokio::test]
    async fn after_many_commits_the_log_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assent.db");
        let store = SqliteStore::open(&path).await.unwrap();
        let notice = sample::fill(&store, OrganisationId(Uuid::from_u128(1))).await;
        // <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>: others each time that it begins anew.
        let salts = || {
            let log = std::fs::read(folder.path().join("assent.db-wal")).unwrap();
            log[16..24].to_vec()
        };
        let append = async |number| {
            let record = sample::record(&notice, notice.hash(), number, sample::subject(number));
            let records = vec![sample::accepted(&notice, record)];
            let counts = Vec::new();
            store.append(Batch { records, counts }).await.unwrap();
        };
        let mut numbers = 1..1_000;
        // Once at the start it begins anew without being told.
        let (mut before, mut unchanged) = (Vec::new(), 0);
        while unchanged < 20 {
            append(numbers.next().unwrap()).await;
            let now = salts();
            unchanged = if now == before { unchanged + 1 } else { 0 };
            before = now;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        store.writer.written.store(COPY_AFTER, Ordering::Relaxed);
        while salts() == before {
            append(numbers.next().expect("the log begins anew")).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        store.close().await;
    }

    #[tokio::test]
    async fn a_panic_while_appending_is_the_end_of_one_batch_only() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("assent.db")).await.unwrap();
        let notice = sample::fill(&store, OrganisationId(Uuid::from_u128(1))).await;
        let writing = store.writer.lock().await.unwrap();
        let panicked: Result<()> = writing.appending.run(|_| panic!("on purpose")).await;
        drop(writing);
        panicked.unwrap_err();
        let record = sample::record(&notice, notice.hash(), 1, sample::subject(1));
        let batch = Batch {
            records: vec![sample::accepted(&notice, record)],
            counts: Vec::new(),
        };
        assert_eq!(store.append(batch).await.unwrap(), [assent_store::Appended::New]);
        store.close().await;
    }
}
