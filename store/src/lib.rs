//! What Assent remembers: the [`Store`] trait, its errors and the conformance suite that every
//! implementation passes.
//!
//! The trait speaks of domain operations, never of tables; each operation owns its transaction. To add one:
//! declare it here, describe it in `conformance`, then write it in each store until the suite passes.

use assent_consent::{
    notice::{Notice, NoticeHash},
    record::{ConsentRecord, Subject},
    site::SiteConfig,
};
use async_trait::async_trait;
use uuid::Uuid;

pub mod cell;
#[cfg(feature = "conformance")]
pub mod conformance;
mod custody;
mod ledger;
pub mod rates;
pub mod row;
pub mod third_parties;
mod transfer;

pub use custody::{
    AskedBy, Batched, Deed, Due, Erased, Hold, Order, Outcome, Restriction, RetentionRun, TrailEntry,
};
pub use ledger::{Erasure, Logged, SignErasure, SignedHead, trace};
pub use rates::{Count, Measure, RateRow, Rates};
pub use third_parties::{Kind, Kinds, Sighting, ThirdPartyDay, WaitsFor};
pub use transfer::{Custody, KeptNotice, Stretch, Transfer};

/// Why a store could not do what was asked. Never shown to clients.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or cannot be reached.
    #[error("the database failed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored row cannot be read: the data was altered or written by a newer version.
    #[error("inconsistent data in {table}, column {column}: {detail}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What was found.
        detail: String,
    },
    /// The site belongs to another organisation.
    #[error("the site belongs to another organisation")]
    ForeignSite,
    /// The site or its revision was never published.
    #[error("the site or its revision was never published")]
    UnknownRevision,
    /// What is to be taken in does not fit what is there.
    #[error("the store holds something else already")]
    Different,
}

/// Result of a store operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Id of an organisation: who owns sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OrganisationId(pub Uuid);

/// A published configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Who owns the site.
    pub organisation: OrganisationId,
    /// Number, from 1, without gaps.
    pub number: u32,
    /// Choices made on an earlier revision no longer count.
    pub valid_from: u32,
    /// Milliseconds since 1970.
    pub published_at_ms: i64,
    /// The configuration.
    pub config: SiteConfig,
}

/// Where a notice was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedNotice {
    /// Its hash.
    pub hash: NoticeHash,
    /// Id of the rule.
    pub rule: String,
    /// Language tag.
    pub language: String,
    /// The first revision that showed it.
    pub first_revision: u32,
    /// The last revision that showed it.
    pub last_revision: u32,
    /// When the first of them was published, in milliseconds since 1970.
    pub published_at_ms: i64,
}

/// Someone who signs in to the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Id.
    pub id: Uuid,
    /// Organisation whose sites the owner sees.
    pub organisation: OrganisationId,
    /// Address to sign in with.
    pub email: String,
    /// Argon2id in PHC format; `None` until a password is set.
    pub password_hash: Option<String>,
}

/// A console session. Only the SHA-256 of its token is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Whose.
    pub owner: Uuid,
    /// Milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// What a one-time token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Sign this owner in to the console and set a password.
    SignIn(Uuid),
    /// Carry a subject key between a site and its center.
    Subject {
        /// The site.
        site: String,
        /// The subject key, sealed with the token: 32 hexadecimal digits.
        key: String,
    },
}

/// Records and counts that are committed together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// New records, each once.
    pub records: Vec<NewRecord>,
    /// Further counts (banner impressions); the counts of the records are made by the store from
    /// [`NewRecord::counts`], for those that were new.
    pub counts: Vec<Count>,
}

/// A record to append, with what it adds to the roll-up if it is new.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRecord {
    /// The record.
    pub record: ConsentRecord,
    /// Its entry in the log: [`ConsentRecord::commitment`], worked out before the record waits for its commit.
    pub commitment: [u8; 32],
    /// What it counts as.
    pub counts: Vec<Count>,
}

impl NewRecord {
    /// A record and what it counts as.
    pub fn new(record: ConsentRecord, counts: Vec<Count>) -> Self {
        Self {
            commitment: record.commitment(),
            record,
            counts,
        }
    }
}

/// What became of one record of a batch, in the batch's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Committed now.
    New,
    /// The same subject stored a record under this id at this site before; this is what is stored.
    Duplicate(Box<ConsentRecord>),
    /// Another subject's record has this id at this site, or one that was erased had it. Nothing was stored, nothing
    /// is told about it.
    Conflict,
    /// The site, or this notice of this revision, was never published, or its rule or language is another
    /// one. Nothing was stored.
    Unknown,
}

/// Everything that Assent remembers.
#[async_trait]
pub trait Store: Transfer + 'static {
    /// Makes sure that an organisation exists.
    async fn ensure_organisation(&self, id: OrganisationId, name: &str) -> Result<()>;

    /// Publishes a configuration as the site's next revision. If it equals the current revision's
    /// configuration, nothing is written and the current revision is returned. `valid_from` is the new
    /// number where [`SiteConfig::widens`] says so, else that of the revision before.
    ///
    /// # Errors
    /// [`StoreError::ForeignSite`] if the site's id is taken by another organisation.
    async fn publish_revision(
        &self,
        organisation: OrganisationId,
        config: &SiteConfig,
        now_ms: i64,
    ) -> Result<Revision>;

    /// The newest revision of every site of every organisation, for the publisher; ordered by site.
    async fn current_revisions(&self) -> Result<Vec<Revision>>;

    /// The newest revision of each site of one organisation, ordered by site.
    async fn sites(&self, organisation: OrganisationId) -> Result<Vec<Revision>>;

    /// Archives notices; those already there stay as they are. The same notice can belong to several
    /// revisions.
    ///
    /// # Errors
    /// [`StoreError::UnknownRevision`] if the revision was never published.
    async fn archive_notices(&self, site: &str, revision: u32, notices: &[Notice]) -> Result<()> {
        let notices: Vec<_> = notices.iter().map(KeptNotice::of).collect::<Result<_>>()?;
        self.take_notices(site, revision, &notices).await
    }

    /// A notice of a site by its hash: the canonical JSON of a [`Notice`], byte for byte as it is hashed, whichever
    /// version wrote it.
    async fn notice(&self, site: &str, hash: NoticeHash) -> Result<Option<String>>;

    /// What a site of the organisation has shown, those of the newest revision first, then by rule and language, at
    /// most `limit`. Empty for a site of another organisation.
    async fn notices(
        &self,
        organisation: OrganisationId,
        site: &str,
        limit: u32,
    ) -> Result<Vec<ArchivedNotice>>;

    /// Whether this notice was archived for this revision of the site; if so, the rule and the language
    /// under which it was shown, and the rule's `expiry_days`, are to be taken from the notice and the
    /// revision's configuration.
    async fn revision_notice(
        &self,
        site: &str,
        revision: u32,
        hash: NoticeHash,
    ) -> Result<Option<(Revision, Notice)>>;

    /// Commits a batch durably in one transaction. Returns one answer per record, in order. Record ids are
    /// unique within a site: the same id at two sites is two records. Counts of unknown sites are dropped.
    async fn append(&self, batch: Batch) -> Result<Vec<Appended>>;

    /// One record of a subject.
    async fn record(&self, site: &str, id: Uuid, subject: Subject) -> Result<Option<ConsentRecord>>;

    /// The newest records of a subject, the last of the log first, at most `limit`. No clock has a say in the order.
    async fn history(&self, site: &str, subject: Subject, limit: u32) -> Result<Vec<ConsentRecord>>;

    /// Erases records of a subject, `only` the one with this id or all of them: rows and salts are gone, the entries in
    /// the log stay. Their ids are never stored again. Held ones stay: the wish is noted with the hold and in the trail,
    /// and the subject is restricted as if the visitor had asked for it. `sign` is asked once for each that is erased.
    async fn erase(
        &self,
        site: &str,
        subject: Subject,
        only: Option<Uuid>,
        now_ms: i64,
        sign: SignErasure<'_>,
    ) -> Result<Erased>;

    /// The records of a subject that came before one that was erased, whoever erased it, in the order of their ids: what
    /// the visitor decided last is not known any more, and it was not this.
    async fn superseded(&self, site: &str, subject: Subject) -> Result<Vec<Uuid>>;

    /// Whether a record with this id was erased at this site.
    async fn is_erased(&self, site: &str, id: Uuid) -> Result<bool>;

    /// Whether a subject's records are restricted.
    async fn restriction(&self, site: &str, subject: Subject) -> Result<Option<Restriction>>;

    /// Restricts a subject's records at the visitor's wish. One that is there already becomes the visitor's and keeps
    /// its date. `None` if there are no records to restrict.
    async fn restrict(&self, site: &str, subject: Subject, now_ms: i64) -> Result<Option<Restriction>>;

    /// Lifts a restriction at the visitor's wish; whether there was one.
    async fn lift_restriction(&self, site: &str, subject: Subject) -> Result<bool>;

    /// The holds on a subject's records that have not ended, or whose records are yet to be erased because the visitor has
    /// asked for that, in the order of the records' ids.
    async fn holds_of(&self, site: &str, subject: Subject, now_ms: i64) -> Result<Vec<Hold>>;

    /// The holds of a site that have not ended, those that end first before the others, at most `limit`.
    async fn holds(&self, site: &str, now_ms: i64, limit: u32) -> Result<Vec<Hold>>;

    /// Does what an owner wants done with a record, and writes it into the trail, in one transaction. What is not done
    /// is not written. A record that is held is not erased; one that is restricted is neither erased nor exported.
    async fn carry_out(
        &self,
        site: &str,
        record: Uuid,
        owner: Uuid,
        order: &Order,
        now_ms: i64,
        sign: SignErasure<'_>,
    ) -> Result<Outcome>;

    /// The newest entries of a site's trail, newest first, at most `limit`.
    async fn trail(&self, site: &str, limit: u32) -> Result<Vec<TrailEntry>>;

    /// Erases a batch of the records that are kept for too long, but for those that are held or restricted, and clears
    /// away holds that have ended; records whose erasure has waited for that are erased as well.
    async fn erase_due(&self, site: &str, due: &Due, now_ms: i64, sign: SignErasure<'_>) -> Result<Batched>;

    /// Keeps how a look for such records went; what it erased is added to what was erased before.
    async fn note_retention(&self, site: &str, ran_at_ms: i64, erased: u64, spared: u64) -> Result<()>;

    /// How the last one went.
    async fn retention(&self, site: &str) -> Result<Option<RetentionRun>>;

    /// How many entries a site's log has. It has one for each record that was ever stored, in the order in which they
    /// were, from the moment of their commit.
    async fn log_size(&self, site: &str) -> Result<u64>;

    /// The body of a tile of a site's log: 1 to 256 hashes of 32 bytes, more each time for the last of a level. Level 0
    /// holds the entries, level n + 1 the roots of full tiles of level n. `None` if the log has none there.
    async fn log_tile(&self, site: &str, level: u8, number: u64) -> Result<Option<Vec<u8>>>;

    /// A record by its id, whoever's, with its place in the log.
    async fn logged(&self, site: &str, id: Uuid) -> Result<Option<Logged>>;

    /// The records from an index on, in the order of the log, at most `limit`; those erased are left out.
    async fn log_records(&self, site: &str, from: u64, limit: u32) -> Result<Vec<Logged>>;

    /// The erasures from an index on, in the order of the log, at most `limit`.
    async fn log_erasures(&self, site: &str, from: u64, limit: u32) -> Result<Vec<Erasure>>;

    /// Keeps a signed head of a site's log. One of the same size that is there already stays.
    async fn put_head(&self, site: &str, head: &SignedHead) -> Result<()>;

    /// The signed head of the largest size.
    async fn last_head(&self, site: &str) -> Result<Option<SignedHead>>;

    /// The signed heads from a size on, smallest first, at most `limit`.
    async fn heads(&self, site: &str, from: u64, limit: u32) -> Result<Vec<SignedHead>>;

    /// Counts of a site of the organisation per UTC day, `from_day..=to_day` in days since 1970. Empty for a
    /// site of another organisation.
    async fn rates(
        &self,
        organisation: OrganisationId,
        site: &str,
        from_day: i32,
        to_day: i32,
    ) -> Result<Rates>;

    /// Counts third parties that pages have loaded, in one transaction. A site's day holds
    /// [`PER_DAY_MAX`](third_parties::PER_DAY_MAX) of them (a host and what it waits for); further ones are not
    /// counted, nor those of unknown sites. With a site's first of a day, what is older than
    /// [`DAYS_KEPT`](third_parties::DAYS_KEPT) goes.
    async fn count_third_parties(&self, sightings: &[Sighting]) -> Result<()>;

    /// Third parties of a site of the organisation per UTC day, `from_day..=to_day` in days since 1970, ordered by
    /// day and host. Empty for a site of another organisation.
    async fn third_parties(
        &self,
        organisation: OrganisationId,
        site: &str,
        from_day: i32,
        to_day: i32,
    ) -> Result<Vec<ThirdPartyDay>>;

    /// Makes sure that an owner with this id and email exists: one with the id gets the email. Where another has
    /// the email already, nothing changes, and that one is returned.
    async fn ensure_owner(&self, organisation: OrganisationId, id: Uuid, email: &str) -> Result<Owner>;

    /// An owner by id.
    async fn owner(&self, id: Uuid) -> Result<Option<Owner>>;

    /// An owner by email, ASCII case ignored.
    async fn owner_by_email(&self, email: &str) -> Result<Option<Owner>>;

    /// Sets a password, and ends all sessions and one-time links of the owner.
    async fn set_password(&self, owner: Uuid, password_hash: &str) -> Result<()>;

    /// Begins a session.
    async fn begin_session(&self, session: &Session) -> Result<()>;

    /// The owner of a session that has not expired.
    async fn session_owner(&self, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Owner>>;

    /// Ends a session.
    async fn end_session(&self, token_hash: [u8; 32]) -> Result<()>;

    /// Stores a one-time token by the SHA-256 of it.
    async fn put_token(&self, token_hash: [u8; 32], grant: &Grant, expires_at_ms: i64) -> Result<()>;

    /// Takes a one-time token: it is gone afterwards. `None` if unknown, used or expired.
    async fn take_token(&self, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Grant>>;

    /// What a one-time token is good for, without using it.
    async fn peek_token(&self, token_hash: [u8; 32], now_ms: i64) -> Result<Option<Grant>>;

    /// Deletes expired sessions and tokens.
    async fn sweep(&self, now_ms: i64) -> Result<()>;

    /// Waits for running work and closes the database.
    async fn close(&self);
}
