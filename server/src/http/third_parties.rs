//! `POST /v1/sites/{site}/third-parties`: what a page loaded without consent, where automatic blocking is on. Counted
//! without any identifier.

use assent_consent::site::BlockingMode;
use assent_store::{Kind, Sighting, WaitsFor};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde::Deserialize;

use super::{address::Client, body, called, problem::Problem};
use crate::app::AppState;

/// The most third parties in one report.
const SEEN_MAX: usize = 50;
/// The longest name of a host, in bytes (RFC 1035, section 2.3.4).
const HOST_LEN_MAX: usize = 253;
const DAY_MS: i64 = 86_400_000;

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/v1/sites/{site}/third-parties", post(report))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    revision: u32,
    seen: Vec<Seen>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    host: String,
    /// What has loaded it, in the words of the browser's list: `PerformanceResourceTiming.initiatorType`.
    kinds: Vec<String>,
    waits_for: String,
}

async fn report(
    State(app): State<AppState>,
    client: Client,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let site = called(&app, &app.limits.events, client, &id, &headers)?;
    let report: Report = body::json(&headers, body).await?;
    let wrong = |field: String, problem: &'static str| {
        Problem::field(StatusCode::UNPROCESSABLE_ENTITY, field, problem)
    };
    if !(1..=site.revision.number).contains(&report.revision) {
        return Err(wrong("revision".to_owned(), "was never published"));
    }
    if report.seen.len() > SEEN_MAX {
        return Err(wrong("seen".to_owned(), "holds more than 50 third parties"));
    }
    let day = i32::try_from(app.clock.now_ms().div_euclid(DAY_MS)).unwrap_or(i32::MAX);
    let mut sightings = Vec::with_capacity(report.seen.len());
    for (at, seen) in report.seen.into_iter().enumerate() {
        if !is_host(&seen.host) {
            return Err(wrong(
                format!("seen[{at}].host"),
                "must be a host's name in lower case",
            ));
        }
        let waits_for = WaitsFor::from_id(&seen.waits_for).ok_or_else(|| {
            wrong(
                format!("seen[{at}].waits_for"),
                "must be declared, performance, functional, targeting or unknown",
            )
        })?;
        sightings.push(Sighting {
            site: site.id().to_owned(),
            day,
            host: seen.host,
            waits_for,
            kinds: seen.kinds.iter().map(|initiator| kind(initiator)).collect(),
        });
    }
    // A page that was loaded before the owner switched it off.
    let is_on = site.revision.config.blocking.mode != BlockingMode::Off;
    if is_on && !sightings.is_empty() {
        app.queue.third_parties(sightings)?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A name as browsers write it in addresses; an IP address passes, too.
fn is_host(host: &str) -> bool {
    (1..=HOST_LEN_MAX).contains(&host.len())
        && host
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'[' | b']' | b':'))
}

/// Source: <https://www.w3.org/TR/resource-timing/#dom-performanceresourcetiming-initiatortype>.
fn kind(initiator: &str) -> Kind {
    match initiator {
        "script" => Kind::Script,
        "iframe" | "frame" | "subdocument" => Kind::Frame,
        "img" | "image" | "input" | "icon" => Kind::Image,
        "fetch" | "xmlhttprequest" => Kind::Request,
        "beacon" | "ping" => Kind::Beacon,
        "css" => Kind::Css,
        "link" => Kind::Link,
        "video" | "audio" | "track" => Kind::Media,
        _ => Kind::Other,
    }
}
