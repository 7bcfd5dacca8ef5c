//! How a subject moves between a site and its center, which may be on another origin.
//!
//! The key itself never stands in an address. The site exchanges it for a token that works once, within ten
//! minutes; the center takes the token out of its address at once. On the way back the center makes a token
//! and only a page on one of the site's origins can redeem it.

use std::collections::BTreeSet;

use assent_consent::{
    Categories,
    record::{ConsentRecord, Subject},
    site::code,
};
use assent_store::Grant;
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    address::Client,
    body, called,
    problem::Problem,
    query::Query,
    records::{json, subject},
    site,
};
use crate::{
    app::{App, AppState},
    auth,
};

/// How long a token works.
const TOKEN_MS: i64 = 10 * 60_000;

/// How many of a subject's records are looked at for the latest decision.
const RECENT_LEN: u32 = 16;

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/v1/sites/{site}/handover", post(hand_over))
        .route("/v1/sites/{site}/redeem", post(redeem))
        .route("/v1/sites/{site}/choice", get(choice))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HandOver {
    key: String,
}

#[derive(Serialize)]
struct HandedOver {
    token: String,
}

async fn hand_over(
    State(app): State<AppState>,
    client: Client,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let site = called(&app, &app.limits.handovers, client, &id, &headers)?;
    let HandOver { key } = body::json(&headers, body).await?;
    if Subject::of_key(&key).is_none() {
        return Err(Problem::field(
            StatusCode::UNPROCESSABLE_ENTITY,
            "key",
            "must be 32 lower-case hexadecimal digits",
        ));
    }
    let token = grant_subject(&app, site.id(), &key).await?;
    Ok(json(StatusCode::OK, &HandedOver { token }))
}

/// Makes a token that carries a subject key once.
pub(crate) async fn grant_subject(app: &App, site: &str, key: &str) -> Result<String, Problem> {
    let grant = |token: &str| Grant::Subject {
        site: site.to_owned(),
        key: sealed(key, token),
    };
    let expires_at_ms = app.clock.now_ms() + TOKEN_MS;
    Ok(auth::one_time_token(app.store.as_ref(), app.random.as_ref(), grant, expires_at_ms).await?)
}

/// A subject key under a pad that only the token gives, and the other way round: the store, which has but the
/// token's hash, never holds a key that can be read. The pad is used for this one key.
fn sealed(key: &str, token: &str) -> String {
    let pad = Sha256::digest(format!("assent handover\0{token}"));
    let mut bytes = hex::decode(key).unwrap_or_default();
    for (byte, pad) in bytes.iter_mut().zip(pad) {
        *byte ^= pad;
    }
    hex::encode(bytes)
}

/// The subject key that a token carries for this site; the token is used up.
pub(crate) async fn take_subject(app: &App, site: &str, token: &str) -> Result<Option<String>, Problem> {
    let hash = auth::hash(token);
    let now_ms = app.clock.now_ms();
    // Looked at before it is taken, so that a token shown to the wrong site still works at the right one.
    match app.store.peek_token(hash, now_ms).await? {
        Some(Grant::Subject { site: of, .. }) if of == site => {}
        _ => return Ok(None),
    }
    Ok(match app.store.take_token(hash, now_ms).await? {
        Some(Grant::Subject { key, .. }) => Some(sealed(&key, token)),
        _ => None,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redeem {
    token: String,
}

#[derive(Serialize)]
struct Known {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    granted: u8,
    /// The exceptions, as the cookie keeps them.
    #[serde(skip_serializing_if = "String::is_empty")]
    codes: String,
    record: Uuid,
    revision: u32,
    decided_at_ms: i64,
}

async fn redeem(
    State(app): State<AppState>,
    client: Client,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let site = called(&app, &app.limits.handovers, client, &id, &headers)?;
    let Redeem { token } = body::json(&headers, body).await?;
    let gone = || {
        Problem::field(
            StatusCode::GONE,
            "token",
            "was used before, is too old or unknown",
        )
    };
    let key = take_subject(&app, site.id(), &token).await?.ok_or_else(gone)?;
    let subject = Subject::of_key(&key).ok_or_else(gone)?;
    let newest = newest(&app, site.id(), subject).await?.ok_or_else(no_record)?;
    Ok(json(StatusCode::OK, &known(&newest, Some(key))))
}

#[derive(Deserialize)]
struct Stored {
    /// The record that the browser has.
    record: Option<String>,
}

async fn choice(
    State(app): State<AppState>,
    Path(id): Path<String>,
    Query(stored): Query<Stored>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = site(&app, &id)?;
    let subject = subject(&headers)?;
    if let Some(newest) = newest(&app, site.id(), subject).await? {
        return Ok(json(StatusCode::OK, &known(&newest, None)));
    }
    let record = stored.record.and_then(|record| Uuid::parse_str(&record).ok());
    if let Some(record) = record
        && (app.store.is_erased(site.id(), record).await?
            || taken_back(&app, site.id(), subject).await?.contains(&record))
    {
        return Err(Problem::field(StatusCode::GONE, "record", "was erased"));
    }
    Err(no_record())
}

fn no_record() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "This subject has no record.")
}

/// The record whose choice counts.
pub(crate) async fn newest(
    app: &App,
    site: &str,
    subject: Subject,
) -> Result<Option<ConsentRecord>, Problem> {
    let mut history = app.store.history(site, subject, RECENT_LEN).await?;
    let taken_back = taken_back(app, site, subject).await?;
    let superseded = superseded(app, site, subject).await?;
    history.retain(|record| !taken_back.contains(&record.id) && !superseded.contains(&record.id));
    Ok(latest(&history).cloned())
}

/// The records that are still there because the law keeps them, though their visitor had everything erased: what they
/// say counts no more.
pub(crate) async fn taken_back(app: &App, site: &str, subject: Subject) -> Result<BTreeSet<Uuid>, Problem> {
    let holds = app.store.holds_of(site, subject, app.clock.now_ms()).await?;
    Ok(holds
        .into_iter()
        .filter(|hold| hold.erasure_asked_at_ms.is_some())
        .map(|hold| hold.record)
        .collect())
}

/// The records that are followed by one that was erased. Nobody knows what that one said; it may have been a withdrawal.
pub(crate) async fn superseded(app: &App, site: &str, subject: Subject) -> Result<BTreeSet<Uuid>, Problem> {
    Ok(app.store.superseded(site, subject).await?.into_iter().collect())
}

/// The record of the latest decision, of a history that begins with the last record of the log.
///
/// No clock is asked: a browser's may go back between two choices. Of a browser's choices each names the one before, so
/// the latest is the one that no other names. Where that leaves more than one, two places have decided without knowing
/// of each other, such as the center and a page whose record came late: then the one that allows least, because what was
/// withdrawn in either must not come back, and among equal ones the last of the log.
pub(crate) fn latest(history: &[ConsentRecord]) -> Option<&ConsentRecord> {
    let replaced: BTreeSet<_> = history.iter().filter_map(|record| record.previous).collect();
    history
        .iter()
        .filter(|record| !replaced.contains(&record.id))
        .min_by_key(|record| allowed(record))
        // Records that name each other in a circle, which no browser makes.
        .or_else(|| history.first())
}

/// How many categories a record allows, and how many services beyond or less.
fn allowed(record: &ConsentRecord) -> (u32, i64) {
    let services = record
        .services
        .values()
        .map(|is_allowed| if *is_allowed { 1 } else { -1 });
    (
        Categories::from(record.choice).bits().count_ones(),
        services.sum(),
    )
}

fn known(record: &ConsentRecord, key: Option<String>) -> Known {
    let codes: BTreeSet<String> = record.services.keys().map(|id| code(id)).collect();
    Known {
        key,
        granted: Categories::from(record.choice).bits(),
        codes: codes.into_iter().collect(),
        record: record.id,
        revision: record.revision,
        decided_at_ms: record.decided_at_ms,
    }
}
