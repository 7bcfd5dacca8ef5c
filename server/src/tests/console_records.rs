use assent_consent::{ledger::LogProof, receipt};
use assent_store::OrganisationId;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use serde_json::Value;
use uuid::Uuid;

use super::{Answer, KEY, NOW_MS, OTHER_KEY, SHOP, TestApp, console::signed_in, id_of, shop};
use crate::{auth, ledger::audit};

const RECORDS: &str = "/console/sites/shop/records";

/// An owner who is signed in.
struct Desk<'a> {
    app: &'a TestApp,
    cookie: String,
}

impl<'a> Desk<'a> {
    async fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            cookie: signed_in(app).await,
        }
    }

    fn csrf(&self) -> String {
        auth::csrf_token(self.cookie.split_once('=').unwrap().1)
    }

    async fn get(&self, path: &str) -> Answer {
        self.app.get(path).header("cookie", &self.cookie).empty().await
    }

    /// A record's page.
    async fn record(&self, id: u128) -> Answer {
        self.get(&format!("{RECORDS}/{}", id_of(id))).await
    }

    async fn post(&self, path: &str, fields: &str) -> Answer {
        let body = format!("csrf={}&{fields}", self.csrf());
        self.app
            .post(path)
            .header("cookie", &self.cookie)
            .form(&body)
            .await
    }

    async fn act(&self, id: u128, deed: &str, fields: &str) -> Answer {
        self.post(&format!("{RECORDS}/{}/{deed}", id_of(id)), fields)
            .await
    }

    async fn look_up(&self, asked: &str) -> Answer {
        self.post(RECORDS, &format!("record={asked}")).await
    }
}

/// What a reader sees of a page's main part.
fn seen(answer: &Answer) -> String {
    let html = answer.text();
    let main = html.split_once("<main>").unwrap().1;
    let mut text = String::new();
    let mut inside = false;
    for letter in main.chars() {
        match letter {
            '<' => {
                inside = true;
                text.push(' ');
            }
            '>' => inside = false,
            _ if !inside => text.push(letter),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn payload(jws: &str) -> Value {
    let part = jws.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_record_is_found_by_its_receipt_or_its_id() {
    let app = TestApp::new().await;
    let stored = app.submit(&app.submission(1)).await.json();
    let stored = stored["receipt"].as_str().unwrap();
    let desk = Desk::new(&app).await;
    let address = format!("{RECORDS}/{}", id_of(1));
    for asked in [stored, &id_of(1).to_string()] {
        let found = desk.look_up(asked).await;
        assert_eq!(
            (found.status.as_u16(), found.header("location")),
            (303, &*address)
        );
    }
    let page = desk.record(1).await;
    insta::assert_snapshot!(page.head(), @r#"
    200 OK
    cache-control: no-store
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: text/html; charset=utf-8
    cross-origin-opener-policy: same-origin
    referrer-policy: same-origin
    x-content-type-options: nosniff
    "#);
    let seen = seen(&page);
    for part in [
        "On 2026-11-21 19:59 UTC, asked by the banner, a visitor allowed performance and targeting and refused functional.",
        "Received 2026-11-21 20:00 UTC",
        "Made by way of banner",
        "Entry 1 of 1. No checkpoint covers it yet",
    ] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
    assert!(page.text().contains(stored));

    // What is not found is said, without telling of other sites' records.
    let altered = stored.replace("eyJhc2tlZCI6dHJ1ZS", "eyJhc2tlZCI6ZmFsc");
    assert_ne!(altered, stored);
    for (asked, status, words) in [
        (
            &*id_of(7).to_string(),
            404,
            "No record with this id is or was stored here.",
        ),
        ("banana", 422, "neither a receipt nor the id of a record"),
        ("", 422, "neither a receipt nor the id of a record"),
        (&altered, 422, "its signature does not fit"),
    ] {
        let page = desk.look_up(asked).await;
        assert_eq!(page.status, status, "{asked}");
        assert!(page.text().contains(words), "{words} in {}", page.text());
        assert!(page.text().contains(asked), "it can be corrected");
    }
    assert_eq!(desk.record(7).await.status, 404);
    assert_eq!(desk.get(&format!("{RECORDS}/banana")).await.status, 404);
}

#[tokio::test]
async fn only_the_sites_owner_gets_there() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    let stranger = OrganisationId(Uuid::from_u128(99));
    app.store.ensure_organisation(stranger, "Stranger").await.unwrap();
    let mut config = shop();
    "secret".clone_into(&mut config.id);
    app.store
        .publish_revision(stranger, &config, NOW_MS)
        .await
        .unwrap();
    let desk = Desk::new(&app).await;
    let path = format!("{RECORDS}/{}", id_of(1));
    for path in [RECORDS, &path, &format!("{path}/erase")] {
        assert_eq!(app.get(path).empty().await.header("location"), "/console");
        let foreign = path.replace("shop", "secret");
        assert_eq!(desk.get(&foreign).await.status, 404, "{foreign}");
    }
    for deed in [
        "export",
        "erase",
        "hold",
        "lift-hold",
        "restrict",
        "lift-restriction",
    ] {
        let address = format!("{path}/{deed}");
        let nobody = app.post(&address).form("csrf=x").await;
        assert_eq!(nobody.header("location"), "/console");
        let forged = app
            .post(&address)
            .header("cookie", &desk.cookie)
            .form("csrf=x")
            .await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(forged.line(), @r#"403 {"type":"about:blank","title":"Forbidden","status":403,"detail":"does not belong to this session","field":"csrf"}"#);
        }
        let elsewhere = app.post(&address).header("cookie", &desk.cookie);
        let elsewhere = elsewhere.header("content-type", "application/x-www-form-urlencoded");
        let elsewhere = elsewhere.header("sec-fetch-site", "cross-site");
        assert_eq!(elsewhere.send(format!("csrf={}", desk.csrf())).await.status, 403);
        assert_eq!(
            desk.post(&address.replace("shop", "secret"), "").await.status,
            404
        );
    }
    assert_eq!(app.stored(KEY).await, 1);
    assert_eq!(app.store.trail("shop", 10).await.unwrap(), []);
}

#[tokio::test]
async fn an_export_proves_the_record_by_itself() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    app.sign().await;
    let desk = Desk::new(&app).await;
    let file = desk.act(1, "export", "").await;
    insta::assert_snapshot!(file.head(), @r#"
    200 OK
    cache-control: no-store
    content-disposition: attachment; filename="consent-record-019aa7f0-1234-7abc-8def-000000000001.json"
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: application/json
    cross-origin-opener-policy: same-origin
    referrer-policy: same-origin
    x-content-type-options: nosniff
    "#);
    let export = file.json();
    let record = receipt::verify_with(export["receipt"].as_str().unwrap(), &app.app.known_keys).unwrap();
    assert_eq!(serde_json::to_value(&record).unwrap(), export["record"]);
    let proof = LogProof::parse(export["proof"].as_str().unwrap()).unwrap();
    assert_eq!(proof.index, 0);
    let page = desk.get(RECORDS).await;
    assert!(
        seen(&page)
            .contains("2026-11-21 20:00 UTC exported owner@localhost 019aa7f0-1234-7abc-8def-000000000001")
    );
    assert_eq!(
        desk.act(7, "export", "").await.status,
        303,
        "to a page that says it is unknown"
    );
}

#[tokio::test]
async fn an_owner_erases_after_being_asked_once_more() {
    let app = TestApp::new().await;
    for id in 1..=2 {
        app.submit(&app.submission(id)).await;
    }
    app.sign().await;
    let desk = Desk::new(&app).await;
    let asked = desk.get(&format!("{RECORDS}/{}/erase", id_of(1))).await;
    assert!(asked.text().contains("Erase this record?"));
    assert_eq!(app.stored(KEY).await, 2);
    let done = desk.act(1, "erase", "").await;
    assert_eq!(done.status, 200);
    assert_eq!(app.stored(KEY).await, 1);
    let confirmation = done.text().split("data:application/jose,").nth(1).unwrap();
    let confirmation = payload(confirmation.split('"').next().unwrap());
    insta::assert_snapshot!(confirmation, @r#"{"erased_at_ms":1795291200000,"records":["019aa7f0-1234-7abc-8def-000000000001"],"site":"shop","version":1}"#);
    assert!(seen(&desk.record(1).await).contains("This record was erased"));
    assert_eq!(desk.look_up(&id_of(1).to_string()).await.status, 303);
    assert!(seen(&desk.get(RECORDS).await).contains("erased owner@localhost"));
    // Again: nothing to do, and nothing more is written down.
    assert_eq!(desk.act(1, "erase", "").await.status, 303);
    assert_eq!(app.store.trail("shop", 10).await.unwrap().len(), 1);
    app.sign().await;
    let report = audit::stored(app.store.as_ref(), "shop", &app.app.known_keys, None)
        .await
        .unwrap();
    assert_eq!((report.faults.len(), report.erased.len()), (0, 1));
}

#[tokio::test]
async fn a_held_record_stays_and_its_visitor_is_told() {
    let app = TestApp::new().await;
    for id in 1..=2 {
        app.submit(&app.submission(id)).await;
    }
    let desk = Desk::new(&app).await;
    for (fields, words) in [
        ("reason=&until=2026-12-24", "needs a reason"),
        ("reason=Claim&until=2026-11-21", "needs a last day"),
        ("reason=Claim&until=2036-11-23", "needs a last day"),
        ("reason=Claim&until=soon", "needs a last day"),
        ("reason=Claim", "needs a last day"),
    ] {
        let refused = desk.act(2, "hold", fields).await;
        assert_eq!(refused.status, 422, "{fields}");
        assert!(refused.text().contains(words), "{words} in {}", refused.text());
    }
    assert_eq!(
        desk.act(2, "hold", "reason=Claim+%3Cb%3E&until=2026-12-24")
            .await
            .status,
        303
    );
    let page = desk.record(2).await;
    assert!(
        seen(&page).contains("On legal hold until 2026-12-24 23:59 UTC Claim &lt;b&gt;"),
        "{}",
        seen(&page)
    );
    assert!(!page.text().contains("/erase\""));
    let refused = desk.act(2, "erase", "").await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("The record is held and was not erased."));

    // The visitor sees until when, not why; what can go goes, and the choice counts no more.
    let cookie = format!("assent-center-shop={KEY}.0");
    let center = async |path: &str| {
        let call = app.get(path).header("cookie", &cookie);
        call.header("accept-language", "en").empty().await
    };
    for path in ["/c/shop/data", "/c/shop/erase"] {
        let page = center(path).await;
        assert!(page.text().contains("2026-12-24 23:59 UTC"), "{path}");
        assert!(!page.text().contains("Claim"), "{path}");
    }
    let data = center("/c/shop/data.json").await.json();
    assert_eq!(data["records"][0]["held_until"], "2026-12-24T23:59:59Z");
    assert_eq!(data["records"][1]["held_until"], Value::Null);
    let erased = app.post("/c/shop/erase").header("cookie", &cookie);
    let erased = erased.header("accept-language", "en").form("").await;
    assert!(erased.text().contains("Your request has been noted"));
    let confirmation = erased.text().split("data:application/jose,").nth(1).unwrap();
    let confirmation = payload(confirmation.split('"').next().unwrap());
    insta::assert_snapshot!(confirmation, @r#"{"erased_at_ms":1795291200000,"held":[{"id":"019aa7f0-1234-7abc-8def-000000000002","until_ms":1798156799999}],"records":["019aa7f0-1234-7abc-8def-000000000001"],"site":"shop","subject":"001122335818b042d98dd8941b64e48d","version":1}"#);
    let choice = async || {
        app.get(&format!("/v1/sites/shop/choice?record={}", id_of(2)))
            .header("origin", SHOP)
            .header("authorization", &format!("Bearer {KEY}"))
            .empty()
            .await
            .status
    };
    assert_eq!(choice().await, 410);
    let again = center("/c/shop").await;
    assert!(!again.text().contains("/c/shop/receipts/"));
    assert!(again.text().contains("href=\"/c/shop/erase\""));
    let page = desk.record(2).await;
    assert!(seen(&page).contains("The visitor asked for its erasure on 2026-11-21 20:00 UTC"));
    assert!(seen(&page).contains("Use restricted since 2026-11-21 20:00 UTC"));
    assert!(!page.text().contains("As it is stored"));
    assert!(
        seen(&desk.get(RECORDS).await)
            .contains("erasure asked for, waits for the hold the visitor’s request")
    );

    // A new choice counts again, and goes its own way.
    app.clock.advance(1);
    app.submit(&app.submission(3)).await;
    assert_eq!(choice().await, 200);
    assert_eq!(desk.act(2, "lift-hold", "").await.status, 303);
    assert!(seen(&desk.record(2).await).contains("This record was erased"));
    assert_eq!(app.stored(KEY).await, 1);
}

/// The hold ends on its day; the record goes with the next look for such records, up to a day later.
#[tokio::test]
async fn a_choice_that_was_taken_back_does_not_count_when_its_hold_has_ended() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    let desk = Desk::new(&app).await;
    assert_eq!(
        desk.act(1, "hold", "reason=Claim&until=2026-12-24").await.status,
        303
    );
    let cookie = format!("assent-center-shop={KEY}.0");
    let erased = app.post("/c/shop/erase").header("cookie", &cookie);
    assert_eq!(erased.form("").await.status, 200);
    app.clock.advance(60 * 86_400_000);
    assert_eq!(app.stored(KEY).await, 1);
    let choice = app
        .get(&format!("/v1/sites/shop/choice?record={}", id_of(1)))
        .header("authorization", &format!("Bearer {KEY}"));
    assert_eq!(choice.empty().await.status, 410);
    let center = app.get("/c/shop").header("cookie", &cookie).empty().await;
    assert!(!center.text().contains("/c/shop/receipts/"));
}

#[tokio::test]
async fn restricted_records_are_neither_shown_nor_given_out() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    let mut other = app.submission(2);
    other["key"] = OTHER_KEY.into();
    app.submit(&other).await;
    let desk = Desk::new(&app).await;
    assert_eq!(desk.act(1, "restrict", "").await.status, 303);
    let page = desk.record(1).await;
    assert!(seen(&page).contains("Use restricted since 2026-11-21 20:00 UTC"));
    for hidden in [
        "As it is stored",
        "eyJhbGciOiJFZERTQSIs",
        "performance",
        "/export\"",
        "/erase\"",
    ] {
        assert!(!page.text().contains(hidden), "{hidden}");
    }
    for deed in ["export", "erase"] {
        let refused = desk.act(1, deed, "").await;
        assert_eq!(refused.status, 409);
        assert!(
            refused
                .text()
                .contains("The visitor’s records are restricted; nothing was done.")
        );
        assert!(!refused.text().contains("eyJhbGciOiJFZERTQSIs"));
    }
    assert!(desk.record(2).await.text().contains("As it is stored"));
    assert_eq!(desk.act(1, "lift-restriction", "").await.status, 303);
    assert!(desk.record(1).await.text().contains("As it is stored"));
    let trail = app.store.trail("shop", 10).await.unwrap();
    let deeds: Vec<_> = trail.iter().map(|entry| entry.deed.id()).collect();
    assert_eq!(deeds, ["lift-restriction", "restrict"]);
}
