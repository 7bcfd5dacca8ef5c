//! The PostgreSQL store: one database, any number of nodes.
//!
//! Nodes share nothing but the database. What must not be done by two at once is done under a lock that ends with its
//! transaction (`connection`); each batch of records takes those of its sites' logs, so that their indices have no gap
//! and no log forks.
//!
//! The schema and its reasons stand in `migrations/`, with the same numbers and names as in `store/sqlite`. All SQL is
//! checked against it when the crate is built, from the descriptions in `.sqlx/`. To add an operation: declare it in
//! `assent-store`, write its statement in the module of its table, run `cargo xtask prepare`, then the conformance suite.

mod append;
mod connection;
mod custody;
mod erasure;
mod ledger;
mod open;
mod owners;
mod rates;
mod records;
mod retention;
mod sites;
mod third_parties;
mod tokens;
mod transfer;

use std::time::Duration;

use assent_consent::{
    notice::{Notice, NoticeHash},
    record::{ConsentRecord, Subject},
    site::SiteConfig,
};
use assent_store::{
    Appended, ArchivedNotice, Batch, Batched, Due, Erased, Erasure, Grant, Hold, Logged, Order,
    OrganisationId, Outcome, Owner, Rates, Restriction, Result, RetentionRun, Revision, Session, Sighting,
    SignErasure, SignedHead, Store, StoreError, ThirdPartyDay, TrailEntry,
};
use async_trait::async_trait;
use uuid::Uuid;

use connection::Database;
pub use open::OpenError;

/// How long an operation may take. A server that is cut off does not say so, and the network's own patience is a quarter
/// of an hour.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Assent's data in a PostgreSQL database.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    database: Database,
}

impl PostgresStore {
    /// Opens the database of an address, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, and brings its schema up to date.
    /// The address may end with `?sslmode=verify-full`, `&sslrootcert=FILE` and
    /// [others](https://docs.rs/sqlx/0.9/sqlx/postgres/struct.PgConnectOptions.html); with
    /// `statement-cache-capacity=0` it may lead to a pool that keeps no sessions.
    ///
    /// # Errors
    /// [`StoreError::Database`], mostly with an [`OpenError`], if the database cannot be reached or used.
    pub async fn open(address: &str) -> Result<Self> {
        let database = open::open(address).await?;
        Ok(Self { database })
    }
}

/// Gives up what takes too long.
async fn in_time<T>(operation: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(OPERATION_TIMEOUT, operation)
        .await
        .unwrap_or_else(|elapsed| Err(StoreError::Database(elapsed.into())))
}

#[async_trait]
impl Store for PostgresStore {
    async fn ensure_organisation(&self, id: OrganisationId, name: &str) -> Result<()> {
        in_time(sites::ensure_organisation(&self.database, id, name)).await
    }

    async fn publish_revision(
        &self,
        organisation: OrganisationId,
        config: &SiteConfig,
        now_ms: i64,
    ) -> Result<Revision> {
        in_time(sites::publish_revision(
            &self.database,
            organisation,
            config,
            now_ms,
        ))
        .await
    }

    async fn current_revisions(&self) -> Result<Vec<Revision>> {
        in_time(sites::current_revisions(&self.database)).await
    }

    async fn sites(&self, organisation: OrganisationId) -> Result<Vec<Revision>> {
        in_time(sites::sites(&self.database, organisation)).await
    }

    async fn notice(&self, site: &str, hash: NoticeHash) -> Result<Option<String>> {
        in_time(sites::notice(&self.database, site, hash)).await
    }

    async fn notices(
        &self,
        organisation: OrganisationId,
        site: &str,
        limit: u32,
    ) -> Result<Vec<ArchivedNotice>> {
        in_time(sites::notices(&self.database, organisation, site, limit)).await
    }

    async fn revision_notice(
        &self,
        site: &str,
        revision: u32,
        hash: NoticeHash,
    ) -> Result<Option<(Revision, Notice)>> {
        in_time(sites::revision_notice(&self.database, site, revision, hash)).await
    }

    async fn append(&self, batch: Batch) -> Result<Vec<Appended>> {
        in_time(append::append(&self.database, &batch)).await
    }

    async fn record(&self, site: &str, id: Uuid, subject: Subject) -> Result<Option<ConsentRecord>> {
        in_time(records::record(&self.database, site, id, subject)).await
    }

    async fn history(&self, site: &str, subject: Subject, limit: u32) -> Result<Vec<ConsentRecord>> {
        in_time(records::history(&self.database, site, subject, limit)).await
    }

    async fn erase(
        &self,
        site: &str,
        subject: Subject,
        only: Option<Uuid>,
        now_ms: i64,
        sign: SignErasure<'_>,
    ) -> Result<Erased> {
        in_time(erasure::erase(&self.database, site, subject, only, now_ms, sign)).await
    }

    async fn superseded(&self, site: &str, subject: Subject) -> Result<Vec<Uuid>> {
        in_time(erasure::superseded(&self.database, site, subject)).await
    }

    async fn is_erased(&self, site: &str, id: Uuid) -> Result<bool> {
        in_time(erasure::is_erased(&self.database, site, id)).await
    }

    async fn restriction(&self, site: &str, subject: Subject) -> Result<Option<Restriction>> {
        in_time(custody::restriction(&self.database, site, subject)).await
    }

    async fn restrict(&self, site: &str, subject: Subject, now_ms: i64) -> Result<Option<Restriction>> {
        in_time(custody::restrict(&self.database, site, subject, now_ms)).await
    }

    async fn lift_restriction(&self, site: &str, subject: Subject) -> Result<bool> {
        in_time(custody::lift_restriction(&self.database, site, subject)).await
    }

    async fn holds_of(&self, site: &str, subject: Subject, now_ms: i64) -> Result<Vec<Hold>> {
        in_time(custody::holds_of(&self.database, site, subject, now_ms)).await
    }

    async fn holds(&self, site: &str, now_ms: i64, limit: u32) -> Result<Vec<Hold>> {
        in_time(custody::holds(&self.database, site, now_ms, limit)).await
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
        in_time(custody::carry_out(
            &self.database,
            site,
            record,
            owner,
            order,
            now_ms,
            sign,
        ))
        .await
    }

    async fn trail(&self, site: &str, limit: u32) -> Result<Vec<TrailEntry>> {
        in_time(custody::trail(&self.database, site, limit)).await
    }

    async fn erase_due(&self, site: &str, due: &Due, now_ms: i64, sign: SignErasure<'_>) -> Result<Batched> {
        in_time(retention::erase_due(&self.database, site, due, now_ms, sign)).await
    }

    async fn note_retention(&self, site: &str, ran_at_ms: i64, erased: u64, spared: u64) -> Result<()> {
        in_time(retention::note(&self.database, site, ran_at_ms, erased, spared)).await
    }

    async fn retention(&self, site: &str) -> Result<Option<RetentionRun>> {
        in_time(retention::last(&self.database, site)).await
    }

    async fn log_size(&self, site: &str) -> Result<u64> {
        in_time(ledger::size(&self.database, site)).await
    }

    async fn log_tile(&self, site: &str, level: u8, number: u64) -> Result<Option<Vec<u8>>> {
        in_time(ledger::tile(&self.database, site, level, number)).await
    }

    async fn logged(&self, site: &str, id: Uuid) -> Result<Option<Logged>> {
        in_time(records::logged(&self.database, site, id)).await
    }

    async fn log_records(&self, site: &str, from: u64, limit: u32) -> Result<Vec<Logged>> {
        in_time(records::log_records(&self.database, site, from, limit)).await
    }

    async fn log_erasures(&self, site: &str, from: u64, limit: u32) -> Result<Vec<Erasure>> {
        in_time(erasure::erasures(&self.database, site, from, limit)).await
    }

    async fn put_head(&self, site: &str, head: &SignedHead) -> Result<()> {
        in_time(ledger::put_head(&self.database, site, head)).await
    }

    async fn last_head(&self, site: &str) -> Result<Option<SignedHead>> {
        in_time(ledger::last_head(&self.database, site)).await
    }

    async fn heads(&self, site: &str, from: u64, limit: u32) -> Result<Vec<SignedHead>> {
        in_time(ledger::heads(&self.database, site, from, limit)).await
    }

    async fn rates(
        &self,
        organisation: OrganisationId,
        site: &str,
        from_day: i32,
        to_day: i32,
    ) -> Result<Rates> {
        in_time(rates::rates(&self.database, organisation, site, from_day, to_day)).await
    }

    async fn count_third_parties(&self, sightings: &[Sighting]) -> Result<()> {
        in_time(third_parties::add(&self.database, sightings)).await
    }

    async fn third_parties(
        &self,
        organisation: OrganisationId,
        site: &str,
        from_day: i32,
        to_day: i32,
    ) -> Result<Vec<ThirdPartyDay>> {
        in_time(third_parties::read(
            &self.database,
            organisation,
            site,
            from_day,
            to_day,
        ))
        .await
    }

    async fn ensure_owner(&self, organisation: OrganisationId, id: Uuid, email: &str) -> Result<Owner> {
        in_time(owners::ensure_owner(&self.database, organisation, id, email)).await
    }

    async fn owner(&self, id: Uuid) -> Result<Option<Owner>> {
        in_time(owners::owner(&self.database, id)).await
    }

    async fn owner_by_email(&self, email: &str) -> Result<Option<Owner>> {
        in_time(owners::owner_by_email(&self.database, email)).await
    }

    async fn set_password(&self, owner: Uuid, password_hash: &str) -> Result<()> {
        in_time(owners::set_password(&self.database, owner, password_hash)).await
    }

    async fn begin_session(&self, session: &Session) -> Result<()> {
        in_time(owners::begin_session(&self.database, session)).await
    }

    async fn session_owner(&self, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Owner>> {
        in_time(owners::session_owner(&self.database, token_hash, now_ms)).await
    }

    async fn end_session(&self, token_hash: [u8; 32]) -> Result<()> {
        in_time(owners::end_session(&self.database, token_hash)).await
    }

    async fn put_token(&self, token_hash: [u8; 32], grant: &Grant, expires_at_ms: i64) -> Result<()> {
        in_time(tokens::put(&self.database, token_hash, grant, expires_at_ms)).await
    }

    async fn take_token(&self, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Grant>> {
        in_time(tokens::take(&self.database, token_hash, now_ms)).await
    }

    async fn peek_token(&self, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Grant>> {
        in_time(tokens::peek(&self.database, token_hash, now_ms)).await
    }

    async fn sweep(&self, now_ms: i64) -> Result<()> {
        in_time(owners::sweep(&self.database, now_ms)).await?;
        in_time(tokens::sweep(&self.database, now_ms)).await
    }

    async fn close(&self) {
        self.database.close().await;
    }
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

/// Text for a column that holds JSON.
fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Database(error.into()))
}
