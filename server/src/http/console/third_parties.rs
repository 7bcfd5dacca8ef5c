//! `/console/sites/{site}/third-parties`: what a site's pages loaded without consent.

use std::collections::BTreeMap;

use assent_consent::{Category, erase, site::SiteConfig};
use assent_console::{ThirdPartiesPage, ThirdParty, Waits};
use assent_store::{Kind, Kinds, ThirdPartyDay, WaitsFor};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Serialize;

use super::{shown, today};
use crate::{
    app::AppState,
    http::{page, problem::Problem},
};

/// Days of the page's longer period.
const MONTH: i32 = 30;
const WEEK: i32 = 7;

/// The page.
pub(super) async fn third_parties(
    State(app): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shown = match shown(&app, &id, &headers).await? {
        Ok(shown) => shown,
        Err(instead) => return Ok(instead),
    };
    let today = today(&app);
    let days = app
        .store
        .third_parties(shown.owner.organisation, &id, today - MONTH + 1, today)
        .await?;
    let config = &shown.config;
    let found = summary(config, &days, today);
    let html = assent_console::third_parties(&ThirdPartiesPage {
        frame: shown.frame(),
        mode: config.blocking.mode,
        holds_unknown: config.blocking.hold_unknown,
        found: &found,
        allowing: &allowing(config, &found),
        today,
    });
    Ok(page::html(StatusCode::OK, html))
}

/// One line for each host and what it waits for by the present configuration, those that are seen most first. What
/// that no longer holds is left out.
fn summary(config: &SiteConfig, days: &[ThirdPartyDay], today: i32) -> Vec<ThirdParty> {
    let own = config.own_hosts();
    let is_own = |host: &str| {
        own.iter().any(|own| {
            host.strip_suffix(own)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    };
    let mut found: BTreeMap<(&str, WaitsFor), (ThirdParty, Kinds)> = BTreeMap::new();
    for row in days.iter().filter(|row| !is_own(&row.host)) {
        let Some((waits_for, waits)) = waits(config, row) else {
            continue;
        };
        let (line, kinds) = found.entry((&row.host, waits_for)).or_insert_with(|| {
            let line = ThirdParty {
                host: row.host.clone(),
                entry: entry(&row.host, &waits),
                waits,
                kinds: Vec::new(),
                week: 0,
                month: 0,
                last_day: row.day,
            };
            (line, Kinds::default())
        });
        *kinds = kinds.and(row.kinds);
        line.month += row.page_views;
        line.last_day = line.last_day.max(row.day);
        if row.day > today - WEEK {
            line.week += row.page_views;
        }
    }
    let mut found: Vec<_> = found
        .into_values()
        .map(|(line, kinds)| ThirdParty {
            kinds: kinds.iter().map(in_words).collect(),
            ..line
        })
        .collect();
    found.sort_by_key(|line| std::cmp::Reverse(line.month));
    found
}

/// What a third party waits for. The page's loader knew the path; here only declarations of whole hosts count, but for
/// what the loader found declared. `None` if only strictly necessary services declare it, for they never wait.
fn waits(config: &SiteConfig, row: &ThirdPartyDay) -> Option<(WaitsFor, Waits)> {
    let declared = |host: &String| {
        let (name, path) = host.split_once('/').unwrap_or((host, "*"));
        (path == "*" || row.waits_for == WaitsFor::Declared)
            && erase::matches(name.as_bytes(), row.host.as_bytes())
    };
    let services: Vec<_> = config
        .services
        .iter()
        .filter(|service| service.hosts.iter().any(declared))
        .collect();
    if !services.is_empty() {
        let mut categories: Vec<_> = services
            .iter()
            .map(|service| service.category)
            .filter(|category| *category != Category::Necessary)
            .collect();
        categories.sort_unstable();
        categories.dedup();
        let names = services.into_iter().map(|service| service.name.clone()).collect();
        return (!categories.is_empty()).then_some((WaitsFor::Declared, Waits::Services(names, categories)));
    }
    let waits = match row.waits_for {
        WaitsFor::Performance => Waits::Listed(Category::Performance),
        WaitsFor::Functional => Waits::Listed(Category::Functional),
        WaitsFor::Targeting => Waits::Listed(Category::Targeting),
        // A service has declared it then, and does so no more.
        WaitsFor::Declared | WaitsFor::Unknown => Waits::Unknown,
    };
    Some((row.waits_for, waits))
}

const fn in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Script => "script",
        Kind::Frame => "frame",
        Kind::Image => "picture",
        Kind::Request => "request",
        Kind::Beacon => "beacon",
        Kind::Css => "from a style sheet",
        Kind::Link => "style sheet or hint",
        Kind::Media => "film or sound",
        Kind::Other => "other",
    }
}

/// A service as an owner begins to write it.
#[derive(Serialize)]
struct Entry<'a> {
    id: String,
    category: Category,
    name: &'a str,
    provider: &'static str,
    purpose: &'static str,
    hosts: [&'a str; 1],
    items: [(); 0],
}

fn entry(host: &str, waits: &Waits) -> String {
    let id: String = host
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .take(40)
        .collect();
    let entry = Entry {
        id: id.trim_matches('-').to_owned(),
        category: match waits {
            Waits::Listed(category) => *category,
            _ => Category::Functional,
        },
        name: host,
        provider: "…",
        purpose: "…",
        hosts: [host],
        items: [],
    };
    serde_json::to_string_pretty(&entry).unwrap_or_default()
}

/// The configuration's `blocking` with one of the hosts allowed: of those that nobody declares, the most seen.
fn allowing(config: &SiteConfig, found: &[ThirdParty]) -> String {
    let mut blocking = config.blocking.clone();
    let example = found
        .iter()
        .find(|found| found.waits == Waits::Unknown)
        .or(found.first());
    blocking.allow.extend(example.map(|found| found.host.clone()));
    let json = serde_json::to_string_pretty(&blocking).unwrap_or_default();
    format!("\"blocking\": {json}")
}

#[cfg(test)]
mod tests {
    use assent_consent::site::Service;

    use super::*;
    use crate::demo;

    const TODAY: i32 = 20_777;

    fn day(day: i32, host: &str, waits_for: WaitsFor, kinds: &[Kind], page_views: u64) -> ThirdPartyDay {
        ThirdPartyDay {
            day,
            host: host.to_owned(),
            waits_for,
            kinds: kinds.iter().copied().collect(),
            page_views,
        }
    }

    fn config() -> SiteConfig {
        let mut config = demo::config().unwrap();
        config.services.truncate(3);
        for (service, category, hosts) in [
            (0, Category::Necessary, vec!["pay.example"]),
            (1, Category::Performance, vec!["*.count.example"]),
            (
                2,
                Category::Functional,
                vec!["films.example/embed/*", "www.count.example"],
            ),
        ] {
            config.services[service].category = category;
            config.services[service].hosts = hosts.into_iter().map(str::to_owned).collect();
            config.services[service].name = format!("Service {service}");
        }
        config.origins = vec!["https://www.shop.example".to_owned()];
        config.blocking.allow = vec!["*.cdn.example".to_owned()];
        config
    }

    fn lines(days: &[ThirdPartyDay]) -> String {
        summary(&config(), days, TODAY)
            .iter()
            .map(|line| {
                format!(
                    "{} | {:?} | {} | {} {} {}",
                    line.host,
                    line.waits,
                    line.kinds.join(", "),
                    line.week,
                    line.month,
                    line.last_day - TODAY
                )
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn days_add_up_under_the_present_configuration() {
        let days = [
            day(TODAY - 29, "a.example", WaitsFor::Unknown, &[Kind::Image], 5),
            day(TODAY - 7, "a.example", WaitsFor::Unknown, &[Kind::Script], 7),
            day(TODAY - 6, "a.example", WaitsFor::Unknown, &[], 11),
            day(TODAY, "www.count.example", WaitsFor::Declared, &[Kind::Script], 2),
            // Not declared when it was seen.
            day(
                TODAY - 9,
                "www.count.example",
                WaitsFor::Targeting,
                &[Kind::Beacon],
                1,
            ),
            day(TODAY, "films.example", WaitsFor::Declared, &[Kind::Frame], 1),
            day(TODAY, "films.example", WaitsFor::Unknown, &[Kind::Other], 1),
            day(TODAY, "gone.example", WaitsFor::Declared, &[Kind::Link], 1),
        ];
        insta::assert_snapshot!(lines(&days), @r#"
        a.example | Unknown | script, picture | 11 23 -6
        www.count.example | Services(["Service 1", "Service 2"], [Performance, Functional]) | script, beacon | 2 3 0
        films.example | Services(["Service 2"], [Functional]) | frame | 1 1 0
        films.example | Unknown | other | 1 1 0
        gone.example | Unknown | style sheet or hint | 1 1 0
        "#);
    }

    #[test]
    fn what_is_never_held_is_not_listed() {
        let days = [
            "shop.example",
            "img.shop.example",
            "cdn.example",
            "a.cdn.example",
            "pay.example",
        ]
        .map(|host| day(TODAY, host, WaitsFor::Targeting, &[Kind::Script], 1));
        assert_eq!(lines(&days), "");
        let other = day(TODAY, "myshop.example", WaitsFor::Targeting, &[Kind::Script], 1);
        assert_eq!(summary(&config(), &[other], TODAY).len(), 1);
    }

    #[test]
    fn what_an_owner_pastes_can_be_published() {
        let mut config = config();
        let host = "a.very-long-name-of-a-host.of.some_vendor.example";
        let text = entry(host, &Waits::Listed(Category::Targeting));
        let service: Service = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (service.category, &*service.hosts),
            (Category::Targeting, &[host.to_owned()][..])
        );
        config.services.push(service);
        assert_eq!(config.faults().len(), 0, "{:?}", config.faults());

        let found = summary(
            &config,
            &[day(TODAY, "b.example", WaitsFor::Unknown, &[], 1)],
            TODAY,
        );
        let text = format!("{{{}}}", allowing(&config, &found));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value["blocking"]["allow"],
            serde_json::json!(["*.cdn.example", "b.example"])
        );
        config.blocking = serde_json::from_value(value["blocking"].clone()).unwrap();
        assert_eq!(config.faults().len(), 0, "{:?}", config.faults());
    }
}
