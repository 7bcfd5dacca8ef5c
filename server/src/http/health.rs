//! `GET /health`: whether the server can do its work.

use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};

use super::{problem::Problem, records::json};
use crate::app::AppState;

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/health", get(health))
}

async fn health(State(app): State<AppState>) -> Result<Response, Problem> {
    // The cheapest question that the store has to read something for.
    app.store.peek_token([0; 32], app.clock.now_ms()).await?;
    Ok(json(StatusCode::OK, &serde_json::json!({ "status": "ok" })))
}
