//! What an owner pastes into pages.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

use crate::embedded::asset_text;

/// The one tag. `origin` is the server's own, `https://consent.example`.
pub(crate) fn script_tag(origin: &str, site: &str) -> String {
    format!(r#"<script async fetchpriority="high" src="{origin}/s/{site}.js"></script>"#)
}

/// The inline stub: the same for every site.
fn stub() -> &'static str {
    asset_text("stub.js").trim()
}

/// What a Content Security Policy has to allow for the stub: `sha256-…` of its text (CSP level 3, section 2.3.1).
fn stub_hash() -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(stub())))
}

/// Both forms of embedding a site, in words for its owner.
pub(crate) fn forms(origin: &str, site: &str) -> String {
    let tag = script_tag(origin, site);
    let exempt = tag.replacen("<script ", "<script data-assent-loader ", 1);
    format!(
        "Where tags are marked, first in the head of every page:\n\n{tag}\n\n\
         Where tags cannot be marked, or a Google tag runs before consent:\n\n\
         <script>{}</script>\n{exempt}\n\n\
         For a Content Security Policy, script-src needs: '{}'\n",
        stub(),
        stub_hash(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_of_what_stands_between_the_tags() {
        let forms = forms("https://consent.example", "shop");
        let inline = forms
            .split_once("<script>")
            .and_then(|(_, rest)| rest.split_once("</script>"))
            .map(|(inline, _)| inline)
            .unwrap();
        assert!(inline.len() > 100, "the stub is there");
        let hash = BASE64_STANDARD.encode(Sha256::digest(inline));
        assert!(forms.contains(&format!("'sha256-{hash}'")));
        assert_eq!(forms.matches("https://consent.example/s/shop.js").count(), 2);
    }
}
