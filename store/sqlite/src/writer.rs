//! The one connection that writes. It is held here and not by a pool, which would ask the connection how it is each
//! time that it comes back: a tenth of what a commit takes.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
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

use crate::{database, ledger::Log};

/// Statements of a transaction that writes begin with the write lock, so that two never deadlock.
const BEGIN: &str = "begin immediate";
/// How long after what was erased has gone from the write-ahead log, or could not yet, that is looked after again. Each
/// time holds up what is written, so many erasures share one.
const EMPTY_EVERY: Duration = Duration::from_secs(10);
/// How long that waits for those who read, and may hold up those who write.
const EMPTY_WAIT: Duration = Duration::from_secs(1);

/// Lets one write at a time, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    /// Nothing once it is closed, or where nothing may be written.
    writing: Mutex<Option<Writing>>,
    /// Told when the write-ahead log may hold what was erased.
    erased: Arc<Notify>,
    /// Held while the write-ahead log is emptied.
    emptying: Mutex<()>,
    /// The task that does so; ends with the writer.
    _emptier: JoinSet<()>,
}

/// The connection, and what is known of what it has written.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) connection: SqliteConnection,
    /// Logs by site, as they were after the last batch. Another process may have appended since.
    pub(crate) logs: HashMap<String, Log>,
}

impl Writer {
    /// Opens the connection.
    pub(crate) async fn connect(options: SqliteConnectOptions) -> Result<Arc<Self>> {
        let writing = Writing::begin_anew(&options).await?;
        let erased = Arc::new(Notify::new());
        Ok(Arc::new_cyclic(|writer| {
            let mut emptier = JoinSet::new();
            emptier.spawn(keep_empty(Weak::clone(writer), Arc::clone(&erased)));
            Self {
                options,
                writing: Mutex::new(Some(writing)),
                erased,
                emptying: Mutex::new(()),
                _emptier: emptier,
            }
        }))
    }

    /// Where nothing may be written.
    pub(crate) fn none() -> Arc<Self> {
        Arc::new(Self {
            options: SqliteConnectOptions::new(),
            writing: Mutex::new(None),
            erased: Arc::default(),
            emptying: Mutex::new(()),
            _emptier: JoinSet::new(),
        })
    }

    /// Waits for those before.
    pub(crate) async fn lock(&self) -> Result<MappedMutexGuard<'_, Writing>> {
        let mut writing = MutexGuard::try_map(self.writing.lock().await, Option::as_mut)
            .map_err(|_| StoreError::Database(sqlx::Error::PoolClosed.into()))?;
        if writing.is_stuck().await {
            *writing = Writing::begin_anew(&self.options).await?;
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
        let _emptying = self.emptying.lock().await;
        if self.writing.lock().await.is_none() {
            return Ok(true);
        }
        let options = self.options.clone().busy_timeout(EMPTY_WAIT);
        let mut connection = options.connect().await.map_err(database)?;
        // The first one copies while others write, and leaves little to do to the second, which locks them out.
        let mut busy = 0;
        for how in [
            "pragma wal_checkpoint(passive)",
            "pragma wal_checkpoint(truncate)",
        ] {
            busy = sqlx::query_scalar(how)
                .fetch_one(&mut connection)
                .await
                .map_err(database)?;
        }
        connection.close().await.map_err(database)?;
        Ok(busy == 0)
    }

    /// Ends the connection; nothing can be written afterwards.
    pub(crate) async fn close(&self) {
        let _emptying = self.emptying.lock().await;
        if let Some(writing) = self.writing.lock().await.take() {
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

impl Writing {
    async fn begin_anew(options: &SqliteConnectOptions) -> Result<Self> {
        Ok(Self {
            connection: options.connect().await.map_err(database)?,
            logs: HashMap::new(),
        })
    }

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
