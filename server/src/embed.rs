//! What an owner pastes into pages.

use std::{collections::BTreeSet, fmt::Write as _};

use assent_consent::{
    Categories,
    site::{BlockingMode, SiteConfig},
};
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

/// The second wall: a Content Security Policy for each state of consent, as nginx writes it. The state is read from
/// the consent cookie, whose third part holds the granted categories as one hexadecimal digit. For a choice that has
/// exceptions among the services it lets in all of them: the policy is by category, and must not undo what was allowed.
pub(crate) fn policies(origin: &str, site: &SiteConfig) -> String {
    let id = &site.id;
    let variable = id.replace('-', "_");
    let without = site.rules.first().map_or(Categories::NECESSARY, |rule| {
        rule.on_by_default.iter().copied().collect::<Categories>()
    });
    let mut text = format!(
        "# Which hosts a page of {} may load from, by the visitor's consent. In http {{ }}:\n\
         map $http_cookie $assent_{variable} {{\n  default {:x};\n{}  \"~(?:^|; )assent-{id}=\\d+\\.\\d+\\.(?<granted>[0-9a-f])\\.\" $granted;\n}}\n\
         map $assent_{variable} $assent_{variable}_hosts {{\n",
        site.name.replace(['\n', '\r'], " "),
        Categories::granted(without.bits()).bits(),
        if site.service_choice {
            format!("  \"~(?:^|; )assent-{id}=[\\d.]+\\.[0-9a-f]\\.\\d+\\.\\w+\\.[\\w-]+\\.\" f;\n")
        } else {
            String::new()
        },
    );
    for bits in (1..16).step_by(2) {
        let _ = writeln!(
            text,
            "  {bits:x} \"{}\";",
            hosts(site, Categories::granted(bits)).join(" ")
        );
    }
    let _ = write!(
        text,
        "}}\n\n# In server {{ }}; add what the pages need themselves, and a nonce for inline scripts:\n\
         add_header Content-Security-Policy \"script-src 'self' 'wasm-unsafe-eval' {origin} $assent_{variable}_hosts; \
         connect-src 'self' {origin} $assent_{variable}_hosts; img-src 'self' data: $assent_{variable}_hosts; \
         frame-src 'self' $assent_{variable}_hosts\" always;\n"
    );
    text
}

/// The hosts of the services that may run, and those that are never held, as sources of a policy (CSP level 3,
/// section 2.3.1).
fn hosts(site: &SiteConfig, granted: Categories) -> Vec<String> {
    let allowed = site
        .blocking
        .allow
        .iter()
        .map(|host| host.trim_start_matches("*.").to_owned());
    let mut hosts: BTreeSet<String> = allowed.flat_map(|host| [format!("*.{host}"), host]).collect();
    for service in site
        .services
        .iter()
        .filter(|service| granted.has(service.category))
    {
        hosts.extend(service.hosts.iter().map(|host| source(host)));
    }
    // What also belongs to a category that is not granted waits for both.
    for service in site
        .services
        .iter()
        .filter(|service| !granted.has(service.category))
    {
        for host in &service.hosts {
            hosts.remove(&source(host));
        }
    }
    hosts.into_iter().collect()
}

/// A declared host as a source. A policy knows `*` for whole labels at the front only, so another one widens it.
fn source(host: &str) -> String {
    let (name, path) = host
        .split_once('/')
        .map_or((host, String::new()), |(name, path)| {
            (name, format!("/{}", path.split('*').next().unwrap_or_default()))
        });
    match name.rsplit_once('*') {
        None => format!("{name}{path}"),
        Some((_, rest)) => {
            let rest = rest
                .trim_start_matches(|letter| letter != '.')
                .trim_start_matches('.');
            format!("*.{rest}{path}")
        }
    }
}

#[cfg(test)]
mod tests {
    use assent_consent::Category;

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

    #[test]
    fn a_policy_lets_in_what_is_granted_and_nothing_else() {
        let mut site = demo::config().unwrap();
        site.services.truncate(3);
        site.services[0].hosts = vec!["own.example".to_owned()];
        for (service, category, host) in [
            (1, Category::Performance, "*.count.example"),
            (2, Category::Targeting, "ads*.example.com/a/*"),
        ] {
            site.services[service].category = category;
            site.services[service].hosts = vec![host.to_owned(), "shared.example".to_owned()];
        }
        let of = |bits| hosts(&site, Categories::granted(bits)).join(" ");
        assert_eq!(of(0b0001), "own.example");
        assert_eq!(of(0b0011), "*.count.example own.example");
        assert_eq!(
            of(0b1011),
            "*.count.example *.example.com/a/ own.example shared.example"
        );
        let text = policies("https://consent.example", &site);
        assert!(text.contains("  3 \"*.count.example own.example\";"), "{text}");
        assert!(text.contains("default 1;"), "{text}");
        assert_eq!(text.matches(" f;").count(), 0);
        site.service_choice = true;
        let text = policies("https://consent.example", &site);
        assert!(
            text.contains(r#""~(?:^|; )assent-demo=[\d.]+\.[0-9a-f]\.\d+\.\w+\.[\w-]+\." f;"#),
            "{text}"
        );
    }
}
