//! What only SQLite can get wrong: query plans, altered rows, reopening.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what cannot go on has failed"
)]

use std::path::Path;

use assent_consent::notice::Notice;
use assent_store::{
    Appended, Batch, Grant, Kinds, Measure, NewRecord, Order, OrganisationId, Outcome, Sighting, Store,
    StoreError, WaitsFor,
    conformance::sample::{self, HOUR, NOW_MS},
};
use assent_store_sqlite::SqliteStore;
use sqlx::{AssertSqlSafe, Row, SqlitePool, sqlite::SqliteConnectOptions};
use uuid::Uuid;

const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(1));

/// A database with one site, one notice and one record; returns the notice.
async fn fill(store: &SqliteStore) -> Notice {
    let config = sample::config("shop");
    let notice = sample::notice(&config, "first");
    store
        .ensure_organisation(ORGANISATION, "Sample Ltd")
        .await
        .unwrap();
    store
        .publish_revision(ORGANISATION, &config, NOW_MS)
        .await
        .unwrap();
    store
        .archive_notices("shop", 1, std::slice::from_ref(&notice))
        .await
        .unwrap();
    let record = sample::record(&notice, notice.hash(), 0, sample::subject(0));
    let batch = Batch {
        records: vec![sample::accepted(&notice, record)],
        counts: vec![sample::count(&notice, 0, Measure::Shown)],
    };
    assert_eq!(store.append(&batch).await.unwrap(), [Appended::New]);
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
            .append(&Batch {
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
    let held = store.carry_out("shop", sample::id(0), owner.id, &order, NOW_MS, &|_| [0; 64]);
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
                // Every site is what `current_revisions` is asked for.
                || step.starts_with("SCAN site");
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
        assert_eq!(store.append(&batch).await.unwrap(), [Appended::New]);
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

#[tokio::test]
async fn nothing_of_an_erased_record_is_left_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("assent.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let notice = fill(&store).await;
    let subject = sample::subject(0);
    let record = sample::record(&notice, notice.hash(), 0, subject);
    let holds = |needle: &[u8]| {
        let file = std::fs::read(&path).unwrap();
        file.windows(needle.len()).any(|bytes| bytes == needle)
    };
    store.close().await;
    let parts = [&record.salt.0, &subject.0, record.id.as_bytes()];
    assert!(parts.iter().all(|part| holds(*part)));
    let store = SqliteStore::open(&path).await.unwrap();
    let erased = store
        .erase("shop", record.subject, None, NOW_MS, &|_, _| [0; 64])
        .await
        .unwrap();
    assert_eq!(erased.records, [record.id]);
    store.close().await;
    assert!(!parts.iter().any(|part| holds(*part)));
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
