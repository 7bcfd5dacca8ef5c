//! The audit: a log is replayed from its first entry, and everything that is known about it is compared with that.
//!
//! With the database at hand the records are compared with their entries, too. From outside only the log itself can
//! be replayed: that nothing in it was changed since it was first signed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    iter::Peekable,
    vec,
};

use assent_consent::ledger::{Checkpoint, Edge, Hash, NoteError, Tile, erasure, merkle};
use assent_store::{Erasure, Store};
use ed25519_dalek::VerifyingKey;

use super::{Log, LogError, StoredLog};

/// Faults that are listed; beyond that they are only counted.
const LISTED_MAX: usize = 100;
/// Records that are read at once.
const PAGE: u32 = 1000;

/// What an audit found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Entries that the log says it has.
    size: u64,
    /// Entries that were replayed.
    pub(crate) entries: u64,
    /// Entries that a checkpoint covers.
    pub(crate) signed: u64,
    /// Checkpoints that hold.
    pub(crate) checkpoints: u64,
    /// Records that are the ones that were logged; `None` if the audit had none to compare.
    pub(crate) records: Option<u64>,
    /// Indices of the entries whose records were erased, with the time in milliseconds since 1970.
    pub(crate) erased: Vec<(u64, i64)>,
    /// What does not hold.
    pub(crate) faults: Vec<Fault>,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A checkpoint's signature or form.
    Checkpoint { size: u64, why: String },
    /// Checkpoints, from the first to the last size, that no known key signed.
    UnknownKey { first: u64, last: u64, count: u64 },
    /// A checkpoint has another name than the one before it.
    Renamed { size: u64, origin: String },
    /// A checkpoint's root is not that of the entries.
    Root { after: u64, size: u64 },
    /// A checkpoint covers entries that are not there.
    Truncated { entries: u64, signed: u64 },
    /// A tile of entries does not fit the hash that was made of it when it became full.
    Entries { first: u64, last: u64 },
    /// A tile above cannot be read, or has other hashes than it should.
    Tile { path: String },
    /// A record is not the one that was logged.
    Altered { leaf: u64, id: String },
    /// A record stands at the place of another.
    Moved { leaf: u64, belongs_to: u64 },
    /// There is neither a record nor an erasure.
    Deleted { leaf: u64 },
    /// A record claims an entry that the log does not have.
    Inserted { leaf: u64, id: String },
    /// There are a record and an erasure.
    NotErased { leaf: u64 },
    /// An erasure of an entry that the log does not have.
    ErasedBeyond { leaf: u64 },
    /// An erasure that no known key signed.
    ErasedByOthers { leaf: u64 },
    /// The log does not begin with what was signed before.
    Forked { size: u64 },
    /// The log begins with what was signed before, and lists no such checkpoint.
    Unlisted { size: u64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint { size, why } => write!(f, "checkpoint of {size} entries: {why}"),
            Self::UnknownKey { first, last, count } => write!(
                f,
                "{count} checkpoints of {first} to {last} entries: signed with a key that is not known, so nobody can \
                 say whether they hold. If the server had another key then, put its public key in a line of the file \
                 retired-keys, or give a copy of /.well-known/jwks.json from that time with --keys; if it never had, \
                 somebody else signed them"
            ),
            Self::Renamed { size, origin } => {
                write!(f, "checkpoint of {size} entries: is of another log, {origin}")
            }
            Self::Root { after, size } => write!(
                f,
                "checkpoint of {size} entries: its root is not that of the entries; at least one of the entries \
                 {after} to {} is not what was signed",
                size.saturating_sub(1)
            ),
            Self::Truncated { entries, signed } => write!(
                f,
                "entries {entries} to {}: missing; they were signed, so the log was truncated",
                signed - 1
            ),
            Self::Entries { first, last } => write!(
                f,
                "entries {first} to {last}: at least one was altered; they do not fit the hash that was made of them"
            ),
            Self::Tile { path } => write!(f, "{path}: is missing or altered"),
            Self::Altered { leaf, id } => {
                write!(f, "entry {leaf}: the record {id} is not the one that was logged")
            }
            Self::Moved { leaf, belongs_to } => {
                write!(
                    f,
                    "entry {leaf}: has the record that was logged as entry {belongs_to}"
                )
            }
            Self::Deleted { leaf } => write!(
                f,
                "entry {leaf}: its record is missing, and was not erased on request"
            ),
            Self::Inserted { leaf, id } => {
                write!(
                    f,
                    "record {id}: claims to be entry {leaf}, which the log does not have"
                )
            }
            Self::NotErased { leaf } => write!(f, "entry {leaf}: listed as erased, but its record is there"),
            Self::ErasedBeyond { leaf } => {
                write!(f, "entry {leaf}: listed as erased, but the log does not have it")
            }
            Self::ErasedByOthers { leaf } => write!(
                f,
                "entry {leaf}: listed as erased, but no known key signed that; unless a key is missing, somebody else \
                 removed its record"
            ),
            Self::Unlisted { size } => write!(
                f,
                "the checkpoint of {size} entries that you gave: the log begins with what it signed, but lists it no \
                 more"
            ),
            Self::Forked { size } => write!(
                f,
                "the checkpoint of {size} entries that you gave: the log does not begin with what it signed there"
            ),
        }
    }
}

/// Replays a log. `earlier` is a checkpoint that was kept elsewhere.
pub(crate) async fn log(
    log: &dyn Log,
    keys: &[VerifyingKey],
    earlier: Option<&Checkpoint>,
) -> Result<Report, LogError> {
    let mut report = Report::default();
    let heads = heads(log, keys, &mut report).await?;
    let signed = heads.last_key_value().map_or(0, |(size, _)| *size);
    // The log may grow meanwhile: what is asked later is at least what was signed before.
    let size = log.size().await?.unwrap_or(signed);
    report.size = size;
    if size < signed {
        report.faults.push(Fault::Truncated {
            entries: size,
            signed,
        });
    }
    report.signed = signed;

    if let Some(earlier) = earlier
        && earlier.size > 0
        && earlier.size <= size
        && !heads.contains_key(&earlier.size)
    {
        report.faults.push(Fault::Unlisted { size: earlier.size });
    }
    let mut points: BTreeMap<u64, Vec<(Hash, bool)>> = BTreeMap::new();
    for (size, root) in heads {
        points.entry(size).or_default().push((root, true));
    }
    if let Some(earlier) = earlier {
        points
            .entry(earlier.size)
            .or_default()
            .push((earlier.root, false));
    }
    let mut replay = Replay::new(points);
    let mut erasures = Erasures::of(log);
    for number in 0..size.div_ceil(256) {
        let Some(tile) = Tile::of_tree(0, number, size) else {
            continue;
        };
        let entries = match log.entries(tile).await {
            Ok(entries) => entries,
            // What follows a gap cannot be replayed.
            Err(LogError::Missing(_) | LogError::Malformed(_)) => {
                report.faults.push(Fault::Entries {
                    first: number * 256,
                    last: number * 256 + u64::from(tile.width) - 1,
                });
                break;
            }
            Err(error) => return Err(error),
        };
        replay.add(&entries, &mut report);
        report.entries += entries.len() as u64;
        for (leaf, entry) in (number * 256..).zip(entries) {
            if let Some(erasure) = erasures.before(leaf + 1).await? {
                report.erased.push((leaf, erasure.erased_at_ms));
                if !is_signed(log.site(), &erasure, &entry, keys) {
                    report.faults.push(Fault::ErasedByOthers { leaf });
                }
            }
        }
    }
    replay.end(&mut report);
    levels(log, size, replay.tiles, &mut report).await?;
    erased_beyond(log, erasures, &mut report).await?;
    Ok(report)
}

/// The same with the database at hand, records included.
pub(crate) async fn stored(
    store: &dyn Store,
    site: &str,
    keys: &[VerifyingKey],
    earlier: Option<&Checkpoint>,
) -> Result<Report, LogError> {
    let stored = StoredLog { store, site };
    let mut report = log(&stored, keys, earlier).await?;
    let erased: BTreeSet<u64> = report.erased.iter().map(|(leaf, _)| *leaf).collect();
    let mut altered = Vec::new();
    let mut intact = 0;
    let mut records = store.log_records(site, 0, PAGE).await?.into_iter().peekable();
    for number in 0..report.size.div_ceil(256) {
        let Some(tile) = Tile::of_tree(0, number, report.size) else {
            continue;
        };
        let Ok(entries) = stored.entries(tile).await else {
            break;
        };
        for (leaf, entry) in (number * 256..).zip(entries) {
            if records.peek().is_none() {
                records = store.log_records(site, leaf, PAGE).await?.into_iter().peekable();
            }
            match records.next_if(|logged| logged.leaf == leaf) {
                Some(_) if erased.contains(&leaf) => report.faults.push(Fault::NotErased { leaf }),
                Some(logged) => match logged.record {
                    Ok(record) if record.commitment() == entry => intact += 1,
                    Ok(record) => altered.push((leaf, entry, Some((record.id, record.commitment())))),
                    Err(assent_store::StoreError::Inconsistent { .. }) => altered.push((leaf, entry, None)),
                    Err(error) => return Err(error.into()),
                },
                None if erased.contains(&leaf) => (),
                None => {
                    // It may have been erased just now.
                    let erasures = store.log_erasures(site, leaf, 1).await?;
                    match erasures.first().filter(|erasure| erasure.leaf == leaf) {
                        Some(erasure) if is_signed(site, erasure, &entry, keys) => (),
                        Some(_) => report.faults.push(Fault::ErasedByOthers { leaf }),
                        None => report.faults.push(Fault::Deleted { leaf }),
                    }
                }
            }
        }
    }
    let homes: HashMap<_, _> = altered.iter().map(|(leaf, entry, _)| (*entry, *leaf)).collect();
    for (leaf, _, record) in &altered {
        let moved = record.and_then(|(_, commitment)| homes.get(&commitment).copied());
        report.faults.push(match (moved, record) {
            (Some(belongs_to), _) => Fault::Moved {
                leaf: *leaf,
                belongs_to,
            },
            (None, record) => Fault::Altered {
                leaf: *leaf,
                id: record.map_or_else(|| "that cannot be read".to_owned(), |(id, _)| id.to_string()),
            },
        });
    }
    let mut next = report.size;
    loop {
        let beyond = store.log_records(site, next, PAGE).await?;
        let Some(last) = beyond.last() else { break };
        next = last.leaf + 1;
        // What was stored since the replay began has its entry as well.
        let now = store.log_size(site).await?;
        for logged in beyond.into_iter().filter(|logged| logged.leaf >= now) {
            report.faults.push(Fault::Inserted {
                leaf: logged.leaf,
                id: logged.record.map_or_else(
                    |_| "that cannot be read".to_owned(),
                    |record| record.id.to_string(),
                ),
            });
        }
    }
    report.records = Some(intact);
    Ok(report)
}

/// Recomputes the tree from its entries.
struct Replay {
    edge: Edge,
    /// Roots to be found at some sizes, and whether they are this log's own checkpoints.
    points: BTreeMap<u64, Vec<(Hash, bool)>>,
    /// The largest size at which the root was the signed one.
    good: u64,
    /// Roots of the full tiles of entries.
    tiles: Vec<Hash>,
}

impl Replay {
    fn new(points: BTreeMap<u64, Vec<(Hash, bool)>>) -> Self {
        Self {
            edge: Edge::default(),
            points,
            good: 0,
            tiles: Vec::new(),
        }
    }

    fn add(&mut self, entries: &[[u8; 32]], report: &mut Report) {
        let leaves: Vec<_> = entries.iter().map(|entry| merkle::leaf(entry)).collect();
        self.check(report);
        for leaf in &leaves {
            self.edge.push(*leaf);
            self.check(report);
        }
        if leaves.len() == 256 {
            self.tiles.push(merkle::root(leaves));
        }
    }

    fn check(&mut self, report: &mut Report) {
        let size = self.edge.size();
        for (root, is_own) in self.points.remove(&size).unwrap_or_default() {
            match (self.edge.root() == root, is_own) {
                (true, true) => {
                    report.checkpoints += 1;
                    self.good = size;
                }
                (true, false) => (),
                (false, true) => report.faults.push(Fault::Root {
                    after: self.good,
                    size,
                }),
                (false, false) => report.faults.push(Fault::Forked { size }),
            }
        }
    }

    fn end(&mut self, report: &mut Report) {
        self.check(report);
        let beyond = std::mem::take(&mut self.points);
        let is_forked = |roots: &Vec<(Hash, bool)>| roots.iter().any(|(_, is_own)| !is_own);
        report.faults.extend(
            beyond
                .into_iter()
                .filter(|(_, roots)| is_forked(roots))
                .map(|(size, _)| Fault::Forked { size }),
        );
    }
}

/// Reads all checkpoints and checks their signatures; returns the roots of those that hold.
async fn heads(
    log: &dyn Log,
    keys: &[VerifyingKey],
    report: &mut Report,
) -> Result<BTreeMap<u64, Hash>, LogError> {
    let mut roots = BTreeMap::new();
    let mut unknown: Vec<u64> = Vec::new();
    let mut origin: Option<String> = None;
    let mut next = 0;
    loop {
        let heads = log.heads(next).await?;
        let Some(last) = heads.last() else {
            if let (Some(first), Some(last)) = (unknown.first(), unknown.last()) {
                report.faults.push(Fault::UnknownKey {
                    first: *first,
                    last: *last,
                    count: unknown.len() as u64,
                });
            }
            return Ok(roots);
        };
        if last.size < next {
            return Err(LogError::Malformed("its checkpoints".to_owned()));
        }
        next = after(last.size, "its checkpoints")?;
        for head in heads {
            let size = head.size;
            match Checkpoint::open(&head.note, keys) {
                Ok(checkpoint) if checkpoint.size != size => report.faults.push(Fault::Checkpoint {
                    size,
                    why: format!("it is signed for {} entries", checkpoint.size),
                }),
                Ok(checkpoint) => {
                    let expected = origin.get_or_insert_with(|| checkpoint.origin.clone());
                    if *expected == checkpoint.origin {
                        // Two roots for one size: the log is shown to some as it is not shown to others.
                        if roots
                            .insert(size, checkpoint.root)
                            .is_some_and(|other| other != checkpoint.root)
                        {
                            report.faults.push(Fault::Forked { size });
                        }
                    } else {
                        report.faults.push(Fault::Renamed {
                            size,
                            origin: checkpoint.origin,
                        });
                    }
                }
                Err(NoteError::UnknownKey) => unknown.push(size),
                Err(error) => report.faults.push(Fault::Checkpoint {
                    size,
                    why: error.to_string(),
                }),
            }
        }
    }
}

/// Compares the tiles above the entries with what they should be.
async fn levels(
    log: &dyn Log,
    size: u64,
    mut expected: Vec<Hash>,
    report: &mut Report,
) -> Result<(), LogError> {
    for level in 1..=7 {
        let mut above = Vec::new();
        for (number, expected) in (0..).zip(expected.chunks(256)) {
            let Some(tile) = Tile::of_tree(level, number, size) else {
                continue;
            };
            let hashes = match log.hashes(tile).await {
                Ok(hashes) => hashes,
                Err(LogError::Missing(_) | LogError::Malformed(_)) => {
                    report.faults.push(Fault::Tile { path: tile.path() });
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (at, (hash, expected)) in (0..).zip(hashes.iter().zip(expected)) {
                let first = number * 256 + at;
                if hash == expected {
                    continue;
                }
                report.faults.push(match level {
                    1 => Fault::Entries {
                        first: first * 256,
                        last: first * 256 + 255,
                    },
                    _ => Fault::Tile { path: tile.path() },
                });
            }
            if expected.len() == 256 {
                above.push(merkle::root(expected.iter().copied()));
            }
        }
        expected = above;
    }
    Ok(())
}

/// Where the next page begins; a log of another server may say anything.
pub(super) fn after(last: u64, what: &str) -> Result<u64, LogError> {
    last.checked_add(1)
        .ok_or_else(|| LogError::Malformed(what.to_owned()))
}

/// Whether a known key signed that the record of this entry was erased.
pub(super) fn is_signed(site: &str, erased: &Erasure, entry: &[u8; 32], keys: &[VerifyingKey]) -> bool {
    erasure::is_signed(
        site,
        erased.leaf,
        entry,
        erased.erased_at_ms,
        &erased.signature,
        keys,
    )
}

/// The erasures of a log in the order of its entries, read page by page.
struct Erasures<'a> {
    log: &'a dyn Log,
    page: Peekable<vec::IntoIter<Erasure>>,
    /// Where the next page begins; `None` after the last one.
    next: Option<u64>,
}

impl<'a> Erasures<'a> {
    fn of(log: &'a dyn Log) -> Self {
        Self {
            log,
            page: Vec::new().into_iter().peekable(),
            next: Some(0),
        }
    }

    /// The next one, if it is of an entry before `end`.
    async fn before(&mut self, end: u64) -> Result<Option<Erasure>, LogError> {
        if let Some(next) = self.next
            && self.page.peek().is_none()
        {
            let page = self.log.erasures(next).await?;
            let is_in_order = page.is_sorted_by(|one, other| one.leaf < other.leaf)
                && page.first().is_none_or(|first| first.leaf >= next);
            if !is_in_order {
                return Err(LogError::Malformed("its erasures".to_owned()));
            }
            self.next = match page.last() {
                Some(last) => Some(after(last.leaf, "its erasures")?),
                None => None,
            };
            self.page = page.into_iter().peekable();
        }
        Ok(self.page.next_if(|erasure| erasure.leaf < end))
    }
}

/// Names the erasures of entries that the log does not have.
async fn erased_beyond(
    log: &dyn Log,
    mut erasures: Erasures<'_>,
    report: &mut Report,
) -> Result<(), LogError> {
    let mut now = report.size;
    while let Some(Erasure { leaf, .. }) = erasures.before(u64::MAX).await? {
        if leaf >= now {
            // What was stored since the replay began may be erased already.
            now = log.size().await?.unwrap_or(u64::MAX);
        }
        if leaf >= now && report.entries >= report.signed {
            report.faults.push(Fault::ErasedBeyond { leaf });
        }
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {} entries were replayed.", self.entries)?;
        writeln!(
            f,
            "  {} checkpoints hold, each a beginning of the next; the last one covers {} entries.",
            self.checkpoints, self.signed
        )?;
        if self.entries > self.signed {
            writeln!(
                f,
                "  {} entries are not below a checkpoint yet.",
                self.entries - self.signed
            )?;
        }
        match self.records {
            Some(records) => writeln!(f, "  {records} records are the ones that were logged.")?,
            None => writeln!(
                f,
                "  The records themselves are not published; their owner audits them with --data."
            )?,
        }
        if !self.erased.is_empty() {
            writeln!(f, "  {} records were erased on request:", self.erased.len())?;
            for (leaf, at_ms) in self.erased.iter().take(LISTED_MAX) {
                writeln!(f, "    entry {leaf}, {}", crate::clock::readable(*at_ms))?;
            }
            if self.erased.len() > LISTED_MAX {
                writeln!(f, "    and {} more", self.erased.len() - LISTED_MAX)?;
            }
        }
        if self.faults.is_empty() {
            return writeln!(f, "  Nothing was altered, removed or added.");
        }
        writeln!(f, "  {} things do not hold:", self.faults.len())?;
        for fault in self.faults.iter().take(LISTED_MAX) {
            writeln!(f, "    {fault}")?;
        }
        if self.faults.len() > LISTED_MAX {
            writeln!(f, "    and {} more", self.faults.len() - LISTED_MAX)?;
        }
        Ok(())
    }
}
