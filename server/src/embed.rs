//! What an owner pastes into pages.

use assent_consent::site::{BlockingMode, SiteConfig};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

use crate::embedded::asset_text;

/// The one tag. `origin` is the server's own, `https://consent.example`.
///
/// Where automatic blocking holds what is not marked, the parser has to wait for it.
pub(crate) fn script_tag(origin: &str, site: &SiteConfig) -> String {
    let waits = if site.blocking.mode == BlockingMode::Enforce {
        ""
    } else {
        "async fetchpriority=\"high\" "
    };
    format!(r#"<script {waits}src="{origin}/s/{}.js"></script>"#, site.id)
}

/// The inline stub: the same for every site.
fn stub() -> &'static str {
    asset_text("stub.js").trim()
}

/// What a Content Security Policy has to allow for the stub: `sha256-…` of its text (CSP level 3, section 2.3.1).
fn stub_hash() -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(stub())))
}

/// The ways of embedding a site, in words for its owner.
pub(crate) fn forms(origin: &str, site: &SiteConfig) -> String {
    let tag = script_tag(origin, site);
    let origins = format!(
        "Nothing is recorded from pages on other origins than these; add them to `origins` and publish:\n\n{}\n",
        site.origins.join("\n")
    );
    if site.blocking.mode == BlockingMode::Enforce {
        return format!(
            "First in the head of every page, before anything that loads from elsewhere:\n\n{tag}\n\n{origins}"
        );
    }
    let exempt = tag.replacen("<script ", "<script data-assent-loader ", 1);
    format!(
        "Where tags are marked, first in the head of every page:\n\n{tag}\n\n\
         Where tags cannot be marked, or a Google tag runs before consent:\n\n\
         <script>{}</script>\n{exempt}\n\n\
         For a Content Security Policy, script-src needs: '{}'\n\n{origins}",
        stub(),
        stub_hash(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo;

    #[test]
    fn the_hash_is_of_what_stands_between_the_tags() {
        let mut site = demo::config().unwrap();
        let text = forms("https://consent.example", &site);
        let inline = text
            .split_once("<script>")
            .and_then(|(_, rest)| rest.split_once("</script>"))
            .map(|(inline, _)| inline)
            .unwrap();
        assert!(inline.len() > 100, "the stub is there");
        let hash = BASE64_STANDARD.encode(Sha256::digest(inline));
        assert!(text.contains(&format!("'sha256-{hash}'")));
        assert_eq!(
            text.matches("async fetchpriority=\"high\" src=\"https://consent.example/s/demo.js\"")
                .count(),
            2
        );
        site.blocking.mode = BlockingMode::Enforce;
        let text = forms("https://consent.example", &site);
        assert!(text.contains("<script src=\"https://consent.example/s/demo.js\"></script>"));
    }
}
