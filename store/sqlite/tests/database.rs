//! What only SQLite can get wrong: query plans, altered rows, reopening.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what cannot go on has failed"
)]

use std::{collections::HashSet, path::Path, time::Duration};

use assent_consent::{notice::Notice, record::ConsentRecord};
use assent_store::{
    Appended, Batch, Grant, Kinds, NewRecord, Order, OrganisationId, Outcome, Session, Sighting, Store,
    StoreError, WaitsFor,
    conformance::sample::{self, HOUR, NOW_MS},
};
use assent_store_sqlite::SqliteStore;
use sqlx::{AssertSqlSafe, Row, SqlitePool, sqlite::SqliteConnectOptions};
use uuid::Uuid;

const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(1));

/// A database with one site, one notice, one record and one third party; returns the notice.
async fn fill(store: &SqliteStore) -> Notice {
    let notice = sample::fill(store, ORGANISATION).await;
    let seen = Sighting {
        site: "shop".to_owned(),
        day: HOUR / 24,
        host: "vendor.example".to_owned(),
        waits_for: WaitsFor::Unknown,
        kinds: Kinds::default(),
    };
    store.count_third_parties(&[seen]).await.unwrap();
    notice
}

/// A connection that bypasses the store and the schema's checks.
async fn outside(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(false)
        .pragma("ignore_check_constraints", "on");
    SqlitePool::connect_with(options).await.unwrap()
}

/// Alters a filled database by `statement`, then asks `question` and returns the table and the column that
/// were found to be inconsistent.
async fn after(
    statement: &'static str,
    question: impl AsyncFn(&SqliteStore, &Notice) -> Result<(), StoreError>,
) -> (&'static str, &'static str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("assent.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let notice = fill(&store).await;
    question(&store, &notice).await.unwrap();
    let altered = sqlx::query(statement)
        .execute(&outside(&path).await)
        .await
        .unwrap();
    assert_eq!(altered.rows_affected(), 1, "{statement}");
    match question(&store, &notice).await {
        Err(StoreError::Inconsistent { table, column, .. }) => (table, column),
        other => panic!("{statement}: {other:?}"),
    }
}

#[tokio::test]
async fn an_altered_record_is_inconsistent() {
    let history =
        async |store: &SqliteStore, _: &Notice| store.history("shop", sample::subject(0), 10).await.map(drop);
    for (statement, column) in [
        ("update record set method = 'telepathy'", "method"),
        ("update record set targeting = 2", "targeting"),
        ("update record set id = x'00'", "id"),
        ("update record set previous_id = x'00'", "previous_id"),
        ("update record set version = -1", "version"),
        ("update record set revision = -1", "revision"),
        ("update record set salt = x'00'", "salt"),
    ] {
        assert_eq!(after(statement, history).await, ("record", column));
    }
    let same_again = async |store: &SqliteStore, notice: &Notice| {
        let record = sample::record(notice, notice.hash(), 0, sample::subject(0));
        let records = vec![NewRecord::new(record, Vec::new())];
        store
            .append(Batch {
                records,
                counts: Vec::new(),
            })
            .await
            .map(drop)
    };
    assert_eq!(
        after("update record set gpc = 9", same_again).await,
        ("record", "gpc")
    );
}

#[tokio::test]
async fn an_altered_notice_is_inconsistent() {
    let statement = "update notice set body = replace(body, 'first', 'worst')";
    let notice =
        async |store: &SqliteStore, notice: &Notice| store.notice("shop", notice.hash()).await.map(drop);
    assert_eq!(after(statement, notice).await, ("notice", "body"));
    let revision_notice = async |store: &SqliteStore, notice: &Notice| {
        store.revision_notice("shop", 1, notice.hash()).await.map(drop)
    };
    assert_eq!(after(statement, revision_notice).await, ("notice", "body"));
}

#[tokio::test]
async fn an_altered_configuration_is_inconsistent() {
    let sites = async |store: &SqliteStore, _: &Notice| store.sites(ORGANISATION).await.map(drop);
    let statement = "update revision set config = '{}'";
    assert_eq!(after(statement, sites).await, ("revision", "config"));
}

#[tokio::test]
async fn an_altered_count_is_inconsistent() {
    let rates = async |store: &SqliteStore, _: &Notice| {
        store
            .rates(ORGANISATION, "shop", HOUR / 24, HOUR / 24)
            .await
            .map(drop)
    };
    for (statement, column) in [
        (
            "update rollup set measure = 'guessed' where measure = 'shown'",
            "measure",
        ),
        ("update rollup set total = -1 where measure = 'shown'", "total"),
    ] {
        assert_eq!(after(statement, rates).await, ("rollup", column));
    }
}

#[tokio::test]
async fn an_altered_third_party_is_inconsistent() {
    let read = async |store: &SqliteStore, _: &Notice| {
        store
            .third_parties(ORGANISATION, "shop", HOUR / 24, HOUR / 24)
            .await
            .map(drop)
    };
    for (statement, column) in [
        ("update third_party set waits_for = 'godot'", "waits_for"),
        ("update third_party set kinds = 512", "kinds"),
        ("update third_party set page_views = -1", "page_views"),
    ] {
        assert_eq!(after(statement, read).await, ("third_party", column));
    }
}

#[tokio::test]
async fn an_altered_line_of_the_trail_is_inconsistent() {
    let record = sample::id(0);
    let read = async |store: &SqliteStore, _: &Notice| {
        if store.trail("shop", 9).await?.is_empty() {
            let owner = store
                .ensure_owner(ORGANISATION, Uuid::from_u128(2), "owner@localhost")
                .await?;
            let order = Order::Export;
            let outcome = store
                .carry_out("shop", record, owner.id, &order, NOW_MS, &|_, _| [0; 64])
                .await?;
            assert_eq!(outcome, Outcome::Done);
        }
        store.trail("shop", 9).await.map(drop)
    };
    for (statement, column) in [
        ("update trail set deed = 'shred'", "deed"),
        ("update trail set record_id = x'00'", "record_id"),
    ] {
        assert_eq!(after(statement, read).await, ("trail", column));
    }
}

#[tokio::test]
async fn an_altered_restriction_is_inconsistent() {
    let read = async |store: &SqliteStore, _: &Notice| {
        if store.restriction("shop", sample::subject(0)).await?.is_none() {
            store.restrict("shop", sample::subject(0), NOW_MS).await?;
        }
        Ok(())
    };
    let statement = "update restriction set asked_by = 'nobody'";
    assert_eq!(after(statement, read).await, ("restriction", "asked_by"));
}

/// Who has signed out since, or used a link up, must not find it valid again where the backup is put back.
#[tokio::test]
async fn a_backup_holds_no_session_and_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("assent.db")).await.unwrap();
    let notice = fill(&store).await;
    let owner = store
        .ensure_owner(ORGANISATION, Uuid::from_u128(2), "owner@localhost")
        .await
        .unwrap();
    let (session, token) = ([0xa5; 32], [0x5a; 32]);
    let later_ms = NOW_MS + 1;
    store
        .begin_session(&Session {
            token_hash: session,
            owner: owner.id,
            expires_at_ms: later_ms,
        })
        .await
        .unwrap();
    let grant = Grant::SignIn(owner.id);
    store.put_token(token, &grant, later_ms).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("backup");
    store.back_up(&copy, &[[1; 32]]).await.unwrap();
    assert!(store.session_owner(session, NOW_MS).await.unwrap().is_some());
    assert_eq!(store.peek_token(token, NOW_MS).await.unwrap(), Some(grant));
    store.close().await;

    assert!(left(elsewhere.path(), &[session.to_vec(), token.to_vec()]).is_empty());
    let copied = SqliteStore::open_read_only(&copy).await.unwrap();
    assert_eq!(copied.session_owner(session, NOW_MS).await.unwrap(), None);
    assert_eq!(copied.peek_token(token, NOW_MS).await.unwrap(), None);
    assert_eq!(copied.owner(owner.id).await.unwrap(), Some(owner));
    let archived = copied.notice("shop", notice.hash()).await.unwrap();
    assert!(archived.is_some());
    copied.close().await;
}

/// Whatever a statement that deletes records forgets, the schema does not.
#[tokio::test]
async fn the_schema_keeps_a_held_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("assent.db");
    let store = SqliteStore::open(&path).await.unwrap();
    fill(&store).await;
    let owner = store
        .ensure_owner(ORGANISATION, Uuid::from_u128(2), "owner@localhost")
        .await
        .unwrap();
    let order = Order::Hold {
        reason: "A lawsuit".to_owned(),
        until_ms: NOW_MS + 1,
    };
    let held = store.carry_out("shop", sample::id(0), owner.id, &order, NOW_MS, &|_, _| [0; 64]);
    assert_eq!(held.await.unwrap(), Outcome::Done);
    let options = SqliteConnectOptions::new().filename(&path).foreign_keys(true);
    let database = SqlitePool::connect_with(options).await.unwrap();
    let refused = sqlx::query("delete from record").execute(&database).await;
    assert!(refused.is_err());
    store.close().await;
}

/// Each statement of this crate stands in `.sqlx`, so none can be forgotten here.
#[tokio::test]
async fn no_statement_scans_a_table_that_grows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("assent.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let database = outside(&path).await;
    let mut statements = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let query: serde_json::Value = serde_json::from_str(&text).unwrap();
        let query = query["query"].as_str().unwrap();
        let plan = sqlx::query(AssertSqlSafe(format!("explain query plan {query}")))
            .fetch_all(&database)
            .await
            .unwrap();
        for step in plan {
            let step: String = step.get("detail");
            let allowed = !step.contains("SCAN")
                || step.contains("VIRTUAL TABLE")
                || step.contains("CONSTANT ROW")
                // All of these are what `current_revisions` is asked for, and who moves a data set.
                || ["SCAN site", "SCAN organisation", "SCAN owner"]
                    .iter()
                    .any(|small| step.starts_with(small));
            assert!(allowed, "{step}: {query}");
        }
        statements += 1;
    }
    assert!(statements > 20, "{statements}");
    store.close().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("assent.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let notice = fill(&store).await;
    let grant = Grant::Subject {
        site: "shop".to_owned(),
        key: "0".repeat(32),
    };
    store.put_token([1; 32], &grant, NOW_MS + 1).await.unwrap();
    store.close().await;
    let files: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(files, ["assent.db"], "closing leaves one file to back up");

    let store = SqliteStore::open(&path).await.unwrap();
    let record = sample::record(&notice, notice.hash(), 0, sample::subject(0));
    let found = store.record("shop", record.id, record.subject).await.unwrap();
    assert_eq!(found, Some(record));
    assert_eq!(store.take_token([1; 32], NOW_MS).await.unwrap(), Some(grant));
    store.close().await;
}

#[tokio::test]
async fn two_processes_append_to_one_log_without_gap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("assent.db");
    let one = SqliteStore::open(&path).await.unwrap();
    let notice = fill(&one).await;
    let other = SqliteStore::open(&path).await.unwrap();
    let mut leaves = vec![sample::record(&notice, notice.hash(), 0, sample::subject(0)).commitment()];
    // Beyond a full tile; whoever appends does not know what the other has appended since.
    for number in 1..=300 {
        let store = if number % 3 == 0 { &other } else { &one };
        let record = sample::record(&notice, notice.hash(), number, sample::subject(number));
        leaves.push(record.commitment());
        let batch = Batch {
            records: vec![NewRecord::new(record, Vec::new())],
            counts: Vec::new(),
        };
        assert_eq!(store.append(batch).await.unwrap(), [Appended::New]);
        if number % 5 == 0 {
            // Its index is free again, and still not to be given to another record.
            let erased = store
                .erase("shop", sample::subject(number), None, NOW_MS, &|_, _| [7; 64])
                .await;
            assert_eq!(erased.unwrap().records.len(), 1);
        }
    }
    for store in [&one, &other] {
        assert_eq!(store.log_size("shop").await.unwrap(), 301);
        let mut entries = Vec::new();
        for number in 0..2 {
            entries.extend(store.log_tile("shop", 0, number).await.unwrap().unwrap());
        }
        assert_eq!(entries, leaves.as_flattened());
        for logged in store.log_records("shop", 0, 1_000).await.unwrap() {
            let leaf = usize::try_from(logged.leaf).unwrap();
            assert_eq!(logged.record.unwrap().commitment(), leaves[leaf]);
        }
    }
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("assent.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'later', true, x'00', 0)";
    sqlx::query(newer).execute(&outside(&path).await).await.unwrap();
    let refused = SqliteStore::open(&path).await;
    assert!(matches!(refused, Err(StoreError::Database(_))));
}

/// Which of these, all of one length, are somewhere in the files of a folder.
fn left(folder: &Path, needles: &[Vec<u8>]) -> HashSet<Vec<u8>> {
    let wanted: HashSet<_> = needles.iter().map(Vec::as_slice).collect();
    let mut found = HashSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = std::fs::read(file.unwrap().path()).unwrap();
        let windows = file.windows(needles[0].len());
        found.extend(windows.filter(|bytes| wanted.contains(bytes)).map(<[u8]>::to_vec));
    }
    found
}

/// What of a record tells who it is of, and what its entry stands for.
fn marks(record: &ConsentRecord) -> [Vec<u8>; 3] {
    [
        record.salt.0.to_vec(),
        record.subject.0.to_vec(),
        record.id.as_bytes().to_vec(),
    ]
}

/// Neither in the database nor in its write-ahead log, while the server goes on; soon, not at once.
#[tokio::test]
async fn nothing_of_what_was_erased_is_left_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("assent.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let notice = fill(&store).await;
    let mut records = vec![sample::record(&notice, notice.hash(), 0, sample::subject(0))];
    // Several pages, which are torn apart and put together as they fill.
    for first in (1..600).step_by(50) {
        let some = (first..first + 50)
            .map(|number| sample::record(&notice, notice.hash(), number, sample::subject(number)));
        records.extend(some);
        let batch = Batch {
            records: records[first as usize..]
                .iter()
                .map(|record| sample::accepted(&notice, record.clone()))
                .collect(),
            counts: Vec::new(),
        };
        store.append(batch).await.unwrap();
    }
    let (gone, kept): (Vec<_>, Vec<_>) = records.iter().enumerate().partition(|(at, _)| at % 7 < 3);
    let all_marks = |records: &[(usize, &ConsentRecord)]| -> Vec<_> {
        records.iter().flat_map(|(_, record)| marks(record)).collect()
    };
    let (gone_marks, kept_marks) = (all_marks(&gone), all_marks(&kept));
    assert_eq!(left(folder.path(), &gone_marks).len(), gone_marks.len());
    for (_, record) in &gone {
        let erased = store
            .erase("shop", record.subject, None, NOW_MS, &|_, _| [0; 64])
            .await
            .unwrap();
        assert_eq!(erased.records, [record.id]);
    }
    let mut tries = 0;
    while !left(folder.path(), &gone_marks).is_empty() {
        tries += 1;
        assert!(tries < 60, "half a minute is enough");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(left(folder.path(), &kept_marks).len(), kept_marks.len());
    store.close().await;
}

/// A server that was killed before it came to that.
#[tokio::test]
async fn what_a_killed_server_erased_goes_with_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("assent.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let notice = fill(&store).await;
    let record = sample::record(&notice, notice.hash(), 0, sample::subject(0));
    let erased = store
        .erase("shop", record.subject, None, NOW_MS, &|_, _| [0; 64])
        .await
        .unwrap();
    assert_eq!(erased.records, [record.id]);
    // As they are at a moment at which the write-ahead log is not copied yet.
    let after = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), after.path().join(file.file_name())).unwrap();
    }
    store.close().await;
    let next = SqliteStore::open(after.path().join("assent.db")).await.unwrap();
    let mut tries = 0;
    while !left(after.path(), &marks(&record)).is_empty() {
        tries += 1;
        assert!(tries < 60, "half a minute is enough");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(next.log_size("shop").await.unwrap(), 1);
    next.close().await;
}

#[tokio::test]
async fn a_database_can_be_read_beside_the_server_that_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("assent.db");
    assert!(SqliteStore::open_read_only(&path).await.is_err());
    assert!(!path.exists(), "nothing is created");

    let store = SqliteStore::open(&path).await.unwrap();
    let reader = SqliteStore::open_read_only(&path).await.unwrap();
    assert_eq!(reader.log_size("shop").await.unwrap(), 0);
    fill(&store).await;
    assert_eq!(reader.log_size("shop").await.unwrap(), 1);
    let refused = reader
        .erase("shop", sample::subject(0), None, NOW_MS, &|_, _| [0; 64])
        .await;
    assert!(matches!(refused, Err(StoreError::Database(_))));
    assert!(reader.ensure_organisation(ORGANISATION, "Other").await.is_err());
    reader.close().await;
    assert_eq!(store.log_size("shop").await.unwrap(), 1);
    store.close().await;

    let alone = SqliteStore::open_read_only(&path).await.unwrap();
    assert_eq!(alone.log_size("shop").await.unwrap(), 1);
    alone.close().await;
    let outside = outside(&path).await;
    sqlx::query("update _sqlx_migrations set checksum = x'00' where version = 1")
        .execute(&outside)
        .await
        .unwrap();
    outside.close().await;
    let refused = SqliteStore::open_read_only(&path).await;
    assert!(
        matches!(refused, Err(StoreError::Database(_))),
        "another version's"
    );
}
