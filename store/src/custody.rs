//! What keeps records from being erased or used, and what owners do with them.

use assent_consent::record::Subject;
use uuid::Uuid;

/// A record that the law wants kept until a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The record.
    pub record: Uuid,
    /// Whose it is.
    pub subject: Subject,
    /// Why, in the owner's words and for owners only.
    pub reason: String,
    /// Milliseconds since 1970.
    pub held_at_ms: i64,
    /// When the hold ends by itself, in milliseconds since 1970.
    pub until_ms: i64,
    /// When the visitor first asked for the erasure that waits for the hold's end, in milliseconds since 1970.
    pub erasure_asked_at_ms: Option<i64>,
}

/// Who asked for a restriction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// The visitor, who alone can lift it then.
    Visitor,
    /// The owner.
    Owner,
}

impl AskedBy {
    /// The id as it is stored.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Owner => "owner",
        }
    }

    /// Reads an id.
    pub fn from_id(id: &str) -> Option<Self> {
        [Self::Visitor, Self::Owner]
            .into_iter()
            .find(|asked_by| asked_by.id() == id)
    }
}

/// A subject's records at a site, those to come as well, are kept and not used (GDPR, article 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// Milliseconds since 1970.
    pub since_ms: i64,
    /// Who wants it.
    pub asked_by: AskedBy,
}

/// What became of a visitor's wish to have records erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Ids of the records that are gone.
    pub records: Vec<Uuid>,
    /// Those that the law keeps: restricted from now on, and erased when their holds end.
    pub held: Vec<Hold>,
}

/// What an owner wants done with one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// It is given out.
    Export,
    /// It is erased.
    Erase,
    /// It is kept until a day, whatever else would erase it. An earlier hold is replaced.
    Hold {
        /// Why, for owners only.
        reason: String,
        /// Milliseconds since 1970, in the future.
        until_ms: i64,
    },
    /// The hold ends; the record is erased if its visitor asked for that.
    LiftHold,
    /// The visitor's records are not used from now on.
    Restrict,
    /// They are again.
    LiftRestriction,
}

impl Order {
    /// What is written into the trail when it is done.
    pub const fn deed(&self) -> Deed {
        match self {
            Self::Export => Deed::Export,
            Self::Erase => Deed::Erase,
            Self::Hold { .. } => Deed::Hold,
            Self::LiftHold => Deed::LiftHold,
            Self::Restrict => Deed::Restrict,
            Self::LiftRestriction => Deed::LiftRestriction,
        }
    }
}

/// What became of an [`Order`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done and stands in the trail.
    Done,
    /// There is no such record at this site.
    Absent,
    /// The record is held.
    Held,
    /// The visitor's records are restricted, or the restriction is the visitor's own.
    Restricted,
    /// There was nothing to do.
    Unchanged,
}

/// What was done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It was given to the owner as a file.
    Export,
    /// It was erased: by the owner, or at the end of a hold because the visitor had asked.
    Erase,
    /// A hold was set or changed.
    Hold,
    /// A hold was lifted.
    LiftHold,
    /// The owner restricted the visitor's records.
    Restrict,
    /// The owner lifted that.
    LiftRestriction,
    /// The visitor asked for an erasure that has to wait for the end of the hold.
    AskErasure,
}

impl Deed {
    const ALL: [Self; 7] = [
        Self::Export,
        Self::Erase,
        Self::Hold,
        Self::LiftHold,
        Self::Restrict,
        Self::LiftRestriction,
        Self::AskErasure,
    ];

    /// The id as it is stored.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Erase => "erase",
            Self::Hold => "hold",
            Self::LiftHold => "lift-hold",
            Self::Restrict => "restrict",
            Self::LiftRestriction => "lift-restriction",
            Self::AskErasure => "ask-erasure",
        }
    }

    /// Reads an id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.id() == id)
    }
}

/// One line of a site's trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailEntry {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// Email of the owner who did it; `None` where it was done at the visitor's request.
    pub owner: Option<String>,
    /// What was done.
    pub deed: Deed,
    /// With which record; it may be erased.
    pub record: Uuid,
}

/// Which records are kept for too long, a batch of them at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Those that have stopped to count by then, in milliseconds since 1970.
    pub expired_by_ms: i64,
    /// Behind this one in the order of expiry and id; `None` for the first batch.
    pub after: Option<(i64, Uuid)>,
    /// Records that are looked at, and ended holds that are cleared away.
    pub limit: u32,
}

/// What became of a batch of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batched {
    /// Records erased, those among them whose visitors had asked and whose holds have ended.
    pub erased: u64,
    /// Records left alone, because they are held or restricted.
    pub spared: u64,
    /// Where the next batch begins; `None` if this was the last.
    pub next: Option<(i64, Uuid)>,
    /// Whether more holds have ended than this batch has cleared away.
    pub holds_remain: bool,
}

/// How the last look for records that are kept for too long went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionRun {
    /// Milliseconds since 1970.
    pub ran_at_ms: i64,
    /// Records erased then.
    pub erased: u64,
    /// Records left alone then, because they were held or restricted.
    pub spared: u64,
    /// Records erased by all looks so far.
    pub erased_in_all: u64,
}
