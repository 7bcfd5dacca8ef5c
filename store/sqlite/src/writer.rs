//! The one connection that writes. It is held here and not by a pool, which would ask the connection how it is each
//! time that it comes back: a tenth of what a commit takes.

use std::collections::HashMap;

use assent_store::{Result, StoreError};
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::{database, ledger::Log};

/// Statements of a transaction that writes begin with the write lock, so that two never deadlock.
const BEGIN: &str = "begin immediate";

/// Lets one write at a time, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Writer(Mutex<Option<Writing>>);

/// The connection, and what is known of what it has written.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) connection: SqliteConnection,
    /// Logs by site, as they were after the last batch. Another process may have appended since.
    pub(crate) logs: HashMap<String, Log>,
}

impl Writer {
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        Self(Mutex::new(Some(Writing {
            connection,
            logs: HashMap::new(),
        })))
    }

    /// Waits for those before.
    pub(crate) async fn lock(&self) -> Result<MappedMutexGuard<'_, Writing>> {
        MutexGuard::try_map(self.0.lock().await, Option::as_mut)
            .map_err(|_| StoreError::Database(sqlx::Error::PoolClosed.into()))
    }

    /// Ends the connection; nothing can be written afterwards.
    pub(crate) async fn close(&self) {
        if let Some(writing) = self.0.lock().await.take() {
            // What is committed is safe, however the connection ends.
            let _ = writing.connection.close().await;
        }
    }
}

impl Writing {
    /// Begins a transaction; it is rolled back unless it is committed.
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>> {
        begin(&mut self.connection).await
    }
}

/// Begins a transaction; it is rolled back unless it is committed.
pub(crate) async fn begin(connection: &mut SqliteConnection) -> Result<Transaction<'_, Sqlite>> {
    connection.begin_with(BEGIN).await.map_err(database)
}
