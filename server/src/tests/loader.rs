use std::io::Read as _;

use assent_consent::{
    Category,
    site::{Blocking, BlockingMode, ItemKind, SiteConfig},
};
use serde_json::{Value, json};

use super::{SHOP, TestApp, shop};
use crate::{
    embedded::{ASSETS_HASH, asset_text},
    publish::loader::preview,
};

fn settings(loader: &str) -> Value {
    let (_, script) = loader.rsplit_once("})({").unwrap();
    let (script, _) = script.split_once(",g:").unwrap();
    serde_json::from_str(&json(&format!("{{{script}}}"))).unwrap()
}

/// JSON of an object as the loader writes it: bare names, single quotes.
fn json(script: &str) -> String {
    let mut json = String::new();
    let mut quoted = false;
    let mut rest = script.chars();
    while let Some(character) = rest.next() {
        match (quoted, character) {
            (_, '\'') => {
                quoted = !quoted;
                json.push('"');
            }
            (true, '\\') => match rest.next().unwrap() {
                '\'' => json.push('\''),
                escaped => json.extend(['\\', escaped]),
            },
            (true, '"') => json.push_str("\\\""),
            (false, 'a'..='z') if json.ends_with(['{', ',']) => {
                let name: String = rest.by_ref().take_while(|next| *next != ':').collect();
                json.extend(["\"", character.encode_utf8(&mut [0; 4]), &name, "\":"]);
            }
            _ => json.push(character),
        }
    }
    json
}

#[test]
fn texts_may_hold_any_character() {
    let awkward = "it's \"so\" \\ \\' \u{2028}\n</script> ${x} `";
    let mut config = shop();
    config
        .texts
        .insert("en".into(), [("privacy_settings".into(), awkward.into())].into());
    let loader = preview(&config, None).unwrap();
    assert_eq!(settings(&loader)["p"], awkward);
    assert!(!loader.contains("</script"));
}

#[tokio::test]
async fn the_loader_has_the_headers_that_caches_need() {
    let app = TestApp::new().await;
    let answer = app
        .get("/s/shop.js")
        .header("accept-encoding", "gzip, br")
        .empty()
        .await;
    let tag = answer.header("etag").to_owned();
    insta::assert_snapshot!(answer.head().replace(&tag, "TAG"), @r#"
    200 OK
    access-control-allow-origin: *
    cache-control: public, max-age=300, stale-while-revalidate=86400
    content-encoding: br
    content-type: text/javascript; charset=utf-8
    cross-origin-resource-policy: cross-origin
    etag: TAG
    vary: accept-encoding, accept-language, sec-gpc, dnt
    x-content-type-options: nosniff
    "#);
    let again = app
        .get("/s/shop.js")
        .header("accept-encoding", "gzip, br")
        .header("if-none-match", &format!("\"other\", W/{tag}"))
        .empty()
        .await;
    assert!(again.body.is_empty());
    insta::assert_snapshot!(again.head().replace(&tag, "TAG"), @r#"
    304 Not Modified
    access-control-allow-origin: *
    cache-control: public, max-age=300, stale-while-revalidate=86400
    cross-origin-resource-policy: cross-origin
    etag: TAG
    vary: accept-encoding, accept-language, sec-gpc, dnt
    "#);
    // A strong tag is the tag of one encoding.
    let plain = app.get("/s/shop.js").header("if-none-match", &tag).empty().await;
    assert_eq!(plain.status, 200);
    assert_ne!(plain.header("etag"), tag);
}

#[tokio::test]
async fn every_encoding_holds_the_same() {
    let app = TestApp::new().await;
    let plain = app.get("/s/shop.js").empty().await;
    let gzip = app
        .get("/s/shop.js")
        .header("accept-encoding", "gzip")
        .empty()
        .await;
    let brotli = app
        .get("/s/shop.js")
        .header("accept-encoding", "br")
        .empty()
        .await;
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(gzip.header("content-encoding"), "gzip");
    assert_eq!(brotli.header("content-encoding"), "br");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&gzip.body[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain.body);
    unpacked.clear();
    brotli::Decompressor::new(&brotli.body[..], 4096)
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain.body);
}

#[tokio::test]
async fn the_language_is_negotiated_or_asked_for() {
    let app = TestApp::new().await;
    let language = async |path: &str, accept: &str| {
        let answer = app.get(path).header("accept-language", accept).empty().await;
        settings(answer.text())["l"].as_str().unwrap().to_owned()
    };
    assert_eq!(language("/s/shop.js", "de-AT,de;q=0.9,en;q=0.8").await, "de");
    assert_eq!(language("/s/shop.js", "fr, en;q=0.1").await, "en");
    assert_eq!(language("/s/shop.js?lang=de", "en").await, "de");
    assert_eq!(language("/s/shop.js?lang=xx", "de").await, "de");
}

#[tokio::test]
async fn the_loader_carries_the_site() {
    let app = TestApp::new().await;
    let answer = app.get("/s/shop.js").empty().await;
    let text = answer.text();
    assert!(!text.to_lowercase().contains("</script"));
    let mut settings = settings(text);
    assert_eq!(settings["n"], app.notice().to_string());
    assert_eq!(settings["a"], format!("/a/{}/", *ASSETS_HASH));
    for name in ["n", "a", "h", "y"] {
        settings.as_object_mut().unwrap().remove(name);
    }
    insta::assert_snapshot!(settings, @r#"{"b":"3ads.example/*","c":"3_ads*","d":1,"e":180,"i":4113,"l":"en","m":0,"p":"Privacy settings","q":1,"r":1,"s":"shop","t":"","v":1,"x":1}"#);
    for path in ["/s/other.js", "/s/shop", "/s/.js"] {
        assert_eq!(app.get(path).empty().await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn automatic_blocking_stands_in_the_loaders_of_those_who_want_it() {
    let app = TestApp::new().await;
    let plain = app.get("/s/shop.js").empty().await;
    assert!(!plain.text().contains("rules.js"));
    let mut config = shop();
    config.blocking = Blocking {
        mode: BlockingMode::Enforce,
        hold_unknown: true,
        allow: vec!["cdn.example".to_owned()],
    };
    app.store
        .publish_revision(super::ORGANISATION, &config, super::NOW_MS)
        .await
        .unwrap();
    app.app.published.refresh(app.store.as_ref()).await.unwrap();
    let answer = app.get("/s/shop.js").empty().await;
    assert!(answer.text().contains("rules.js"));
    insta::assert_snapshot!(settings(answer.text())["wall"], @r#"{"enforce":true,"own":"cdn.example shop.example","unknown":true}"#);
    let rules = app.get(&format!("/a/{}/rules.js", *ASSETS_HASH)).empty().await;
    assert!(rules.text().contains(" hotjar.com "));
}

#[tokio::test]
async fn the_loader_says_what_of_the_late_parts_the_site_may_need() {
    let late = |change: fn(&mut SiteConfig)| {
        let mut config = shop();
        change(&mut config);
        let settings = settings(&preview(&config, None).unwrap());
        (settings["x"].clone(), settings["u"].clone())
    };
    assert_eq!(late(|_| ()), (json!(1), Value::Null));
    assert_eq!(
        late(|config| config.placeholders = false),
        (Value::Null, Value::Null),
        "nothing is not said"
    );
    let stored = late(|config| {
        for service in &mut config.services {
            service.items[0].kind = ItemKind::CacheStorage;
        }
    });
    assert_eq!(stored, (json!(3), json!(["", "3_ads*", ""])));
}

#[test]
fn reloading_is_for_those_who_ask_for_it() {
    let mut config = shop();
    let part = asset_text("reload.js").trim_end();
    assert!(!preview(&config, None).unwrap().contains(part));
    config.reload_on_withdrawal = true;
    assert!(preview(&config, None).unwrap().contains(part));
}

#[test]
fn what_turbo_needs_is_for_those_who_have_it() {
    let mut config = shop();
    let part = asset_text("turbo.js").trim_end();
    assert!(!preview(&config, None).unwrap().contains(part));
    config.turbo = true;
    assert!(preview(&config, None).unwrap().contains(part));
}

#[test]
fn trusted_types_are_for_those_who_ask_for_them() {
    let mut config = shop();
    let part = asset_text("trusted-types.js").trim_end();
    assert!(!preview(&config, None).unwrap().contains(part));
    config.trusted_types = true;
    assert!(preview(&config, None).unwrap().contains(part));
}

#[test]
fn what_a_choice_per_service_needs_is_for_those_who_offer_it() {
    let mut config = shop();
    let loader = preview(&config, None).unwrap();
    assert!(!loader.contains(asset_text("services.js").trim_end()));
    assert_eq!(settings(&loader)["o"], Value::Null);
    config.service_choice = true;
    let mut basket = config.services[0].clone();
    basket.id = "basket".to_owned();
    basket.category = Category::Necessary;
    basket.items[0].name = "basket".to_owned();
    config.services.insert(0, basket);
    let loader = preview(&config, None).unwrap();
    assert!(loader.contains(asset_text("services.js").trim_end()));
    let code = config.services[1].code();
    assert_eq!(settings(&loader)["o"], format!(" 3{code}"));
    assert_eq!(settings(&loader)["services"], "ads basket");
    assert_eq!(settings(&loader)["c"], "4_ads*");
    assert_eq!(settings(&loader)["b"], "4ads.example/*");
}

#[tokio::test]
async fn the_country_counts_only_from_a_trusted_proxy() {
    let header = axum::http::HeaderName::from_static("cf-ipcountry");
    let behind = TestApp::with(|app| {
        app.trusted_proxies = vec!["192.0.2.7".parse().unwrap()];
        app.country_header = Some(header.clone());
    })
    .await;
    let answer = behind
        .get("/s/shop.js")
        .header("cf-ipcountry", "US")
        .empty()
        .await;
    assert_eq!(settings(answer.text())["m"], 1);
    assert_eq!(settings(answer.text())["d"], 15);
    assert_eq!(
        answer.header("vary"),
        "accept-encoding, accept-language, cf-ipcountry, sec-gpc, dnt"
    );
    let open = TestApp::with(|app| app.country_header = Some(header)).await;
    let answer = open.get("/s/shop.js").header("cf-ipcountry", "US").empty().await;
    assert_eq!(settings(answer.text())["m"], 0);
}

#[tokio::test]
async fn who_objects_by_a_header_is_granted_no_targeting_without_a_choice() {
    let app = TestApp::new().await;
    let loader = |name: &'static str| {
        let call = app.get("/s/shop.js");
        async move { call.header(name, "1").empty().await }
    };
    for (rule, vary) in [
        // Nothing is granted without a choice, and caches may keep one answer for all.
        (1, "accept-encoding, accept-language"),
        (0, "accept-encoding, accept-language, sec-gpc, dnt"),
    ] {
        let mut config = shop();
        config.rules = vec![config.rules[rule].clone()];
        config.rules[0].regions = vec!["*".to_owned()];
        app.store
            .publish_revision(super::ORGANISATION, &config, super::NOW_MS)
            .await
            .unwrap();
        app.app.published.refresh(app.store.as_ref()).await.unwrap();
        assert_eq!(loader("accept").await.header("vary"), vary);
    }
    for (name, granted) in [("sec-gpc", 7), ("dnt", 15), ("accept", 15)] {
        assert_eq!(settings(loader(name).await.text())["d"], granted, "{name}");
    }
}

#[tokio::test]
async fn parts_stand_in_the_loaders_of_sites_that_ask_for_them() {
    let app = TestApp::new().await;
    for (number, marks, signals) in [(1, false, false), (2, true, false), (3, true, true)] {
        let mut config = shop();
        if marks {
            config.marks = serde_json::from_str(r#"{ "cookiebot": {} }"#).unwrap();
        }
        config.signals.clarity = signals;
        app.store
            .publish_revision(super::ORGANISATION, &config, super::NOW_MS)
            .await
            .unwrap();
        app.app.published.refresh(app.store.as_ref()).await.unwrap();
        let answer = app.get("/s/shop.js").empty().await;
        let settings = settings(answer.text());
        assert_eq!(settings["r"], number);
        for (name, asked) in [("marks", marks), ("signals", signals)] {
            let part = asset_text(&format!("{name}.js"));
            assert_eq!(answer.text().contains(part.trim_end()), asked, "{name}");
            assert_eq!(settings.get(name).is_some(), asked, "{name}");
        }
    }
}

#[tokio::test]
async fn a_new_revision_is_taken_up_and_the_old_notice_stays() {
    let app = TestApp::new().await;
    let old = app.notice();
    let mut config = shop();
    config.services[0].items[0].name = "_more".to_owned();
    app.store
        .publish_revision(super::ORGANISATION, &config, super::NOW_MS)
        .await
        .unwrap();
    app.app.published.refresh(app.store.as_ref()).await.unwrap();
    let settings = settings(app.get("/s/shop.js").empty().await.text());
    assert_eq!((&settings["r"], &settings["v"]), (&2.into(), &2.into()));
    assert_ne!(app.notice(), old);
    for hash in [old, app.notice()] {
        let answer = app.get(&format!("/v1/sites/shop/notices/{hash}")).empty().await;
        assert_eq!(answer.status, 200);
        let notice: assent_consent::notice::Notice = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(notice.hash(), hash);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
    // A visitor who still had the old page agreed to the old notice.
    let mut submission = app.submission(1);
    submission["notice"] = old.to_string().into();
    assert_eq!(app.submit(&submission).await.status, 201);
    submission["id"] = super::id_of(2).to_string().into();
    submission["revision"] = 2.into();
    assert_eq!(app.submit(&submission).await.status, 422);
}

#[tokio::test]
async fn notices_and_assets_that_are_not_there() {
    let app = TestApp::new().await;
    insta::assert_snapshot!(app.get("/v1/sites/shop/notices/00").empty().await.line(), @r#"404 {"type":"about:blank","title":"Not Found","status":404,"detail":"The site has no notice with this hash."}"#);
    let none = format!("/v1/sites/shop/notices/{}", "0".repeat(64));
    assert_eq!(app.get(&none).empty().await.status, 404);
    let older = app.get("/a/0000000000000000/dialog.js").empty().await;
    assert_eq!(
        (older.status.as_u16(), older.header("cache-control")),
        (200, "no-store")
    );
    let none = format!("/a/{}/none.js", *ASSETS_HASH);
    assert_eq!(app.get(&none).empty().await.status, 404);
    let path = format!("/a/{}/dialog.js", *ASSETS_HASH);
    let answer = app.get(&path).header("origin", SHOP).empty().await;
    insta::assert_snapshot!(answer.head(), @r#"
    200 OK
    access-control-allow-origin: *
    cache-control: public, max-age=31536000, immutable
    content-type: text/javascript; charset=utf-8
    cross-origin-resource-policy: cross-origin
    vary: accept-encoding
    x-content-type-options: nosniff
    "#);
}
