//! Rows that have the same columns in every store, and how they are read. Each `read` fails with
//! [`StoreError::Inconsistent`](crate::StoreError::Inconsistent) where a value was not written by a store.

use assent_consent::notice::NoticeHash;
use sha2::{Digest as _, Sha256};

use crate::{ArchivedNotice, AskedBy, KeptNotice, Restriction, Result, SignedHead, cell::Cell};

/// Where a notice's content stands.
pub const NOTICE_BODY: Cell = Cell {
    table: "notice",
    column: "body",
};

/// A notice is its content: one that no longer has its hash is not what any visitor was shown.
///
/// # Errors
/// The content has another hash.
pub fn check_notice(body: &str, hash: NoticeHash) -> Result<()> {
    if Sha256::digest(body)[..] == hash.0 {
        Ok(())
    } else {
        Err(NOTICE_BODY.inconsistent(format!("the content of notice {hash} has another hash")))
    }
}

/// A notice as it is kept.
#[derive(Debug)]
pub struct KeptRow {
    /// SHA-256 of the content.
    pub hash: Vec<u8>,
    /// Id of the rule.
    pub rule: String,
    /// Language tag.
    pub language: String,
    /// The content.
    pub body: String,
}

impl KeptRow {
    /// The notice.
    ///
    /// # Errors
    /// The content has another hash.
    pub fn read(self) -> Result<KeptNotice> {
        let at = Cell {
            table: "notice",
            column: "hash",
        };
        check_notice(&self.body, NoticeHash(at.bytes(&self.hash)?))?;
        Ok(KeptNotice {
            rule: self.rule,
            language: self.language,
            body: self.body,
        })
    }
}

/// Where a notice was shown.
#[derive(Debug)]
pub struct ArchivedRow {
    /// SHA-256 of the notice's content.
    pub hash: Vec<u8>,
    /// Id of the rule.
    pub rule: String,
    /// Language tag.
    pub language: String,
    /// The first revision that showed it.
    pub first_revision: i64,
    /// The last one.
    pub last_revision: i64,
    /// When the first was published, in milliseconds since 1970.
    pub published_at_ms: i64,
}

impl ArchivedRow {
    /// The archive's entry.
    ///
    /// # Errors
    /// A value is out of its range.
    pub fn read(self) -> Result<ArchivedNotice> {
        let at = |table, column| Cell { table, column };
        Ok(ArchivedNotice {
            hash: NoticeHash(at("notice", "hash").bytes(&self.hash)?),
            rule: self.rule,
            language: self.language,
            first_revision: at("revision_notice", "revision").number(self.first_revision)?,
            last_revision: at("revision_notice", "revision").number(self.last_revision)?,
            published_at_ms: self.published_at_ms,
        })
    }
}

/// A restriction of use.
#[derive(Debug)]
pub struct RestrictionRow {
    /// Milliseconds since 1970.
    pub since_ms: i64,
    /// [`AskedBy`].
    pub asked_by: String,
}

impl RestrictionRow {
    /// The restriction.
    ///
    /// # Errors
    /// Nobody of that name asks for one.
    pub fn read(self) -> Result<Restriction> {
        let at = Cell {
            table: "restriction",
            column: "asked_by",
        };
        Ok(Restriction {
            since_ms: self.since_ms,
            asked_by: AskedBy::from_id(&self.asked_by)
                .ok_or_else(|| at.inconsistent(format!("unknown: {}", self.asked_by)))?,
        })
    }
}

/// A signed head of a log.
#[derive(Debug)]
pub struct HeadRow {
    /// Entries.
    pub size: i64,
    /// The checkpoint as a signed note.
    pub note: String,
    /// Milliseconds since 1970.
    pub made_at_ms: i64,
}

impl HeadRow {
    /// The head.
    ///
    /// # Errors
    /// The size is out of its range.
    pub fn read(self) -> Result<SignedHead> {
        let at = Cell {
            table: "checkpoint",
            column: "size",
        };
        Ok(SignedHead {
            size: at.number(self.size)?,
            note: self.note,
            made_at_ms: self.made_at_ms,
        })
    }
}
