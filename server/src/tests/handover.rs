use assent_consent::ledger::erasure;
use assent_store::{Order, Outcome};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, KEY, NOW_MS, ORGANISATION, SHOP, TestApp, id_of};

async fn hand_over(app: &TestApp, origin: &str, key: &str) -> Answer {
    app.post("/v1/sites/shop/handover")
        .header("origin", origin)
        .text(json!({ "key": key }).to_string())
        .await
}

async fn redeem(app: &TestApp, origin: &str, token: &str) -> Answer {
    app.post("/v1/sites/shop/redeem")
        .header("origin", origin)
        .text(json!({ "token": token }).to_string())
        .await
}

async fn token(app: &TestApp) -> String {
    hand_over(app, SHOP, KEY).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_token_brings_the_choice_back_once() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    let token = token(&app).await;
    insta::assert_snapshot!(redeem(&app, SHOP, &token).await.line(), @r#"200 {"key":"00112233445566778899aabbccddeeff","granted":11,"record":"019aa7f0-1234-7abc-8def-000000000001","revision":1,"decided_at_ms":1795291199000}"#);
    insta::assert_snapshot!(redeem(&app, SHOP, &token).await.line(), @r#"410 {"type":"about:blank","title":"Gone","status":410,"detail":"was used before, is too old or unknown","field":"token"}"#);
}

#[tokio::test]
async fn a_token_ends_after_ten_minutes() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    let token = token(&app).await;
    app.clock.advance(10 * 60_000 + 1);
    assert_eq!(redeem(&app, SHOP, &token).await.status, 410);
    let answer = app.get(&format!("/c/shop?t={token}")).empty().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("set-cookie"), "");
}

#[tokio::test]
async fn other_origins_and_other_sites_get_nothing_and_use_nothing_up() {
    let app = TestApp::new().await;
    let mut other = super::shop();
    other.id = "other".to_owned();
    app.store
        .publish_revision(ORGANISATION, &other, NOW_MS)
        .await
        .unwrap();
    app.app.published.refresh(app.store.as_ref()).await.unwrap();
    app.submit(&app.submission(1)).await;
    let token = token(&app).await;
    assert_eq!(redeem(&app, "https://evil.example", &token).await.status, 403);
    assert_eq!(hand_over(&app, "https://evil.example", KEY).await.status, 403);
    let elsewhere = app
        .post("/v1/sites/other/redeem")
        .header("origin", SHOP)
        .text(json!({ "token": token }).to_string())
        .await;
    assert_eq!(elsewhere.status, 410);
    assert_eq!(redeem(&app, SHOP, &token).await.status, 200);
}

#[tokio::test]
async fn keys_that_are_none_are_refused() {
    let app = TestApp::new().await;
    insta::assert_snapshot!(hand_over(&app, SHOP, "short").await.line(), @r#"422 {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"must be 32 lower-case hexadecimal digits","field":"key"}"#);
}

#[tokio::test]
async fn the_newest_choice_is_told_to_its_subject() {
    let app = TestApp::new().await;
    let ask = async |key: &str| {
        let call = app
            .get("/v1/sites/shop/choice")
            .header("authorization", &format!("Bearer {key}"));
        call.empty().await.line()
    };
    insta::assert_snapshot!(ask(KEY).await, @r#"404 {"type":"about:blank","title":"Not Found","status":404,"detail":"This subject has no record."}"#);
    app.submit(&app.submission(1)).await;
    insta::assert_snapshot!(ask(KEY).await, @r#"200 {"granted":11,"record":"019aa7f0-1234-7abc-8def-000000000001","revision":1,"decided_at_ms":1795291199000}"#);
    insta::assert_snapshot!(ask("nonsense").await, @r#"401 {"type":"about:blank","title":"Unauthorized","status":401,"detail":"The Authorization header must be `Bearer` with a subject key of 32 lower-case hexadecimal digits."}"#);
}

/// What counts, as a browser with the key learns it: status, and the record if there is one.
async fn current(app: &TestApp) -> (u16, Value) {
    let call = app
        .get("/v1/sites/shop/choice")
        .header("authorization", &format!("Bearer {KEY}"));
    let answer = call.empty().await;
    (answer.status.as_u16(), answer.json()["record"].clone())
}

/// A submission that replaces another: what it allows, and when the browser says that it was made.
fn replacing(app: &TestApp, id: u128, previous: u128, allows: bool, decided_at_ms: i64) -> Value {
    let mut submission = app.submission(id);
    submission["previous"] = json!(id_of(previous));
    submission["asked"] = false.into();
    for category in ["performance", "functional", "targeting"] {
        submission["choice"][category] = allows.into();
    }
    submission["decided_at_ms"] = decided_at_ms.into();
    submission
}

#[tokio::test]
async fn no_clock_that_goes_back_makes_an_earlier_choice_the_latest() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    // The browser's clock goes back by a day, then the server's by an hour.
    app.submit(&replacing(&app, 2, 1, false, NOW_MS - 86_400_000))
        .await;
    assert_eq!(current(&app).await, (200, json!(id_of(2))));
    app.clock.advance(-3_600_000);
    app.submit(&replacing(&app, 3, 2, true, NOW_MS - 2 * 86_400_000))
        .await;
    assert_eq!(current(&app).await, (200, json!(id_of(3))));
    // Neither may a record that comes late undo what was withdrawn elsewhere meanwhile, whatever its clock says.
    app.submit(&replacing(&app, 4, 3, false, NOW_MS - 3 * 86_400_000))
        .await;
    app.submit(&replacing(&app, 5, 3, true, NOW_MS)).await;
    assert_eq!(current(&app).await, (200, json!(id_of(4))));
    app.submit(&replacing(&app, 6, 4, true, NOW_MS)).await;
    app.submit(&replacing(&app, 7, 5, true, NOW_MS - 1)).await;
    assert_eq!(current(&app).await, (200, json!(id_of(7))));
}

#[tokio::test]
async fn an_erased_withdrawal_does_not_bring_the_consent_before_it_back() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    app.submit(&replacing(&app, 2, 1, false, NOW_MS)).await;
    let sign = |leaf, entry| erasure::sign("shop", leaf, &entry, NOW_MS, app.app.signer.key());
    let owner = Uuid::from_u128(2);
    app.store
        .ensure_owner(ORGANISATION, owner, "owner@shop.example")
        .await
        .unwrap();
    let erased = app
        .store
        .carry_out("shop", id_of(2), owner, &Order::Erase, NOW_MS, &sign);
    assert_eq!(erased.await.unwrap(), Outcome::Done);
    assert_eq!(app.stored(KEY).await, 1);

    // Nobody knows of a choice: neither a site that asks, nor one that gets a token, nor the center.
    assert_eq!(current(&app).await, (404, Value::Null));
    let token = token(&app).await;
    assert_eq!(redeem(&app, SHOP, &token).await.status, 404);
    let center = app
        .get("/c/shop")
        .header("cookie", &format!("assent-center-shop={KEY}.0"))
        .header("accept-language", "en");
    let center = center.empty().await;
    assert!(
        center.text().contains(&id_of(1).to_string()),
        "it is in the history"
    );
    assert_eq!(center.text().matches(" checked").count(), 0, "{}", center.text());
    // A choice made after it counts, and the first of all still does not.
    app.submit(&replacing(&app, 3, 2, false, NOW_MS)).await;
    assert_eq!(current(&app).await, (200, json!(id_of(3))));
}
