//! `GET /v1/witness/{origin}`: the last checkpoint of another server's log that this one has countersigned.

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::get,
};

use super::{ledger, problem::Problem};
use crate::app::AppState;

/// The route.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/v1/witness/{*origin}", get(witnessed))
}

async fn witnessed(State(app): State<AppState>, Path(origin): Path<String>) -> Result<Response, Problem> {
    app.witnessed.get(&origin).map(ledger::note).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "This server has signed no checkpoint of a log with this name.",
        )
    })
}
