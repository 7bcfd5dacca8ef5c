use assent_consent::site::BlockingMode;
use serde_json::{Value, json};

use super::{Answer, NOW_MS, ORGANISATION, SHOP, TestApp, shop};
use crate::{config::LimitConfig, limits::Limits};

/// A server whose site reports third parties.
async fn reporting() -> TestApp {
    let app = TestApp::new().await;
    publish(&app, BlockingMode::Report).await;
    app
}

async fn publish(app: &TestApp, mode: BlockingMode) {
    let mut config = shop();
    config.blocking.mode = mode;
    app.store
        .publish_revision(ORGANISATION, &config, NOW_MS)
        .await
        .unwrap();
    app.app.published.refresh(app.store.as_ref()).await.unwrap();
}

async fn report(app: &TestApp, body: &Value) -> Answer {
    app.post("/v1/sites/shop/third-parties")
        .header("origin", SHOP)
        .text(body.to_string())
        .await
}

fn seen(host: &str, kinds: &[&str], waits_for: &str) -> Value {
    json!({ "host": host, "kinds": kinds, "waits_for": waits_for })
}

/// What the owner's page will read, once the queue is drained: whoever comes later is committed later.
async fn counted(app: &TestApp) -> String {
    app.app.queue.reports_taken().await;
    assert_eq!(app.submit(&app.submission(99)).await.status.as_u16() / 100, 2);
    assert_eq!(app.submit(&app.submission(98)).await.status.as_u16() / 100, 2);
    let today = i32::try_from(NOW_MS / 86_400_000).unwrap();
    let days = app
        .store
        .third_parties(ORGANISATION, "shop", today, today)
        .await
        .unwrap();
    days.iter()
        .map(|row| {
            format!(
                "{} {} {:?} {}",
                row.host,
                row.waits_for.id(),
                row.kinds.iter().collect::<Vec<_>>(),
                row.page_views
            )
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn a_report_is_counted() {
    let app = reporting().await;
    let body = json!({
        "revision": 2,
        "seen": [
            seen("ads.example", &["script", "img"], "declared"),
            seen("xn--ber-goa.example", &["xmlhttprequest", "telepathy"], "unknown"),
        ],
    });
    for _ in 0..2 {
        let answer = report(&app, &body).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (204, ""));
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
    }
    // A page whose loader is of an earlier revision.
    let earlier = json!({ "revision": 1, "seen": [seen("ads.example", &["img"], "targeting")] });
    assert_eq!(report(&app, &earlier).await.status, 204);
    insta::assert_snapshot!(counted(&app).await, @r"
    ads.example declared [Script, Image] 2
    ads.example targeting [Image] 1
    xn--ber-goa.example unknown [Request, Other] 2
    ");
}

#[tokio::test]
async fn the_sites_owner_reads_what_was_reported() {
    let app = reporting().await;
    let cookie = super::console::signed_in(&app).await;
    let page = async |path: &str| app.get(path).header("cookie", &cookie).empty().await;
    let before = page("/console/sites/shop/third-parties").await;
    assert!(
        before.text().contains("have reported nothing"),
        "{}",
        before.text()
    );
    let body = json!({ "revision": 2, "seen": [
        seen("ads.example", &["script"], "declared"),
        seen("api.vendor.example", &["fetch"], "unknown"),
    ] });
    report(&app, &body).await;
    counted(&app).await;
    let after = page("/console/sites/shop/third-parties").await;
    assert_eq!(after.status, 200);
    assert!(
        after.text().contains("Ads &lt;b&gt; (targeting)"),
        "{}",
        after.text()
    );
    assert!(after.text().contains("api.vendor.example"), "{}", after.text());
    assert_eq!(page("/console/sites/other/third-parties").await.status, 404);
    let stranger = app.get("/console/sites/shop/third-parties").empty().await;
    assert_eq!(stranger.header("location"), "/console");
    publish(&app, BlockingMode::Off).await;
    let off = page("/console/sites/shop/third-parties").await;
    assert!(off.text().contains("Automatic blocking is off"), "{}", off.text());
}

#[tokio::test]
async fn a_report_that_is_wrong_says_where() {
    let app = reporting().await;
    let fine = seen("ads.example", &["img"], "unknown");
    let many: Vec<_> = (0..51).map(|_| fine.clone()).collect();
    let long = "a".repeat(254);
    let mut lines = Vec::new();
    for body in [
        json!({ "revision": 0, "seen": [fine] }),
        json!({ "revision": 3, "seen": [fine] }),
        json!({ "revision": 2, "seen": many }),
        json!({ "revision": 2, "seen": [fine, seen("", &[], "unknown")] }),
        json!({ "revision": 2, "seen": [seen("Ads.example", &[], "unknown")] }),
        json!({ "revision": 2, "seen": [seen("ads.example/x", &[], "unknown")] }),
        json!({ "revision": 2, "seen": [seen(&long, &[], "unknown")] }),
        json!({ "revision": 2, "seen": [seen("ads.example", &[], "marketing")] }),
        json!({ "revision": 2, "seen": [{ "host": "ads.example", "kinds": [], "waits_for": "unknown", "page": "/" }] }),
        json!({ "revision": 2 }),
        json!([2, []]),
    ] {
        let answer = report(&app, &body).await;
        let problem = answer.json();
        lines.push(format!(
            "{} {}: {}",
            answer.status.as_u16(),
            problem["field"].as_str().unwrap_or("–"),
            problem["detail"].as_str().unwrap()
        ));
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    422 revision: was never published
    422 revision: was never published
    422 seen: holds more than 50 third parties
    422 seen[1].host: must be a host's name in lower case
    422 seen[0].host: must be a host's name in lower case
    422 seen[0].host: must be a host's name in lower case
    422 seen[0].host: must be a host's name in lower case
    422 seen[0].waits_for: must be declared, performance, functional, targeting or unknown
    422 seen[0].page: unknown field `page`, expected one of `host`, `kinds`, `waits_for` at line 1 column 61
    422 seen: missing field `seen` at line 1 column 14
    422 –: The body must be a JSON object.
    ");
    let large = json!({ "revision": 2, "seen": [seen("ads.example", &[&"x".repeat(17_000)], "unknown")] });
    assert_eq!(report(&app, &large).await.status, 413);
    assert_eq!(counted(&app).await, "");
}

#[tokio::test]
async fn only_pages_of_the_site_report_and_only_while_it_is_wanted() {
    let app = reporting().await;
    let body = json!({ "revision": 1, "seen": [seen("ads.example", &["img"], "unknown")] });
    for (origin, status) in [("https://shop.example.evil", 403), ("null", 403)] {
        let answer = app
            .post("/v1/sites/shop/third-parties")
            .header("origin", origin)
            .text(body.to_string())
            .await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let without = app
        .post("/v1/sites/shop/third-parties")
        .text(body.to_string())
        .await;
    assert_eq!(without.status, 403);
    let unknown = app
        .post("/v1/sites/unknown/third-parties")
        .header("origin", SHOP)
        .text(body.to_string())
        .await;
    assert_eq!(unknown.status, 404);
    let empty = json!({ "revision": 1, "seen": [] });
    assert_eq!(report(&app, &empty).await.status, 204);
    publish(&app, BlockingMode::Off).await;
    assert_eq!(report(&app, &body).await.status, 204);
    assert_eq!(counted(&app).await, "");
    publish(&app, BlockingMode::Enforce).await;
    assert_eq!(report(&app, &body).await.status, 204);
    assert_eq!(counted(&app).await, "ads.example unknown [Image] 1");
}

#[tokio::test]
async fn reports_are_limited_and_refused_when_the_queue_is_full() {
    let body = json!({ "revision": 2, "seen": [seen("ads.example", &["img"], "unknown")] });
    let app = TestApp::with(|app| {
        app.limits = Limits::new(&LimitConfig {
            events_per_minute: 1,
            ..LimitConfig::default()
        });
    })
    .await;
    publish(&app, BlockingMode::Report).await;
    assert_eq!(report(&app, &body).await.status, 204);
    let refused = report(&app, &body).await;
    assert_eq!(refused.status, 429);
    assert!(!refused.header("retry-after").is_empty());

    let app = TestApp::with(|app| app.queue = TestApp::full_queue()).await;
    publish(&app, BlockingMode::Report).await;
    assert_eq!(report(&app, &body).await.status, 503);
}
