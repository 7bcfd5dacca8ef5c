use assent_store::{OrganisationId, Owner};
use uuid::Uuid;

use super::{Answer, NOW_MS, ORGANISATION, TestApp, shop};
use crate::{app::App, auth, config::LimitConfig, limits::Limits};

const PASSWORD: &str = "correct+horse+battery";

async fn owner(app: &TestApp) -> Owner {
    app.store
        .ensure_owner(ORGANISATION, Uuid::from_u128(2), "owner@localhost")
        .await
        .unwrap()
}

async fn set_password(app: &TestApp, token: &str, password: &str, repeated: &str) -> Answer {
    let body = format!("token={token}&password={password}&repeated={repeated}");
    app.post("/console/password").form(&body).await
}

async fn sign_in(app: &TestApp, email: &str, password: &str) -> Answer {
    let body = format!("email={email}&password={password}");
    app.post("/console/sign-in").form(&body).await
}

/// The token of a fresh one-time link.
async fn link_token(app: &TestApp, owner: &Owner) -> String {
    let App {
        store, random, clock, ..
    } = app.app.as_ref();
    auth::sign_in_token(store.as_ref(), random.as_ref(), clock.as_ref(), owner.id)
        .await
        .unwrap()
}

/// The owner, signed in by the link; returns the cookie.
pub(super) async fn signed_in(app: &TestApp) -> String {
    let owner = owner(app).await;
    let token = link_token(app, &owner).await;
    set_password(app, &token, PASSWORD, PASSWORD).await.cookie()
}

#[tokio::test]
async fn a_new_link_replaces_a_forgotten_password() {
    let app = TestApp::new().await;
    signed_in(&app).await;
    let token = link_token(&app, &owner(&app).await).await;
    assert_eq!(
        set_password(&app, &token, "another+password", "another+password")
            .await
            .status,
        303
    );
    assert_eq!(sign_in(&app, "owner@localhost", PASSWORD).await.status, 401);
    assert_eq!(
        sign_in(&app, "owner@localhost", "another+password").await.status,
        303
    );
}

#[tokio::test]
async fn a_link_leads_to_a_password_and_works_once() {
    let app = TestApp::new().await;
    let owner = owner(&app).await;
    let token = link_token(&app, &owner).await;
    let link = format!("/console/link?t={token}");
    for _ in 0..2 {
        let page = app.get(&link).empty().await;
        assert_eq!(page.status, 200);
        assert!(page.text().contains("owner@localhost"));
    }
    assert_eq!(set_password(&app, &token, "short", "short").await.status, 422);
    assert_eq!(
        set_password(&app, &token, PASSWORD, "another+password")
            .await
            .status,
        422
    );
    let done = set_password(&app, &token, PASSWORD, PASSWORD).await;
    insta::assert_snapshot!(done.head(), @r#"
    303 See Other
    cache-control: no-store
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    cross-origin-opener-policy: same-origin
    location: /console
    referrer-policy: same-origin
    set-cookie: __Host-assent=cd2662154e6d76b2b2b92e70c0cac3ccf534f9b74eb5b89819ec509083d00a50; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure
    x-content-type-options: nosniff
    "#);
    assert_eq!(set_password(&app, &token, PASSWORD, PASSWORD).await.status, 410);
    assert_eq!(app.get(&link).empty().await.status, 410);
    let stored = app
        .store
        .owner(owner.id)
        .await
        .unwrap()
        .unwrap()
        .password_hash
        .unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
}

#[tokio::test]
async fn passwords_sign_in_and_wrong_ones_do_not() {
    let app = TestApp::new().await;
    signed_in(&app).await;
    let right = sign_in(&app, "Owner@localhost", "correct%2Bhorse%2Bbattery").await;
    // A plus in a form is a space.
    assert_eq!(right.status, 401);
    let right = sign_in(&app, "Owner@localhost", PASSWORD).await;
    assert_eq!(right.status, 303);
    for (email, password) in [
        ("owner@localhost", "wrong"),
        ("nobody@localhost", PASSWORD),
        ("", ""),
    ] {
        let wrong = sign_in(&app, email, password).await;
        assert_eq!(wrong.status, 401);
        assert_eq!(wrong.header("set-cookie"), "");
        assert!(wrong.text().contains("Email or password is wrong."));
    }
}

#[tokio::test]
async fn attempts_to_sign_in_are_limited() {
    let app = TestApp::with(|app| {
        app.limits = Limits::new(&LimitConfig {
            sign_ins_per_minute: 2,
            ..LimitConfig::default()
        });
    })
    .await;
    for expected in [401, 401, 429] {
        assert_eq!(sign_in(&app, "owner@localhost", "guess").await.status, expected);
    }
}

#[tokio::test]
async fn forms_need_the_servers_origin_and_the_sessions_token() {
    let app = TestApp::new().await;
    let cookie = signed_in(&app).await;
    let session = cookie.split_once('=').unwrap().1;
    let sign_out = async |csrf: &str| {
        let call = app.post("/console/sign-out").header("cookie", &cookie);
        call.form(&format!("csrf={csrf}")).await
    };
    insta::assert_snapshot!(sign_out("wrong").await.line(), @r#"403 {"type":"about:blank","title":"Forbidden","status":403,"detail":"does not belong to this session","field":"csrf"}"#);
    assert_eq!(
        app.get("/console").header("cookie", &cookie).empty().await.status,
        303
    );
    let foreign = app
        .post("/console/sign-in")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "https://evil.example")
        .send(format!("email=owner@localhost&password={PASSWORD}"))
        .await;
    assert_eq!(foreign.status, 403);
    assert_eq!(sign_out(&auth::csrf_token(session)).await.status, 303);
    let after = app.get("/console").header("cookie", &cookie).empty().await;
    assert!(after.text().contains("Sign in"));
}

#[tokio::test]
async fn sessions_end_after_twelve_hours() {
    let app = TestApp::new().await;
    let cookie = signed_in(&app).await;
    let page = async || {
        app.get("/console/sites/shop")
            .header("cookie", &cookie)
            .empty()
            .await
            .status
    };
    assert_eq!(page().await, 200);
    app.clock.advance(12 * 3_600_000 + 1);
    assert_eq!(page().await, 303);
}

#[tokio::test]
async fn rates_show_what_was_counted() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    let cookie = signed_in(&app).await;
    let home = app.get("/console").header("cookie", &cookie).empty().await;
    assert_eq!(home.header("location"), "/console/sites/shop");
    let page = app
        .get("/console/sites/shop?days=7")
        .header("cookie", &cookie)
        .empty()
        .await;
    insta::assert_snapshot!(page.head(), @r#"
    200 OK
    cache-control: no-store
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: text/html; charset=utf-8
    cross-origin-opener-policy: same-origin
    referrer-policy: same-origin
    x-content-type-options: nosniff
    "#);
    assert!(page.text().contains("The Shop"));
    assert!(page.text().contains("1 of 1 decided"), "{}", page.text());
    // Nobody has counted the banner, but who decided was asked.
    assert!(page.text().contains("1 of 1 shown"), "{}", page.text());
}

#[tokio::test]
async fn an_owner_sees_no_other_organisations_sites() {
    let app = TestApp::new().await;
    let stranger = OrganisationId(Uuid::from_u128(99));
    app.store.ensure_organisation(stranger, "Stranger").await.unwrap();
    let mut config = shop();
    "secret".clone_into(&mut config.id);
    "Secret Site".clone_into(&mut config.name);
    app.store
        .publish_revision(stranger, &config, NOW_MS)
        .await
        .unwrap();
    let cookie = signed_in(&app).await;
    let own = app
        .get("/console/sites/shop")
        .header("cookie", &cookie)
        .empty()
        .await;
    assert!(!own.text().contains("Secret Site"));
    let foreign = app
        .get("/console/sites/secret")
        .header("cookie", &cookie)
        .empty()
        .await;
    let none = app
        .get("/console/sites/nothing")
        .header("cookie", &cookie)
        .empty()
        .await;
    assert_eq!(foreign.status, 404);
    assert_eq!(foreign.body, none.body);
    assert_eq!(app.get("/console/sites/shop").empty().await.status, 303);
}

#[tokio::test]
async fn what_visitors_were_shown_is_listed_for_its_owner() {
    let app = TestApp::new().await;
    let cookie = signed_in(&app).await;
    let address = "/console/sites/shop/notices";
    let page = app.get(address).header("cookie", &cookie).empty().await;
    assert_eq!(page.status, 200);
    let replay = format!("/v1/sites/shop/notices/{}/replay", app.notice());
    assert!(page.text().contains(&format!("href=\"{replay}\"")));
    assert_eq!(
        page.text().matches("/replay\"").count(),
        4,
        "two rules in two languages"
    );
    assert_eq!(app.get(address).empty().await.header("location"), "/console");
    let other = app.get("/console/sites/other/notices").header("cookie", &cookie);
    assert_eq!(other.empty().await.status, 404);
}
