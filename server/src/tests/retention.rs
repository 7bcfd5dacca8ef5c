use assent_consent::record::Subject;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{DATABASE, KEY, NOW_MS, TestApp, console::signed_in, id_of};
use crate::{ledger::audit, retention};

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn what_was_kept_for_its_time_is_erased_and_the_log_still_verifies() {
    let app = TestApp::new().await;
    for id in 1..=2 {
        app.submit(&app.submission(id)).await;
    }
    app.sign().await;
    // The rule's 180 days and five years.
    app.clock.advance((180 + 1_826) * DAY_MS - 2_000);
    retention::keep_all(&app.app).await.unwrap();
    assert_eq!(app.stored(KEY).await, 2);
    app.clock.advance(DAY_MS - 1);
    retention::keep_all(&app.app).await.unwrap();
    assert_eq!(app.stored(KEY).await, 2, "once a day is enough");
    app.clock.advance(1);
    retention::keep_all(&app.app).await.unwrap();
    assert_eq!(app.stored(KEY).await, 0);
    assert_eq!(
        app.submit(&app.submission(2)).await.status,
        422,
        "is too old anyway"
    );
    assert!(app.store.is_erased("shop", id_of(2)).await.unwrap());

    app.sign().await;
    let report = audit::stored(app.store.as_ref(), "shop", &app.app.known_keys, None)
        .await
        .unwrap();
    assert_eq!((report.faults.len(), report.erased.len()), (0, 2));
    let cookie = signed_in(&app).await;
    let page = app.get("/console/sites/shop/records").header("cookie", &cookie);
    let page = page.empty().await;
    assert!(page.text().contains("Records are kept for 1,826 days"));
    assert!(
        page.text().contains("<dt>Erased then</dt><dd>2</dd>"),
        "{}",
        page.text()
    );
}

/// More holds than one transaction clears away have ended at once.
#[tokio::test]
async fn all_records_whose_erasure_waited_for_a_hold_go_with_one_look() {
    const RECORDS: u32 = 1_100;
    let app = TestApp::new().await;
    app.store_records(1..=RECORDS.into()).await;
    let options = SqliteConnectOptions::new().filename(app.folder.path().join(DATABASE));
    let mut outside = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query(
        "insert into legal_hold (site_number, record_id, reason, held_at_ms, until_ms)
        select site_number, id, 'A lawsuit', ?, ? from record",
    )
    .bind(NOW_MS)
    .bind(NOW_MS + DAY_MS)
    .execute(&mut outside)
    .await
    .unwrap();
    outside.close().await.unwrap();
    let subject = Subject::of_key(KEY).unwrap();
    let asked = app
        .store
        .erase("shop", subject, None, NOW_MS, &|_, _| [0; 64])
        .await
        .unwrap();
    assert_eq!((asked.records.len(), asked.held.len()), (0, RECORDS as usize));
    app.clock.advance(DAY_MS);
    retention::keep_all(&app.app).await.unwrap();
    assert_eq!(app.stored(KEY).await, 0);
    let run = app.store.retention("shop").await.unwrap().unwrap();
    assert_eq!(run.erased, u64::from(RECORDS));
}
