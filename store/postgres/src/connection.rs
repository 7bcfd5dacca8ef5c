//! Connections, and what is done on one of them as a whole.
//!
//! Nothing here leaves anything behind in a session: settings and locks end with their transaction. So the store works
//! behind a pool that gives each transaction another connection of the server, such as PgBouncer's transaction mode;
//! there, statements must not be kept either, and reading takes a transaction as well.

use std::time::Duration;

use assent_store::Result;
use futures_core::{future::BoxFuture, stream::BoxStream};
use sha2::{Digest as _, Sha256};
use sqlx::{
    AssertSqlSafe, Either, Execute, Executor, PgPool, Postgres, SqlStr,
    error::BoxDynError,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};

use crate::database;

/// Connections of one node. One appends; the others serve what is read.
const CONNECTIONS_MAX: u32 = 8;
/// How long an operation waits for a connection, a new one included.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that was idle for longer is asked for a sign of life before it is used.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Begins a transaction that writes. Its timeouts end it also where this node is gone and the connection is not, so that
/// no other node waits for its locks any longer. `synchronous_commit` may be off for the role or the server: then a commit
/// would be reported before it is on the disk. Plans that are made while a table is still small are kept while it grows,
/// so they go by its indexes from the beginning; none is worth compiling.
const BEGIN: &str = "begin isolation level read committed;
    select
        set_config('lock_timeout', '10s', true),
        set_config('statement_timeout', '20s', true),
        set_config('idle_in_transaction_session_timeout', '20s', true),
        set_config(
            'synchronous_commit',
            case current_setting('synchronous_commit') when 'off' then 'on' else current_setting('synchronous_commit') end,
            true
        ),
        set_config('enable_seqscan', 'off', true),
        set_config('enable_hashjoin', 'off', true),
        set_config('enable_mergejoin', 'off', true),
        set_config('jit', 'off', true);";

/// What only one transaction does at a time, among all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lock(i64);

impl Lock {
    /// Bringing the schema up to date.
    pub(crate) fn schema() -> Self {
        Self::of("schema", "")
    }

    /// Appending to a site's log.
    pub(crate) fn log(site: &str) -> Self {
        Self::of("log", site)
    }

    /// Counting the third parties of a site.
    pub(crate) fn third_parties(site: &str) -> Self {
        Self::of("third parties", site)
    }

    /// What takes it until the transaction ends.
    pub(crate) fn statement(self) -> String {
        format!("select pg_advisory_xact_lock({});", self.0)
    }

    /// Two that have the same number only wait for each other.
    fn of(what: &str, site: &str) -> Self {
        let digest = Sha256::new_with_prefix(b"assent lock\0")
            .chain_update(what)
            .chain_update(b"\0")
            .chain_update(site)
            .finalize();
        let mut number = [0; 8];
        number.copy_from_slice(&digest[..8]);
        Self(i64::from_be_bytes(number))
    }
}

/// The connections to one database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pool: PgPool,
    keeps_statements: bool,
}

impl Database {
    /// Opens connections as they are needed.
    pub(crate) fn new(options: PgConnectOptions, keeps_statements: bool) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(async move {
                    if idle.idle_for > TRUSTED_FOR {
                        sqlx::Connection::ping(connection).await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Self {
            pool,
            keeps_statements,
        }
    }

    /// A connection to read by one statement.
    pub(crate) async fn view(&self) -> Result<Work> {
        let mut work = self.session().await?;
        if !self.keeps_statements {
            work.run("begin read only").await?;
            work.is_transaction = true;
        }
        Ok(work)
    }

    /// A transaction, with locks that it holds to its end. They are taken in the order of their numbers, so that no two
    /// transactions wait for each other.
    pub(crate) async fn begin(&self, mut locks: Vec<Lock>) -> Result<Work> {
        locks.sort_unstable();
        locks.dedup();
        let mut text = BEGIN.to_owned();
        text.extend(locks.into_iter().map(Lock::statement));
        let mut work = self.session().await?;
        work.run(&text).await?;
        work.is_transaction = true;
        Ok(work)
    }

    /// A connection, without a transaction.
    pub(crate) async fn session(&self) -> Result<Work> {
        Ok(Work {
            connection: self.pool.acquire().await.map_err(database)?,
            keeps_statements: self.keeps_statements,
            is_transaction: false,
            is_done: false,
        })
    }

    /// Waits for running work and closes all connections.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A connection in use. Unless it is ended in order, it is closed, and the server takes back what was done: whether
/// something failed or was given up, nobody gets the connection in an unknown state.
#[derive(Debug)]
pub(crate) struct Work {
    connection: PoolConnection<Postgres>,
    keeps_statements: bool,
    is_transaction: bool,
    is_done: bool,
}

impl Work {
    /// Commits.
    pub(crate) async fn end(mut self) -> Result<()> {
        if self.is_transaction {
            self.run("commit").await?;
        }
        self.is_done = true;
        Ok(())
    }

    /// The connection itself, for what does its own transactions in this one.
    pub(crate) fn connection(&mut self) -> &mut sqlx::PgConnection {
        &mut self.connection
    }

    /// Removes the statements that something else has left in the session, if this store keeps none.
    pub(crate) async fn forget_statements(&mut self) -> Result<()> {
        if self.keeps_statements {
            return Ok(());
        }
        self.run("deallocate all").await
    }

    /// Runs statements of this crate without values.
    async fn run(&mut self, statements: &str) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut *self.connection)
            .await
            .map_err(database)?;
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.is_done {
            self.connection.close_on_drop();
        }
    }
}

/// A statement that the server does not keep.
struct Once<E> {
    query: E,
    keep: bool,
}

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Once<E> {
    fn sql(self) -> SqlStr {
        self.query.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.query.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.query.take_arguments()
    }

    fn persistent(&self) -> bool {
        self.keep && self.query.persistent()
    }
}

impl<'c> Executor<'c> for &'c mut Work {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let keep = self.keeps_statements;
        (&mut *self.connection).fetch_many(Once { query, keep })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let keep = self.keeps_statements;
        (&mut *self.connection).fetch_optional(Once { query, keep })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        (&mut *self.connection).prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        (&mut *self.connection).describe(sql)
    }
}
