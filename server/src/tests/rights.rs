use assent_consent::{receipt, record::Subject};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ed25519_dalek::{Signature, Verifier as _};

use super::{Answer, KEY, NOW_MS, OTHER_KEY, SERVER, SHOP, TestApp, id_of};
use crate::{config::LimitConfig, ledger::audit, limits::Limits};

const PAGES: [&str; 4] = [
    "/c/shop/data",
    "/c/shop/data.json",
    "/c/shop/restrict",
    "/c/shop/erase",
];

/// The center's cookie of whoever has a key and came from the site's first origin.
fn cookie(key: &str) -> String {
    format!("assent-center-shop={key}.0")
}

impl TestApp {
    async fn own(&self, path: &str) -> Answer {
        let call = self.get(path).header("cookie", &cookie(KEY));
        call.header("accept-language", "en").empty().await
    }

    async fn erase(&self, key: &str) -> Answer {
        let call = self.post("/c/shop/erase").header("cookie", &cookie(key));
        call.header("accept-language", "en").form("").await
    }

    async fn restrict(&self, key: &str, wish: &str) -> Answer {
        let call = self.post("/c/shop/restrict").header("cookie", &cookie(key));
        let call = call.header("accept-language", "en");
        call.form(&format!("do={wish}")).await
    }

    async fn choice(&self, id: u128) -> Answer {
        self.get(&format!("/v1/sites/shop/choice?record={}", id_of(id)))
            .header("origin", SHOP)
            .header("authorization", &format!("Bearer {KEY}"))
            .empty()
            .await
    }
}

#[tokio::test]
async fn everything_that_is_stored_can_be_taken_along() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    app.clock.advance(1);
    app.submit(&app.submission(2)).await;
    for page in PAGES {
        assert!(
            app.own("/c/shop")
                .await
                .text()
                .contains(&format!("href=\"{page}\""))
        );
    }
    let file = app.own("/c/shop/data.json").await;
    insta::assert_snapshot!(file.head(), @r#"
    200 OK
    cache-control: no-store
    content-disposition: attachment; filename="consent-data-shop.json"
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: application/json
    cross-origin-opener-policy: same-origin
    referrer-policy: same-origin
    x-content-type-options: nosniff
    "#);
    let data = file.json();
    assert_eq!((&data["complete"], &data["site"]), (&true.into(), &"shop".into()));
    let records = data["records"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    for (entry, id) in records.iter().zip([2, 1]) {
        let receipt = entry["receipt"].as_str().unwrap();
        let record = receipt::verify_with(receipt, &app.app.known_keys).unwrap();
        assert_eq!(record.id, id_of(id));
        assert_eq!(serde_json::to_value(&record).unwrap(), entry["record"]);
        let notice = entry["notice_url"]
            .as_str()
            .unwrap()
            .strip_prefix(SERVER)
            .unwrap();
        assert_eq!(app.get(notice).empty().await.status, 200);
    }

    let page = app.own("/c/shop/data").await;
    insta::assert_snapshot!(page.head(), @r#"
    200 OK
    cache-control: no-store
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: text/html; charset=utf-8
    cross-origin-opener-policy: same-origin
    referrer-policy: same-origin
    x-content-type-options: nosniff
    "#);
    // Nothing that is stored is left out of the page for people.
    for entry in records {
        for field in ["id", "subject", "notice", "rule", "language", "salt"] {
            let value = entry["record"][field].as_str().unwrap();
            assert!(page.text().contains(value), "{field}");
        }
    }
    let german = app.own("/c/shop/data?lang=de").await;
    assert!(german.text().contains("lang=\"de\""));
    assert!(german.text().contains("href=\"/c/shop?lang=de\""));
}

#[tokio::test]
async fn nobody_else_sees_or_erases_it() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    for page in PAGES {
        let without = app.get(page).empty().await;
        let other = app.get(page).header("cookie", &cookie(OTHER_KEY)).empty().await;
        assert!(!other.text().contains(&id_of(1).to_string()), "{page}");
        if page.contains("data.json") {
            assert_eq!(without.status, 404);
        } else {
            assert_eq!(
                (without.status.as_u16(), without.header("location")),
                (303, "/c/shop")
            );
        }
    }
    assert!(!app.get("/c/shop").empty().await.text().contains("/c/shop/erase"));
    assert_eq!(app.erase(OTHER_KEY).await.status, 200);
    let nobody = app.post("/c/shop/erase").form("").await;
    assert_eq!(
        (nobody.status.as_u16(), nobody.header("location")),
        (303, "/c/shop")
    );

    // To look at the question does nothing, nor does a form from elsewhere.
    for page in ["/c/shop/erase", "/c/shop/restrict"] {
        assert_eq!(app.own(page).await.status, 200);
        for (site, from) in [("cross-site", SERVER), ("same-site", SHOP)] {
            let forged = app.post(page).header("cookie", &cookie(KEY));
            let forged = forged.header("sec-fetch-site", site).header("origin", from);
            let forged = forged.header("content-type", "application/x-www-form-urlencoded");
            assert_eq!(forged.send("do=restrict").await.status, 403);
        }
        let bare = app.post(page).header("cookie", &cookie(KEY));
        assert_eq!(bare.send("do=restrict").await.status, 403);
    }
    let subject = Subject::of_key(KEY).unwrap();
    assert_eq!(app.store.restriction("shop", subject).await.unwrap(), None);
    assert_eq!(
        app.restrict(OTHER_KEY, "restrict").await.status,
        303,
        "has nothing stored"
    );
    assert_eq!(app.stored(KEY).await, 1);
    assert_eq!(app.get("/c/other/data").empty().await.status, 404);
}

/// The confirmation that a page offers, checked, as JSON.
fn confirmed(app: &TestApp, page: &Answer) -> serde_json::Value {
    let confirmation = page.text().split("data:application/jose,").nth(1).unwrap();
    let confirmation = confirmation.split('"').next().unwrap();
    // A receipt is another thing.
    assert_eq!(
        receipt::verify_with(confirmation, &app.app.known_keys),
        Err(receipt::ReceiptError::Malformed)
    );
    let (signed, signature) = confirmation.rsplit_once('.').unwrap();
    let signature = Signature::from_slice(&BASE64.decode(signature).unwrap()).unwrap();
    let key = app.app.signer.verifying_key();
    key.verify(signed.as_bytes(), &signature).unwrap();
    let payload = BASE64.decode(signed.split_once('.').unwrap().1).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[tokio::test]
async fn a_restriction_is_confirmed_seen_and_lifted_by_its_visitor_only() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    let done = app.restrict(KEY, "restrict").await;
    insta::assert_snapshot!(done.head(), @r#"
    200 OK
    cache-control: no-store
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: text/html; charset=utf-8
    cross-origin-opener-policy: same-origin
    referrer-policy: same-origin
    x-content-type-options: nosniff
    "#);
    assert!(done.text().contains("The use of your data is restricted"));
    insta::assert_snapshot!(confirmed(&app, &done), @r#"{"confirmed_at_ms":1795291200000,"restricted_since_ms":1795291200000,"site":"shop","subject":"001122335818b042d98dd8941b64e48d","version":1}"#);
    // Asked for again, it keeps its date.
    app.clock.advance(60_000);
    let again = confirmed(&app, &app.restrict(KEY, "restrict").await);
    assert_eq!(again["restricted_since_ms"], NOW_MS);
    assert_eq!(again["confirmed_at_ms"], NOW_MS + 60_000);

    assert!(app.own("/c/shop").await.text().contains("Lift the restriction"));
    assert!(
        app.own("/c/shop/data")
            .await
            .text()
            .contains("2026-11-21 20:00 UTC")
    );
    let data = app.own("/c/shop/data.json").await.json();
    assert_eq!(data["restricted_since"], "2026-11-21T20:00:00Z");
    // The choice counts as before.
    assert_eq!(app.choice(1).await.status, 200);

    let order = assent_store::Order::LiftRestriction;
    let owner = app
        .store
        .carry_out("shop", id_of(1), uuid::Uuid::nil(), &order, NOW_MS, &|_, _| {
            [0; 64]
        })
        .await
        .unwrap();
    assert_eq!(owner, assent_store::Outcome::Restricted);
    let lifted = app.restrict(KEY, "lift").await;
    assert!(lifted.text().contains("The restriction has been lifted"));
    assert_eq!(
        confirmed(&app, &lifted)["restricted_since_ms"],
        serde_json::Value::Null
    );
    assert!(
        app.own("/c/shop/restrict")
            .await
            .text()
            .contains("Restrict the use of your data?")
    );
    assert_eq!(app.restrict(KEY, "banana").await.status, 422);
}

/// Each of them is a commit of its own.
#[tokio::test]
async fn so_many_wishes_a_minute_are_carried_out() {
    let app = TestApp::with(|app| {
        app.limits = Limits::new(&LimitConfig {
            handovers_per_minute: 3,
            ..LimitConfig::default()
        });
    })
    .await;
    app.submit(&app.submission(1)).await;
    for wish in ["restrict", "lift", "restrict"] {
        assert_eq!(app.restrict(KEY, wish).await.status, 200);
    }
    assert_eq!(app.restrict(KEY, "lift").await.status, 429);
    assert_eq!(app.erase(KEY).await.status, 429);
    assert_eq!(app.stored(KEY).await, 1);
    let subject = Subject::of_key(KEY).unwrap();
    assert!(app.store.restriction("shop", subject).await.unwrap().is_some());
}

#[tokio::test]
async fn erasing_leaves_a_signed_confirmation_and_a_log_in_order() {
    let app = TestApp::new().await;
    for id in 1..=2 {
        app.submit(&app.submission(id)).await;
    }
    let mut other = app.submission(3);
    other["key"] = OTHER_KEY.into();
    app.submit(&other).await;
    app.sign().await;
    assert_eq!(app.choice(2).await.status, 200);

    app.clock.advance(60_000);
    let erased = app.erase(KEY).await;
    insta::assert_snapshot!(erased.head(), @r#"
    200 OK
    cache-control: no-store
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: text/html; charset=utf-8
    cross-origin-opener-policy: same-origin
    referrer-policy: same-origin
    set-cookie: assent-center-shop=; Path=/c/shop; Max-Age=0; HttpOnly; SameSite=Lax; Secure
    x-content-type-options: nosniff
    "#);
    assert!(erased.text().contains("2026-11-21 20:01 UTC"));
    assert!(erased.text().contains("href=\"https://shop.example/#assent\""));
    assert_eq!((app.stored(KEY).await, app.stored(OTHER_KEY).await), (0, 1));

    let payload = confirmed(&app, &erased);
    assert_eq!(payload["erased_at_ms"], NOW_MS + 60_000);
    assert_eq!(payload["records"].as_array().unwrap().len(), 2);

    // The site learns that what it keeps is gone, but not of a record that has not arrived yet.
    insta::assert_snapshot!(app.choice(2).await.line(), @r#"410 {"type":"about:blank","title":"Gone","status":410,"detail":"was erased","field":"record"}"#);
    assert_eq!(app.choice(7).await.status, 404);
    // What the browser had not heard the answer of is not stored once more, and the outbox lets go of it.
    assert_eq!(app.submit(&app.submission(2)).await.status, 409);
    assert_eq!(app.stored(KEY).await, 0);

    app.sign().await;
    let report = audit::stored(app.store.as_ref(), "shop", &app.app.known_keys, None)
        .await
        .unwrap();
    assert_eq!(
        (report.faults.len(), report.entries, report.records),
        (0, 3, Some(1))
    );
    assert_eq!(report.erased, [(0, NOW_MS + 60_000), (1, NOW_MS + 60_000)]);
}
