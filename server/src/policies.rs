//! The second wall: a Content Security Policy for each state of consent, as nginx writes it.
//!
//! nginx reads the state from the consent cookie. What it cannot see, it takes for the least that may be granted: which
//! rule applies to the visitor, and a cookie that is not exactly of the form that `consent/src/cookie.rs` describes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use assent_consent::{
    Categories, Category,
    decision::Objections,
    services::SERVICES_MAX,
    site::{Rule, Service, SiteConfig},
};

/// What nginx needs for a site. `origin` is the server's own, `https://consent.example`.
///
/// A map makes of the cookie the granted categories as a hexadecimal digit, behind which, where the site offers the
/// choice per service, a point and the exceptions may stand; each further map lets in the hosts that wait for the same.
pub(crate) fn policies(origin: &str, site: &SiteConfig) -> String {
    let id = site.id.replace('-', "_");
    let mut text = format!(
        "# Which hosts a page of {} may load from, by the visitor's consent. In http {{ }}:\n",
        site.name.replace(['\n', '\r'], " ")
    );
    let (without, headers) = before_choice(&site.rules);
    let mut default = format!("{:x}", without.bits());
    if !headers.is_empty() {
        let less = without.without(Category::Targeting.set()).bits();
        let _ = write!(
            text,
            "map \"{headers}\" $assent_before_{id} {{\n  default {default};\n  \"~1\" {less:x};\n}}\n"
        );
        default = format!("$assent_before_{id}");
    }
    let (exceptions, state) = if site.service_choice {
        (
            format!(r"(?<assent_exceptions>(?:\.(?:[\w-]{{3}}){{1,{SERVICES_MAX}}})?)"),
            "$assent_granted$assent_exceptions",
        )
    } else {
        (String::new(), "$assent_granted")
    };
    let _ = write!(
        text,
        "map $http_cookie $assent_choice_{id} {{\n  default {default};\n  \
         \"~^(?:(?!assent-{name}=)[^;]*; )*assent-{name}=1\\.{NUMBER}\\.(?<assent_granted>[13579bdf])\\.{NUMBER}\
         \\.[0-9a-f]{{32}}\\.[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}{exceptions}(?:;|$)\" {state};\n  \
         # A cookie that cannot be read grants nothing.\n  \"~(?:^|[; ])assent-{name}=\" 1;\n}}\n",
        name = site.id
    );
    let mut hosts = Vec::new();
    for (at, (needed, sources)) in groups(site).iter().enumerate() {
        let sources = sources.join(" ");
        if needed.is_empty() {
            hosts.push(sources);
            continue;
        }
        let variable = format!("$assent_{at}_{id}");
        let _ = write!(
            text,
            "map $assent_choice_{id} {variable} {{\n  \"~^{needed}\" \"{sources}\";\n}}\n"
        );
        hosts.push(variable);
    }
    let hosts = hosts.join(" ");
    let _ = write!(
        text,
        "map $assent_choice_{id} $assent_hosts_{id} {{\n  default \"{hosts}\";\n}}\n\n\
         # In server {{ }}; add what the pages need themselves, and a nonce for inline scripts:\n\
         add_header Content-Security-Policy \"{}\" always;\n",
        policy(origin, &format!("$assent_hosts_{id}"))
    );
    text
}

/// The policy that lets a page load from these hosts, its own and the server's.
///
/// `default-src` governs whatever has no directive of its own: frames, objects, manifests, and what browsers are yet to
/// invent. Workers follow `script-src`. What stands in the page itself (`data:`, `blob:`, inline styles) reaches no host:
/// what an inline style names is a picture, a font or a style sheet.
fn policy(origin: &str, hosts: &str) -> String {
    [
        format!("default-src 'self' {hosts}"),
        format!("script-src 'self' 'wasm-unsafe-eval' {origin} {hosts}"),
        format!("style-src 'self' 'unsafe-inline' {hosts}"),
        format!("connect-src 'self' {origin} {hosts}"),
        format!("img-src 'self' data: blob: {hosts}"),
        format!("font-src 'self' data: {hosts}"),
        format!("media-src 'self' data: blob: {hosts}"),
    ]
    .join("; ")
}

/// A number of the cookie, up to a little below its largest.
const NUMBER: &str = r"(?:0|[1-9]\d{0,8}|[1-3]\d{9})";

/// What every rule grants before a choice, and the request's headers by which a rule may take targeting from that, as
/// nginx names them.
fn before_choice(rules: &[Rule]) -> (Categories, String) {
    let granted = rules
        .iter()
        .fold(Categories::ALL, |granted, rule| granted & rule.before_choice());
    let headers = [(Objections::GPC, "$http_sec_gpc"), (Objections::DNT, "$http_dnt")];
    let honoured = headers.into_iter().filter(|(signal, _)| {
        granted.has(Category::Targeting) && rules.iter().any(|rule| rule.honours().meets(*signal))
    });
    (granted, honoured.map(|(_, header)| header).collect())
}

/// The sources of the policy, by what has to be granted for them: conditions on the state, one after the other, each a
/// look-ahead. A host of several services waits for all of them, as at the gate.
fn groups(site: &SiteConfig) -> BTreeMap<String, Vec<String>> {
    let mut sources: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for host in &site.blocking.allow {
        let host = host.trim_start_matches("*.");
        for source in [host.to_owned(), format!("*.{host}")] {
            sources.entry(source).or_default();
        }
    }
    for service in &site.services {
        for host in &service.hosts {
            let needed = sources.entry(source(host)).or_default();
            if service.category != Category::Necessary {
                needed.insert(condition(site, service));
            }
        }
    }
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (source, needed) in sources {
        groups
            .entry(needed.into_iter().collect())
            .or_default()
            .push(source);
    }
    groups
}

/// Whether a service is granted: its category is and the cookie does not except it, or the other way round.
fn condition(site: &SiteConfig, service: &Service) -> String {
    let digits = |is_granted: bool| -> String {
        (1..16_u8)
            .step_by(2)
            .filter(|bits| Categories::granted(*bits).has(service.category) == is_granted)
            .filter_map(|bits| char::from_digit(bits.into(), 16))
            .collect()
    };
    let granted = digits(true);
    if !site.service_choice {
        return format!("(?=[{granted}])");
    }
    let excepted = format!(r"\.(?:...)*{}", service.code());
    format!("(?=[{granted}](?!{excepted})|[{}]{excepted})", digits(false))
}

/// A declared host as a source (CSP level 3, section 2.3.1). A policy knows `*` for whole labels at the front only, and
/// of paths whole ones and whole folders, so that anything else widens it.
fn source(host: &str) -> String {
    let (name, path) = host.split_at(host.find('/').unwrap_or(host.len()));
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/-._~%@:&=+!".contains(letter);
    let path = match path.find(|letter| !is_plain(letter)) {
        None => path,
        Some(end) => &path[..=path[..end].rfind('/').unwrap_or(0)],
    };
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
    use assent_consent::{
        cookie::{LEN_MAX, Stored},
        decision::Model,
        services::are_exceptions,
    };
    use fancy_regex::Regex;
    use proptest::prelude::*;

    use super::*;
    use crate::demo;

    const ORIGIN: &str = "https://consent.example";
    const ALWAYS: &str = "own.example";
    const CODES: &str = "[A-Za-z0-9_-]{3}";
    /// Each kind of load, with the directives that govern it, the first that a policy has (CSP level 3, section 6.8.3).
    const LOADS: [&[&str]; 11] = [
        &["connect-src", "default-src"],
        &["font-src", "default-src"],
        &["frame-src", "child-src", "default-src"],
        &["img-src", "default-src"],
        &["manifest-src", "default-src"],
        &["media-src", "default-src"],
        &["object-src", "default-src"],
        &["script-src-elem", "script-src", "default-src"],
        &["script-src-attr", "script-src", "default-src"],
        &["style-src-elem", "style-src", "default-src"],
        &["worker-src", "child-src", "script-src", "default-src"],
    ];

    /// As much of nginx as the maps use: the value of a variable for a request.
    fn value(text: &str, name: &str, request: &BTreeMap<&str, &str>) -> String {
        let map = text.split("map ").skip(1).find_map(|map| {
            let (head, body) = map.split_once(" {\n")?;
            let (from, to) = head.rsplit_once(' ')?;
            (to == format!("${name}")).then(|| (from.trim_matches('"'), body.split("\n}").next().unwrap()))
        });
        let Some((from, body)) = map else {
            return request.get(name).copied().unwrap_or_default().to_owned();
        };
        let subject = filled(text, from, request);
        let mut default = String::new();
        for line in body.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let line = line.strip_suffix(';').unwrap();
            let Some(rest) = line.strip_prefix("\"~") else {
                default = filled(
                    text,
                    line.strip_prefix("default ").unwrap().trim_matches('"'),
                    request,
                );
                continue;
            };
            let (expression, result) = rest.split_once("\" ").unwrap();
            let expression = Regex::new(expression).unwrap();
            if let Some(found) = expression.captures(&subject).unwrap() {
                let mut request = request.clone();
                for name in expression.capture_names().flatten() {
                    request.insert(name, found.name(name).map_or("", |group| group.as_str()));
                }
                return filled(text, result.trim_matches('"'), &request);
            }
        }
        default
    }

    /// A text with its variables filled in.
    fn filled(text: &str, template: &str, request: &BTreeMap<&str, &str>) -> String {
        let mut parts = template.split('$');
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part
                .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
                .unwrap_or(part.len());
            out += &value(text, &part[..end], request);
            out += &part[end..];
        }
        out
    }

    /// The header's policy.
    fn header(text: &str) -> &str {
        let (_, rest) = text.split_once("add_header Content-Security-Policy \"").unwrap();
        rest.split_once("\" always;").unwrap().0
    }

    /// The sources of what governs a kind of load.
    fn sources<'a>(policy: &'a str, directives: &[&str]) -> Vec<&'a str> {
        let found = directives.iter().find_map(|wanted| {
            policy.split("; ").find_map(|directive| {
                let mut words = directive.split_whitespace();
                (words.next() == Some(wanted)).then(|| words.collect())
            })
        });
        found.unwrap_or_else(|| panic!("nothing governs {}: {policy}", directives[0]))
    }

    /// The hosts that a request with this cookie lets in, whatever is loaded from them.
    fn let_in(site: &SiteConfig, cookie: &str) -> BTreeSet<String> {
        with_signal(site, cookie, "http_dnt", "")
    }

    fn with_signal(site: &SiteConfig, cookie: &str, name: &str, sent: &str) -> BTreeSet<String> {
        let request = BTreeMap::from([("http_cookie", cookie), (name, sent)]);
        let text = policies(ORIGIN, site);
        let variable = format!("assent_hosts_{}", site.id.replace('-', "_"));
        // Looked up once, since it stands in each directive and the maps take their time.
        let policy = header(&text).replace(&format!("${variable}"), &value(&text, &variable, &request));
        let mut kinds = LOADS.map(|directives| -> BTreeSet<String> {
            sources(&policy, directives)
                .into_iter()
                .filter(|source| !source.starts_with('\'') && !source.ends_with(':') && *source != ORIGIN)
                .map(str::to_owned)
                .collect()
        });
        let hosts = std::mem::take(&mut kinds[0]);
        for (others, directives) in kinds.iter().zip(LOADS).skip(1) {
            assert_eq!(*others, hosts, "{}", directives[0]);
        }
        hosts
    }

    /// A site whose services are of these categories and load from these hosts.
    fn site(services: &[(Category, Vec<u8>)], service_choice: bool) -> SiteConfig {
        let mut site = demo::config().unwrap();
        let template = site.services.swap_remove(0);
        site.services = services
            .iter()
            .enumerate()
            .map(|(at, (category, hosts))| Service {
                id: format!("service-{at}"),
                category: *category,
                hosts: hosts.iter().map(|host| format!("host{host}.example")).collect(),
                ..template.clone()
            })
            .collect();
        site.blocking.allow = vec![ALWAYS.to_owned()];
        site.service_choice = service_choice;
        site
    }

    fn cookie(granted: Categories, exceptions: Option<&str>) -> String {
        let stored = Stored {
            revision: 3,
            granted,
            decided_at_s: 1_795_291_200,
            key: *b"00112233445566778899aabbccddeeff",
            record: *b"019aa7f0-1234-7abc-8def-0123456789ab",
            exceptions: exceptions.map(str::as_bytes),
        };
        let mut out = [0; LEN_MAX];
        let len = stored.write(&mut out);
        String::from_utf8(out[..len].to_vec()).unwrap()
    }

    /// What the gate lets in for a cookie's value: the services of which the choice grants each one that declares a host.
    fn expected(site: &SiteConfig, value: &str) -> BTreeSet<String> {
        let stored = Stored::parse(value.as_bytes()).filter(|stored| {
            stored
                .exceptions
                .is_none_or(|codes| site.service_choice && are_exceptions(codes))
        });
        let granted = |service: &Service| {
            let Some(stored) = &stored else {
                return service.category == Category::Necessary;
            };
            let excepted = stored
                .exceptions
                .is_some_and(|codes| codes.chunks(3).any(|code| code == service.code().as_bytes()));
            stored.granted.has(service.category) != (excepted && service.category != Category::Necessary)
        };
        let declared = site.services.iter().flat_map(|service| &service.hosts);
        declared
            .filter(|host| {
                let mut declaring = site
                    .services
                    .iter()
                    .filter(|service| service.hosts.contains(host));
                declaring.all(granted)
            })
            .cloned()
            .chain([ALWAYS.to_owned(), format!("*.{ALWAYS}")])
            .collect()
    }

    fn services() -> impl Strategy<Value = Vec<(Category, Vec<u8>)>> {
        let category = prop::sample::select(vec![
            Category::Necessary,
            Category::Performance,
            Category::Functional,
            Category::Targeting,
        ]);
        prop::collection::vec((category, prop::collection::vec(0..6_u8, 0..3)), 1..6)
    }

    #[test]
    fn a_declared_host_becomes_a_source_that_is_never_narrower() {
        for (host, expected) in [
            ("count.example", "count.example"),
            ("*.count.example", "*.count.example"),
            ("ads*.example.com/a/*", "*.example.com/a/"),
            ("www.example.com/maps", "www.example.com/maps"),
            ("www.example.com/maps/e*", "www.example.com/maps/"),
            ("www.example.com/a;b", "www.example.com/"),
            ("www.example.com/a/$x\"", "www.example.com/a/"),
        ] {
            assert_eq!(source(host), expected);
        }
    }

    #[test]
    fn a_policy_per_service_reads_as_nginx_wants_it() {
        let mut site = site(
            &[
                (Category::Necessary, vec![0]),
                (Category::Performance, vec![1, 2]),
                (Category::Targeting, vec![2, 3]),
            ],
            true,
        );
        site.id = "my-shop".to_owned();
        site.name = "My\nShop".to_owned();
        insta::assert_snapshot!(policies(ORIGIN, &site), @r#"
        # Which hosts a page of My Shop may load from, by the visitor's consent. In http { }:
        map $http_cookie $assent_choice_my_shop {
          default 1;
          "~^(?:(?!assent-my-shop=)[^;]*; )*assent-my-shop=1\.(?:0|[1-9]\d{0,8}|[1-3]\d{9})\.(?<assent_granted>[13579bdf])\.(?:0|[1-9]\d{0,8}|[1-3]\d{9})\.[0-9a-f]{32}\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?<assent_exceptions>(?:\.(?:[\w-]{3}){1,60})?)(?:;|$)" $assent_granted$assent_exceptions;
          # A cookie that cannot be read grants nothing.
          "~(?:^|[; ])assent-my-shop=" 1;
        }
        map $assent_choice_my_shop $assent_1_my_shop {
          "~^(?=[37bf](?!\.(?:...)*Jm_)|[159d]\.(?:...)*Jm_)" "host1.example";
        }
        map $assent_choice_my_shop $assent_2_my_shop {
          "~^(?=[37bf](?!\.(?:...)*Jm_)|[159d]\.(?:...)*Jm_)(?=[9bdf](?!\.(?:...)*xzK)|[1357]\.(?:...)*xzK)" "host2.example";
        }
        map $assent_choice_my_shop $assent_3_my_shop {
          "~^(?=[9bdf](?!\.(?:...)*xzK)|[1357]\.(?:...)*xzK)" "host3.example";
        }
        map $assent_choice_my_shop $assent_hosts_my_shop {
          default "*.own.example host0.example own.example $assent_1_my_shop $assent_2_my_shop $assent_3_my_shop";
        }

        # In server { }; add what the pages need themselves, and a nonce for inline scripts:
        add_header Content-Security-Policy "default-src 'self' $assent_hosts_my_shop; script-src 'self' 'wasm-unsafe-eval' https://consent.example $assent_hosts_my_shop; style-src 'self' 'unsafe-inline' $assent_hosts_my_shop; connect-src 'self' https://consent.example $assent_hosts_my_shop; img-src 'self' data: blob: $assent_hosts_my_shop; font-src 'self' data: $assent_hosts_my_shop; media-src 'self' data: blob: $assent_hosts_my_shop" always;
        "#);
    }

    #[test]
    fn the_page_keeps_what_reaches_no_host_and_assent_what_it_needs() {
        let policy = policy(ORIGIN, "count.example");
        let of = |kind: &str| {
            sources(
                &policy,
                LOADS.iter().find(|directives| directives[0] == kind).unwrap(),
            )
        };
        assert!(of("style-src-elem").contains(&"'unsafe-inline'"));
        assert!(!of("script-src-elem").contains(&"'unsafe-inline'"));
        for kind in ["script-src-elem", "connect-src"] {
            assert!(of(kind).contains(&ORIGIN), "{kind}");
        }
        assert!(of("img-src").contains(&"data:") && of("font-src").contains(&"data:"));
    }

    #[test]
    fn without_a_choice_only_what_every_rule_grants_is_let_in() {
        let mut site = site(
            &[(Category::Performance, vec![1]), (Category::Targeting, vec![2])],
            false,
        );
        let rule = |on_by_default: &[Category], honours_dnt| Rule {
            id: "us".to_owned(),
            regions: vec!["US".to_owned()],
            model: Model::OptOut,
            on_by_default: on_by_default.to_vec(),
            honours_gpc: false,
            honours_dnt,
            expiry_days: 180,
        };
        let both = [Category::Performance, Category::Targeting];
        site.rules = vec![rule(&both, true)];
        let count = |site: &SiteConfig, cookie: &str, sent: &str| {
            with_signal(site, cookie, "http_dnt", sent).len() - 2
        };
        assert_eq!(count(&site, "other=1", "0"), 2);
        assert_eq!(count(&site, "other=1", "1"), 1, "the signal takes targeting");
        assert_eq!(count(&site, "assent-demo=1.broken", "0"), 0);
        let choice = format!("assent-demo={}", cookie(Categories::ALL, None));
        assert_eq!(count(&site, &choice, "1"), 2, "a choice stands above the signal");
        site.rules.push(rule(&[Category::Performance], false));
        assert_eq!(count(&site, "", "1"), 1);
        site.rules.push(rule(&[], false));
        assert_eq!(count(&site, "", "0"), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_let_in_is_what_the_choice_grants(
            services in services(),
            service_choice: bool,
            bits in 0_u8..16,
            excepted in prop::collection::vec(any::<bool>(), 6),
            gone in prop::collection::vec(CODES, 0..3),
            before in "(assent-demo-center=1; |_ga=GA1\\.1; |x=assent-demo=1; ){0,3}",
            after in "(; _fbp=1\\.f\\.1|; assent-demo=1\\.1\\.f\\.1\\.x)?",
        ) {
            let site = site(&services, service_choice);
            let codes = site.services.iter().zip(excepted).filter(|(_, excepted)| *excepted).map(|(service, _)| service.code());
            let codes: BTreeSet<String> = codes.chain(gone).collect();
            let codes: String = codes.into_iter().collect();
            let value = cookie(Categories::granted(bits), (!codes.is_empty()).then_some(&codes));
            prop_assert_eq!(let_in(&site, &format!("{before}assent-demo={value}{after}")), expected(&site, &value));
        }

        #[test]
        fn a_cookie_that_cannot_be_read_lets_in_only_what_is_necessary(
            services in services(),
            service_choice: bool,
            codes in prop::option::of(prop::collection::btree_set(CODES, 1..4)),
            at in 0_usize..110,
            with in "([ -:<-~]|; )?",
            cut: bool,
        ) {
            let site = site(&services, service_choice);
            let codes = codes.map(|codes| codes.into_iter().collect::<String>());
            let whole = cookie(Categories::ALL, codes.as_deref());
            let at = at.min(whole.len());
            let end = if cut { whole.len() } else { (at + 1).min(whole.len()) };
            let broken = format!("{}{with}{}", &whole[..at], &whole[end..]);
            // The value ends at the semicolon. What no expression can tell is whether its codes are sorted.
            let is_code = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
            let is_readable = Stored::parse(broken.split(';').next().unwrap().as_bytes()).is_some_and(|stored| {
                stored.exceptions.is_none_or(|codes| {
                    service_choice && !codes.is_empty() && codes.len() % 3 == 0 && codes.iter().all(is_code)
                })
            });
            prop_assume!(!is_readable);
            // A whole one of another domain, which the browser puts after it, says nothing.
            let jar = format!("assent-demo={broken}; assent-demo={whole}");
            prop_assert_eq!(let_in(&site, &jar), expected(&site, ""));
        }
    }
}
