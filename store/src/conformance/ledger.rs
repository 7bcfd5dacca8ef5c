//! The log of a site is gapless, in order, and never forks.

use assent_consent::{
    ledger::{merkle, tile},
    record::ConsentRecord,
};

use super::{
    Site, append, duplicate,
    sample::{self, NOW_MS},
};
use crate::{Appended, Batch, Erasure, SignedHead, Store};

/// What stands for the signature of an erasure: all that a store does with one is keep it.
pub(super) fn signature(leaf: u64, entry: [u8; 32]) -> [u8; 64] {
    let mut signature = [7; 64];
    signature[..8].copy_from_slice(&leaf.to_be_bytes());
    signature[8..40].copy_from_slice(&entry);
    signature
}

/// The entries of a site's log, from its tiles.
async fn entries(store: &dyn Store, site: &str) -> Vec<[u8; 32]> {
    let len = store.log_size(site).await.expect("reads");
    let mut entries = Vec::new();
    for number in 0..len.div_ceil(tile::WIDTH) {
        let body = store
            .log_tile(site, 0, number)
            .await
            .expect("reads")
            .expect("a tile");
        entries.extend(tile::hashes(&body).expect("a tile").iter().map(|hash| hash.0));
    }
    assert_eq!(entries.len() as u64, len);
    entries
}

/// Asserts that a site's log consists of these records, in this order.
async fn assert_log(store: &dyn Store, site: &str, records: &[ConsentRecord]) {
    let expected: Vec<_> = records.iter().map(ConsentRecord::commitment).collect();
    assert_eq!(entries(store, site).await, expected);
    let limit = u32::try_from(records.len() + 10).expect("a number");
    let logged = store.log_records(site, 0, limit).await.expect("reads");
    assert_eq!(logged.len(), records.len());
    for ((index, logged), record) in (0..).zip(logged).zip(records) {
        assert_eq!(logged.leaf, index);
        assert_eq!(&logged.record.expect("readable"), record);
        let found = store
            .logged(site, record.id)
            .await
            .expect("reads")
            .expect("is there");
        assert_eq!(found.leaf, index);
        assert_eq!(&found.record.expect("readable"), record);
    }
}

pub(super) async fn each_new_record_gets_the_next_index_of_its_sites_log(store: &dyn Store) {
    let shop = Site::publish(store, "shop").await;
    let magazine = Site::publish(store, "magazine").await;
    assert_eq!(store.log_size("shop").await.expect("reads"), 0);
    assert_eq!(store.log_size("unknown").await.expect("reads"), 0);
    assert_eq!(store.log_tile("shop", 0, 0).await.expect("reads"), None);
    let (mut of_shop, mut of_magazine) = (Vec::new(), Vec::new());
    for batch in 0..5 {
        let offered: Vec<_> = (batch * 10..batch * 10 + 10)
            .map(|number| match number % 3 {
                0 => magazine.record(number),
                _ => shop.record(number),
            })
            .collect();
        append(store, &offered.iter().collect::<Vec<_>>()).await;
        for record in offered {
            match record.site.as_str() {
                "shop" => of_shop.push(record),
                _ => of_magazine.push(record),
            }
        }
        assert_log(store, "shop", &of_shop).await;
        assert_log(store, "magazine", &of_magazine).await;
    }
    assert!(
        store
            .logged("shop", sample::id(0))
            .await
            .expect("reads")
            .is_none()
    );
    let some = store.log_records("shop", 3, 2).await.expect("reads");
    assert_eq!(some.iter().map(|logged| logged.leaf).collect::<Vec<_>>(), [3, 4]);
}

pub(super) async fn duplicates_and_the_unknown_leave_no_gap_in_the_log(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let records: Vec<_> = (0..8).map(|number| site.record(number)).collect();
    append(store, &[&records[0], &records[1]]).await;
    let mut again = records[1].clone();
    again.salt.0[0] ^= 1;
    let mut stranger = records[0].clone();
    stranger.subject = sample::subject(9);
    let mut unknown = site.record(20);
    unknown.revision = 7;
    let mut elsewhere = site.record(21);
    "unknown".clone_into(&mut elsewhere.site);
    let offered = [
        &records[2],
        &again,
        &unknown,
        &records[3],
        &elsewhere,
        &stranger,
        &records[3],
        &records[4],
    ];
    assert_eq!(
        append(store, &offered).await,
        [
            Appended::New,
            duplicate(&records[1]),
            Appended::Unknown,
            Appended::New,
            Appended::Unknown,
            Appended::Conflict,
            duplicate(&records[3]),
            Appended::New,
        ]
    );
    assert_log(store, "shop", &records[..5]).await;
    // Nothing new at all.
    append(store, &[&again, &unknown]).await;
    assert_log(store, "shop", &records[..5]).await;
    append(store, &[&records[5], &records[6], &records[7]]).await;
    assert_log(store, "shop", &records).await;
}

pub(super) async fn concurrent_appends_fork_no_log(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let batch = |first: u32| Batch {
        records: (first..first + 20).map(|number| site.accepted(number)).collect(),
        counts: Vec::new(),
    };
    // The second and the third have ten records in common.
    let (one, other, third) = (batch(0), batch(100), batch(110));
    let answers = tokio::join!(store.append(one), store.append(other), store.append(third));
    for answer in [answers.0, answers.1, answers.2] {
        assert_eq!(answer.expect("appends").len(), 20);
    }
    let logged = store.log_records("shop", 0, 100).await.expect("reads");
    let records: Vec<_> = logged
        .into_iter()
        .map(|logged| logged.record.expect("readable"))
        .collect();
    assert_eq!(records.len(), 50);
    assert_log(store, "shop", &records).await;
}

pub(super) async fn full_tiles_are_hashed_into_the_level_above(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let records: Vec<_> = (0..1_100).map(|number| site.record(number)).collect();
    let mut rest = records.as_slice();
    // Batches that end before, at and behind the end of a tile, and one that holds a whole tile.
    for len in [255, 1, 256, 1, 400, 100, 11, 76] {
        let (batch, others) = rest.split_at(len);
        append(store, &batch.iter().collect::<Vec<_>>()).await;
        rest = others;
    }
    assert_eq!(rest, []);
    assert_log(store, "shop", &records).await;
    let leaves: Vec<_> = records
        .iter()
        .map(|record| merkle::leaf(&record.commitment()))
        .collect();
    let roots: Vec<_> = leaves
        .chunks_exact(256)
        .flat_map(|chunk| merkle::root(chunk.iter().copied()).0)
        .collect();
    assert_eq!(store.log_tile("shop", 1, 0).await.expect("reads"), Some(roots));
    assert_eq!(store.log_tile("shop", 1, 1).await.expect("reads"), None);
    assert_eq!(store.log_tile("shop", 2, 0).await.expect("reads"), None);
    assert_eq!(store.log_tile("shop", 0, 5).await.expect("reads"), None);
    assert_eq!(store.log_tile("shop", 0, u64::MAX).await.expect("reads"), None);
    assert_eq!(store.log_tile("magazine", 0, 0).await.expect("reads"), None);
}

pub(super) async fn an_erased_record_leaves_its_entry(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let records: Vec<_> = (0..4).map(|number| site.record(number)).collect();
    append(store, &records.iter().collect::<Vec<_>>()).await;
    let before = entries(store, "shop").await;
    let (id, subject) = (records[2].id, records[2].subject);
    let erase = async |site, subject| {
        let erased = store.erase(site, subject, Some(id), NOW_MS, &signature).await;
        erased.expect("erases").records == [id]
    };
    assert!(
        !erase("shop", sample::subject(9)).await,
        "only its subject erases it"
    );
    assert!(!erase("unknown", subject).await);
    assert!(erase("shop", subject).await);
    assert!(!erase("shop", subject).await);
    assert_eq!(store.record("shop", id, subject).await.expect("reads"), None);
    assert!(store.logged("shop", id).await.expect("reads").is_none());
    assert_eq!(entries(store, "shop").await, before);
    let left = store.log_records("shop", 0, 10).await.expect("reads");
    assert_eq!(
        left.iter().map(|logged| logged.leaf).collect::<Vec<_>>(),
        [0, 1, 3]
    );
    let erasure = Erasure {
        leaf: 2,
        erased_at_ms: NOW_MS,
        signature: signature(2, records[2].commitment()),
    };
    assert_eq!(store.log_erasures("shop", 0, 10).await.expect("reads"), [erasure]);
    assert_eq!(store.log_erasures("shop", 3, 10).await.expect("reads"), []);
    assert_eq!(store.log_erasures("unknown", 0, 10).await.expect("reads"), []);
    // The last one erased does not free its index.
    let last = (records[3].id, records[3].subject);
    let erased = store
        .erase("shop", last.1, Some(last.0), NOW_MS, &signature)
        .await;
    assert_eq!(erased.expect("erases").records, [last.0]);
    append(store, &[&site.record(7)]).await;
    assert_eq!(store.log_size("shop").await.expect("reads"), 5);
    assert_eq!(store.log_records("shop", 3, 10).await.expect("reads")[0].leaf, 4);
}

pub(super) async fn an_erased_id_is_not_stored_again(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let other = Site::publish(store, "magazine").await;
    let mut records: Vec<_> = (0..3).map(|number| site.record(number)).collect();
    let subject = sample::subject(8);
    records[0].subject = subject;
    records[1].subject = subject;
    append(store, &records.iter().collect::<Vec<_>>()).await;
    let mut elsewhere = other.record(0);
    elsewhere.subject = subject;
    append(store, &[&elsewhere]).await;

    let erased = store
        .erase("shop", subject, None, NOW_MS, &signature)
        .await
        .expect("erases");
    let mut erased = erased.records;
    erased.sort();
    let mut ids = [records[0].id, records[1].id];
    ids.sort();
    assert_eq!(erased, ids);
    assert_eq!(
        store.history("shop", subject, 9).await.expect("reads"),
        [],
        "nothing of the subject is left"
    );
    assert_eq!(
        store.history("magazine", subject, 9).await.expect("reads").len(),
        1,
        "but at other sites"
    );
    let is_erased = async |site, id| store.is_erased(site, id).await.expect("reads");
    assert!(is_erased("shop", records[0].id).await);
    assert!(!is_erased("shop", records[2].id).await);
    assert!(!is_erased("magazine", records[0].id).await);

    // Whoever offers it again, alone or among others.
    let mut stranger = records[1].clone();
    stranger.subject = sample::subject(9);
    let new = site.record(5);
    assert_eq!(
        append(store, &[&records[0], &new, &stranger, &records[2]]).await,
        [
            Appended::Conflict,
            Appended::New,
            Appended::Conflict,
            duplicate(&records[2]),
        ]
    );
    assert_eq!(append(store, &[&records[0]]).await, [Appended::Conflict]);
    assert_eq!(store.log_size("shop").await.expect("reads"), 4);
    let left = store.log_records("shop", 0, 10).await.expect("reads");
    assert_eq!(left.iter().map(|logged| logged.leaf).collect::<Vec<_>>(), [2, 3]);
    // The subject itself may choose again.
    let mut again = site.record(6);
    again.subject = subject;
    assert_eq!(append(store, &[&again]).await, [Appended::New]);
}

pub(super) async fn signed_heads_are_kept_in_order(store: &dyn Store) {
    Site::publish(store, "shop").await;
    Site::publish(store, "magazine").await;
    assert_eq!(store.last_head("shop").await.expect("reads"), None);
    let head = |size: u64, note: &str| SignedHead {
        size,
        note: note.to_owned(),
        made_at_ms: NOW_MS,
    };
    let put = async |site, head: &SignedHead| store.put_head(site, head).await.expect("keeps");
    for size in [5, 1, 9] {
        put("shop", &head(size, "first")).await;
        put("shop", &head(size, "second")).await;
    }
    put("magazine", &head(2, "other")).await;
    put("unknown", &head(2, "nobody's")).await;
    assert_eq!(
        store.last_head("shop").await.expect("reads"),
        Some(head(9, "first"))
    );
    let heads = async |from, limit| store.heads("shop", from, limit).await.expect("reads");
    assert_eq!(
        heads(0, 10).await,
        [head(1, "first"), head(5, "first"), head(9, "first")]
    );
    assert_eq!(heads(2, 1).await, [head(5, "first")]);
    assert_eq!(heads(10, 10).await, []);
    assert_eq!(store.last_head("unknown").await.expect("reads"), None);
}
