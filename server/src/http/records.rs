//! Consent records: taken in, and given back to their subject.

use assent_consent::{
    notice::Notice,
    record::{ConsentRecord, Subject, Submission},
};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    address::{self, Client},
    asked, body, called,
    problem::Problem,
    query::Query,
    text,
};
use crate::{
    app::{App, AppState},
    export::{self, Exported},
    intake,
    publish::Site,
};

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

/// The form in which a record is given out, other than the own one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A Kantara Consent Receipt.
    Kantara,
    /// ISO/IEC TS 27560 in the terms of DPV.
    Dpv,
}

impl Format {
    /// Its media type.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Kantara => "application/json",
            Self::Dpv => "application/ld+json",
        }
    }
}

/// How a record is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    format: Option<String>,
}

impl Wanted {
    /// The form; `None` for the own one.
    ///
    /// # Errors
    /// There is no such form.
    pub(crate) fn format(&self) -> Result<Option<Format>, Problem> {
        match self.format.as_deref() {
            None => Ok(None),
            Some("kantara") => Ok(Some(Format::Kantara)),
            Some("dpv") => Ok(Some(Format::Dpv)),
            Some(_) => Err(Problem::field(
                StatusCode::BAD_REQUEST,
                "format",
                "must be kantara or dpv",
            )),
        }
    }
}

/// A record in the form of others, as JSON.
pub(crate) async fn export(
    app: &App,
    site: &Site,
    record: &ConsentRecord,
    format: Format,
) -> Result<Vec<u8>, Problem> {
    let unreadable = || {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "What was shown cannot be read.",
        )
    };
    let body = app.store.notice(site.id(), record.notice).await?;
    let notice: Notice = body
        .and_then(|body| serde_json::from_str(&body).ok())
        .ok_or_else(unreadable)?;
    let previous = match record.previous {
        Some(id) => app.store.record(site.id(), id, record.subject).await?,
        None => None,
    };
    let exported = Exported {
        record,
        notice: &notice,
        previous: previous.as_ref(),
        contact: site.revision.config.contact.as_ref(),
        origin: &app.origin,
        now_ms: app.clock.now_ms(),
    };
    let json = match format {
        Format::Dpv => export::dpv(&exported),
        Format::Kantara => export::kantara(&exported, &app.signer.jwk().to_string()).ok_or_else(|| {
            Problem::field(
                StatusCode::CONFLICT,
                "format",
                "kantara needs the controller's address: the site's configuration has no contact",
            )
        })?,
    };
    serde_json::to_vec_pretty(&json).map_err(|_| unreadable())
}

async fn read(
    State(app): State<AppState>,
    client: Client,
    Path((site_id, id)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = asked(&app, client, &site_id)?;
    let format = wanted.format()?;
    let subject = subject(&headers)?;
    // One answer for all: whoever has not the key learns nothing, not even whether the record exists.
    let missing = || Problem::new(StatusCode::NOT_FOUND, "This subject has no record with this id.");
    let id = Uuid::parse_str(&id).map_err(|_| missing())?;
    let record = app
        .store
        .record(site.id(), id, subject)
        .await?
        .ok_or_else(missing)?;
    if let Some(format) = format {
        let body = export(&app, &site, &record, format).await?;
        let mut response = private(StatusCode::OK, body);
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(format.media_type()),
        );
        return Ok(response);
    }
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
        Ok(bytes) => private(status, bytes),
        Err(error) => {
            tracing::error!(%error, "an answer does not serialise");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn private(status: StatusCode, json: Vec<u8>) -> Response {
    (
        status,
        [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            ),
        ],
        json,
    )
        .into_response()
}
