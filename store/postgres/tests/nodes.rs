//! Several nodes on one database.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what cannot go on has failed"
)]

use std::collections::HashMap;

use assent_consent::{ledger::tile, notice::Notice};
use assent_store::{
    Appended, Batch, Measure, OrganisationId, Store,
    conformance::sample::{self, HOUR, NOW_MS},
};
use assent_store_postgres::PostgresStore;
use assent_temporary_postgres::Server;
use tokio::task::JoinSet;
use uuid::Uuid;

const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(1));
const SITES: [&str; 2] = ["magazine", "shop"];

async fn publish(store: &dyn Store, site: &str) -> Notice {
    let config = sample::config(site);
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
        .archive_notices(site, 1, std::slice::from_ref(&notice))
        .await
        .unwrap();
    notice
}

fn batch(notices: &[Notice], numbers: impl Iterator<Item = u32>) -> Batch {
    let records = numbers
        .map(|number| {
            let notice = &notices[number as usize % notices.len()];
            let record = sample::record(notice, notice.hash(), number, sample::subject(number));
            sample::accepted(notice, record)
        })
        .collect();
    let counts = notices
        .iter()
        .map(|notice| sample::count(notice, 0, Measure::Shown))
        .collect();
    Batch { records, counts }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_append_at_once_leave_no_gap_and_no_fork() {
    const NODES: u32 = 3;
    const TASKS: u32 = 2;
    const BATCHES: u32 = 20;
    const RECORDS: u32 = 12;
    let address = Server::of_tests().new_schema().unwrap();
    let first = PostgresStore::open(&address).await.unwrap();
    let notices = [publish(&first, SITES[0]).await, publish(&first, SITES[1]).await];

    let mut tasks = JoinSet::new();
    for _ in 0..NODES {
        let node = PostgresStore::open(&address).await.unwrap();
        for task in 0..TASKS {
            let (node, notices) = (node.clone(), notices.clone());
            // Every node offers what the others offer too, each task in another order of the sites.
            tasks.spawn(async move {
                let mut answers = Vec::new();
                for number in 0..BATCHES {
                    let first = (task * BATCHES + number) * RECORDS;
                    let mut batch = batch(&notices, first..first + RECORDS);
                    if task == 1 {
                        batch.records.reverse();
                        batch.counts.reverse();
                    }
                    let appended = node.append(batch.clone()).await.unwrap();
                    let ids = batch
                        .records
                        .iter()
                        .map(|new| (new.record.site.clone(), new.record.id));
                    answers.extend(ids.zip(appended));
                }
                answers
            });
        }
    }
    let mut new = HashMap::new();
    while let Some(answers) = tasks.join_next().await {
        for (key, appended) in answers.unwrap() {
            match appended {
                Appended::New => *new.entry(key).or_insert(0) += 1,
                Appended::Duplicate(stored) => {
                    assert_eq!((stored.site.as_str(), stored.id), (key.0.as_str(), key.1));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let total = TASKS * BATCHES * RECORDS;
    assert_eq!(new.len(), total as usize);
    assert!(new.values().all(|times| *times == 1), "each is new once");

    let mut stored = 0;
    for site in SITES {
        let size = first.log_size(site).await.unwrap();
        let mut entries = Vec::new();
        for number in 0..size.div_ceil(tile::WIDTH) {
            let body = first.log_tile(site, 0, number).await.unwrap().unwrap();
            entries.extend(tile::hashes(&body).unwrap());
        }
        let logged = first.log_records(site, 0, total).await.unwrap();
        assert_eq!((entries.len(), logged.len() as u64), (logged.len(), size));
        for ((index, logged), entry) in (0..).zip(logged).zip(entries) {
            let record = logged.record.unwrap();
            assert_eq!(logged.leaf, index);
            assert_eq!(record.commitment(), entry.0);
            assert!(new.contains_key(&(record.site, record.id)));
            stored += 1;
        }
        let rates = first
            .rates(ORGANISATION, site, HOUR / 24, HOUR / 24)
            .await
            .unwrap();
        assert_eq!(
            rates.total().get(Measure::Shown),
            u64::from(NODES * TASKS * BATCHES)
        );
        assert_eq!(rates.total().get(Measure::AcceptedAll), size);
    }
    assert_eq!(stored, total);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_make_one_schema() {
    let address = Server::of_tests().new_schema().unwrap();
    let mut starting = JoinSet::new();
    for _ in 0..4 {
        let address = address.clone();
        starting.spawn(async move {
            let store = PostgresStore::open(&address).await.unwrap();
            publish(&store, "shop").await
        });
    }
    while let Some(started) = starting.join_next().await {
        started.unwrap();
    }
    let store = PostgresStore::open(&address).await.unwrap();
    let revisions = store.current_revisions().await.unwrap();
    assert_eq!(revisions.len(), 1);
    assert_eq!(revisions[0].number, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_offered_again_while_it_is_erased_stays_erased() {
    let address = Server::of_tests().new_schema().unwrap();
    let store = PostgresStore::open(&address).await.unwrap();
    let other = PostgresStore::open(&address).await.unwrap();
    let notices = [publish(&store, "shop").await];
    for number in 0..40 {
        let one = batch(&notices, number..=number);
        assert_eq!(store.append(one.clone()).await.unwrap(), [Appended::New]);
        let subject = sample::subject(number);
        let (erased, _) = tokio::join!(
            store.erase("shop", subject, None, NOW_MS, &|_, _| [7; 64]),
            other.append(one.clone())
        );
        assert_eq!(erased.unwrap().records.len(), 1);
        assert_eq!(other.append(one.clone()).await.unwrap(), [Appended::Conflict]);
    }
    assert_eq!(store.log_size("shop").await.unwrap(), 40);
    assert_eq!(store.log_records("shop", 0, 50).await.unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_killed_holds_no_lock() {
    let server = Server::of_tests();
    let database = server.new_database().unwrap();
    let store = PostgresStore::open(&server.address(&database)).await.unwrap();
    let notices = [publish(&store, "shop").await];
    // Given up at every point of its way, which a process that is killed leaves the server in as well.
    for number in 0..40 {
        let batch = batch(&notices, number * 4..number * 4 + 4);
        let patience = std::time::Duration::from_micros(u64::from(number) * 150);
        let _ = tokio::time::timeout(patience, store.append(batch)).await;
    }
    let all = batch(&notices, 0..160);
    let answers = store.append(all).await.unwrap();
    assert_eq!(answers.len(), 160);
    let logged = store.log_records("shop", 0, 1_000).await.unwrap();
    let leaves: Vec<_> = logged.iter().map(|logged| logged.leaf).collect();
    assert_eq!(leaves, (0..160).collect::<Vec<_>>());
    assert_eq!(store.log_size("shop").await.unwrap(), 160);
}
