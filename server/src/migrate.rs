//! `assent migrate`: moves a data set from one database to another, and compares the logs at the end.
//!
//! What was moved already is passed over, so a move that was interrupted goes on where it was. The source is only read.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    path::Path,
};

use assent_consent::ledger::Hash;
use assent_store::{Custody, OrganisationId, Store, StoreError, Stretch};
use ed25519_dalek::VerifyingKey;

use crate::{
    database::Address,
    keys,
    ledger::{Log as _, StoredLog, audit},
    serve::Failure,
};

/// Entries of one step: eight tiles.
const STEP: u64 = 2048;
/// Heads, traces and the like that are read at once.
const PAGE: u32 = 1000;
/// Hours of the roll-up that are read at once.
const HOURS: i32 = 24;

/// Moves everything; returns what it found at the end, in words.
pub(crate) async fn run(from: &Address, to: &Address, data: &Path) -> Result<String, Failure> {
    if let Some(file) = from.missing() {
        return Err(Failure::Other(format!("there is no {}", file.display())));
    }
    if from == to {
        return Err(Failure::Other("both addresses are the same".to_owned()));
    }
    let keys = keys::known(data).map_err(|error| {
        Failure::Other(format!(
            "cannot read the keys in {}, with which the logs are checked at the end: {error}. Name the server's data folder \
             with --data.",
            data.display()
        ))
    })?;
    let (source, target) = (from.open().await?, to.open().await?);
    let moved = between(source.as_ref(), target.as_ref(), &keys, &mut Progress::default()).await;
    source.close().await;
    target.close().await;
    moved
}

async fn between(
    source: &dyn Store,
    target: &dyn Store,
    keys: &[VerifyingKey],
    progress: &mut Progress,
) -> Result<String, Failure> {
    let revisions = source.current_revisions().await?;
    let sites: Vec<(OrganisationId, String)> = revisions
        .into_iter()
        .map(|revision| (revision.organisation, revision.config.id))
        .collect();
    let strange = target
        .current_revisions()
        .await?
        .into_iter()
        .find(|revision| sites.iter().all(|(_, site)| *site != revision.config.id));
    if let Some(strange) = strange {
        return Err(other_data(&strange.config.id));
    }
    for (id, name) in source.organisations().await? {
        target.ensure_organisation(id, &name).await?;
    }
    for owner in source.owners().await? {
        target.take_owner(&owner).await?;
    }
    let mut summary = String::new();
    for (organisation, site) in sites {
        let different = |error| match error {
            StoreError::Different | StoreError::ForeignSite => other_data(&site),
            error => Failure::from(error),
        };
        for revision in source.revisions(&site).await? {
            target.take_revision(&revision).await.map_err(different)?;
            let notices = source.notices_of(&site, revision.number).await?;
            target.take_notices(&site, revision.number, &notices).await?;
        }
        log(source, target, &site, progress).await?;
        rest(source, target, organisation, &site).await?;
        let (size, root) = compare(source, target, &site, keys, progress).await?;
        let _ = writeln!(
            summary,
            "{site}: {size} entries, both logs have the root {}.",
            hex::encode(root.0)
        );
    }
    summary.push_str("Everything was moved; both databases were audited, and nothing is amiss.\n");
    Ok(summary)
}

fn other_data(site: &str) -> Failure {
    Failure::Other(format!(
        "the database that is moved to holds other data of the site {site} already. Give an empty one, or the one that a \
         move from the same database has begun."
    ))
}

/// Moves the log of a site with its records.
async fn log(
    source: &dyn Store,
    target: &dyn Store,
    site: &str,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let from = StoredLog { store: source, site };
    let to = StoredLog { store: target, site };
    let end = source.log_size(site).await?;
    let begun = target.log_size(site).await?;
    if begun > end || from.root(begun).await? != to.root(begun).await? {
        return Err(other_data(site));
    }
    let mut first = begun;
    while first < end {
        // Steps end where tiles do, so that tiles are read whole.
        let next = (first / STEP * STEP + STEP).min(end);
        let stretch = stretch(source, site, first..next).await?;
        target
            .take_stretch(site, &stretch)
            .await
            .map_err(|error| match error {
                StoreError::Different => other_data(site),
                error => error.into(),
            })?;
        first = next;
        progress.show(site, "entries moved", first, end);
    }
    Ok(())
}

/// Reads a stretch of a log.
async fn stretch(source: &dyn Store, site: &str, range: std::ops::Range<u64>) -> Result<Stretch, Failure> {
    let mut stretch = Stretch {
        first: range.start,
        ..Stretch::default()
    };
    for number in range.start / 256..range.end.div_ceil(256) {
        let body = source.log_tile(site, 0, number).await?.unwrap_or_default();
        let entries = body.as_chunks::<32>().0;
        let indices = number * 256..;
        stretch.entries.extend(
            indices
                .zip(entries)
                .filter_map(|(index, entry)| range.contains(&index).then_some(*entry)),
        );
    }
    let len = range.end - range.start;
    if stretch.entries.len() as u64 != len {
        return Err(unsound(site));
    }
    let limit = u32::try_from(len).unwrap_or(u32::MAX);
    for logged in source.log_records(site, range.start, limit).await? {
        if range.contains(&logged.leaf) {
            stretch.records.push((logged.leaf, logged.record?));
        }
    }
    let erasures = source.log_erasures(site, range.start, limit).await?;
    stretch.erasures.extend(
        erasures
            .into_iter()
            .filter(|erasure| range.contains(&erasure.leaf)),
    );
    Ok(stretch)
}

fn unsound(site: &str) -> Failure {
    Failure::Other(format!(
        "the log of the site {site} has a gap. `assent audit` says what was altered."
    ))
}

/// Moves what belongs to a site beside its log.
async fn rest(
    source: &dyn Store,
    target: &dyn Store,
    organisation: OrganisationId,
    site: &str,
) -> Result<(), Failure> {
    let mut next = Some([0; 16]);
    while let Some(from) = next {
        let traces = source.erased_ids(site, from, PAGE).await?;
        target.take_erased_ids(site, &traces).await?;
        next = traces
            .last()
            .and_then(|last| u128::from_be_bytes(*last).checked_add(1))
            .map(u128::to_be_bytes);
    }
    let mut trail = source.trail(site, u32::MAX).await?;
    trail.reverse();
    let custody = Custody {
        holds: source.holds(site, i64::MIN, u32::MAX).await?,
        superseded: source.all_superseded(site).await?,
        restrictions: source.restrictions(site).await?,
        trail,
        retention: source.retention(site).await?,
    };
    target
        .take_custody(site, &custody)
        .await
        .map_err(|error| match error {
            StoreError::Different => other_data(site),
            error => error.into(),
        })?;
    let mut next = 0;
    loop {
        let heads = source.heads(site, next, PAGE).await?;
        let Some(last) = heads.last() else { break };
        next = last.size + 1;
        for head in heads {
            target.put_head(site, &head).await?;
        }
    }
    let mut from = i32::MIN;
    while let Some(hour) = source.next_hour(site, from).await? {
        from = hour.saturating_add(HOURS);
        let cells = source.cells(site, hour..from).await?;
        target.take_cells(&cells).await?;
    }
    let days = source
        .third_parties(organisation, site, i32::MIN, i32::MAX)
        .await?;
    Ok(target.take_third_parties(site, &days).await?)
}

/// Audits both logs of a site; returns what they have in common, size and root.
async fn compare(
    source: &dyn Store,
    target: &dyn Store,
    site: &str,
    keys: &[VerifyingKey],
    progress: &mut Progress,
) -> Result<(u64, Hash), Failure> {
    let mut found = Vec::with_capacity(2);
    for (number, store) in (1..).zip([source, target]) {
        progress.show(site, "databases audited", number - 1, 2);
        let report = audit::stored(store, site, keys, None).await?;
        if !report.faults.is_empty() {
            let which = if number == 1 { "source" } else { "target" };
            return Err(Failure::Other(format!(
                "the audit of the {which} found what does not hold.\nLog of the site {site}\n{report}"
            )));
        }
        let entries = store.log_size(site).await?;
        let root = StoredLog { store, site }.root(entries).await?;
        found.push((entries, root, report.checkpoints, report.records, report.erased));
        progress.show(site, "databases audited", number, 2);
    }
    let (Some(moved), Some(original)) = (found.pop(), found.pop()) else {
        return Err(unsound(site));
    };
    if moved != original {
        return Err(Failure::Other(format!(
            "the site {site} has changed meanwhile. End the server, and call this again."
        )));
    }
    Ok((moved.0, moved.1))
}

/// A line that tells how far it is: drawn over itself on a terminal, else now and then a new one.
#[derive(Default)]
struct Progress {
    shown: Option<(String, u64)>,
}

impl Progress {
    fn show(&mut self, site: &str, what: &str, done: u64, total: u64) {
        const WIDTH: u64 = 30;
        let mut out = io::stderr();
        let is_lively = out.is_terminal();
        let percent = done * 100 / total.max(1);
        let step = if is_lively { percent } else { percent / 10 };
        let key = (format!("{site} {what}"), step);
        if self.shown.as_ref() == Some(&key) {
            return;
        }
        self.shown = Some(key);
        let filled = done * WIDTH / total.max(1);
        let bar: String = (0..WIDTH).map(|at| if at < filled { '█' } else { '░' }).collect();
        // Whoever does not see it misses nothing.
        let _ = if is_lively {
            let end = if done == total { "\n" } else { "" };
            write!(
                out,
                "\r{bar} {percent:>3} %  {site}: {done} of {total} {what}{end}"
            )
        } else {
            writeln!(out, "{percent:>3} %  {site}: {done} of {total} {what}")
        };
        let _ = out.flush();
    }
}

#[cfg(test)]
mod tests {
    use assent_consent::{ledger::erasure, receipt::ReceiptSigner};
    use assent_store::{
        Batch, KeptNotice, Kind, Measure, Order, Outcome, Sighting, Transfer as _, WaitsFor,
        conformance::sample::{self, HOUR, NOW_MS},
    };
    use assent_store_postgres::PostgresStore;
    use assent_store_sqlite::SqliteStore;
    use assent_temporary_postgres::Server;
    use uuid::Uuid;

    use super::*;
    use crate::ledger::checkpoints::{self, Signatory};

    const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(1));
    const OWNER: Uuid = Uuid::from_u128(2);
    const RECORDS: u32 = 5_000;
    const LATER: u32 = 6_000;

    fn signer() -> ReceiptSigner {
        ReceiptSigner::new(&[7; 32])
    }

    async fn append(store: &dyn Store, site: &str, numbers: std::ops::Range<u32>) {
        let notice = sample::notice(&sample::config(site), "first");
        let hash = notice.hash();
        let records = numbers
            .map(|number| {
                sample::accepted(
                    &notice,
                    sample::record(&notice, hash, number, sample::subject(number)),
                )
            })
            .collect();
        let counts = vec![sample::count(&notice, 30, Measure::Shown)];
        store.append(Batch { records, counts }).await.unwrap();
    }

    /// Two sites, one with records, of which some were erased.
    async fn fill(store: &dyn Store) {
        store.ensure_organisation(ORGANISATION, "Sample").await.unwrap();
        store
            .ensure_owner(ORGANISATION, OWNER, "ada@sample.example")
            .await
            .unwrap();
        store.set_password(OWNER, "$argon2id$sample").await.unwrap();
        for site in ["magazine", "shop"] {
            let mut config = sample::config(site);
            store
                .publish_revision(ORGANISATION, &config, NOW_MS)
                .await
                .unwrap();
            let notices = [sample::notice(&config, "first"), sample::notice(&config, "other")];
            store.archive_notices(site, 1, &notices).await.unwrap();
            "Renamed".clone_into(&mut config.name);
            store
                .publish_revision(ORGANISATION, &config, NOW_MS + 1)
                .await
                .unwrap();
            store.archive_notices(site, 2, &notices[1..]).await.unwrap();
            let of_another_version = KeptNotice {
                rule: "eu".to_owned(),
                language: "en".to_owned(),
                body: r#"{"version":0}"#.to_owned(),
            };
            store.take_notices(site, 2, &[of_another_version]).await.unwrap();
        }
        for first in (0..RECORDS).step_by(500) {
            append(store, "shop", first..first + 500).await;
            sign(store).await;
        }
        for number in [7, 4_999] {
            let erased = store
                .erase("shop", sample::subject(number), None, NOW_MS, &sign_erasure)
                .await;
            assert_eq!(erased.unwrap().records.len(), 1);
        }
        keep(store).await;
        let seen = Sighting {
            site: "shop".to_owned(),
            day: HOUR / 24,
            host: "vendor.example".to_owned(),
            waits_for: WaitsFor::Unknown,
            kinds: [Kind::Script].into_iter().collect(),
        };
        store.count_third_parties(&[seen]).await.unwrap();
    }

    /// A record that counts no more, a hold that lasts and one that has ended, a restriction of each kind, and a look for old records.
    async fn keep(store: &dyn Store) {
        // A later record of a subject that has one already, which counts no more when the later one is erased.
        let notice = sample::notice(&sample::config("shop"), "first");
        let later = sample::record(&notice, notice.hash(), LATER, sample::subject(6));
        let records = vec![sample::accepted(&notice, later)];
        let counts = Vec::new();
        store.append(Batch { records, counts }).await.unwrap();
        sign(store).await;
        let order = Order::Erase;
        let erased = store.carry_out("shop", sample::id(LATER), OWNER, &order, NOW_MS, &sign_erasure);
        assert_eq!(erased.await.unwrap(), Outcome::Done);
        assert_eq!(store.all_superseded("shop").await.unwrap(), [sample::id(6)]);
        let hold = |until_ms| Order::Hold {
            reason: "A court wants it".to_owned(),
            until_ms,
        };
        let orders = [
            (1, hold(NOW_MS + 1_000)),
            (2, hold(NOW_MS + 1)),
            (3, Order::Restrict),
            (4, Order::Export),
        ];
        for (number, order) in orders {
            let done = store.carry_out("shop", sample::id(number), OWNER, &order, NOW_MS, &sign_erasure);
            assert_eq!(done.await.unwrap(), Outcome::Done);
        }
        store.restrict("shop", sample::subject(5), NOW_MS).await.unwrap();
        let erased = store
            .erase("shop", sample::subject(1), None, NOW_MS, &sign_erasure)
            .await;
        assert_eq!(erased.unwrap().held.len(), 1);
        store.note_retention("shop", NOW_MS, 3, 2).await.unwrap();
        store.note_retention("shop", NOW_MS + 1, 0, 2).await.unwrap();
    }

    fn sign_erasure(leaf: u64, entry: [u8; 32]) -> [u8; 64] {
        erasure::sign("shop", leaf, &entry, NOW_MS, signer().key())
    }

    async fn sign(store: &dyn Store) {
        let signer = signer();
        let signatory = Signatory {
            key: signer.key(),
            known: &[signer.verifying_key()],
            origin: "https://consent.example",
        };
        checkpoints::sign(store, "shop", &signatory, NOW_MS)
            .await
            .unwrap();
    }

    /// What must be the same wherever the data is, beside the records.
    async fn told(store: &dyn Store) -> String {
        let erased: Vec<_> = store.log_erasures("shop", 0, 10).await.unwrap();
        format!(
            "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
            store.organisations().await.unwrap(),
            store.owners().await.unwrap(),
            store.revisions("shop").await.unwrap(),
            store.notices_of("shop", 1).await.unwrap(),
            store.notices_of("shop", 2).await.unwrap(),
            store.heads("shop", 0, 100).await.unwrap(),
            store
                .rates(ORGANISATION, "shop", HOUR / 24 - 5, HOUR / 24 + 5)
                .await
                .unwrap(),
            store
                .third_parties(ORGANISATION, "shop", i32::MIN, i32::MAX)
                .await
                .unwrap(),
            (erased, store.is_erased("shop", sample::id(7)).await.unwrap()),
            (
                store.holds("shop", i64::MIN, 10).await.unwrap(),
                store.all_superseded("shop").await.unwrap(),
                store.restrictions("shop").await.unwrap(),
                store.trail("shop", 10).await.unwrap(),
                store.retention("shop").await.unwrap(),
            ),
        )
    }

    #[tokio::test]
    async fn a_data_set_moves_there_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let first = SqliteStore::open(folder.path().join("first.db")).await.unwrap();
        let second = PostgresStore::open(&Server::of_tests().new_schema().unwrap())
            .await
            .unwrap();
        let third = SqliteStore::open(folder.path().join("third.db")).await.unwrap();
        fill(&first).await;
        let keys = [signer().verifying_key()];
        let mut progress = Progress::default();
        // Begun already, and interrupted in the middle of a tile.
        let begun = stretch(&first, "shop", 0..2_100).await.unwrap();
        for site in ["magazine", "shop"] {
            for revision in first.revisions(site).await.unwrap() {
                second.ensure_organisation(ORGANISATION, "Sample").await.unwrap();
                second.take_revision(&revision).await.unwrap();
            }
        }
        let notice = sample::notice(&sample::config("shop"), "first");
        second.archive_notices("shop", 1, &[notice]).await.unwrap();
        second.take_stretch("shop", &begun).await.unwrap();

        let summary = between(&first, &second, &keys, &mut progress).await.unwrap();
        assert!(summary.contains("shop: 5001 entries"), "{summary}");
        assert_eq!(told(&second).await, told(&first).await);
        between(&second, &third, &keys, &mut progress).await.unwrap();
        assert_eq!(told(&third).await, told(&first).await);
        // Again changes nothing.
        between(&second, &third, &keys, &mut progress).await.unwrap();
        assert_eq!(told(&third).await, told(&first).await);

        // It goes on there, and what was erased stays erased.
        append(&third, "shop", RECORDS..RECORDS + 100).await;
        append(&third, "shop", 0..10).await;
        sign(&third).await;
        assert_eq!(third.log_size("shop").await.unwrap(), u64::from(RECORDS) + 101);
        let report = audit::stored(&third, "shop", &keys, None).await.unwrap();
        assert_eq!(report.faults, []);
    }

    #[tokio::test]
    async fn nothing_is_moved_among_other_data() {
        let folder = tempfile::tempdir().unwrap();
        let source = SqliteStore::open(folder.path().join("source.db")).await.unwrap();
        let target = SqliteStore::open(folder.path().join("target.db")).await.unwrap();
        let keys = [signer().verifying_key()];
        fill(&source).await;
        target.ensure_organisation(ORGANISATION, "Sample").await.unwrap();
        let config = sample::config("shop");
        target
            .publish_revision(ORGANISATION, &config, NOW_MS)
            .await
            .unwrap();
        let notice = sample::notice(&config, "first");
        target.archive_notices("shop", 1, &[notice]).await.unwrap();
        append(&target, "shop", 100..110).await;
        let refused = between(&source, &target, &keys, &mut Progress::default()).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("holds other data of the site shop"), "{refused}");
        assert_eq!(target.log_size("shop").await.unwrap(), 10);

        let strange = SqliteStore::open(folder.path().join("strange.db")).await.unwrap();
        strange.ensure_organisation(ORGANISATION, "Sample").await.unwrap();
        strange
            .publish_revision(ORGANISATION, &sample::config("blog"), NOW_MS)
            .await
            .unwrap();
        let refused = between(&source, &strange, &keys, &mut Progress::default()).await;
        assert!(refused.unwrap_err().to_string().contains("the site blog"));
    }
}
