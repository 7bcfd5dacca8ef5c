use assent_consent::{receipt, record::Subject};
use serde_json::json;

use super::{Answer, KEY, SERVER, SHOP, TestApp};

/// The form as the page would send it.
fn form(app: &TestApp, fields: &str) -> String {
    format!("revision=1&notice={}&{fields}", app.notice())
}

async fn decide(app: &TestApp, cookie: &str, fields: &str) -> Answer {
    app.post("/c/shop")
        .header("cookie", cookie)
        .form(&form(app, fields))
        .await
}

/// The subject's present choice, as the site asks for it.
async fn known(app: &TestApp) -> serde_json::Value {
    app.get("/v1/sites/shop/choice")
        .header("origin", "https://www.shop.example")
        .header("authorization", &format!("Bearer {KEY}"))
        .empty()
        .await
        .json()
}

#[tokio::test]
async fn a_visitor_without_scripts_decides_and_gets_a_receipt() {
    let app = TestApp::new().await;
    let page = app.get("/c/shop").header("accept-language", "en").empty().await;
    insta::assert_snapshot!(page.head(), @r#"
    200 OK
    cache-control: no-store
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: text/html; charset=utf-8
    cross-origin-opener-policy: same-origin
    referrer-policy: same-origin
    x-content-type-options: nosniff
    "#);
    assert!(page.text().contains(&app.notice().to_string()));
    assert!(page.text().contains("Ads &lt;b&gt;"));
    assert!(!page.text().contains("<script"));

    let saved = app
        .post("/c/shop")
        .form(&form(&app, "do=save&performance=on"))
        .await;
    insta::assert_snapshot!(saved.head(), @r#"
    303 See Other
    cache-control: no-store
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    cross-origin-opener-policy: same-origin
    location: /c/shop?saved=1
    referrer-policy: same-origin
    set-cookie: assent-center-shop=1a1ffb1baf5570f5a1810b7af78caf4b.; Path=/c/shop; Max-Age=34128000; HttpOnly; SameSite=Lax; Secure
    x-content-type-options: nosniff
    "#);
    let cookie = saved.cookie();
    let key = cookie.split(['=', '.']).nth(1).unwrap();
    let records = app
        .store
        .history("shop", Subject::of_key(key).unwrap(), 10)
        .await
        .unwrap();
    assert_eq!(records.len(), 1);
    assert!(records[0].choice.performance && !records[0].choice.targeting && !records[0].asked);

    let page = app.get("/c/shop?saved=1").header("cookie", &cookie).empty().await;
    let address = format!("/c/shop/receipts/{}", records[0].id);
    assert!(page.text().contains(&address));
    let download = app.get(&address).header("cookie", &cookie).empty().await;
    insta::assert_snapshot!(download.head(), @r#"
    200 OK
    cache-control: no-store
    content-disposition: attachment; filename="consent-receipt-01a1ffb1-ba00-7d26-a215-4e6d76b2b2b9.jws"
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: application/jose
    cross-origin-opener-policy: same-origin
    referrer-policy: same-origin
    x-content-type-options: nosniff
    "#);
    let record = receipt::verify(download.text(), &app.app.signer.verifying_key()).unwrap();
    assert_eq!(record, records[0]);

    app.clock.advance(1);
    let withdrawn = decide(&app, &cookie, "do=withdraw").await;
    assert_eq!(withdrawn.status, 303);
    let newest = app
        .store
        .history("shop", record.subject, 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(newest.previous, Some(record.id));
    assert!(!newest.choice.performance);
    assert_eq!(app.counted().await, "changed 2");
}

#[tokio::test]
async fn services_are_chosen_one_by_one_where_the_site_offers_it() {
    let app = TestApp::new().await;
    let mut config = super::shop();
    config.service_choice = true;
    let mut other = config.services[0].clone();
    other.id = "pixel".to_owned();
    other.name = "Pixel".to_owned();
    config.services.push(other);
    app.store
        .publish_revision(super::ORGANISATION, &config, super::NOW_MS)
        .await
        .unwrap();
    app.app.published.refresh(app.store.as_ref()).await.unwrap();
    let page = app.get("/c/shop").header("accept-language", "en").empty().await;
    assert!(page.text().contains("name=\"service-ads\""), "{}", page.text());
    assert!(
        page.text()
            .contains("name=\"shown\" value=\"necessary service-assent\"")
    );

    let fields = "do=save&shown=necessary&targeting=on&service-pixel=on&service-unknown=on";
    let form = format!("revision=2&notice={}&{fields}", app.notice());
    let saved = app.post("/c/shop").form(&form).await;
    assert_eq!(saved.status, 303);
    let page = app.get("/c/shop").header("accept-language", "en");
    let page = page.header("cookie", &saved.cookie()).empty().await;
    // Both were off, and only the pixel was moved itself: the category takes the other along.
    assert!(!page.text().contains("services allowed"), "{}", page.text());

    app.clock.advance(1_000);
    let fields = "do=save&shown=targeting+service-ads+service-pixel&targeting=on&service-pixel=on";
    let form = format!("revision=2&notice={}&{fields}", app.notice());
    let saved = app
        .post("/c/shop")
        .header("cookie", &saved.cookie())
        .form(&form)
        .await;
    assert_eq!(saved.status, 303);
    let page = app.get("/c/shop").header("accept-language", "en");
    let page = page.header("cookie", &saved.cookie()).empty().await;
    assert!(page.text().contains("1 of 2 services allowed"), "{}", page.text());
    let key = saved.cookie().split(['=', '.']).nth(1).unwrap().to_owned();
    let subject = Subject::of_key(&key).unwrap();
    let history = app.store.history("shop", subject, 9).await.unwrap();
    let services: Vec<_> = history.iter().map(|record| record.services.len()).collect();
    assert_eq!(services, [1, 0]);
    assert_eq!(history[0].services.get("ads"), Some(&false));
}

#[tokio::test]
async fn a_signal_of_the_browser_counts_as_the_rule_says_and_is_shown() {
    let app = TestApp::new().await;
    let mut config = super::shop();
    config.rules.truncate(1);
    let rule = &mut config.rules[0];
    rule.regions = vec!["*".to_owned()];
    for (honours_gpc, honours_dnt) in [(true, false), (false, true)] {
        (config.rules[0].honours_gpc, config.rules[0].honours_dnt) = (honours_gpc, honours_dnt);
        app.store
            .publish_revision(super::ORGANISATION, &config, super::NOW_MS)
            .await
            .unwrap();
        app.app.published.refresh(app.store.as_ref()).await.unwrap();
        for (header, value, objects) in [
            ("sec-gpc", "0", false),
            ("sec-gpc", "1", honours_gpc),
            ("dnt", "1", honours_dnt),
        ] {
            let page = app.get("/c/shop?lang=en").header(header, value).empty().await;
            let text = page.text();
            let input = text.split("id=\"targeting\"").nth(1).unwrap();
            let is_on = input.split('>').next().unwrap().contains(" checked");
            assert_eq!(is_on, !objects, "{header}: {value}");
            for (words, its_header) in [("Global Privacy Control", "sec-gpc"), ("Do Not Track", "dnt")] {
                assert_eq!(
                    text.contains(words),
                    objects && header == its_header,
                    "{header}: {value}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_site_hands_its_visitor_over_and_gets_the_new_choice_back() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    let handed = app
        .post("/v1/sites/shop/handover")
        .header("origin", SHOP)
        .text(json!({ "key": KEY }).to_string())
        .await;
    let token = handed.json()["token"].as_str().unwrap().to_owned();
    for elsewhere in ["https://evil.example/", "https://www.shop.example.evil.example/"] {
        let planted = app
            .get(&format!("/c/shop?t={token}"))
            .header("referer", elsewhere)
            .empty()
            .await;
        assert_eq!((planted.status.as_u16(), planted.header("set-cookie")), (200, ""));
    }
    let entered = app
        .get(&format!("/c/shop?lang=de&t={token}"))
        .header("referer", "https://www.shop.example/page?x=1")
        .empty()
        .await;
    insta::assert_snapshot!(entered.head(), @r#"
    303 See Other
    cache-control: no-store
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    cross-origin-opener-policy: same-origin
    location: /c/shop?lang=de
    referrer-policy: same-origin
    set-cookie: assent-center-shop=00112233445566778899aabbccddeeff.1; Path=/c/shop; Max-Age=3000; HttpOnly; SameSite=Lax; Secure
    x-content-type-options: nosniff
    "#);
    let cookie = entered.cookie();
    let again = app.get(&format!("/c/shop?t={token}")).empty().await;
    assert_eq!((again.status.as_u16(), again.header("set-cookie")), (200, ""));

    let saved = decide(&app, &cookie, "do=reject&known=1").await;
    // The cookie ends when the site asks no more, whatever is chosen meanwhile.
    assert_eq!((saved.status.as_u16(), saved.header("set-cookie")), (303, ""));
    assert_eq!(app.stored(KEY).await, 2);
    let page = app.get("/c/shop?saved=1").header("cookie", &cookie).empty().await;
    assert!(page.text().contains("It applies from the next page"));
    let back = app
        .get("/c/shop/back")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "same-origin")
        .empty()
        .await;
    // The site has the key: it asks with it, and no token is made.
    assert_eq!(back.header("location"), "https://www.shop.example/#assent");
    let known = known(&app).await;
    assert_eq!((&known["granted"], known.get("key")), (&1.into(), None));
}

#[tokio::test]
async fn a_subject_that_the_center_made_goes_to_the_site_by_a_token() {
    let app = TestApp::new().await;
    let saved = app.post("/c/shop").form(&form(&app, "do=accept")).await;
    let cookie = saved.cookie();
    let page = app.get("/c/shop?saved=1").header("cookie", &cookie).empty().await;
    assert!(page.text().contains("Go back by the link above"));
    let key = cookie.split(['=', '.']).nth(1).unwrap();
    let planted = app
        .get("/c/shop/back")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "cross-site")
        .empty()
        .await;
    assert_eq!(planted.header("location"), "/c/shop");
    let back = app.get("/c/shop/back").header("cookie", &cookie).empty().await;
    assert_eq!(back.header("referrer-policy"), "origin");
    let (origin, token) = back.header("location").split_once("/#assent=").unwrap();
    let redeemed = app
        .post("/v1/sites/shop/redeem")
        .header("origin", origin)
        .text(json!({ "token": token }).to_string())
        .await
        .json();
    assert_eq!(
        (&redeemed["granted"], &redeemed["key"]),
        (&15.into(), &key.into())
    );
}

#[tokio::test]
async fn an_earlier_choice_that_arrives_late_is_not_the_current_one() {
    let app = TestApp::new().await;
    let mut late = app.submission(1);
    let mut soon = app.submission(2);
    soon["decided_at_ms"] = (late["decided_at_ms"].as_i64().unwrap() - 1_000).into();
    late["decided_at_ms"] = (late["decided_at_ms"].as_i64().unwrap() - 60_000).into();
    soon["choice"] = json!({ "performance": false, "functional": false, "targeting": false });
    app.submit(&soon).await;
    app.submit(&late).await;
    let known = known(&app).await;
    assert_eq!(known["record"], soon["id"]);
}

#[tokio::test]
async fn nobody_else_sees_a_history() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    let own = format!("assent-center-shop={KEY}.0");
    let other = format!("assent-center-shop={}.0", super::OTHER_KEY);
    let path = format!("/c/shop/receipts/{}", super::id_of(1));
    assert_eq!(app.get(&path).header("cookie", &own).empty().await.status, 200);
    insta::assert_snapshot!(app.get(&path).header("cookie", &other).empty().await.line(), @r#"404 {"type":"about:blank","title":"Not Found","status":404,"detail":"You have no receipt with this id."}"#);
    assert_eq!(app.get(&path).empty().await.status, 404);
    let page = app.get("/c/shop").header("cookie", &other).empty().await;
    assert!(!page.text().contains("/receipts/"));
    let page = app
        .get("/c/shop")
        .header("cookie", "assent-center-shop=nonsense")
        .empty()
        .await;
    assert_eq!(page.status, 200);
}

#[tokio::test]
async fn forms_from_elsewhere_are_refused() {
    let app = TestApp::new().await;
    let body = form(&app, "do=accept");
    let post = || {
        app.post("/c/shop")
            .header("cookie", &format!("assent-center-shop={KEY}.0"))
            .header("content-type", "application/x-www-form-urlencoded")
    };
    let cross = post()
        .header("sec-fetch-site", "cross-site")
        .header("origin", SERVER);
    assert_eq!(cross.send(body.clone()).await.status, 403);
    let foreign = post().header("origin", SHOP).header("host", "consent.example");
    assert_eq!(foreign.send(body.clone()).await.status, 403);
    assert_eq!(post().send(body.clone()).await.status, 403);
    assert_eq!(app.stored(KEY).await, 0);
    // Browsers leave Sec-Fetch-Site out where the address is plain http and not loopback.
    let own = post()
        .header("origin", "http://center.test:99")
        .header("host", "center.test:99");
    assert_eq!(own.send(body).await.status, 303);
}

#[tokio::test]
async fn a_page_that_outlives_its_visitors_cookie_saves_nothing() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    let cookie = format!("assent-center-shop={KEY}.1");
    let page = app.get("/c/shop").header("cookie", &cookie).empty().await;
    let field = r#"<input type="hidden" name="known" value="1">"#;
    assert!(page.text().contains(field), "{}", page.text());
    let stranger = app.get("/c/shop").empty().await;
    assert!(!stranger.text().contains("name=\"known\""));
    let late = decide(&app, "", "do=withdraw&known=1").await;
    assert_eq!((late.status.as_u16(), late.header("set-cookie")), (409, ""));
    assert!(late.text().contains("This page was open for so long"));
    assert_eq!(app.stored(KEY).await, 1);
}

#[tokio::test]
async fn a_long_history_says_where_the_rest_is() {
    let app = TestApp::new().await;
    let cookie = format!("assent-center-shop={KEY}.1");
    let link = r#"<a href="/c/shop/data">Older choices"#;
    for at in 1..=51 {
        let page = app.get("/c/shop").header("cookie", &cookie).empty().await;
        assert!(!page.text().contains(link), "after {} choices", at - 1);
        assert_eq!(app.submit(&app.submission(at)).await.status, 201);
        app.clock.advance(60_000);
    }
    let page = app.get("/c/shop").header("cookie", &cookie).empty().await;
    assert!(page.text().contains(link));
    assert_eq!(page.text().matches("/c/shop/receipts/").count(), 50);
}

#[tokio::test]
async fn what_cannot_be_stored_is_said_on_the_page() {
    let app = TestApp::new().await;
    let unknown = format!("revision=7&notice={}&do=accept", app.notice());
    let answer = app.post("/c/shop").form(&unknown).await;
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("role=\"alert\""));
    assert_eq!(app.post("/c/shop").form("do=dance").await.status, 422);
    let full = TestApp::with(|app| app.queue = TestApp::full_queue()).await;
    let answer = decide(&full, "", "do=accept").await;
    assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (503, ""));
    assert_eq!(app.get("/c/other").empty().await.status, 404);
}
