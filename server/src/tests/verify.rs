use super::{SERVER, TestApp};
use crate::http::assets;

#[tokio::test]
async fn the_page_runs_the_servers_scripts_only() {
    let app = TestApp::new().await;
    let page = app.get("/verify").empty().await;
    insta::assert_snapshot!(page.head(), @"
    200 OK
    cache-control: no-store
    content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'
    content-type: text/html; charset=utf-8
    cross-origin-opener-policy: same-origin
    referrer-policy: same-origin
    x-content-type-options: nosniff
    ");
    let html = page.text();
    assert!(html.contains(&format!("assent verify receipt.jws --log {SERVER}")));
    assert!(!html.contains('{'), "everything is filled in: {html}");
    for file in ["verify.css", "verify.js"] {
        let address = assets::address(file);
        assert!(html.contains(&format!("\"{address}\"")), "{html}");
        let asset = app.get(&address).empty().await;
        assert_eq!(
            asset.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
    }
}
