//! The one connection that writes. It is held here and not by a pool, which would ask the connection how it is each
//! time that it comes back: a tenth of what a commit takes.

use std::collections::HashMap;

use assent_store::{Result, StoreError};
use sqlx::{
    ConnectOptions as _, Connection as _, Sqlite, SqliteConnection, Transaction, sqlite::SqliteConnectOptions,
};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::{database, ledger::Log};

/// Statements of a transaction that writes begin with the write lock, so that two never deadlock.
const BEGIN: &str = "begin immediate";

/// Lets one write at a time, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    /// Nothing once it is closed, or where nothing may be written.
    writing: Mutex<Option<Writing>>,
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
    pub(crate) async fn connect(options: SqliteConnectOptions) -> Result<Self> {
        let writing = Writing::begin_anew(&options).await?;
        Ok(Self {
            options,
            writing: Mutex::new(Some(writing)),
        })
    }

    /// Where nothing may be written.
    pub(crate) fn none() -> Self {
        Self {
            options: SqliteConnectOptions::new(),
            writing: Mutex::new(None),
        }
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

    /// Ends the connection; nothing can be written afterwards.
    pub(crate) async fn close(&self) {
        if let Some(writing) = self.writing.lock().await.take() {
            // What is committed is safe, however the connection ends.
            let _ = writing.connection.close().await;
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
