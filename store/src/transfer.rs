//! Moving a data set from one store to another, part by part.
//!
//! What a store holds is read by this trait and by [`Store`](crate::Store), and taken in here as it was: numbers, indices
//! and times do not change. Everything may be taken in twice, so a move that was interrupted is taken up again. Sessions
//! and one-time tokens do not move: they live for hours.

use std::ops::Range;

use assent_consent::{
    notice::Notice,
    record::{ConsentRecord, Subject},
};
use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    Count, Erasure, Hold, OrganisationId, Owner, Restriction, Result, RetentionRun, Revision, StoreError,
    ThirdPartyDay, TrailEntry,
};

/// A notice as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptNotice {
    /// Id of the rule.
    pub rule: String,
    /// Language tag.
    pub language: String,
    /// The bytes that are hashed, whichever version wrote them.
    pub body: String,
}

impl KeptNotice {
    /// A notice of this version.
    ///
    /// # Errors
    /// None: its canonical JSON is text.
    pub fn of(notice: &Notice) -> Result<Self> {
        Ok(Self {
            rule: notice.rule.clone(),
            language: notice.language.clone(),
            body: String::from_utf8(notice.canonical())
                .map_err(|error| StoreError::Database(error.into()))?,
        })
    }
}

/// A stretch of a site's log, with what is stored of its records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Index of the first entry.
    pub first: u64,
    /// The entries.
    pub entries: Vec<[u8; 32]>,
    /// The records that are left, with their indices, in order.
    pub records: Vec<(u64, ConsentRecord)>,
    /// Those that were erased, in order.
    pub erasures: Vec<Erasure>,
}

/// What keeps a site's records from being erased or used, and what was done with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Custody {
    /// All holds, those that have ended as well.
    pub holds: Vec<Hold>,
    /// The records that count no more, because a later one of the same subject was erased.
    pub superseded: Vec<Uuid>,
    /// All restrictions, with the subjects whose records they are of.
    pub restrictions: Vec<(Subject, Restriction)>,
    /// The whole trail, oldest first.
    pub trail: Vec<TrailEntry>,
    /// How the last look for records that are kept for too long went.
    pub retention: Option<RetentionRun>,
}

/// What moving needs beyond [`Store`](crate::Store).
#[async_trait]
pub trait Transfer: Send + Sync {
    /// All organisations with their names, ordered by id.
    async fn organisations(&self) -> Result<Vec<(OrganisationId, String)>>;

    /// All owners, ordered by id.
    async fn owners(&self) -> Result<Vec<Owner>>;

    /// All revisions of a site, in order.
    async fn revisions(&self, site: &str) -> Result<Vec<Revision>>;

    /// The notices that a revision of a site shows, in the order in which they were archived.
    async fn notices_of(&self, site: &str, revision: u32) -> Result<Vec<KeptNotice>>;

    /// What stays of the ids of a site's erased records ([`trace`](crate::trace)), from one on, in order, at most `limit`.
    async fn erased_ids(&self, site: &str, from: [u8; 16], limit: u32) -> Result<Vec<[u8; 16]>>;

    /// All restrictions of a site, ordered by subject.
    async fn restrictions(&self, site: &str) -> Result<Vec<(Subject, Restriction)>>;

    /// All records of a site that count no more, because a later one of the same subject was erased, ordered by id.
    async fn all_superseded(&self, site: &str) -> Result<Vec<Uuid>>;

    /// The first hour of a site's roll-up that is not before this one.
    async fn next_hour(&self, site: &str, from: i32) -> Result<Option<i32>>;

    /// The cells of a site's roll-up of these hours, with their totals.
    async fn cells(&self, site: &str, hours: Range<i32>) -> Result<Vec<(Count, u64)>>;

    /// Takes in an owner with the password; one with the same id gets them.
    async fn take_owner(&self, owner: &Owner) -> Result<()>;

    /// Takes in a revision. The same one that is there already stays.
    ///
    /// # Errors
    /// [`StoreError::ForeignSite`](crate::StoreError::ForeignSite) if the site belongs to another organisation,
    /// [`StoreError::Different`](crate::StoreError::Different) if there is another one of this number.
    async fn take_revision(&self, revision: &Revision) -> Result<()>;

    /// Takes in notices that a revision of a site shows; those that are there already stay.
    ///
    /// # Errors
    /// [`StoreError::UnknownRevision`](crate::StoreError::UnknownRevision) if the revision is not there.
    async fn take_notices(&self, site: &str, revision: u32, notices: &[KeptNotice]) -> Result<()>;

    /// Takes in a stretch of a site's log, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Different`](crate::StoreError::Different) if the site or a record's notice is not there, the log does
    /// not end where the stretch begins, or a record's id is taken.
    async fn take_stretch(&self, site: &str, stretch: &Stretch) -> Result<()>;

    /// Takes in what stays of the ids of erased records.
    async fn take_erased_ids(&self, site: &str, traces: &[[u8; 16]]) -> Result<()>;

    /// Takes in what keeps a site's records, in the place of what is there, and what is missing of the trail, in one
    /// transaction. Records and owners are there already.
    ///
    /// # Errors
    /// [`StoreError::Different`](crate::StoreError::Different) if the trail that is there is longer.
    async fn take_custody(&self, site: &str, custody: &Custody) -> Result<()>;

    /// Takes in cells of the roll-up; those that are there get these totals.
    async fn take_cells(&self, cells: &[(Count, u64)]) -> Result<()>;

    /// Takes in the third parties of a site; those that are there get these numbers.
    async fn take_third_parties(&self, site: &str, days: &[ThirdPartyDay]) -> Result<()>;
}
