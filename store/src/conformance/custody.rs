//! Held records stay, restricted ones are not used, and what was kept for too long goes.

use assent_consent::record::{ConsentRecord, Subject};
use uuid::Uuid;

use super::{
    ORGANISATION, OWNER, Site, append,
    ledger::signature,
    sample::{self, NOW_MS},
};
use crate::{AskedBy, Batched, Deed, Due, Hold, Order, Outcome, Restriction, RetentionRun, Store};

const DAY_MS: i64 = 86_400_000;
const UNTIL_MS: i64 = NOW_MS + 30 * DAY_MS;

/// A site with an owner and these records of a subject, in the order of their ids, and one of somebody else's.
async fn fill(store: &dyn Store, subject: Subject, count: u32) -> Vec<ConsentRecord> {
    let site = Site::publish(store, "shop").await;
    store
        .ensure_owner(ORGANISATION, OWNER, "owner@sample.example")
        .await
        .expect("an owner");
    let mut records: Vec<_> = (0..=count).map(|number| site.record(number)).collect();
    for record in &mut records[..count as usize] {
        record.subject = subject;
    }
    append(store, &records.iter().collect::<Vec<_>>()).await;
    records.pop();
    records.sort_by_key(|record| record.id);
    records
}

async fn order(store: &dyn Store, record: Uuid, order: Order) -> Outcome {
    store
        .carry_out("shop", record, OWNER, &order, NOW_MS, &signature)
        .await
        .expect("is carried out or not")
}

fn hold() -> Order {
    Order::Hold {
        reason: "A lawsuit".to_owned(),
        until_ms: UNTIL_MS,
    }
}

async fn is_there(store: &dyn Store, record: &ConsentRecord) -> bool {
    let found = store.logged("shop", record.id).await.expect("reads");
    found.is_some()
}

/// The trail, newest first: what was done, with which record, and whether by the owner.
async fn trail(store: &dyn Store) -> Vec<(Deed, Uuid, bool)> {
    let trail = store.trail("shop", 100).await.expect("reads");
    trail
        .into_iter()
        .map(|entry| {
            let by_owner = entry.owner.is_some_and(|email| email == "owner@sample.example");
            (entry.deed, entry.record, by_owner)
        })
        .collect()
}

pub(super) async fn a_held_record_is_erased_by_nobody_before_the_hold_ends(store: &dyn Store) {
    let subject = sample::subject(9);
    let records = fill(store, subject, 2).await;
    let [held, free] = [&records[0], &records[1]];
    assert_eq!(order(store, held.id, hold()).await, Outcome::Done);
    assert_eq!(order(store, held.id, Order::Erase).await, Outcome::Held);
    let expected = Hold {
        record: held.id,
        subject,
        reason: "A lawsuit".to_owned(),
        held_at_ms: NOW_MS,
        until_ms: UNTIL_MS,
        erasure_asked_at_ms: None,
    };
    let holds = async |now_ms| store.holds("shop", now_ms, 10).await.expect("reads");
    let holds_of = async |subject| store.holds_of("shop", subject, NOW_MS).await.expect("reads");
    assert_eq!(holds(NOW_MS).await, std::slice::from_ref(&expected));
    assert_eq!(holds(UNTIL_MS).await, []);
    assert_eq!(holds_of(subject).await, std::slice::from_ref(&expected));
    assert_eq!(holds_of(sample::subject(2)).await, []);
    assert_eq!(store.holds("magazine", NOW_MS, 10).await.expect("reads"), []);

    // The visitor's wish is noted, once, and restricts what cannot go.
    let asked = Hold {
        erasure_asked_at_ms: Some(NOW_MS + 1),
        ..expected
    };
    for (now_ms, gone) in [(NOW_MS + 1, vec![free.id]), (NOW_MS + 2, vec![])] {
        let erased = store
            .erase("shop", subject, None, now_ms, &signature)
            .await
            .expect("erases");
        assert_eq!(erased.records, gone);
        assert_eq!(erased.held, std::slice::from_ref(&asked));
    }
    let restriction = store.restriction("shop", subject).await.expect("reads");
    let since = Restriction {
        since_ms: NOW_MS + 1,
        asked_by: AskedBy::Visitor,
    };
    assert_eq!(restriction, Some(since));
    assert!(is_there(store, held).await);
    // A hold that is changed keeps the wish.
    assert_eq!(order(store, held.id, hold()).await, Outcome::Done);
    assert_eq!(holds(NOW_MS).await, [asked]);

    // Lifted, it lets the record go.
    assert_eq!(order(store, held.id, Order::LiftHold).await, Outcome::Done);
    assert!(!is_there(store, held).await);
    assert!(store.is_erased("shop", held.id).await.expect("reads"));
    assert_eq!(order(store, held.id, Order::LiftHold).await, Outcome::Absent);
    assert_eq!(store.restriction("shop", subject).await.expect("reads"), None);
    assert_eq!(
        trail(store).await,
        [
            (Deed::Erase, held.id, false),
            (Deed::LiftHold, held.id, true),
            (Deed::Hold, held.id, true),
            (Deed::AskErasure, held.id, false),
            (Deed::Hold, held.id, true),
        ]
    );
    assert_eq!(store.trail("shop", 2).await.expect("reads").len(), 2);
    assert_eq!(store.trail("magazine", 2).await.expect("reads"), []);
}

pub(super) async fn a_hold_that_has_ended_holds_nothing(store: &dyn Store) {
    let subject = sample::subject(9);
    let records = fill(store, subject, 3).await;
    for record in &records {
        assert_eq!(order(store, record.id, hold()).await, Outcome::Done);
    }
    store
        .erase("shop", subject, Some(records[0].id), NOW_MS, &signature)
        .await
        .expect("notes");
    let erase = async |now_ms| {
        let outcome = store.carry_out("shop", records[1].id, OWNER, &Order::Erase, now_ms, &signature);
        outcome.await.expect("answers")
    };
    // Restricted by the wish, until the visitor says otherwise.
    assert_eq!(erase(UNTIL_MS).await, Outcome::Restricted);
    assert!(store.lift_restriction("shop", subject).await.expect("lifts"));
    assert_eq!(erase(UNTIL_MS - 1).await, Outcome::Held);
    assert_eq!(erase(UNTIL_MS).await, Outcome::Done);

    // What waited for the end goes with the next look for what is due; the other hold is gone, its record stays.
    let due = Due {
        expired_by_ms: NOW_MS,
        after: None,
        limit: 10,
    };
    let looked = store
        .erase_due("shop", &due, UNTIL_MS, &signature)
        .await
        .expect("looks");
    let expected = Batched {
        erased: 1,
        ..Batched::default()
    };
    assert_eq!(looked, expected);
    assert!(!is_there(store, &records[0]).await);
    assert!(is_there(store, &records[2]).await);
    assert_eq!(trail(store).await[0], (Deed::Erase, records[0].id, false));
    assert_eq!(store.holds_of("shop", subject, NOW_MS).await.expect("reads"), []);
    let erased = store
        .erase("shop", subject, None, UNTIL_MS, &signature)
        .await
        .expect("erases");
    assert_eq!(erased.records, [records[2].id]);
}

pub(super) async fn holds_that_have_ended_are_cleared_away_in_batches(store: &dyn Store) {
    let subject = sample::subject(9);
    let records = fill(store, subject, 5).await;
    for record in &records {
        assert_eq!(order(store, record.id, hold()).await, Outcome::Done);
    }
    let asked = store.erase("shop", subject, None, NOW_MS, &signature).await;
    assert_eq!(asked.expect("notes").held.len(), 5);
    let due = Due {
        expired_by_ms: i64::MIN,
        after: None,
        limit: 2,
    };
    for (erased, holds_remain) in [(2, true), (2, true), (1, false), (0, false)] {
        let looked = store.erase_due("shop", &due, UNTIL_MS, &signature).await;
        let expected = Batched {
            erased,
            holds_remain,
            ..Batched::default()
        };
        assert_eq!(looked.expect("looks"), expected);
    }
    assert!(store.history("shop", subject, 9).await.expect("reads").is_empty());
}

pub(super) async fn restricted_records_are_neither_given_out_nor_erased(store: &dyn Store) {
    let subject = sample::subject(9);
    let records = fill(store, subject, 2).await;
    let [first, second] = [records[0].id, records[1].id];
    let restriction = async || store.restriction("shop", subject).await.expect("reads");
    assert_eq!(order(store, first, Order::Export).await, Outcome::Done);
    assert_eq!(restriction().await, None);
    assert_eq!(order(store, first, Order::Restrict).await, Outcome::Done);
    let mut expected = Restriction {
        since_ms: NOW_MS,
        asked_by: AskedBy::Owner,
    };
    assert_eq!(restriction().await, Some(expected));
    // It is the visitor's records that are restricted, all of them.
    assert_eq!(order(store, second, Order::Restrict).await, Outcome::Unchanged);
    for refused in [Order::Export, Order::Erase] {
        assert_eq!(order(store, second, refused).await, Outcome::Restricted);
    }
    assert_eq!(order(store, second, Order::LiftRestriction).await, Outcome::Done);
    assert_eq!(
        order(store, second, Order::LiftRestriction).await,
        Outcome::Unchanged
    );
    assert_eq!(order(store, first, Order::Restrict).await, Outcome::Done);

    // Once the visitor wants it, only the visitor lifts it.
    expected.asked_by = AskedBy::Visitor;
    let wish = async |now_ms| store.restrict("shop", subject, now_ms).await.expect("restricts");
    assert_eq!(wish(NOW_MS + 5).await, Some(expected));
    assert_eq!(wish(NOW_MS + 6).await, Some(expected));
    assert_eq!(
        order(store, first, Order::LiftRestriction).await,
        Outcome::Restricted
    );
    // A hold does not use it, and is allowed.
    assert_eq!(order(store, first, hold()).await, Outcome::Done);
    assert_eq!(order(store, first, Order::LiftHold).await, Outcome::Done);
    assert!(store.lift_restriction("shop", subject).await.expect("lifts"));
    assert!(!store.lift_restriction("shop", subject).await.expect("lifts"));
    assert_eq!(restriction().await, None);

    // Nothing to restrict, and nobody else's.
    let nobody = sample::subject(77);
    assert_eq!(
        store.restrict("shop", nobody, NOW_MS).await.expect("answers"),
        None
    );
    assert_eq!(
        store
            .restrict("magazine", subject, NOW_MS)
            .await
            .expect("answers"),
        None
    );
    // The visitor's own erasure is not stopped by it, and leaves nothing of it.
    wish(NOW_MS).await;
    let erased = store
        .erase("shop", subject, None, NOW_MS, &signature)
        .await
        .expect("erases");
    assert_eq!((erased.records.len(), erased.held.len()), (2, 0));
    assert_eq!(restriction().await, None);
}

pub(super) async fn an_owner_erases_one_record(store: &dyn Store) {
    let subject = sample::subject(9);
    let records = fill(store, subject, 2).await;
    let gone = &records[0];
    assert_eq!(order(store, gone.id, Order::Erase).await, Outcome::Done);
    assert_eq!(order(store, gone.id, Order::Erase).await, Outcome::Absent);
    let elsewhere = store.carry_out(
        "magazine",
        records[1].id,
        OWNER,
        &Order::Erase,
        NOW_MS,
        &signature,
    );
    assert_eq!(elsewhere.await.expect("answers"), Outcome::Absent);
    assert!(!is_there(store, gone).await);
    assert!(is_there(store, &records[1]).await);
    assert!(store.is_erased("shop", gone.id).await.expect("reads"));
    assert_eq!(store.log_size("shop").await.expect("reads"), 3);
    assert_eq!(store.log_erasures("shop", 0, 9).await.expect("reads").len(), 1);
    assert_eq!(trail(store).await, [(Deed::Erase, gone.id, true)]);
}

pub(super) async fn what_came_before_an_erased_record_counts_no_more(store: &dyn Store) {
    let subject = sample::subject(9);
    let mut records = fill(store, subject, 4).await;
    // In the order of the log.
    records.sort_by_key(|record| record.decided_at_ms);
    let superseded = async |subject| store.superseded("shop", subject).await.expect("reads");
    let ids = |which: &[usize]| {
        let mut ids: Vec<_> = which.iter().map(|at| records[*at].id).collect();
        ids.sort();
        ids
    };
    assert_eq!(superseded(subject).await, ids(&[]));
    assert_eq!(order(store, records[2].id, Order::Erase).await, Outcome::Done);
    assert_eq!(superseded(subject).await, ids(&[0, 1]));
    assert_eq!(order(store, records[3].id, Order::Erase).await, Outcome::Done);
    assert_eq!(superseded(subject).await, ids(&[0, 1]));
    // A later choice counts, and what is erased itself is not named.
    assert_eq!(order(store, records[1].id, Order::Erase).await, Outcome::Done);
    let site = Site::publish(store, "shop").await;
    let mut again = site.record(20);
    again.subject = subject;
    append(store, &[&again]).await;
    assert_eq!(superseded(subject).await, ids(&[0]));
    assert_eq!(superseded(sample::subject(4)).await, ids(&[]));
    let elsewhere = store.superseded("magazine", subject).await;
    assert_eq!(elsewhere.expect("reads"), ids(&[]));

    // Retention and the visitor's own wish are no different.
    let due = Due {
        expired_by_ms: i64::MAX,
        after: None,
        limit: 10,
    };
    assert_eq!(order(store, records[0].id, hold()).await, Outcome::Done);
    store
        .erase_due("shop", &due, NOW_MS, &signature)
        .await
        .expect("erases");
    assert!(is_there(store, &records[0]).await);
    assert_eq!(superseded(subject).await, ids(&[0]));
    store
        .erase("shop", subject, None, UNTIL_MS, &signature)
        .await
        .expect("erases");
    assert_eq!(superseded(subject).await, ids(&[]));
}

pub(super) async fn what_is_kept_for_too_long_goes_in_batches(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let other = Site::publish(store, "magazine").await;
    let records: Vec<_> = (0..12)
        .map(|number| {
            let mut record = site.record(number);
            // Pairs that expire at once, and the last pair later.
            record.expires_at_ms = NOW_MS + i64::from(number / 2);
            record
        })
        .collect();
    append(store, &records.iter().collect::<Vec<_>>()).await;
    let mut elsewhere = other.record(0);
    elsewhere.expires_at_ms = NOW_MS;
    append(store, &[&elsewhere]).await;
    store
        .ensure_owner(ORGANISATION, OWNER, "owner@sample.example")
        .await
        .expect("an owner");
    assert_eq!(order(store, records[1].id, hold()).await, Outcome::Done);
    store
        .restrict("shop", records[4].subject, NOW_MS)
        .await
        .expect("restricts");

    let mut due = Due {
        expired_by_ms: NOW_MS + 4,
        after: None,
        limit: 3,
    };
    let mut all = Batched::default();
    let mut batches = 0;
    loop {
        let batch = store
            .erase_due("shop", &due, NOW_MS, &signature)
            .await
            .expect("erases");
        all.erased += batch.erased;
        all.spared += batch.spared;
        batches += 1;
        due.after = batch.next;
        if due.after.is_none() {
            break;
        }
    }
    assert_eq!((all.erased, all.spared, batches), (8, 2, 4));
    let left = store.log_records("shop", 0, 20).await.expect("reads");
    let left: Vec<_> = left.iter().map(|logged| logged.leaf).collect();
    assert_eq!(left, [1, 4, 10, 11]);
    assert_eq!(store.log_size("shop").await.expect("reads"), 12);
    assert_eq!(store.log_erasures("shop", 0, 20).await.expect("reads").len(), 8);
    assert!(store.is_erased("shop", records[0].id).await.expect("reads"));
    assert_eq!(store.log_records("magazine", 0, 9).await.expect("reads").len(), 1);
    let unknown = store
        .erase_due("unknown", &due, NOW_MS, &signature)
        .await
        .expect("answers");
    assert_eq!(unknown, Batched::default());
}

pub(super) async fn looks_for_what_is_due_add_up(store: &dyn Store) {
    Site::publish(store, "shop").await;
    let last = async |site| store.retention(site).await.expect("reads");
    assert_eq!(last("shop").await, None);
    for (ran_at_ms, erased, spared, erased_in_all) in [(NOW_MS, 5, 1, 5), (NOW_MS + DAY_MS, 7, 0, 12)] {
        store
            .note_retention("shop", ran_at_ms, erased, spared)
            .await
            .expect("keeps");
        let run = RetentionRun {
            ran_at_ms,
            erased,
            spared,
            erased_in_all,
        };
        assert_eq!(last("shop").await, Some(run));
    }
    store
        .note_retention("unknown", NOW_MS, 1, 1)
        .await
        .expect("is nobody's");
    assert_eq!(last("unknown").await, None);
}
