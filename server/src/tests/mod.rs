//! The server from outside: requests in, answers out, on a database of its own and with a clock that stands
//! still.

mod center;
mod console;
mod console_records;
mod exports;
mod faults;
mod handover;
mod ledger;
mod loader;
mod notices;
mod records;
mod retention;
mod rights;
mod third_parties;
mod verify;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use assent_consent::{notice::NoticeHash, receipt::ReceiptSigner, record::Subject, site::SiteConfig};
use assent_store::{OrganisationId, Store};
use assent_store_sqlite::SqliteStore;
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::{
    app::{App, AppState, router},
    append::{self, Appender, Queue},
    auth,
    clock::{Clock as _, FixedClock},
    config::LimitConfig,
    ledger::checkpoints::{self, Grown},
    limits::Limits,
    publish::Published,
    random::CountingRandom,
    witness::Witnessed,
};

const DATABASE: &str = "test.db";
const NOW_MS: i64 = 1_795_291_200_000;
const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(1));
const SHOP: &str = "https://shop.example";
const SERVER: &str = "https://consent.example";
const KEY: &str = "00112233445566778899aabbccddeeff";
const OTHER_KEY: &str = "ffeeddccbbaa99887766554433221100";

fn shop() -> SiteConfig {
    serde_json::from_value(json!({
        "id": "shop",
        "name": "The Shop",
        "controller": "Shop Ltd",
        "origins": [SHOP, "https://www.shop.example"],
        "policy_url": "https://shop.example/cookies",
        "languages": ["en", "de"],
        "rules": [
            { "id": "us", "regions": ["US"], "model": "opt-out", "on_by_default":
              ["performance", "functional", "targeting"], "expiry_days": 365 },
            { "id": "world", "regions": ["*"], "model": "opt-in", "expiry_days": 180 },
        ],
        "services": [{
            "id": "ads", "category": "targeting", "name": "Ads <b>", "provider": "Ads Inc", "purpose": "Advertising",
            "hosts": ["ads.example"],
            "items": [{ "name": "_ads*", "purpose": "Recognises you", "lifetime": "1 year" }],
        }],
    }))
    .unwrap()
}

/// A server in memory.
struct TestApp {
    app: AppState,
    router: Router,
    clock: Arc<FixedClock>,
    store: Arc<dyn Store>,
    appender: Mutex<Option<Appender>>,
    folder: tempfile::TempDir,
}

impl TestApp {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// With parts other than the usual ones.
    async fn with(change: impl FnOnce(&mut App)) -> Self {
        Self::on(|store| store, change).await
    }

    /// With another store around the usual one, too.
    async fn on(wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>, change: impl FnOnce(&mut App)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join(DATABASE)).await.unwrap();
        let store = wrap(Arc::new(store));
        store.ensure_organisation(ORGANISATION, "Test").await.unwrap();
        store
            .publish_revision(ORGANISATION, &shop(), NOW_MS)
            .await
            .unwrap();
        let clock = Arc::new(FixedClock::new(NOW_MS));
        let off = LimitConfig {
            records_per_minute: 0,
            events_per_minute: 0,
            handovers_per_minute: 0,
            sign_ins_per_minute: 0,
            proofs_per_minute: 0,
            queue_len: 100,
        };
        let (queue, appender) = append::start(Arc::clone(&store), off.queue_len, Grown::default());
        let signer = ReceiptSigner::new(&[7; 32]);
        let mut app = App {
            store: Arc::clone(&store),
            clock: clock.clone(),
            random: Arc::new(CountingRandom::default()),
            known_keys: vec![
                signer.verifying_key(),
                ReceiptSigner::new(&[6; 32]).verifying_key(),
            ],
            signer,
            queue,
            published: Published::new(SERVER.to_owned()),
            limits: Limits::new(&off),
            passwords: auth::Passwords::new(),
            trusted_proxies: Vec::new(),
            country_header: None,
            witnessed: Witnessed::default(),
            origin: SERVER.to_owned(),
            demo: false,
        };
        change(&mut app);
        app.published.refresh(store.as_ref()).await.unwrap();
        let app = Arc::new(app);
        Self {
            router: router(Arc::clone(&app)),
            app,
            clock,
            store,
            appender: Mutex::new(Some(appender)),
            folder,
        }
    }

    fn get(&self, path: &str) -> Call<'_> {
        Call::new(self, Method::GET, path)
    }

    fn post(&self, path: &str) -> Call<'_> {
        Call::new(self, Method::POST, path)
    }

    /// The hash of what visitors in Europe are shown in English.
    fn notice(&self) -> NoticeHash {
        self.app
            .published
            .site("shop")
            .unwrap()
            .variant(1, 0)
            .unwrap()
            .hash
    }

    /// A submission that is fine.
    fn submission(&self, id: u128) -> Value {
        json!({
            "id": id_of(id),
            "key": KEY,
            "revision": 1,
            "notice": self.notice(),
            "method": "banner",
            "choice": { "performance": true, "functional": false, "targeting": true },
            "asked": true,
            "gpc": false,
            "dnt": false,
            "previous": null,
            "decided_at_ms": NOW_MS - 1_000,
        })
    }

    /// Posts a submission as the site's page does.
    async fn submit(&self, submission: &Value) -> Answer {
        self.post("/v1/sites/shop/records")
            .header("origin", SHOP)
            .text(submission.to_string())
            .await
    }

    /// Signs a checkpoint, as the job does from time to time.
    async fn sign(&self) {
        let signatory = self.app.signatory();
        checkpoints::sign(self.store.as_ref(), "shop", &signatory, self.clock.now_ms())
            .await
            .unwrap();
    }

    /// How many records a key has.
    async fn stored(&self, key: &str) -> usize {
        let subject = Subject::of_key(key).unwrap();
        self.store.history("shop", subject, 100).await.unwrap().len()
    }

    /// Everything that was counted today, in words.
    async fn counted(&self) -> String {
        let today = i32::try_from(self.clock.now_ms() / 86_400_000).unwrap();
        let rates = self
            .store
            .rates(ORGANISATION, "shop", today, today)
            .await
            .unwrap();
        let total = rates.total();
        let counts = assent_store::Measure::ALL
            .into_iter()
            .filter(|measure| total.get(*measure) > 0)
            .map(|measure| format!("{} {}", measure.id(), total.get(measure)));
        counts.collect::<Vec<_>>().join(", ")
    }

    /// A queue that is full for ever.
    fn full_queue() -> Queue {
        let (queue, receiver) = append::stuck(1);
        std::mem::forget(receiver);
        let count = assent_store::Count {
            site: "shop".to_owned(),
            hour: 0,
            revision: 1,
            rule: "world".to_owned(),
            language: "en".to_owned(),
            device: "desktop",
            measure: assent_store::Measure::Shown,
        };
        queue.count(count).unwrap();
        queue.third_parties(Vec::new()).unwrap();
        queue
    }
}

/// A UUID of version 7 that ends in a number.
fn id_of(number: u128) -> Uuid {
    Uuid::from_u128(0x019a_a7f0_1234_7abc_8def_0000_0000_0000 | number)
}

/// A request in the making.
struct Call<'a> {
    app: &'a TestApp,
    request: axum::http::request::Builder,
}

impl<'a> Call<'a> {
    fn new(app: &'a TestApp, method: Method, path: &str) -> Self {
        Self {
            app,
            request: Request::builder().method(method).uri(path),
        }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    async fn text(self, body: String) -> Answer {
        self.header("content-type", "text/plain;charset=UTF-8")
            .send(body)
            .await
    }

    /// Posts a form as a browser does from a page of the server.
    async fn form(self, body: &str) -> Answer {
        self.header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .send(body.to_owned())
            .await
    }

    async fn empty(self) -> Answer {
        self.send(String::new()).await
    }

    async fn send(self, body: impl Into<Body>) -> Answer {
        let mut request = self.request.body(body.into()).unwrap();
        let peer: SocketAddr = "192.0.2.7:1234".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = self.app.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: to_bytes(body, usize::MAX).await.unwrap(),
        }
    }
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and body, for snapshots.
    fn line(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.text())
    }

    /// Status and headers, for snapshots; the length depends on the build's assets.
    fn head(&self) -> String {
        let mut lines = vec![self.status.to_string()];
        for (name, value) in &self.headers {
            if name == header::CONTENT_LENGTH {
                continue;
            }
            lines.push(format!("{name}: {}", value.to_str().unwrap()));
        }
        lines[1..].sort();
        lines.join("\n")
    }

    /// The part of the first cookie that a browser sends back.
    fn cookie(&self) -> String {
        let cookie = self.header(header::SET_COOKIE.as_str());
        cookie.split(';').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn health_and_unknown_addresses() {
    let app = TestApp::new().await;
    insta::assert_snapshot!(app.get("/health").empty().await.line(), @r#"200 {"status":"ok"}"#);
    insta::assert_snapshot!(app.get("/nothing").empty().await.line(), @r#"404 {"type":"about:blank","title":"Not Found","status":404,"detail":"There is nothing at this address."}"#);
    // Without --demo there is no demo.
    assert_eq!(app.get("/demo/").empty().await.status, 404);
}

#[tokio::test]
async fn a_refused_origin_is_named_once_and_so_many_are() {
    let app = TestApp::new().await;
    let site = app.app.published.site("shop").unwrap();
    assert!(site.refuses_first_time("http://localhost:9000"));
    assert!(!site.refuses_first_time("http://localhost:9000"));
    assert!(!site.refuses_first_time("null"));
    assert!(!site.refuses_first_time(&format!("https://{}", "a".repeat(300))));
    let named = (0..100).filter(|number| site.refuses_first_time(&format!("https://{number}.example")));
    assert_eq!(named.count(), 19);
}
