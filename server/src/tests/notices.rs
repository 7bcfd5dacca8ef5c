use assent_consent::notice::Notice;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

use super::{NOW_MS, ORGANISATION, TestApp, shop};

impl TestApp {
    fn shown(&self) -> Notice {
        let site = self.app.published.site("shop").unwrap();
        site.variant(1, 0).unwrap().notice.clone()
    }
}

#[tokio::test]
async fn the_archive_gives_the_bytes_that_are_hashed() {
    let app = TestApp::new().await;
    let mut other = app.shown();
    other.texts.banner_title = "Once upon a time".to_owned();
    app.store
        .archive_notices("shop", 1, std::slice::from_ref(&other))
        .await
        .unwrap();
    for hash in [app.notice(), other.hash()] {
        let answer = app.get(&format!("/v1/sites/shop/notices/{hash}")).empty().await;
        assert_eq!(hex::encode(Sha256::digest(&answer.body)), hash.to_string());
        assert_eq!(
            answer.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
    }
}

#[tokio::test]
async fn a_notice_holds_what_it_was_shown_under() {
    let app = TestApp::new().await;
    let notice = app.shown();
    assert_eq!(
        (notice.regions.join(","), notice.expiry_days),
        ("*".to_owned(), 180)
    );
    let bases: Vec<_> = notice
        .categories
        .iter()
        .map(|category| serde_json::to_value(category.legal_basis).unwrap())
        .collect();
    assert_eq!(bases, ["necessary", "consent", "consent", "consent"]);
    let site = app.app.published.site("shop").unwrap();
    let american = &site.variant(0, 0).unwrap().notice;
    assert_eq!(
        serde_json::to_value(american.categories[3].legal_basis).unwrap(),
        "legitimate-interest"
    );
    // What stands in the switches before a choice.
    assert_eq!(notice.dialog_html.matches(" checked").count(), 0);
    assert_eq!(american.dialog_html.matches(" checked").count(), 3);
    assert!(notice.dialog_html.contains("Ads &lt;b&gt;"));
    assert!(
        !notice.dialog_html.contains("data-category"),
        "no switch for a service"
    );
}

#[tokio::test]
async fn what_was_shown_is_replayed_after_texts_and_styles_have_changed() {
    let app = TestApp::new().await;
    let mut old = app.shown();
    old.banner_css.push_str("#assent .old{color:tomato}");
    old.banner_html = old.banner_html.replace("<h2", "<h2 class=\"old\"");
    app.store
        .archive_notices("shop", 1, std::slice::from_ref(&old))
        .await
        .unwrap();
    let mut config = shop();
    config.texts.insert(
        "en".to_owned(),
        [("banner_title".to_owned(), "Quite another title".to_owned())].into(),
    );
    app.store
        .publish_revision(ORGANISATION, &config, NOW_MS)
        .await
        .unwrap();
    app.app.published.refresh(app.store.as_ref()).await.unwrap();

    let replayed = async |notice: &Notice| {
        let path = format!("/v1/sites/shop/notices/{}/replay", notice.hash());
        app.get(&path).header("accept-language", "en").empty().await
    };
    let escaped = |text: &str| text.replace('&', "&amp;").replace('"', "&quot;");
    let answer = replayed(&old).await;
    assert_eq!(answer.status, 200);
    let (then, now) = (&old.texts.banner_title, "Quite another title");
    assert!(answer.text().contains(then.as_str()) && !answer.text().contains(now));
    assert!(answer.text().contains(&escaped(&old.banner_css)));
    assert!(answer.text().contains(&old.hash().to_string()));
    assert!(!answer.text().contains("<script"));
    assert_eq!(answer.text().matches("<iframe").count(), 3);
    assert_eq!(answer.text().matches("sandbox").count(), 3);
    let policy = answer.header("content-security-policy");
    let own = BASE64_STANDARD.encode(Sha256::digest(&old.banner_css));
    assert!(policy.contains(&format!("'sha256-{own}'")), "{policy}");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self' 'sha256-"),
        "{policy}"
    );
    assert!(
        policy.ends_with("form-action 'none'; base-uri 'none'; frame-ancestors 'none'"),
        "{policy}"
    );

    let answer = replayed(&app.shown()).await;
    assert!(answer.text().contains(now) && !answer.text().contains("tomato"));
    let german = app
        .get(&format!("/v1/sites/shop/notices/{}/replay?lang=de", old.hash()))
        .empty()
        .await;
    assert!(german.text().contains("<html lang=\"de\""));

    for none in ["00", &"0".repeat(64)] {
        let path = format!("/v1/sites/shop/notices/{none}/replay");
        assert_eq!(app.get(&path).empty().await.status, 404);
    }
}
