//! Consent records: taken in, and given back to their subject.

use assent_consent::record::{ConsentRecord, Subject, Submission};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;
use uuid::Uuid;

use super::{
    address::{self, Client},
    asked, body, called,
    problem::Problem,
    text,
};
use crate::{app::AppState, intake};

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/v1/sites/{site}/records", post(submit))
        .route("/v1/sites/{site}/records/{id}", get(read))
}

#[derive(Serialize)]
struct Acknowledged {
    id: Uuid,
    receipt: String,
}

async fn submit(
    State(app): State<AppState>,
    client: Client,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let site = called(&app, &app.limits.records, client, &id, &headers)?;
    let submission: Submission = body::json(&headers, body).await?;
    let accepted = intake::accept(&app, &site, &submission, address::device(&headers)).await?;
    let status = if accepted.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(json(
        status,
        &Acknowledged {
            id: accepted.id,
            receipt: accepted.receipt,
        },
    ))
}

#[derive(Serialize)]
struct Kept<'a> {
    record: &'a ConsentRecord,
    receipt: String,
}

async fn read(
    State(app): State<AppState>,
    client: Client,
    Path((site_id, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = asked(&app, client, &site_id)?;
    let subject = subject(&headers)?;
    // One answer for all: whoever has not the key learns nothing, not even whether the record exists.
    let missing = || Problem::new(StatusCode::NOT_FOUND, "This subject has no record with this id.");
    let id = Uuid::parse_str(&id).map_err(|_| missing())?;
    let record = app
        .store
        .record(site.id(), id, subject)
        .await?
        .ok_or_else(missing)?;
    let receipt = app.signer.sign(&record);
    Ok(json(
        StatusCode::OK,
        &Kept {
            record: &record,
            receipt,
        },
    ))
}

/// The subject whose key stands in the `Authorization` header.
pub(crate) fn subject(headers: &HeaderMap) -> Result<Subject, Problem> {
    text(headers, header::AUTHORIZATION)
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(Subject::of_key)
        .ok_or_else(|| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "The Authorization header must be `Bearer` with a subject key of 32 lower-case hexadecimal digits.",
            )
        })
}

/// A JSON answer that is for one visitor and not to be kept by anything on the way.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => (
            status,
            [
                (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (
                    header::X_CONTENT_TYPE_OPTIONS,
                    HeaderValue::from_static("nosniff"),
                ),
            ],
            bytes,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer does not serialise");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
