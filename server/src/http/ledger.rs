//! A site's log, for whoever wants to check it: checkpoints, tiles, proofs (ARCHITECTURE.md, "The ledger").

use assent_consent::ledger::{
    LogProof, Plan,
    tile::{self, Resource},
};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    address::Client,
    asked, delivery,
    problem::Problem,
    query::Query,
    records::{json, subject},
    site,
};
use crate::{
    app::{App, AppState},
    ledger::{
        Log as _, LogError, StoredLog,
        pages::{Consistency, Erasures, Heads},
    },
};

/// What never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Partial tiles never change either, but are soon asked for no more.
const SHORT: &str = "public, max-age=60";
/// What changes with each checkpoint.
const FRESH: &str = "no-cache";
/// Heads or erasures in one answer.
const PAGE: u32 = 1000;
/// Seconds after which a record that was just stored is likely to be below a checkpoint.
const RETRY_AFTER_S: u64 = 5;

/// The routes that are open to any page.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/v1/sites/{site}/log/checkpoint", get(checkpoint))
        .route("/v1/sites/{site}/log/checkpoints", get(checkpoints))
        .route("/v1/sites/{site}/log/erased", get(erased))
        .route("/v1/sites/{site}/log/proof", get(consistency))
        .route("/v1/sites/{site}/log/tile/{*path}", get(tile))
}

/// The route of a record's proof, open to the site's pages.
pub(crate) fn record_router() -> Router<AppState> {
    Router::new().route("/v1/sites/{site}/records/{id}/proof", get(inclusion))
}

async fn checkpoint(State(app): State<AppState>, Path(id): Path<String>) -> Result<Response, Problem> {
    let site = site(&app, &id)?;
    let head = app.store.last_head(site.id()).await?.ok_or_else(no_checkpoint)?;
    Ok(note(head.note))
}

/// A signed note, for any page.
pub(super) fn note(note: String) -> Response {
    public(note, "text/plain; charset=utf-8", FRESH)
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    from: u64,
}

async fn checkpoints(
    State(app): State<AppState>,
    Path(id): Path<String>,
    Query(Start { from }): Query<Start>,
) -> Result<Response, Problem> {
    let site = site(&app, &id)?;
    let heads = app.store.heads(site.id(), from, PAGE).await?;
    let next = heads.last().map(|last| last.size + 1);
    Ok(public_json(&Heads {
        next: next.filter(|_| heads.len() == PAGE as usize),
        checkpoints: heads.into_iter().map(Into::into).collect(),
    }))
}

async fn erased(
    State(app): State<AppState>,
    Path(id): Path<String>,
    Query(Start { from }): Query<Start>,
) -> Result<Response, Problem> {
    let site = site(&app, &id)?;
    let erasures = app.store.log_erasures(site.id(), from, PAGE).await?;
    let next = erasures.last().map(|last| last.leaf + 1);
    Ok(public_json(&Erasures {
        next: next.filter(|_| erasures.len() == PAGE as usize),
        erased: erasures.into_iter().map(Into::into).collect(),
    }))
}

async fn tile(
    State(app): State<AppState>,
    Path((id, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "The log has no such tile.");
    let site = site(&app, &id)?;
    let resource = Resource::parse(&format!("tile/{path}")).ok_or_else(missing)?;
    let log = StoredLog {
        store: app.store.as_ref(),
        site: site.id(),
    };
    let body = match resource {
        Resource::Entries(tile) => log
            .body(tile)
            .await?
            .map(|commitments| tile::bundle(&commitments)),
        Resource::Hashes(tile) => match log.hashes(tile).await {
            Ok(hashes) => Some(hashes.iter().flat_map(|hash| hash.0).collect()),
            Err(LogError::Missing(_)) => None,
            Err(error) => return Err(error.into()),
        },
    };
    let caching = if resource.tile().is_full() {
        FOR_EVER
    } else {
        SHORT
    };
    Ok(public(
        body.ok_or_else(missing)?,
        "application/octet-stream",
        caching,
    ))
}

#[derive(Deserialize)]
struct Between {
    from: u64,
    to: u64,
}

async fn consistency(
    State(app): State<AppState>,
    client: Client,
    Path(id): Path<String>,
    Query(Between { from, to }): Query<Between>,
) -> Result<Response, Problem> {
    let site = asked(&app, client, &id)?;
    let head = app.store.last_head(site.id()).await?.ok_or_else(no_checkpoint)?;
    let plan = Plan::consistency(from, to)
        .filter(|_| to <= head.size)
        .ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "`from` must not be above `to`, nor `to` above the size of the last checkpoint.",
            )
        })?;
    let log = StoredLog {
        store: app.store.as_ref(),
        site: site.id(),
    };
    let proof = log.resolve(&plan).await?;
    Ok(public_json(&Consistency {
        from,
        to,
        proof: proof.iter().map(ToString::to_string).collect(),
    }))
}

#[derive(Deserialize)]
struct Which {
    /// The record's commitment in 64 hexadecimal digits, as a receipt gives it. It stands among the log's entries, too:
    /// what it opens says only which of them is the record's.
    entry: Option<String>,
}

async fn inclusion(
    State(app): State<AppState>,
    client: Client,
    Path((site_id, id)): Path<(String, String)>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = asked(&app, client, &site_id)?;
    let proof = prove(&app, site.id(), &id, &which, &headers).await?;
    let mut response = json(StatusCode::OK, &());
    *response.body_mut() = Body::from(proof.to_string());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    Ok(response)
}

async fn prove(
    app: &App,
    site: &str,
    id: &str,
    which: &Which,
    headers: &HeaderMap,
) -> Result<LogProof, Problem> {
    // One answer for all: whoever has neither the key nor the commitment learns nothing.
    let missing = || Problem::new(StatusCode::NOT_FOUND, "This subject has no record with this id.");
    let subject = match which.entry {
        Some(_) => None,
        None => Some(subject(headers)?),
    };
    let id = Uuid::parse_str(id).map_err(|_| missing())?;
    let logged = app.store.logged(site, id).await?.ok_or_else(missing)?;
    let record = logged.record?;
    let is_allowed = match (&which.entry, subject) {
        (Some(entry), _) => *entry == hex::encode(record.commitment()),
        (None, subject) => subject == Some(record.subject),
    };
    if !is_allowed {
        return Err(missing());
    }
    let log = StoredLog {
        store: app.store.as_ref(),
        site,
    };
    log.prove(logged.leaf).await?.ok_or_else(|| {
        Problem::later(
            "The record is stored; no checkpoint covers it yet.",
            RETRY_AFTER_S,
        )
    })
}

fn no_checkpoint() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "The log has no checkpoint yet: no record was stored, or the first one just now.",
    )
}

fn public(body: impl Into<Body>, media_type: &'static str, caching: &'static str) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    delivery::for_any_page(headers);
    response
}

fn public_json(body: &impl Serialize) -> Response {
    let mut response = json(StatusCode::OK, body);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static(FRESH));
    delivery::for_any_page(response.headers_mut());
    response
}
