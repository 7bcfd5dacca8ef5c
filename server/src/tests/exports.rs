use assent_consent::site::{Contact, LegalBasis, Service, SiteConfig};
use serde_json::{Value, json};

use super::{Answer, KEY, NOW_MS, ORGANISATION, TestApp, id_of, shop};

fn service(id: &str, category: &str) -> Service {
    serde_json::from_value(json!({
        "id": id, "category": category, "name": id, "provider": "Shop Ltd", "purpose": "A purpose",
        "policy_url": "https://vendor.example/privacy",
    }))
    .unwrap()
}

/// With a contact, two further services and a choice among them.
fn whole() -> SiteConfig {
    let mut config = shop();
    config.contact = Some(Contact {
        name: "The data protection officer".to_owned(),
        address: "1 High Street, 10115 Berlin".to_owned(),
        country: "DE".to_owned(),
        email: "privacy@shop.example".to_owned(),
        phone: "+49 30 1234567".to_owned(),
    });
    config.service_choice = true;
    config.services.push(service("pixel", "targeting"));
    let mut basket = service("basket", "necessary");
    basket.legal_basis = Some(LegalBasis::Contract);
    config.services.push(basket);
    config
}

impl TestApp {
    async fn publish(&self, config: &SiteConfig) {
        self.store
            .publish_revision(ORGANISATION, config, NOW_MS)
            .await
            .unwrap();
        self.app.published.refresh(self.store.as_ref()).await.unwrap();
    }

    async fn exported(&self, id: u128, format: &str) -> Answer {
        self.get(&format!("/v1/sites/shop/records/{}?format={format}", id_of(id)))
            .header("authorization", &format!("Bearer {KEY}"))
            .empty()
            .await
    }

    /// Stores a choice of the present revision: what is allowed, and what is said of it besides.
    async fn decide(&self, id: u128, allowed: &[&str], more: Value) {
        let mut submission = self.submission(id);
        submission["revision"] = self.app.published.site("shop").unwrap().revision.number.into();
        for category in ["performance", "functional", "targeting"] {
            submission["choice"][category] = allowed.contains(&category).into();
        }
        for (name, value) in more.as_object().unwrap() {
            submission[name] = value.clone();
        }
        assert_eq!(self.submit(&submission).await.status, 201);
    }

    /// The event of a record, the state of the whole, and of each category and service, in words.
    async fn states(&self, id: u128) -> String {
        let record = self.exported(id, "dpv").await.json();
        let name = |of: &Value| {
            let name = of["dpv:hasConsentStatus"]["@type"][0].as_str();
            name.map(|name| {
                name.trim_start_matches("dpv:")
                    .replace("Consent", "")
                    .to_lowercase()
            })
        };
        let mut words = vec![
            format!("{}:", record["assent:event"].as_str().unwrap()),
            name(&record).unwrap(),
        ];
        for category in record["dpv:hasProcess"].as_array().unwrap() {
            let services = category["dpv:hasProcess"].as_array().map(Vec::as_slice);
            for process in [category].into_iter().chain(services.unwrap_or_default()) {
                if let Some(state) = name(process) {
                    words.push(format!("{} {state}", process["dct:identifier"].as_str().unwrap()));
                }
            }
        }
        words.join(" | ")
    }
}

#[tokio::test]
async fn a_record_is_exported_as_others_define_it() {
    let app = TestApp::new().await;
    app.publish(&whole()).await;
    app.decide(
        1,
        &["performance", "targeting"],
        json!({ "services": { "pixel": false }, "gpc": true }),
    )
    .await;

    let dpv = app.exported(1, "dpv").await;
    insta::assert_snapshot!(dpv.head(), @r#"
    200 OK
    cache-control: no-store
    content-type: application/ld+json
    vary: origin
    x-content-type-options: nosniff
    "#);
    let dpv = dpv.json();
    insta::assert_snapshot!(app.states(1).await, @"given: | given | performance given | functional refused | ads given | pixel refused");
    let process = |at: usize| &dpv["dpv:hasProcess"][at];
    assert_eq!(process(1)["dpv:hasLegalBasis"], "dpv:Consent");
    assert_eq!(
        process(0)["dpv:hasProcess"][1]["dpv:hasLegalBasis"],
        "dpv:Contract"
    );
    assert_eq!(dpv["dpv:hasNotice"]["dct:identifier"], app.notice().to_string());
    assert_eq!(dpv["assent:globalPrivacyControl"], true);
    assert_eq!(
        dpv["dpv:hasDataController"]["dpv:hasContact"],
        "The data protection officer, privacy@shop.example, +49 30 1234567"
    );
}

#[tokio::test]
async fn a_kantara_receipt_lists_what_was_consented_to() {
    let app = TestApp::new().await;
    app.publish(&whole()).await;
    app.decide(
        1,
        &["performance", "targeting"],
        json!({ "services": { "pixel": false } }),
    )
    .await;
    let kantara = app.exported(1, "kantara").await;
    assert_eq!(kantara.header("content-type"), "application/json");
    let mut kantara = kantara.json();
    kantara["publicKey"] = Value::Null;
    insta::assert_snapshot!(serde_json::to_string_pretty(&kantara).unwrap(), @r#"
    {
      "collectionMethod": "Buttons of the consent banner on the website",
      "consentReceiptID": "019aa7f0-1234-7abc-8def-000000000001",
      "consentTimestamp": 1795291199,
      "jurisdiction": "worldwide",
      "language": "en",
      "piiControllers": [
        {
          "address": {
            "addressCountry": "DE",
            "streetAddress": "1 High Street, 10115 Berlin"
          },
          "contact": "The data protection officer",
          "email": "privacy@shop.example",
          "onBehalf": false,
          "phone": "+49 30 1234567",
          "piiController": "Shop Ltd"
        }
      ],
      "piiPrincipalId": "001122335818b042d98dd8941b64e48d",
      "policyUrl": "https://shop.example/cookies",
      "publicKey": null,
      "sensitive": false,
      "services": [
        {
          "purposes": [
            {
              "consentType": "EXPLICIT",
              "piiCategory": [
                "5 - Network/Service"
              ],
              "primaryPurpose": false,
              "purpose": "These let us count visits and see where they come from, so that we can find out which pages work well and which do not, and improve them. If you do not allow them, your visit is not part of these figures.",
              "purposeCategory": [
                "16 - Improve Performance"
              ],
              "termination": "2027-05-20T19:59:59Z, or earlier by withdrawal at https://consent.example/c/shop",
              "thirdPartyDisclosure": false
            }
          ],
          "service": "Performance Cookies"
        },
        {
          "purposes": [
            {
              "consentType": "EXPLICIT",
              "piiCategory": [
                "5 - Network/Service"
              ],
              "primaryPurpose": false,
              "purpose": "Advertising",
              "purposeCategory": [
                "6 - Marketing"
              ],
              "termination": "2027-05-20T19:59:59Z, or earlier by withdrawal at https://consent.example/c/shop",
              "thirdPartyDisclosure": true,
              "thirdPartyName": "Ads Inc"
            }
          ],
          "service": "Ads <b>"
        }
      ],
      "spiCat": [],
      "version": "KI-CR-v1.1.0"
    }
    "#);
}

#[tokio::test]
async fn each_state_is_told() {
    let app = TestApp::new().await;
    app.publish(&whole()).await;
    app.decide(1, &["performance", "targeting"], json!({})).await;
    app.decide(
        2,
        &["performance"],
        json!({ "asked": false, "previous": id_of(1), "method": "embed" }),
    )
    .await;
    app.decide(
        3,
        &[],
        json!({ "asked": false, "previous": id_of(2), "method": "center" }),
    )
    .await;
    app.decide(
        4,
        &["functional"],
        json!({ "previous": id_of(3), "method": "dialog" }),
    )
    .await;
    app.decide(5, &[], json!({ "previous": id_of(4), "method": "api" }))
        .await;
    let mut told = Vec::new();
    for id in 1..=5 {
        told.push(app.states(id).await);
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    given: | given | performance given | functional refused | ads given | pixel given
    changed: | given | performance given | functional refused | ads withdrawn | pixel withdrawn
    withdrawn: | withdrawn | performance withdrawn | functional refused | ads refused | pixel refused
    renewed: | renewedgiven | performance refused | functional renewedgiven | ads refused | pixel refused
    refused: | refused | performance refused | functional withdrawn | ads refused | pixel refused
    ");
    let refusal = app.exported(5, "kantara").await.json();
    assert_eq!(refusal["services"], json!([]), "nothing was consented to");
    app.clock.advance(181 * 86_400_000);
    insta::assert_snapshot!(app.states(4).await, @"renewed: | expired | performance refused | functional expired | ads refused | pixel refused");
}

#[tokio::test]
async fn what_cannot_be_exported_is_said() {
    let app = TestApp::new().await;
    app.submit(&app.submission(1)).await;
    insta::assert_snapshot!(app.exported(1, "kantara").await.line(), @r#"409 {"type":"about:blank","title":"Conflict","status":409,"detail":"kantara needs the controller's address: the site's configuration has no contact","field":"format"}"#);
    insta::assert_snapshot!(app.exported(1, "pdf").await.line(), @r#"400 {"type":"about:blank","title":"Bad Request","status":400,"detail":"must be kantara or dpv","field":"format"}"#);
    assert_eq!(app.exported(2, "dpv").await.status, 404);
    assert_eq!(app.exported(1, "dpv").await.status, 200);
}

#[tokio::test]
async fn the_center_offers_the_forms_as_files() {
    let app = TestApp::new().await;
    app.publish(&whole()).await;
    app.decide(1, &["functional"], json!({})).await;
    let cookie = format!("assent-center-shop={KEY}.0");
    let own = async |path: &str| app.get(path).header("cookie", &cookie).empty().await;
    let page = own("/c/shop/data").await;
    for (format, ending) in [("kantara", "kantara.json"), ("dpv", "jsonld")] {
        let path = format!("/c/shop/receipts/{}?format={format}", id_of(1));
        assert!(page.text().contains(&path), "{path}");
        let file = own(&path).await;
        assert!(
            file.header("content-disposition")
                .ends_with(&format!(".{ending}\""))
        );
        let direct = app.exported(1, format).await;
        assert_eq!(file.json(), direct.json());
        assert_eq!(app.get(&path).empty().await.status, 404, "only with the key");
    }
    let replay = format!("/v1/sites/shop/notices/{}/replay", app.notice());
    assert!(page.text().contains(&replay));
    assert!(own("/c/shop").await.text().contains(&replay));
}
