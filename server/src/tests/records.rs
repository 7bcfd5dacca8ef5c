use assent_consent::{notice::NoticeHash, receipt, record::AGE_MS_MAX};
use axum::http::Method;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Call, KEY, NOW_MS, OTHER_KEY, SHOP, TestApp, id_of};
use crate::{config::LimitConfig, limits::Limits};

const RECORDS: &str = "/v1/sites/shop/records";

#[tokio::test]
async fn a_record_is_stored_and_given_back_with_its_receipt() {
    let app = TestApp::new().await;
    let answer = app.submit(&app.submission(1)).await;
    insta::assert_snapshot!(answer.head(), @r#"
    201 Created
    access-control-allow-origin: https://shop.example
    cache-control: no-store
    content-type: application/json
    vary: origin
    x-content-type-options: nosniff
    "#);
    let receipt = answer.json()["receipt"].as_str().unwrap().to_owned();

    // With nothing but the published key.
    let keys = app.get("/.well-known/jwks.json").empty().await.json();
    let x = BASE64_URL_SAFE_NO_PAD
        .decode(keys["keys"][0]["x"].as_str().unwrap())
        .unwrap();
    let key = ed25519_dalek::VerifyingKey::from_bytes(&x.try_into().unwrap()).unwrap();
    let mut record = receipt::verify(&receipt, &key).unwrap();
    assert_eq!(record.notice, app.notice());
    record.notice = NoticeHash([0; 32]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&record).unwrap(), @r#"
    {
      "version": 1,
      "id": "019aa7f0-1234-7abc-8def-000000000001",
      "site": "shop",
      "subject": "001122335818b042d98dd8941b64e48d",
      "revision": 1,
      "notice": "0000000000000000000000000000000000000000000000000000000000000000",
      "rule": "world",
      "language": "en",
      "event": "given",
      "method": "banner",
      "choice": {
        "performance": true,
        "functional": false,
        "targeting": true
      },
      "asked": true,
      "gpc": false,
      "dnt": false,
      "previous": null,
      "decided_at_ms": 1795291199000,
      "received_at_ms": 1795291200000,
      "expires_at_ms": 1810843199000,
      "salt": "af5570f5a1810b7af78caf4bc70a660f"
    }
    "#);

    let path = format!("{RECORDS}/{}", id_of(1));
    let read = app
        .get(&path)
        .header("authorization", &format!("Bearer {KEY}"))
        .empty()
        .await;
    assert_eq!(read.status, 200);
    assert_eq!(read.json()["receipt"], receipt);
    assert_eq!(read.json()["record"]["id"], id_of(1).to_string());
}

#[tokio::test]
async fn exceptions_are_stored_where_the_notice_offers_them() {
    let app = TestApp::new().await;
    let with = |app: &TestApp, id, revision: u32, services| {
        let mut submission = app.submission(id);
        submission["revision"] = json!(revision);
        submission["services"] = services;
        submission
    };
    let refused = app.submit(&with(&app, 1, 1, json!({ "ads": false }))).await;
    insta::assert_snapshot!(refused.line(), @r#"422 {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"names a service that the notice does not offer","field":"services"}"#);

    let mut config = super::shop();
    config.service_choice = true;
    app.store
        .publish_revision(super::ORGANISATION, &config, NOW_MS)
        .await
        .unwrap();
    app.app.published.refresh(app.store.as_ref()).await.unwrap();
    let same = app.submit(&with(&app, 1, 2, json!({ "ads": true }))).await;
    insta::assert_snapshot!(same.line(), @r#"422 {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"must differ from the category's answer","field":"services"}"#);
    let unknown = app.submit(&with(&app, 1, 2, json!({ "assent": false }))).await;
    assert_eq!(unknown.json()["field"], "services");
    let wrong = app.submit(&with(&app, 1, 2, json!({ "ads": "no" }))).await;
    assert_eq!(wrong.status, 422);

    let mut accepted = with(&app, 1, 2, json!({ "ads": false }));
    accepted["choice"]["functional"] = json!(true);
    assert_eq!(app.submit(&accepted).await.status, 201);
    let own = format!("Bearer {KEY}");
    let path = format!("{RECORDS}/{}", id_of(1));
    let read = app.get(&path).header("authorization", &own).empty().await.json();
    assert_eq!(read["record"]["services"], json!({ "ads": false }));
    let payload = read["receipt"].as_str().unwrap().split('.').nth(1).unwrap();
    let payload: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    assert_eq!(payload, read["record"]);
    let choice = app.get("/v1/sites/shop/choice").header("authorization", &own);
    assert_eq!(
        choice.empty().await.json()["codes"],
        json!(assent_consent::site::code("ads"))
    );
    insta::assert_snapshot!(app.counted().await, @"mixed 1, performance 1, functional 1, targeting 1");
}

#[tokio::test]
async fn only_the_subject_reads_a_record() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    let path = format!("{RECORDS}/{}", id_of(1));
    let other = format!("Bearer {OTHER_KEY}");
    insta::assert_snapshot!(app.get(&path).header("authorization", &other).empty().await.line(), @r#"404 {"type":"about:blank","title":"Not Found","status":404,"detail":"This subject has no record with this id."}"#);
    insta::assert_snapshot!(app.get(&path).empty().await.line(), @r#"401 {"type":"about:blank","title":"Unauthorized","status":401,"detail":"The Authorization header must be `Bearer` with a subject key of 32 lower-case hexadecimal digits."}"#);
    let none = format!("{RECORDS}/{}", id_of(2));
    let own = format!("Bearer {KEY}");
    assert_eq!(
        app.get(&none).header("authorization", &own).empty().await.status,
        404
    );
    assert_eq!(
        app.get("/v1/sites/shop/records/x")
            .header("authorization", &own)
            .empty()
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn the_same_id_twice_is_one_record() {
    let app = TestApp::new().await;
    let first = app.submit(&app.submission(1)).await;
    app.clock.advance(60_000);
    let mut changed = app.submission(1);
    changed["choice"]["targeting"] = false.into();
    let second = app.submit(&changed).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
    assert_eq!(first.body, second.body);
    assert_eq!(app.stored(KEY).await, 1);
    assert_eq!(app.counted().await, "mixed 1, performance 1, targeting 1");

    let mut foreign = app.submission(1);
    foreign["key"] = OTHER_KEY.into();
    insta::assert_snapshot!(app.submit(&foreign).await.line(), @r#"409 {"type":"about:blank","title":"Conflict","status":409,"detail":"belongs to another record, or to one that was erased","field":"id"}"#);
    assert_eq!(app.stored(OTHER_KEY).await, 0);
}

#[tokio::test]
async fn records_at_the_same_time_are_all_answered() {
    let app = TestApp::new().await;
    let submissions: Vec<Value> = (1..=60).map(|id| app.submission(id)).collect();
    let calls = submissions.iter().map(|submission| app.submit(submission));
    let mut set = Vec::new();
    for call in calls {
        set.push(Box::pin(call));
    }
    let mut created = 0;
    for answer in futures_join(set).await {
        created += u32::from(answer.status == 201);
    }
    assert_eq!(created, 60);
    assert_eq!(app.stored(KEY).await, 60);
}

/// Polls all until all are done.
async fn futures_join<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| match std::pin::Pin::new(future).poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if futures.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}

#[tokio::test]
async fn bad_fields_are_named_and_nothing_is_stored() {
    let app = TestApp::new().await;
    let mut lines = Vec::new();
    let changes: [(&str, Value); 16] = [
        ("id", json!("not-a-uuid")),
        ("id", json!("019aa7f0-1234-4abc-8def-0123456789ab")),
        ("key", json!("ABC")),
        ("key", json!(7)),
        ("revision", json!(2)),
        ("revision", json!(-1)),
        ("revision", json!("1")),
        ("notice", json!("0".repeat(64))),
        ("notice", json!("zz")),
        ("method", json!("telepathy")),
        (
            "choice",
            json!({ "performance": true, "functional": true, "targeting": true, "extra": true }),
        ),
        (
            "choice",
            json!({ "performance": "yes", "functional": true, "targeting": true }),
        ),
        ("choice", json!(null)),
        ("decided_at_ms", json!(NOW_MS + 25 * 3_600_000)),
        ("decided_at_ms", json!(NOW_MS - AGE_MS_MAX - 1)),
        ("previous", json!(id_of(1))),
    ];
    for (field, value) in changes {
        let mut submission = app.submission(1);
        submission[field] = value;
        let answer = app.submit(&submission).await;
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        lines.push(format!(
            "{} {}: {}",
            answer.status.as_u16(),
            problem["field"].as_str().unwrap_or_default(),
            problem["detail"].as_str().unwrap()
        ));
    }
    let mut missing = app.submission(1);
    missing.as_object_mut().unwrap().remove("asked");
    lines.push(app.submit(&missing).await.line());
    let mut unknown = app.submission(1);
    unknown["surprise"] = 1.into();
    lines.push(app.submit(&unknown).await.line());
    insta::assert_snapshot!(lines.join("\n"), @r#"
    422 id: UUID parsing failed: invalid character: found `n` at 0 at line 1 column 151
    422 id: must be a UUID of version 7
    422 key: must be 32 lower-case hexadecimal digits
    422 key: invalid type: integer `7`, expected a string at line 1 column 185
    422 notice: was not shown under this revision of the site
    422 revision: invalid value: integer `-1`, expected u32 at line 1 column 342
    422 revision: invalid type: string "1", expected u32 at line 1 column 343
    422 notice: was not shown under this revision of the site
    422 notice: a notice hash is 64 lower-case hexadecimal digits at line 1 column 250
    422 method: unknown variant `telepathy`, expected one of `banner`, `dialog`, `center`, `api`, `embed` at line 1 column 239
    422 choice.extra: unknown field `extra`, expected one of `performance`, `functional`, `targeting` at line 1 column 31
    422 choice.performance: invalid type: string "yes", expected a boolean at line 1 column 61
    422 choice: invalid type: null, expected struct Choice at line 1 column 27
    422 decided_at_ms: is more than a day ahead of the server's clock
    422 decided_at_ms: is more than 395 days ago
    422 previous: must be another record's id
    422 {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"missing field `asked` at line 1 column 329","field":"asked"}
    422 {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"unknown field `surprise`, expected one of `id`, `key`, `revision`, `notice`, `method`, `choice`, `services`, `asked`, `gpc`, `dnt`, `previous`, `decided_at_ms` at line 1 column 352","field":"surprise"}
    "#);
    assert_eq!(app.stored(KEY).await, 0);
    assert_eq!(app.counted().await, "");
}

#[tokio::test]
async fn bad_requests_are_explained_and_nothing_is_stored() {
    let app = TestApp::new().await;
    let good = app.submission(1).to_string();
    let post = |path: &str| app.post(path);
    let from_shop = |path: &str| post(path).header("origin", SHOP);
    let answers = [
        (
            "unknown site",
            from_shop("/v1/sites/other/records").text(good.clone()).await,
        ),
        (
            "foreign origin",
            post(RECORDS)
                .header("origin", "https://evil.example")
                .text(good.clone())
                .await,
        ),
        (
            "opaque origin",
            post(RECORDS).header("origin", "null").text(good.clone()).await,
        ),
        ("no origin", post(RECORDS).text(good.clone()).await),
        ("not JSON", from_shop(RECORDS).text("{".to_owned()).await),
        ("empty", from_shop(RECORDS).text(String::new()).await),
        ("not an object", from_shop(RECORDS).text("[]".to_owned()).await),
        (
            "not UTF-8",
            from_shop(RECORDS)
                .header("content-type", "text/plain")
                .send(vec![b'"', 0xff, b'"'])
                .await,
        ),
        (
            "another type",
            from_shop(RECORDS)
                .header("content-type", "text/html")
                .send(good.clone())
                .await,
        ),
        ("no type", from_shop(RECORDS).send(good.clone()).await),
        (
            "too large",
            from_shop(RECORDS).text(" ".repeat(16 * 1024 + 1)).await,
        ),
        (
            "too large as announced",
            from_shop(RECORDS)
                .header("content-length", "99999")
                .text(good.clone())
                .await,
        ),
        ("deeply nested", from_shop(RECORDS).text("[".repeat(16_000)).await),
    ];
    let lines = answers.iter().map(|(case, answer)| {
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{case}"
        );
        format!("{case}: {} {}", answer.status.as_u16(), answer.json()["detail"])
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    unknown site: 404 "There is no site with this id."
    foreign origin: 403 "This origin is not one of the site's. Add it to `origins` in the site's configuration."
    opaque origin: 403 "This origin is not one of the site's. Add it to `origins` in the site's configuration."
    no origin: 403 "The Origin header is missing; browsers send it with every such request."
    not JSON: 400 "The body is not JSON: EOF while parsing an object at line 1 column 1."
    empty: 400 "The body is not JSON: EOF while parsing a value at line 1 column 0."
    not an object: 422 "The body must be a JSON object."
    not UTF-8: 422 "The body must be a JSON object."
    another type: 415 "The content type must be text/plain or application/json."
    no type: 415 "The content type must be text/plain or application/json."
    too large: 413 "The body is larger than 16,384 bytes."
    too large as announced: 413 "The body is larger than 16,384 bytes."
    deeply nested: 422 "The body must be a JSON object."
    "#);
    assert_eq!(app.stored(KEY).await, 0);
    assert_eq!(
        app.post(RECORDS)
            .header("origin", SHOP)
            .header("content-type", "application/json")
            .send(good)
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn only_the_sites_origins_may_read_answers() {
    let app = TestApp::new().await;
    let preflight = async |origin: &str| {
        let answer = Call::new(&app, Method::OPTIONS, "/v1/sites/shop/choice")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization")
            .empty()
            .await;
        answer.head()
    };
    insta::assert_snapshot!(preflight("https://www.shop.example").await, @r#"
    204 No Content
    access-control-allow-headers: authorization, content-type
    access-control-allow-methods: GET, POST
    access-control-allow-origin: https://www.shop.example
    access-control-max-age: 7200
    allow: GET,HEAD
    vary: origin
    "#);
    insta::assert_snapshot!(preflight("https://evil.example").await, @r#"
    204 No Content
    allow: GET,HEAD
    vary: origin
    "#);
    let refused = app
        .post(RECORDS)
        .header("origin", "https://evil.example")
        .text(String::new())
        .await;
    assert_eq!(refused.header("access-control-allow-origin"), "");
    let own = app.submit(&app.submission(1)).await;
    assert_eq!(own.header("access-control-allow-origin"), SHOP);
}

#[tokio::test]
async fn a_full_queue_is_said_at_once() {
    let app = TestApp::with(|app| app.queue = TestApp::full_queue()).await;
    let answer = app.submit(&app.submission(1)).await;
    assert_eq!(answer.header("retry-after"), "2");
    insta::assert_snapshot!(answer.line(), @r#"503 {"type":"about:blank","title":"Service Unavailable","status":503,"detail":"The server cannot store anything at the moment. Try again soon."}"#);
    assert_eq!(app.stored(KEY).await, 0);
}

#[tokio::test]
async fn a_broken_store_is_not_the_clients_business() {
    let app = TestApp::new().await;
    app.store.close().await;
    let answer = app.submit(&app.submission(1)).await;
    insta::assert_snapshot!(answer.line(), @r#"503 {"type":"about:blank","title":"Service Unavailable","status":503,"detail":"The server cannot store anything at the moment. Try again soon."}"#);
    assert_eq!(app.get("/health").empty().await.status, 503);
}

#[tokio::test]
async fn too_many_records_from_one_address_are_refused() {
    let app = TestApp::with(|app| {
        app.limits = Limits::new(&LimitConfig {
            records_per_minute: 2,
            ..LimitConfig::default()
        });
    })
    .await;
    assert_eq!(app.submit(&app.submission(1)).await.status, 201);
    assert_eq!(app.submit(&app.submission(2)).await.status, 201);
    let answer = app.submit(&app.submission(3)).await;
    assert!(
        answer
            .header("retry-after")
            .parse::<u64>()
            .is_ok_and(|wait_s| wait_s <= 31)
    );
    insta::assert_snapshot!(answer.line(), @r#"429 {"type":"about:blank","title":"Too Many Requests","status":429,"detail":"Too many requests from this address. Try again later."}"#);
}

#[tokio::test]
async fn outcomes_and_impressions_are_counted() {
    let app = TestApp::new().await;
    let event = json!({ "event": "shown", "revision": 1, "notice": app.notice() });
    let send = |body: Value| {
        app.post("/v1/sites/shop/events")
            .header("origin", SHOP)
            .text(body.to_string())
    };
    for _ in 0..3 {
        assert_eq!(send(event.clone()).await.status, 204);
    }
    let choices = [
        (true, true, true, true),
        (false, false, false, true),
        (true, false, false, true),
        (true, true, true, false),
    ];
    for (id, (performance, functional, targeting, asked)) in choices.into_iter().enumerate() {
        let mut submission = app.submission(id as u128);
        submission["choice"] =
            json!({ "performance": performance, "functional": functional, "targeting": targeting });
        submission["asked"] = asked.into();
        assert_eq!(app.submit(&submission).await.status, 201);
    }
    insta::assert_snapshot!(app.counted().await, @"shown 3, accepted_all 1, rejected_all 1, mixed 1, performance 2, functional 1, targeting 1, changed 1");
    let mut bad = event.clone();
    bad["event"] = "clicked".into();
    insta::assert_snapshot!(send(bad).await.line(), @r#"422 {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"unknown variant `clicked`, expected `shown` at line 1 column 18","field":"event"}"#);
    let mut bad = event;
    bad["revision"] = 9.into();
    insta::assert_snapshot!(send(bad).await.line(), @r#"422 {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"was not shown under this revision of the site","field":"notice"}"#);
}
