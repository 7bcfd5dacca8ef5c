//! What only PostgreSQL can get wrong: query plans, altered rows, addresses that do not lead to a database.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what cannot go on has failed"
)]

use assent_consent::notice::Notice;
use assent_store::{
    Appended, Batch, Due, Grant, Kind, Measure, Order, OrganisationId, Outcome, Session, Sighting, Store,
    StoreError, Transfer as _, WaitsFor,
    conformance::sample::{self, HOUR, NOW_MS},
};
use assent_store_postgres::{OpenError, PostgresStore};
use assent_temporary_postgres::Server;
use serde_json::Value;
use uuid::Uuid;

const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(1));

/// A new database with one site, one notice and one record; with the notice.
async fn filled() -> (String, PostgresStore, Notice) {
    let server = Server::of_tests();
    let database = server.new_database().unwrap();
    let store = PostgresStore::open(&server.address(&database)).await.unwrap();
    let notice = sample::fill(&store, ORGANISATION).await;
    (database, store, notice)
}

#[tokio::test]
async fn altered_rows_are_inconsistent() {
    let (database, store, notice) = filled().await;
    let alter = |sql: &str| Server::of_tests().run(&database, sql).unwrap();
    let place = |error| match error {
        StoreError::Inconsistent { table, column, .. } => (table, column),
        other => panic!("{other:?}"),
    };
    let history = async || place(store.history("shop", sample::subject(0), 10).await.unwrap_err());
    alter("update record set method = 'telepathy'");
    assert_eq!(history().await, ("record", "method"));
    alter("update record set method = 'banner', version = -1");
    assert_eq!(history().await, ("record", "version"));
    alter("update record set version = 1, services = '{'");
    assert_eq!(history().await, ("record", "services"));
    alter("update notice set body = replace(body, 'first', 'worst')");
    let read = store.notice("shop", notice.hash()).await.unwrap_err();
    assert_eq!(place(read), ("notice", "body"));
    alter("update rollup set measure = 'guessed' where measure = 'shown'");
    let rates = store.rates(ORGANISATION, "shop", HOUR / 24, HOUR / 24).await;
    assert_eq!(place(rates.unwrap_err()), ("rollup", "measure"));
    alter("update revision set config = '{}'");
    let sites = store.sites(ORGANISATION).await.unwrap_err();
    assert_eq!(place(sites), ("revision", "config"));
}

/// A record is acknowledged when it is on the disk, whatever the role's or the database's default is.
#[tokio::test]
async fn commits_are_synced_before_they_are_reported() {
    let (database, _, notice) = filled().await;
    let server = Server::of_tests();
    server
        .run(
            &database,
            "create function check_commit() returns trigger language plpgsql as $$
            begin
                if current_setting('synchronous_commit') <> 'on' then
                    raise exception 'synchronous_commit is %', current_setting('synchronous_commit');
                end if;
                return null;
            end $$;
            create trigger check_commit after insert on record for each statement execute function check_commit()",
        )
        .unwrap();
    server
        .run(
            &database,
            &format!("alter database {database} set synchronous_commit = off"),
        )
        .unwrap();
    let store = PostgresStore::open(&server.address(&database)).await.unwrap();
    let record = sample::record(&notice, notice.hash(), 1, sample::subject(1));
    let batch = Batch {
        records: vec![sample::accepted(&notice, record)],
        counts: Vec::new(),
    };
    assert_eq!(store.append(batch).await.unwrap(), [Appended::New]);
}

/// Names with zero bytes, which PostgreSQL has no text for, are nobody's.
#[tokio::test]
async fn what_no_text_can_hold_is_not_found() {
    let (_, store, _) = filled().await;
    assert_eq!(store.owner_by_email("a\0@sample.example").await.unwrap(), None);
}

async fn refusal(address: &str) -> OpenError {
    match PostgresStore::open(address).await {
        Err(StoreError::Database(error)) => *error.downcast().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_database_is_said() {
    let server = Server::of_tests();
    let missing = refusal(&server.address("missing")).await;
    assert_eq!(
        missing.to_string(),
        "there is no database missing. Make it: create database missing encoding 'UTF8' template template0"
    );
    let nobody = server.address("postgres").replace("assent@", "nobody:secret@");
    let nobody = refusal(&nobody).await;
    assert!(matches!(nobody, OpenError::Role { .. }), "{nobody}");
    assert!(!nobody.to_string().contains("secret"), "{nobody}");
    let away = refusal("postgres://ada:secret@127.0.0.1:1/assent").await;
    assert_eq!(away.to_string(), "cannot reach PostgreSQL at 127.0.0.1:1");
    let unreadable = refusal("postgres://localhost:port/assent").await;
    assert!(matches!(unreadable, OpenError::Address(_)), "{unreadable}");
    server
        .run(
            "postgres",
            "create database latin encoding 'LATIN1' locale 'C' template template0",
        )
        .unwrap();
    let latin = refusal(&server.address("latin")).await;
    assert!(
        matches!(&latin, OpenError::Encoding(encoding) if encoding == "LATIN1"),
        "{latin}"
    );
}

/// `verify-full` takes the certificate of the named authority for the named host, and no other.
#[tokio::test]
async fn the_certificate_of_a_server_is_checked() {
    let [own, other] =
        ["localhost", "localhost"].map(|name| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let authority = |name: &str, certificate: &rcgen::Certificate| {
        let file = folder.path().join(name);
        std::fs::write(&file, certificate.pem()).unwrap();
        format!("verify-full&sslrootcert={}", file.display())
    };
    let server = Server::start_with_tls(
        &std::env::temp_dir(),
        &own.cert.pem(),
        &own.signing_key.serialize_pem(),
    )
    .unwrap();
    let address = |host: &str, sslmode: &str| {
        format!(
            "postgres://assent@{host}:{}/postgres?sslmode={sslmode}",
            server.port()
        )
    };
    let (right, wrong) = (authority("right", &own.cert), authority("wrong", &other.cert));
    for trusted in [right.as_str(), "require"] {
        let store = PostgresStore::open(&address("localhost", trusted)).await.unwrap();
        assert_eq!(store.organisations().await.unwrap(), []);
        let encrypted = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid)
            where application_name = 'assent'";
        assert_eq!(server.run("postgres", encrypted).unwrap().trim(), "t");
        store.close().await;
    }
    for (host, sslmode) in [
        ("localhost", wrong.as_str()),
        ("localhost", "verify-full"),
        ("127.0.0.1", &right),
    ] {
        let refused = refusal(&address(host, sslmode)).await;
        assert!(
            matches!(refused, OpenError::Tls(..)),
            "{host} {sslmode}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let (database, _, _) = filled().await;
    let server = Server::of_tests();
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'later', true, '', 0)";
    server.run(&database, newer).unwrap();
    let refused = refusal(&server.address(&database)).await;
    assert!(matches!(refused, OpenError::Schema(_)), "{refused}");
}

/// A role that may read, add and erase, but not change a record, is enough once the schema is there.
#[tokio::test]
async fn a_role_without_the_schema_is_enough() {
    let (database, _, notice) = filled().await;
    let server = Server::of_tests();
    server.run(&database, GRANTS).unwrap();
    let address = server.address(&database).replace("assent@", "assent_node@");
    let store = PostgresStore::open(&address).await.unwrap();
    let record = sample::record(&notice, notice.hash(), 1, sample::subject(1));
    let batch = Batch {
        records: vec![sample::accepted(&notice, record)],
        counts: vec![sample::count(&notice, 0, Measure::Shown)],
    };
    assert_eq!(store.append(batch).await.unwrap(), [Appended::New]);
    store
        .publish_revision(ORGANISATION, &sample::config("blog"), NOW_MS)
        .await
        .unwrap();
    store.archive_notices("shop", 1, &[notice]).await.unwrap();
    store
        .ensure_owner(ORGANISATION, Uuid::from_u128(2), "ada@sample.example")
        .await
        .unwrap();
    let erased = store
        .erase("shop", sample::subject(1), None, NOW_MS, &|_, _| [7; 64])
        .await
        .unwrap();
    assert_eq!(erased.records.len(), 1);
    keep_and_sign_in(&store).await;
    let refused = server.run(
        &database,
        "set role assent_node; update record set targeting = false",
    );
    assert!(refused.is_err());
}

/// What else changes or deletes rows.
async fn keep_and_sign_in(store: &PostgresStore) {
    let owner = Uuid::from_u128(2);
    let hold = Order::Hold {
        reason: "A lawsuit".to_owned(),
        until_ms: NOW_MS + 1,
    };
    let orders = [
        hold.clone(),
        hold.clone(),
        Order::LiftHold,
        hold,
        Order::Restrict,
        Order::LiftRestriction,
    ];
    for order in orders {
        let done = store.carry_out("shop", sample::id(0), owner, &order, NOW_MS, &|_, _| [7; 64]);
        assert_eq!(done.await.unwrap(), Outcome::Done);
    }
    let subject = sample::subject(0);
    store.restrict("shop", subject, NOW_MS).await.unwrap();
    let erased = store
        .erase("shop", subject, None, NOW_MS, &|_, _| [7; 64])
        .await
        .unwrap();
    assert_eq!(erased.held.len(), 1);
    let due = Due {
        expired_by_ms: i64::MAX,
        after: None,
        limit: 10,
    };
    let batched = store.erase_due("shop", &due, NOW_MS + 1, &|_, _| [7; 64]).await;
    assert_eq!(batched.unwrap().erased, 1);
    for _ in 0..2 {
        store.note_retention("shop", NOW_MS, 1, 0).await.unwrap();
    }
    for _ in 0..2 {
        let seen = Sighting {
            site: "shop".to_owned(),
            day: HOUR / 24,
            host: "vendor.example".to_owned(),
            waits_for: WaitsFor::Unknown,
            kinds: [Kind::Script].into_iter().collect(),
        };
        store.count_third_parties(&[seen]).await.unwrap();
    }
    let session = Session {
        token_hash: [7; 32],
        owner,
        expires_at_ms: NOW_MS + 1,
    };
    store.begin_session(&session).await.unwrap();
    store.end_session([7; 32]).await.unwrap();
    let grant = Grant::SignIn(owner);
    store.put_token([7; 32], &grant, NOW_MS + 1).await.unwrap();
    assert_eq!(store.take_token([7; 32], NOW_MS).await.unwrap(), Some(grant));
    store.set_password(owner, "$argon2id$sample").await.unwrap();
    store.sweep(NOW_MS).await.unwrap();
}

/// As in docs/postgresql.md.
const GRANTS: &str = "create role assent_node login;
    grant select, insert on all tables in schema public to assent_node;
    grant update on rollup, third_party, owner, site, legal_hold, restriction, retention to assent_node;
    grant delete on record, third_party, session, one_time_token, legal_hold, restriction to assent_node;";

/// Rows in each table that grows, of many sites, so that reading all of one would cost more than an index.
const MANY_ROWS: &str = "
    insert into organisation values (gen_random_uuid(), 'Sample');
    insert into site (id, organisation_id) select 'site-' || n, id from organisation, generate_series(1, 40) n;
    insert into revision select number, r, 1, 0, '{}' from site, generate_series(1, 20) r;
    insert into notice (site_number, hash, rule, language, body)
        select number, sha256(n::text::bytea), 'eu', 'en', repeat('text', 100) from site, generate_series(1, 20) n;
    insert into revision_notice
        select revision.site_number, revision, number from revision join notice using (site_number) where number % 3 = 0;
    insert into record (
        site_number, id, version, subject, revision, notice_number, method, performance, functional, targeting, asked,
        gpc, dnt, decided_at_ms, received_at_ms, expires_at_ms, salt, leaf
    )
        select
            site_number, gen_random_uuid(), 1, uuid_send(gen_random_uuid()), revision, notice_number, 'banner', true, true,
            true, true, false, false, 0, n, 0, uuid_send(gen_random_uuid()), n
        from (select distinct on (site_number) * from revision_notice) shown, generate_series(0, 500) n;
    insert into ledger_part select n, number, 0, sha256('x') from site, generate_series(0, 500) n;
    insert into checkpoint select n, 0, number, 'note' from site, generate_series(1, 500) n;
    insert into erasure select n, 0, number, sha512('x') from site, generate_series(1, 200) n;
    insert into legal_hold select 0, 1, null, site_number, id, 'reason' from record where leaf < 200;
    insert into superseded select site_number, id from record where leaf < 200;
    insert into restriction select distinct on (site_number, subject) 0, site_number, subject, 'owner' from record;
    insert into trail (at_ms, site_number, record_id, deed) select 0, site_number, id, 'hold' from record;
    insert into erased_id select number, uuid_send(gen_random_uuid()) from site, generate_series(1, 200);
    insert into rollup
        select number, n, 1, 'eu', 'en', 'phone', measure, 1
        from site, generate_series(1, 200) n, unnest(array['shown', 'mixed', 'targeting']) measure;
    insert into third_party select number, n, 'a.example', 'unknown', 1, 1 from site, generate_series(1, 200) n;
    insert into owner select gen_random_uuid(), id, n || '@sample.example' from organisation, generate_series(1, 3000) n;
    insert into session select sha256(id::text::bytea), id, extract(epoch from now()) * random() from owner;
    insert into one_time_token
        select sha256(id::text::bytea), extract(epoch from now()) * random(), id from owner;
    insert into site (id, organisation_id) select 'site-' || n, id from organisation, generate_series(41, 2000) n;
    insert into retention select 0, 0, 0, 0, number from site;
    analyze";

/// Each statement of this crate stands in `.sqlx`, so none can be forgotten here.
#[tokio::test]
async fn no_statement_scans_a_table_that_grows() {
    let server = Server::of_tests();
    let database = server.new_database().unwrap();
    PostgresStore::open(&server.address(&database)).await.unwrap();
    server.run(&database, MANY_ROWS).unwrap();
    let mut statements = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let described: Value = serde_json::from_str(&text).unwrap();
        let query = described["query"].as_str().unwrap();
        let parameters = described["describe"]["parameters"]["Left"]
            .as_array()
            .unwrap()
            .len();
        let values = vec!["null"; parameters].join(", ");
        let values = if parameters == 0 {
            String::new()
        } else {
            format!("({values})")
        };
        let plan = server
            .run(
                &database,
                &format!(
                    "set plan_cache_mode = force_generic_plan; prepare statement as {query}; \
                     explain (format json) execute statement{values}"
                ),
            )
            .unwrap();
        let plan: Value = serde_json::from_str(&plan).unwrap();
        check_plan(&plan[0]["Plan"], query);
        statements += 1;
    }
    assert!(statements > 20, "{statements}");
}

fn check_plan(node: &Value, query: &str) {
    let table = node["Relation Name"].as_str().unwrap_or_default();
    let kind = node["Node Type"].as_str().unwrap();
    // A subject's, or of what a site has few.
    let few = ["subject = $2", "legal_hold", "revision_notice"];
    // All of these are what `current_revisions` is asked for, and who moves a data set.
    let may_scan = ["site", "organisation", "owner"].contains(&table);
    let is_scan = kind == "Seq Scan" || (kind.contains("Index") && node["Index Cond"].is_null());
    assert!(may_scan || !is_scan, "{kind} of {table}: {query}\n{node:#}");
    for below in node["Plans"].as_array().into_iter().flatten() {
        let reads_on =
            kind == "Limit" && below["Node Type"] == "Sort" && few.iter().all(|few| !query.contains(few));
        assert!(
            !reads_on,
            "all is read and sorted to give a few: {query}\n{node:#}"
        );
        check_plan(below, query);
    }
}
