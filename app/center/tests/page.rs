//! What stands on the page, read as a browser's parser would meet it.

mod fixture;

use assent_center::{CenterPage, News, page};
use assent_consent::{Categories, Category};
use fixture::Fixture;

fn english() -> Fixture {
    Fixture::new("en", include_str!("../../texts/en.json"))
}

fn opening<'a>(html: &'a str, tag: &str, having: &str) -> &'a str {
    html.split('<')
        .find(|piece| piece.starts_with(tag) && piece.contains(having))
        .and_then(|piece| piece.split('>').next())
        .unwrap_or_else(|| panic!("<{tag} … {having}> in {html}"))
}

#[test]
fn a_signal_is_said_to_be_honoured_only_where_it_is() {
    let shop = english();
    for (gpc_honoured, dnt_honoured) in [(false, false), (true, false), (false, true), (true, true)] {
        let html = page(&CenterPage {
            gpc_honoured,
            dnt_honoured,
            ..shop.page()
        });
        assert_eq!(html.contains(&shop.texts.gpc_honoured), gpc_honoured);
        assert_eq!(html.contains(&shop.texts.dnt_honoured), dnt_honoured);
    }
}

#[test]
fn nothing_that_an_owner_writes_becomes_markup() {
    let mut fixture = english();
    let bad = "<script>alert(1)</script>\"'&".to_owned();
    let category = &mut fixture.categories[3];
    category.label = bad.clone();
    category.text = bad.clone();
    let service = &mut category.services[0];
    service.name = bad.clone();
    service.provider = bad.clone();
    service.purpose = bad.clone();
    service.policy_url = "javascript:alert(1)".to_owned();
    service.items[0].name = bad.clone();
    service.items[0].note = bad.clone();
    fixture.texts.center_title = bad.clone();
    fixture.texts.center_when = bad.clone();
    fixture.texts.center_saved = bad.clone();
    fixture.texts.direction = bad.clone();
    let html = page(&CenterPage {
        site_name: &bad,
        controller: &bad,
        language: &bad,
        policy_url: "JavaScript:alert(1)",
        back_url: Some("data:text/html,x"),
        action: &bad,
        hidden: &[("x\"><script>", bad.clone())],
        news: Some(News::Saved),
        ..fixture.page()
    });
    assert!(!html.contains("<script"), "{html}");
    assert!(!html.to_lowercase().contains("href=\"javascript"), "{html}");
    assert!(!html.contains("href=\"data:"), "{html}");
    assert!(html.contains("dir=\"ltr\""), "{html}");
}

#[test]
fn nothing_needs_a_looser_content_security_policy() {
    let html = page(&english().page());
    assert!(html.starts_with("<!DOCTYPE html>"), "{html}");
    for inline in ["style=", "<style", "<script", " onclick", " onsubmit"] {
        assert!(!html.contains(inline), "{inline}");
    }
}

#[test]
fn who_can_erase_an_item_is_said() {
    let mut fixture = english();
    fixture.categories[3].services[0].items[0].note = "Only vendor.example can remove it.".to_owned();
    let html = page(&fixture.page());
    assert!(html.contains("Only vendor.example can remove it."), "{html}");
}

#[test]
fn switches_show_the_choice() {
    let html = page(&english().page());
    for (category, on) in [("performance", true), ("functional", true), ("targeting", false)] {
        let input = opening(&html, "input", &format!("name=\"{category}\""));
        assert_eq!(input.contains("checked"), on, "{input}");
    }
    assert!(!html.contains("name=\"necessary\""), "{html}");
}

#[test]
fn before_a_choice_switches_show_what_the_rule_grants() {
    let fixture = english();
    let new = |before_choice| {
        page(&CenterPage {
            current: None,
            before_choice,
            ..fixture.page()
        })
    };
    assert!(!new(Categories::NECESSARY).contains(" checked"));
    let html = new(Categories::granted(Category::Targeting.set().bits()));
    assert!(opening(&html, "input", "name=\"targeting\"").contains("checked"));
    assert_eq!(html.matches(" checked").count(), 1);
}

#[test]
fn every_decision_is_one_plain_form_away() {
    let html = page(&english().page());
    for decision in ["save", "accept", "reject", "withdraw"] {
        opening(&html, "button", &format!("value=\"{decision}\""));
    }
    let forms = html.matches("<form").count();
    assert_eq!(html.matches("method=\"post\" action=\"/c/demo\"").count(), forms);
    assert_eq!(
        html.matches("type=\"hidden\" name=\"revision\" value=\"3\"")
            .count(),
        forms
    );
    let weights: Vec<_> = ["save", "accept", "reject"]
        .map(|decision| opening(&html, "button", &format!("value=\"{decision}\"")).replace(decision, ""))
        .into();
    assert!(weights.windows(2).all(|pair| pair[0] == pair[1]), "{weights:?}");
}

#[test]
fn every_choice_of_the_past_has_its_receipt() {
    let fixture = english();
    let html = page(&fixture.page());
    for row in &fixture.history {
        assert!(
            html.contains(&format!("href=\"{}\" download", row.receipt_url)),
            "{html}"
        );
        assert!(html.contains(&row.record.to_string()), "{html}");
    }
    let html = page(&CenterPage {
        history: &[],
        ..fixture.page()
    });
    assert!(!html.contains("<table"), "{html}");
    assert!(html.contains(&fixture.texts.center_history_empty), "{html}");
}
