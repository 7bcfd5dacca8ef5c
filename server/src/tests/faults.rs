//! What the append path does when a step of it fails: before it is done, after it is done, or never comes back; when
//! the database is locked, and when the clock goes back. After each, every acknowledged record is there once, the
//! ledger is in order, and nothing else is there.

use std::{
    collections::BTreeSet,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use assent_consent::{
    notice::Notice, notice::NoticeHash, record::ConsentRecord, record::Subject, site::SiteConfig,
};
use assent_store::{
    Appended, ArchivedNotice, Batch, Batched, Count, Custody, Due, Erased, Erasure, Grant, Hold, KeptNotice,
    Logged, Order, OrganisationId, Outcome, Owner, Rates, Restriction, Result, RetentionRun, Revision,
    Session, Sighting, SignErasure, SignedHead, Store, StoreError, Stretch, ThirdPartyDay, TrailEntry,
    Transfer,
};
use async_trait::async_trait;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Answer, DATABASE, KEY, NOW_MS, ORGANISATION, TestApp, id_of, shop};
use crate::clock::Clock as _;
use crate::ledger::{
    audit,
    checkpoints::{self, Mismatch},
};
use crate::retention;

/// How an operation goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing is done.
    Before,
    /// It is done, but nobody hears of it.
    After,
    /// Nothing is done until the store is told to go on.
    Hangs,
}

/// Says for each operation, by its name, whether and how it goes wrong.
type Plan = Box<dyn FnMut(&'static str) -> Option<Fault> + Send>;

/// A store that goes wrong as planned.
struct Faulty {
    inner: Arc<dyn Store>,
    plan: Mutex<Plan>,
    go_on: Notify,
}

impl Faulty {
    fn plan(&self, plan: impl FnMut(&'static str) -> Option<Fault> + Send + 'static) {
        *self.plan.lock().unwrap() = Box::new(plan);
    }

    /// The next operation of this name goes wrong.
    fn once(&self, operation: &'static str, fault: Fault) {
        let mut left = Some(fault);
        self.plan(move |name| left.take_if(|_| name == operation));
    }

    async fn run<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let broken = || StoreError::Database("broken on purpose".into());
        let fault = (self.plan.lock().unwrap())(operation);
        match fault {
            None => work.await,
            Some(Fault::Before) => Err(broken()),
            Some(Fault::After) => {
                work.await?;
                Err(broken())
            }
            Some(Fault::Hangs) => {
                self.go_on.notified().await;
                work.await
            }
        }
    }
}

macro_rules! operations {
    ($trait:ident { $(fn $name:ident($($argument:ident: $type:ty),*) -> $output:ty;)* } $($further:tt)*) => {
        #[async_trait]
        impl $trait for Faulty {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$output> {
                self.run(stringify!($name), self.inner.$name($($argument),*)).await
            })*
            $($further)*
        }
    };
}

operations! {
    Transfer {
        fn organisations() -> Vec<(OrganisationId, String)>;
        fn owners() -> Vec<Owner>;
        fn revisions(site: &str) -> Vec<Revision>;
        fn notices_of(site: &str, revision: u32) -> Vec<KeptNotice>;
        fn erased_ids(site: &str, from: [u8; 16], limit: u32) -> Vec<[u8; 16]>;
        fn restrictions(site: &str) -> Vec<(Subject, Restriction)>;
        fn all_superseded(site: &str) -> Vec<Uuid>;
        fn next_hour(site: &str, from: i32) -> Option<i32>;
        fn cells(site: &str, hours: Range<i32>) -> Vec<(Count, u64)>;
        fn take_owner(owner: &Owner) -> ();
        fn take_revision(revision: &Revision) -> ();
        fn take_notices(site: &str, revision: u32, notices: &[KeptNotice]) -> ();
        fn take_stretch(site: &str, stretch: &Stretch) -> ();
        fn take_erased_ids(site: &str, traces: &[[u8; 16]]) -> ();
        fn take_custody(site: &str, custody: &Custody) -> ();
        fn take_cells(cells: &[(Count, u64)]) -> ();
        fn take_third_parties(site: &str, days: &[ThirdPartyDay]) -> ();
    }
}

operations! {
    Store {
    fn ensure_organisation(id: OrganisationId, name: &str) -> ();
    fn publish_revision(organisation: OrganisationId, config: &SiteConfig, now_ms: i64) -> Revision;
    fn current_revisions() -> Vec<Revision>;
    fn sites(organisation: OrganisationId) -> Vec<Revision>;
    fn archive_notices(site: &str, revision: u32, notices: &[Notice]) -> ();
    fn notice(site: &str, hash: NoticeHash) -> Option<String>;
    fn notices(organisation: OrganisationId, site: &str, limit: u32) -> Vec<ArchivedNotice>;
    fn revision_notice(site: &str, revision: u32, hash: NoticeHash) -> Option<(Revision, Notice)>;
    fn append(batch: Batch) -> Vec<Appended>;
    fn record(site: &str, id: Uuid, subject: Subject) -> Option<ConsentRecord>;
    fn history(site: &str, subject: Subject, limit: u32) -> Vec<ConsentRecord>;
    fn erase(site: &str, subject: Subject, only: Option<Uuid>, now_ms: i64, sign: SignErasure<'_>) -> Erased;
    fn restriction(site: &str, subject: Subject) -> Option<Restriction>;
    fn restrict(site: &str, subject: Subject, now_ms: i64) -> Option<Restriction>;
    fn lift_restriction(site: &str, subject: Subject) -> bool;
    fn holds_of(site: &str, subject: Subject, now_ms: i64) -> Vec<Hold>;
    fn holds(site: &str, now_ms: i64, limit: u32) -> Vec<Hold>;
    fn carry_out(site: &str, record: Uuid, owner: Uuid, order: &Order, now_ms: i64, sign: SignErasure<'_>) -> Outcome;
    fn trail(site: &str, limit: u32) -> Vec<TrailEntry>;
    fn erase_due(site: &str, due: &Due, now_ms: i64, sign: SignErasure<'_>) -> Batched;
    fn note_retention(site: &str, ran_at_ms: i64, erased: u64, spared: u64) -> ();
    fn retention(site: &str) -> Option<RetentionRun>;
    fn is_erased(site: &str, id: Uuid) -> bool;
    fn superseded(site: &str, subject: Subject) -> Vec<Uuid>;
    fn log_size(site: &str) -> u64;
    fn log_tile(site: &str, level: u8, number: u64) -> Option<Vec<u8>>;
    fn logged(site: &str, id: Uuid) -> Option<Logged>;
    fn log_records(site: &str, from: u64, limit: u32) -> Vec<Logged>;
    fn log_erasures(site: &str, from: u64, limit: u32) -> Vec<Erasure>;
    fn put_head(site: &str, head: &SignedHead) -> ();
    fn last_head(site: &str) -> Option<SignedHead>;
    fn heads(site: &str, from: u64, limit: u32) -> Vec<SignedHead>;
    fn rates(organisation: OrganisationId, site: &str, from_day: i32, to_day: i32) -> Rates;
    fn count_third_parties(sightings: &[Sighting]) -> ();
    fn third_parties(organisation: OrganisationId, site: &str, from_day: i32, to_day: i32) -> Vec<ThirdPartyDay>;
    fn ensure_owner(organisation: OrganisationId, id: Uuid, email: &str) -> Owner;
    fn owner(id: Uuid) -> Option<Owner>;
    fn owner_by_email(email: &str) -> Option<Owner>;
    fn set_password(owner: Uuid, password_hash: &str) -> ();
    fn begin_session(session: &Session) -> ();
    fn session_owner(token_hash: [u8; 32], now_ms: i64) -> Option<Owner>;
    fn end_session(token_hash: [u8; 32]) -> ();
    fn put_token(token_hash: [u8; 32], grant: &Grant, expires_at_ms: i64) -> ();
    fn take_token(token_hash: [u8; 32], now_ms: i64) -> Option<Grant>;
    fn peek_token(token_hash: [u8; 32], now_ms: i64) -> Option<Grant>;
    fn sweep(now_ms: i64) -> ();
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}

/// A server on a store that goes wrong as planned; at first nothing does.
async fn faulty() -> (TestApp, Arc<Faulty>) {
    let mut made = None;
    let app = TestApp::on(
        |inner| {
            let store = Arc::new(Faulty {
                inner,
                plan: Mutex::new(Box::new(|_| None)),
                go_on: Notify::new(),
            });
            made = Some(Arc::clone(&store));
            store
        },
        |_| (),
    )
    .await;
    (app, made.unwrap())
}

impl TestApp {
    /// Sends a record as a browser's outbox does: until it is acknowledged. With the number of tries.
    async fn deliver(&self, id: u128) -> u32 {
        for tries in 1..100 {
            let answer = self.submit(&self.submission(id)).await;
            match answer.status.as_u16() {
                200 | 201 => return tries,
                _ => assert_busy(&answer),
            }
        }
        panic!("record {id} is never acknowledged");
    }

    async fn try_sign(&self) -> Result<(), Mismatch> {
        let now_ms = self.clock.now_ms();
        checkpoints::sign(self.store.as_ref(), "shop", &self.app.signatory(), now_ms).await
    }

    /// Each of these records is in the log once, and nothing else; all of it is signed.
    async fn assert_in_order(&self, ids: impl IntoIterator<Item = u128>) {
        self.sign().await;
        let keys = &self.app.known_keys;
        let report = audit::stored(self.store.as_ref(), "shop", keys, None)
            .await
            .unwrap();
        assert_eq!(report.faults, []);
        assert_eq!(report.signed, report.entries);
        let logged = self.store.log_records("shop", 0, 10_000).await.unwrap();
        let stored: Vec<_> = logged
            .into_iter()
            .map(|logged| logged.record.unwrap().id)
            .collect();
        let expected: BTreeSet<_> = ids.into_iter().map(id_of).collect();
        assert_eq!(stored.len(), expected.len(), "each once");
        assert_eq!(BTreeSet::from_iter(stored), expected);
    }
}

/// Sends submissions that are not answered yet.
async fn hanging<'a>(
    app: &'a TestApp,
    submissions: &'a [serde_json::Value],
) -> Vec<Pin<Box<dyn Future<Output = Answer> + 'a>>> {
    let mut waiting: Vec<Pin<Box<dyn Future<Output = Answer> + 'a>>> = Vec::new();
    for submission in submissions {
        let mut answer = Box::pin(app.submit(submission));
        tokio::select! {
            biased;
            answer = &mut answer => panic!("it is answered: {}", answer.line()),
            () = tokio::time::sleep(Duration::from_millis(2)) => waiting.push(answer),
        }
    }
    waiting
}

fn assert_busy(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("retry-after"), "2");
}

#[tokio::test]
async fn each_step_may_fail_before_or_after_it_is_done() {
    let (app, store) = faulty().await;
    let mut id = 0;
    // What storing a record and signing the log ask of the store.
    for step in ["append", "last_head", "log_size", "log_tile", "put_head"] {
        for fault in [Fault::Before, Fault::After] {
            app.deliver(id + 1).await;
            app.try_sign().await.unwrap();
            store.once(step, fault);
            let tries = app.deliver(id + 2).await;
            assert_eq!(tries, if step == "append" { 2 } else { 1 }, "{step} {fault:?}");
            let signed = app.try_sign().await;
            assert_eq!(signed.is_ok(), step == "append", "{step} {fault:?}");
            app.deliver(id + 3).await;
            id += 3;
            app.assert_in_order(1..=id).await;
        }
    }
}

#[tokio::test]
async fn whatever_fails_in_whatever_order_each_record_is_stored_once() {
    let (app, store) = faulty().await;
    let mut last = 0;
    for seed in 1..=8_u64 {
        let mut dice = seed;
        store.plan(move |_| {
            // Xorshift: the same run for the same seed.
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            match dice % 10 {
                0..=1 => Some(Fault::Before),
                2..=3 => Some(Fault::After),
                _ => None,
            }
        });
        for _ in 0..8 {
            // Several at once, and some of them from two tabs.
            tokio::join!(
                app.deliver(last + 1),
                app.deliver(last + 2),
                app.deliver(last + 3),
                app.deliver(last + 4),
                app.deliver(last + 5),
                app.deliver(last + 2),
                app.deliver(last + 4),
            );
            last += 5;
            let _ = app.try_sign().await;
        }
        store.plan(|_| None);
        app.assert_in_order(1..=last).await;
    }
}

#[tokio::test]
async fn while_the_store_hangs_the_queue_fills_and_what_is_in_it_is_stored_later() {
    let (app, store) = faulty().await;
    store.once("append", Fault::Hangs);
    // One batch hangs, a hundred wait, and the rest is told to come again.
    let submissions: Vec<_> = (1..=101).map(|id| app.submission(id)).collect();
    let waiting = hanging(&app, &submissions).await;
    for id in 102..=120 {
        assert_busy(&app.submit(&app.submission(id)).await);
    }
    store.go_on.notify_one();
    for answer in waiting {
        assert_eq!(answer.await.status, 201);
    }
    app.assert_in_order(1..=101).await;
}

#[tokio::test]
async fn who_waits_too_long_is_told_to_come_again() {
    let (app, store) = faulty().await;
    store.once("append", Fault::Hangs);
    // Nothing but the timeout can happen now, so the clock jumps to it.
    tokio::time::pause();
    assert_busy(&app.submit(&app.submission(1)).await);
    tokio::time::resume();
    store.go_on.notify_one();
    assert_eq!(app.deliver(2).await, 1);
    assert_eq!(
        app.submit(&app.submission(1)).await.status,
        200,
        "it was stored after all"
    );
    app.assert_in_order(1..=2).await;
}

#[tokio::test]
async fn at_the_end_what_waits_is_stored_and_nothing_more_is_taken() {
    let (app, store) = faulty().await;
    store.once("append", Fault::Hangs);
    let submissions: Vec<_> = (1..=5).map(|id| app.submission(id)).collect();
    let mut waiting = hanging(&app, &submissions).await;
    let appender = app.appender.lock().unwrap().take().unwrap();
    tokio::join!(appender.finish(), async {
        tokio::task::yield_now().await;
        store.go_on.notify_one();
    });
    while let Some(answer) = waiting.pop() {
        assert_eq!(answer.await.status, 201);
    }
    assert_busy(&app.submit(&app.submission(6)).await);
    app.assert_in_order(1..=5).await;
}

#[tokio::test]
async fn a_clock_that_goes_back_harms_no_log() {
    let app = TestApp::new().await;
    for (id, back_ms) in [(1, 0), (2, 3_600_000), (3, 7_200_000), (4, -10_000_000)] {
        app.clock.advance(-back_ms);
        assert_eq!(app.deliver(id).await, 1);
        app.try_sign().await.unwrap();
    }
    app.assert_in_order(1..=4).await;
    assert_eq!(app.stored(KEY).await, 4);
}

#[tokio::test]
async fn a_database_that_is_locked_for_a_while_comes_back() {
    let app = TestApp::new().await;
    app.deliver(1).await;
    let options = SqliteConnectOptions::new().filename(app.folder.path().join(DATABASE));
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    let lock = async |other: &mut SqliteConnection| {
        sqlx::query("begin immediate").execute(other).await.unwrap();
    };
    let unlock = async |other: &mut SqliteConnection| {
        sqlx::query("rollback").execute(other).await.unwrap();
    };
    // For less than the store waits: nobody notices.
    lock(&mut other).await;
    let submission = app.submission(2);
    let (answer, ()) = tokio::join!(app.submit(&submission), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        unlock(&mut other).await;
    });
    assert_eq!(answer.status, 201);
    // For longer.
    lock(&mut other).await;
    assert_busy(&app.submit(&app.submission(3)).await);
    assert_eq!(app.stored(KEY).await, 2, "what is there can be read meanwhile");
    unlock(&mut other).await;
    other.close().await.unwrap();
    assert_eq!(app.deliver(3).await, 1);
    app.assert_in_order(1..=3).await;
}

/// What is wrong with one site's records is no reason to keep those of another.
#[tokio::test]
async fn retention_at_one_site_does_not_fail_for_another() {
    for operation in ["retention", "erase_due", "note_retention"] {
        let (app, store) = faulty().await;
        app.submit(&app.submission(1)).await;
        // It comes first.
        let mut other = shop();
        other.id = "other".to_owned();
        app.store
            .publish_revision(ORGANISATION, &other, NOW_MS)
            .await
            .unwrap();
        app.clock.advance(3_000 * 86_400_000);
        store.once(operation, Fault::Before);
        retention::keep_all(&app.app).await.unwrap();
        assert_eq!(app.stored(KEY).await, 0, "{operation}");
        assert_eq!(app.store.retention("other").await.unwrap(), None);
        let shop = app.store.retention("shop").await.unwrap().unwrap();
        assert_eq!(shop.erased, 1);
    }
}
