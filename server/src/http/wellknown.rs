//! `GET /.well-known/jwks.json`: the keys that receipts and checkpoints are checked with, those of the past included.

use assent_consent::receipt;
use axum::{
    Router,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
};

use super::{delivery, records::json};
use crate::app::AppState;

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/.well-known/jwks.json", get(keys))
}

async fn keys(State(app): State<AppState>) -> Response {
    let keys: Vec<_> = app.known_keys.iter().map(receipt::jwk).collect();
    let mut response = json(StatusCode::OK, &serde_json::json!({ "keys": keys }));
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    );
    delivery::for_any_page(headers);
    response
}
