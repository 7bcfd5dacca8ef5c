use super::{KEY, TestApp, console::signed_in, id_of};
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
