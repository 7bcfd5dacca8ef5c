//! The first layer.

use assent_consent::notice::Texts;
use leptos::prelude::*;

/// The banner's markup in `language` (a language tag), for the inside of `<div id="assent">`.
///
/// The three buttons are equal by construction: same element, no class of their own. There is no control
/// that closes the banner, because closing is not consent.
pub fn html(texts: &Texts, language: &str, policy_url: &str) -> String {
    // Leptos parts neighbouring text nodes by a comment; one text node needs none.
    let text = format!("{} ", texts.banner_text);
    view! {
        <section
            class="assent-banner"
            aria-labelledby="assent-title"
            lang=language.to_owned()
            dir=texts.direction.clone()
        >
            <div class="assent-words">
                <h2 id="assent-title">{texts.banner_title.clone()}</h2>
                <p>{text}<a href=policy_url.to_owned()>{texts.policy_link.clone()}</a></p>
            </div>
            <div class="assent-actions">
                <button data-assent-do="accept">{texts.accept_all.clone()}</button>
                <button data-assent-do="reject">{texts.reject_all.clone()}</button>
                <button data-assent-do="settings">{texts.settings.clone()}</button>
            </div>
        </section>
    }
    .to_html()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(json: &str) -> Texts {
        serde_json::from_str(json).expect("the wordings deserialise")
    }

    #[test]
    fn every_language_is_complete() {
        for json in [
            include_str!("../../texts/en.json"),
            include_str!("../../texts/de.json"),
            include_str!("../../texts/fr.json"),
        ] {
            let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
            for (key, text) in value.as_object().expect("an object") {
                let text = text.as_str().expect("a text");
                assert!(!text.trim().is_empty() && text.trim() == text, "{key}");
                assert!(!text.contains('<'), "{key} is plain text");
            }
            assert_eq!(texts(json).direction, "ltr");
        }
    }

    #[test]
    fn markup_is_bare() {
        let texts = texts(include_str!("../../texts/en.json"));
        let html = html(&texts, "en", "https://shop.example/cookies");
        assert!(!html.contains("<!"), "{html}");
        assert!(!html.contains("style="), "{html}");
        assert!(!html.contains("data-hk"), "{html}");
        assert_eq!(html.matches("<button data-assent-do=").count(), 3);
    }

    #[test]
    fn wordings_are_escaped() {
        let mut texts = texts(include_str!("../../texts/en.json"));
        texts.banner_text = "<img src=x onerror=alert(1)>".to_owned();
        texts.direction = "rtl\" onclick=\"alert(1)".to_owned();
        let html = html(&texts, "en", "https://shop.example/?a=1&b=\"><script>");
        assert!(!html.contains("<img"), "{html}");
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("\" onclick"), "{html}");
    }
}
