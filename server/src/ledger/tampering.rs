//! What is done to the database file behind the server's back, the audit names.

use std::path::PathBuf;

use assent_consent::{
    ledger::{Checkpoint, Hash, NoteError, Tile, erasure},
    receipt::ReceiptSigner,
};
use assent_store::{
    Batch, Erasure, OrganisationId, SignedHead, Store as _,
    conformance::sample::{self, NOW_MS},
};
use assent_store_sqlite::SqliteStore;
use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr, SqliteConnection, sqlite::SqliteConnectOptions};
use uuid::Uuid;

use super::{
    Log, LogError, StoredLog,
    audit::{self, Report},
    checkpoints::{self, Mismatch, Signatory},
};

const RECORDS: u32 = 600;

/// A closed database with 600 records of the site `shop`, of which the 7th was erased, and checkpoints of 100, 300 and
/// 600 entries.
struct Case {
    _folder: tempfile::TempDir,
    database: PathBuf,
    signer: ReceiptSigner,
}

impl Case {
    async fn new() -> Self {
        Self::from(0).await
    }

    /// The same with other records: those from `first` on.
    async fn from(first: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("assent.db");
        let case = Self {
            _folder: folder,
            database,
            signer: ReceiptSigner::new(&[7; 32]),
        };
        let store = SqliteStore::open(&case.database).await.unwrap();
        let organisation = OrganisationId(Uuid::from_u128(1));
        let config = sample::config("shop");
        let notice = sample::notice(&config, "first");
        store.ensure_organisation(organisation, "Sample").await.unwrap();
        store
            .publish_revision(organisation, &config, NOW_MS)
            .await
            .unwrap();
        store
            .archive_notices("shop", 1, std::slice::from_ref(&notice))
            .await
            .unwrap();
        for numbers in [0..100, 100..300, 300..RECORDS] {
            append(&store, numbers.start + first..numbers.end + first).await;
            case.sign(&store).await.unwrap();
        }
        assert_eq!(
            store
                .erase(
                    "shop",
                    sample::subject(first + 7),
                    None,
                    NOW_MS,
                    &case.sign_erasure(NOW_MS)
                )
                .await
                .unwrap()
                .records
                .len(),
            1
        );
        store.close().await;
        case
    }

    async fn sign(&self, store: &SqliteStore) -> Result<(), Mismatch> {
        let signatory = Signatory {
            key: self.signer.key(),
            known: &[self.signer.verifying_key()],
            origin: "https://consent.example",
        };
        checkpoints::sign(store, "shop", &signatory, NOW_MS).await
    }

    fn sign_erasure(&self, erased_at_ms: i64) -> impl Fn(u64, [u8; 32]) -> [u8; 64] + Send + Sync + '_ {
        move |leaf, entry| erasure::sign("shop", leaf, &entry, erased_at_ms, self.signer.key())
    }

    /// Changes the file by SQL, past all checks.
    async fn tamper(&self, sql: impl SqlSafeStr) {
        let options = SqliteConnectOptions::new()
            .filename(&self.database)
            .foreign_keys(false)
            .pragma("ignore_check_constraints", "on");
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// What the audit finds after a change, in words.
    async fn faults(sql: &'static str) -> (Vec<String>, bool) {
        let case = Self::new().await;
        case.tamper(sql).await;
        (words(&case.audit().await), case.starts().await)
    }

    async fn audit(&self) -> Report {
        self.audit_from(None).await
    }

    /// The same, by somebody who has kept a checkpoint.
    async fn audit_from(&self, kept: Option<&Checkpoint>) -> Report {
        let store = SqliteStore::open(&self.database).await.unwrap();
        let keys = [self.signer.verifying_key()];
        let report = audit::stored(&store, "shop", &keys, kept).await.unwrap();
        store.close().await;
        report
    }

    /// The checkpoint of so many entries, as somebody may have kept it.
    async fn checkpoint(&self, size: u64) -> Checkpoint {
        let store = SqliteStore::open(&self.database).await.unwrap();
        let head = store.heads("shop", size, 1).await.unwrap().remove(0);
        store.close().await;
        assert_eq!(head.size, size);
        Checkpoint::open(&head.note, &[self.signer.verifying_key()]).unwrap()
    }

    /// Whether the server would start.
    async fn starts(&self) -> bool {
        let store = SqliteStore::open(&self.database).await.unwrap();
        let checked = checkpoints::check_edge(&store, "shop", &[self.signer.verifying_key()]).await;
        store.close().await;
        checked.is_ok()
    }
}

fn words(report: &Report) -> Vec<String> {
    report.faults.iter().map(ToString::to_string).collect()
}

async fn append(store: &SqliteStore, numbers: std::ops::Range<u32>) {
    let notice = sample::notice(&sample::config("shop"), "first");
    let records = numbers
        .map(|number| {
            let subject = sample::subject(number);
            sample::accepted(&notice, sample::record(&notice, notice.hash(), number, subject))
        })
        .collect();
    let counts = Vec::new();
    store.append(Batch { records, counts }).await.unwrap();
}

fn id(number: u32) -> String {
    sample::id(number).to_string()
}

#[tokio::test]
async fn what_was_not_touched_is_in_order() {
    let case = Case::new().await;
    let report = case.audit().await;
    assert_eq!(report.faults, []);
    assert_eq!(report.erased, [(7, NOW_MS)]);
    assert_eq!(
        (report.entries, report.checkpoints, report.records),
        (600, 3, Some(599))
    );
    assert!(case.starts().await);
    insta::assert_snapshot!(report.to_string(), @"
    600 entries were replayed.
    3 checkpoints hold, each a beginning of the next; the last one covers 600 entries.
    599 records are the ones that were logged.
    1 records were erased on request:
      entry 7, 2026-11-21 20:00 UTC
    Nothing was altered, removed or added.
    ");
}

#[tokio::test]
async fn what_is_stored_during_the_audit_is_in_order() {
    let case = Case::new().await;
    let store = SqliteStore::open(&case.database).await.unwrap();
    let keys = [case.signer.verifying_key()];
    let growing = async {
        for first in (RECORDS..RECORDS + 600).step_by(20) {
            append(&store, first..first + 20).await;
            case.sign(&store).await.unwrap();
            let subject = sample::subject(first);
            assert_eq!(
                store
                    .erase(
                        "shop",
                        subject,
                        Some(sample::id(first)),
                        NOW_MS,
                        &case.sign_erasure(NOW_MS)
                    )
                    .await
                    .unwrap()
                    .records
                    .len(),
                1
            );
        }
    };
    let audits = async {
        for _ in 0..10 {
            let report = audit::stored(&store, "shop", &keys, None).await.unwrap();
            assert_eq!(report.faults, []);
        }
    };
    tokio::join!(growing, audits);
    let report = audit::stored(&store, "shop", &keys, None).await.unwrap();
    assert_eq!((report.entries, report.records), (1200, Some(1169)));
    store.close().await;
}

#[tokio::test]
async fn a_flipped_record_is_named() {
    let (faults, _) = Case::faults("update record set targeting = 0 where leaf = 5").await;
    assert_eq!(
        faults,
        [format!(
            "entry 5: the record {} is not the one that was logged",
            id(5)
        )]
    );
    let (faults, _) = Case::faults("update record set salt = zeroblob(16) where leaf = 0").await;
    assert_eq!(
        faults,
        [format!(
            "entry 0: the record {} is not the one that was logged",
            id(0)
        )]
    );
    let (faults, starts) = Case::faults("update record set gpc = 7 where leaf = 599").await;
    assert_eq!(
        faults,
        ["entry 599: the record that cannot be read is not the one that was logged"]
    );
    assert!(!starts, "it is one of the last");
}

#[tokio::test]
async fn a_deleted_record_is_named() {
    let (faults, _) = Case::faults("delete from record where leaf in (3, 599)").await;
    assert_eq!(
        faults,
        [3, 599].map(|leaf| format!("entry {leaf}: its record is missing, and was not erased on request"))
    );
}

#[tokio::test]
async fn an_inserted_record_is_named() {
    let insert = "insert into record
        select site_number, x'000000000000700080000000000000ff', version, subject, revision, notice_number, method,
            performance, functional, targeting, services, asked, gpc, dnt, previous_id, decided_at_ms, received_at_ms,
            expires_at_ms, salt, 600
        from record where leaf = 4";
    let (faults, starts) = Case::faults(insert).await;
    assert_eq!(
        faults,
        ["record 00000000-0000-7000-8000-0000000000ff: claims to be entry 600, which the log does not have"]
    );
    assert!(!starts);
    let (faults, _) = Case::faults("delete from erasure").await;
    assert_eq!(
        faults,
        ["entry 7: its record is missing, and was not erased on request"]
    );
}

#[tokio::test]
async fn reordered_records_are_named() {
    let (faults, _) = Case::faults(
        "update record set leaf = -1 where leaf = 10;
        update record set leaf = 10 where leaf = 20;
        update record set leaf = 20 where leaf = -1",
    )
    .await;
    assert_eq!(
        faults,
        [
            "entry 10: has the record that was logged as entry 20",
            "entry 20: has the record that was logged as entry 10"
        ]
    );
}

#[tokio::test]
async fn a_flipped_entry_is_named() {
    // In a tile that is full, and in the last one.
    for (sql, tile, leaf, first) in [
        (
            "update ledger_tile set body = cast(substr(body, 1, 320) || zeroblob(32) || substr(body, 353) as blob)
            where level = 0 and number = 1",
            Some("entries 256 to 511"),
            266,
            300,
        ),
        (
            "update ledger_tile set body = cast(substr(body, 1, 320) || zeroblob(32) || substr(body, 353) as blob)
            where level = 0 and number = 2",
            None,
            522,
            300,
        ),
    ] {
        let (faults, starts) = Case::faults(sql).await;
        let mut expected = Vec::new();
        if leaf < 300 {
            expected.push(
                "checkpoint of 300 entries: its root is not that of the entries; at least one of the entries 100 to \
                 299 is not what was signed"
                    .to_owned(),
            );
        }
        let first = if leaf < 300 { 100 } else { first };
        expected.push(format!(
            "checkpoint of 600 entries: its root is not that of the entries; at least one of the entries {first} to \
             599 is not what was signed"
        ));
        expected.extend(tile.map(|tile| {
            format!("{tile}: at least one was altered; they do not fit the hash that was made of them")
        }));
        expected.push(format!("entry {leaf}: the record {} is not the one that was logged", id(leaf)));
        assert_eq!(faults, expected);
        assert!(!starts, "{leaf}");
    }
}

#[tokio::test]
async fn a_truncated_log_is_named() {
    let (faults, starts) = Case::faults(
        "delete from ledger_tile where level = 0 and number = 2;
        delete from record where leaf >= 512",
    )
    .await;
    assert_eq!(
        faults,
        ["entries 512 to 599: missing; they were signed, so the log was truncated"]
    );
    assert!(!starts);
    let (faults, starts) =
        Case::faults("update ledger_tile set body = substr(body, 1, 64) where level = 0 and number = 2")
            .await;
    assert_eq!(faults.len(), 1 + 600 - 514, "{:?}", faults.first());
    assert_eq!(
        faults[0],
        "entries 514 to 599: missing; they were signed, so the log was truncated"
    );
    assert!(
        faults[1].ends_with("claims to be entry 514, which the log does not have"),
        "{}",
        faults[1]
    );
    assert!(!starts);
}

#[tokio::test]
async fn a_hole_in_the_log_is_named() {
    let (faults, _) = Case::faults("delete from ledger_tile where level = 0 and number = 1").await;
    assert_eq!(
        faults[0],
        "entries 256 to 511: at least one was altered; they do not fit the hash that was made of them"
    );
    let (faults, starts) = Case::faults("delete from ledger_tile where level = 1").await;
    assert_eq!(faults, ["tile/1/000.p/2: is missing or altered"]);
    assert!(!starts);
}

#[tokio::test]
async fn an_altered_checkpoint_is_named() {
    let (faults, starts) =
        Case::faults("update checkpoint set note = replace(note, '600', '599') where size = 600").await;
    assert_eq!(
        faults,
        ["checkpoint of 600 entries: the signature does not fit the text: the note was altered"]
    );
    assert!(!starts);
    let (faults, starts) = Case::faults("update checkpoint set size = 599 where size = 600").await;
    assert_eq!(
        faults,
        ["checkpoint of 599 entries: it is signed for 600 entries"]
    );
    assert!(!starts);
}

#[tokio::test]
async fn a_log_that_does_not_extend_its_checkpoint_is_not_signed() {
    let case = Case::new().await;
    case.tamper("delete from ledger_tile where level = 0 and number = 2")
        .await;
    let store = SqliteStore::open(&case.database).await.unwrap();
    let refused = case.sign(&store).await;
    assert!(
        matches!(refused, Err(Mismatch::Shorter { now: 512, then: 600 })),
        "{refused:?}"
    );
    assert_eq!(store.last_head("shop").await.unwrap().unwrap().size, 600);
    store.close().await;
}

#[tokio::test]
async fn a_deleted_record_that_is_listed_as_erased_is_named() {
    let named = "listed as erased, but no known key signed that; unless a key is missing, somebody else removed its \
                 record";
    let (faults, _) = Case::faults(
        "delete from record where leaf = 3;
        insert into erasure select site_number, 3, erased_at_ms, zeroblob(64) from erasure where leaf = 7",
    )
    .await;
    assert_eq!(faults, [format!("entry 3: {named}")]);
    // A signature is of one entry and one date.
    let (faults, _) = Case::faults(
        "delete from record where leaf = 3;
        insert into erasure select site_number, 3, erased_at_ms, signature from erasure where leaf = 7;
        update erasure set erased_at_ms = erased_at_ms - 1 where leaf = 7",
    )
    .await;
    assert_eq!(faults, [3, 7].map(|leaf| format!("entry {leaf}: {named}")));
}

/// A log that was put back from a backup gives its last indices again. What was signed of the entry that stood there
/// before says nothing of the one that stands there now.
#[tokio::test]
async fn an_erasure_from_before_a_restore_covers_no_other_record() {
    let (before, after) = (Case::new().await, Case::from(10_000).await);
    let store = SqliteStore::open(&before.database).await.unwrap();
    let erasure = store.log_erasures("shop", 0, 1).await.unwrap().remove(0);
    store.close().await;
    let signature = hex::encode(erasure.signature);
    let replay = format!("update erasure set signature = x'{signature}' where leaf = 7");
    after.tamper(AssertSqlSafe(replay)).await;
    let found = words(&after.audit().await);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("entry 7: listed as erased, but no known key signed that"));
}

#[tokio::test]
async fn an_erasure_beyond_the_log_is_named() {
    let (faults, _) = Case::faults("update erasure set leaf = 600").await;
    assert_eq!(
        faults,
        [
            "entry 600: listed as erased, but the log does not have it",
            "entry 7: its record is missing, and was not erased on request"
        ]
    );
}

/// A log that gets a record, which is erased again, after it was replayed and before its erasures are read.
struct Growing<'a> {
    log: StoredLog<'a>,
    store: &'a SqliteStore,
    case: &'a Case,
}

#[async_trait]
impl Log for Growing<'_> {
    fn site(&self) -> &str {
        self.log.site()
    }

    async fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, LogError> {
        self.log.hashes(tile).await
    }

    async fn entries(&self, tile: Tile) -> Result<Vec<[u8; 32]>, LogError> {
        self.log.entries(tile).await
    }

    async fn size(&self) -> Result<Option<u64>, LogError> {
        self.log.size().await
    }

    async fn heads(&self, from: u64) -> Result<Vec<SignedHead>, LogError> {
        self.log.heads(from).await
    }

    async fn erasures(&self, from: u64) -> Result<Vec<Erasure>, LogError> {
        if from == 0 {
            append(self.store, RECORDS..RECORDS + 1).await;
            let (subject, sign) = (sample::subject(RECORDS), self.case.sign_erasure(NOW_MS));
            self.store.erase("shop", subject, None, NOW_MS, &sign).await?;
        }
        self.log.erasures(from).await
    }
}

#[tokio::test]
async fn what_is_stored_and_erased_after_the_replay_is_no_fault() {
    let case = Case::new().await;
    let store = SqliteStore::open(&case.database).await.unwrap();
    let site = "shop";
    let growing = Growing {
        log: StoredLog { store: &store, site },
        store: &store,
        case: &case,
    };
    let keys = [case.signer.verifying_key()];
    let report = audit::log(&growing, &keys, None).await.unwrap();
    let beyond = store.log_erasures(site, RECORDS.into(), 1).await.unwrap();
    assert_eq!((report.entries, beyond.len()), (RECORDS.into(), 1));
    assert_eq!(report.faults, []);
    store.close().await;
}

/// Who has the key rewrites everything, checkpoints included. In itself such a log is in order; only a checkpoint that
/// was kept tells.
#[tokio::test]
async fn a_log_rewritten_and_signed_anew_is_told_by_a_checkpoint_that_was_kept() {
    let case = Case::new().await;
    let rewritten = Case::from(10_000).await;
    assert_eq!(words(&rewritten.audit().await), [""; 0]);
    assert!(rewritten.starts().await);
    for size in [100, 300, 600] {
        let kept = case.checkpoint(size).await;
        assert_eq!(words(&case.audit_from(Some(&kept)).await), [""; 0]);
        assert_eq!(
            words(&rewritten.audit_from(Some(&kept)).await),
            [format!(
                "the checkpoint of {size} entries that you gave: the log does not begin with what it signed there"
            )]
        );
    }
}

/// Likewise a log that was cut off at an earlier checkpoint, for which no key is needed.
#[tokio::test]
async fn a_log_cut_off_at_a_checkpoint_is_told_by_a_later_one_that_was_kept() {
    let case = Case::new().await;
    let (early, late) = (case.checkpoint(100).await, case.checkpoint(600).await);
    case.tamper(
        "delete from checkpoint where size > 300;
        delete from record where leaf >= 300;
        delete from ledger_tile where level = 0 and number = 2;
        update ledger_tile set body = substr(body, 1, (300 - 256) * 32) where level = 0 and number = 1;
        update ledger_tile set body = substr(body, 1, 32) where level = 1",
    )
    .await;
    assert_eq!(words(&case.audit().await), [""; 0]);
    assert!(case.starts().await);
    assert_eq!(words(&case.audit_from(Some(&early)).await), [""; 0]);
    assert_eq!(
        words(&case.audit_from(Some(&late)).await),
        ["the checkpoint of 600 entries that you gave: the log does not begin with what it signed there"]
    );
}

#[tokio::test]
async fn a_removed_checkpoint_is_told_by_who_kept_it() {
    let case = Case::new().await;
    let kept = case.checkpoint(300).await;
    case.tamper("delete from checkpoint where size = 300").await;
    assert_eq!(words(&case.audit().await), [""; 0]);
    assert_eq!(
        words(&case.audit_from(Some(&kept)).await),
        [
            "the checkpoint of 300 entries that you gave: the log begins with what it signed, but lists it no more"
        ]
    );
}

#[tokio::test]
async fn a_lost_key_is_not_called_tampering() {
    let case = Case::new().await;
    let other = [ReceiptSigner::new(&[8; 32]).verifying_key()];
    let store = SqliteStore::open(&case.database).await.unwrap();
    let report = audit::stored(&store, "shop", &other, None).await.unwrap();
    let found = words(&report);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("3 checkpoints of 100 to 600 entries: signed with a key that is not known"));
    assert!(found[0].contains("retired-keys"));
    assert!(found[1].starts_with("entry 7: listed as erased, but no known key signed that"));
    let refused = checkpoints::check_edge(&store, "shop", &other).await;
    assert!(
        matches!(
            refused,
            Err(Mismatch::Head {
                size: 600,
                why: NoteError::UnknownKey
            })
        ),
        "{refused:?}"
    );
    store.close().await;
}
