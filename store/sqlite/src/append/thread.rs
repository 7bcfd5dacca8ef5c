//! The thread that appends. A batch is a hundred small statements; handing each over to a thread of sqlx's and back
//! takes longer than SQLite takes for it, so the whole batch goes over at once.

use std::{
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use assent_store::{Result, StoreError};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::failed;

/// Its page cache, in KiB (SQLite counts those as negative). A larger one costs more than it saves: after each commit
/// that has split a page, SQLite walks through all of it.
const CACHE: i64 = -16_384;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// A connection of its own, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Thread {
    work: mpsc::Sender<Work>,
    /// Answers when the connection is closed.
    closed: oneshot::Receiver<()>,
    /// Something was not answered: the thread is ending, if it has not ended yet.
    failed: AtomicBool,
}

impl Thread {
    /// Opens the connection to a database that is there.
    pub(crate) fn start(path: &Path, settings: &[(&str, &str)], busy_timeout: Duration) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(busy_timeout).map_err(failed)?;
        connection
            .pragma_update(None, "cache_size", CACHE)
            .map_err(failed)?;
        for (name, value) in settings {
            connection
                .pragma_update_and_check(None, name, value, |_| Ok(()))
                .or_else(|error| match error {
                    rusqlite::Error::QueryReturnedNoRows => Ok(()),
                    error => Err(failed(error)),
                })?;
        }
        let (work, waiting) = mpsc::channel::<Work>();
        let (closing, closed) = oneshot::channel();
        std::thread::Builder::new()
            .name("append".to_owned())
            .spawn(move || {
                while let Ok(work) = waiting.recv() {
                    work(&mut connection);
                }
                drop(connection);
                let _ = closing.send(());
            })
            .map_err(|error| StoreError::Database(error.into()))?;
        Ok(Self {
            work,
            closed,
            failed: AtomicBool::new(false),
        })
    }

    /// Does this in one transaction, which is rolled back if it fails. Whoever stops waiting does not stop it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let ended = || {
            self.failed.store(true, Ordering::Relaxed);
            StoreError::Database("the thread that appends has ended".into())
        };
        let (answer, done) = oneshot::channel();
        let work = Box::new(move |connection: &mut Connection| {
            let _ = answer.send(in_transaction(connection, work));
        });
        self.work.send(work).map_err(|_| ended())?;
        done.await.map_err(|_| ended())?
    }

    /// Whether it can do nothing any more, because what it did panicked.
    pub(crate) fn has_ended(&mut self) -> bool {
        *self.failed.get_mut() || self.closed.try_recv() != Err(TryRecvError::Empty)
    }

    /// Ends the connection, after what was asked for before.
    pub(crate) async fn close(self) {
        drop(self.work);
        // It ends without a word only if it panicked.
        let _ = self.closed.await;
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T>,
) -> Result<T> {
    // Begun with the write lock, so that two never deadlock.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let done = work(&transaction)?;
    transaction.commit().map_err(failed)?;
    Ok(done)
}
