//! `POST /v1/sites/{site}/events`: the banner came into view. Counted without any identifier.

use assent_consent::notice::NoticeHash;
use assent_store::Measure;
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde::Deserialize;

use super::{
    address::{self, Client},
    body, called,
    problem::Problem,
};
use crate::{app::AppState, intake};

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/v1/sites/{site}/events", post(event))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    #[serde(rename = "event")]
    kind: Kind,
    revision: u32,
    notice: NoticeHash,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Shown,
}

async fn event(
    State(app): State<AppState>,
    client: Client,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let site = called(&app, &app.limits.events, client, &id, &headers)?;
    let event: Event = body::json(&headers, body).await?;
    let shown = site
        .shown(app.store.as_ref(), event.revision, event.notice)
        .await?
        .ok_or_else(intake::unknown_notice)?;
    let measure = match event.kind {
        Kind::Shown => Measure::Shown,
    };
    let device = address::device(&headers);
    let now_ms = app.clock.now_ms();
    app.queue.count(intake::count(
        site.id(),
        event.revision,
        &shown,
        device,
        measure,
        now_ms,
    ))?;
    Ok(StatusCode::NO_CONTENT)
}
