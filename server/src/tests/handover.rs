use serde_json::json;

use super::{Answer, KEY, SHOP, TestApp};

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
        .publish_revision(super::ORGANISATION, &other, super::NOW_MS)
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
