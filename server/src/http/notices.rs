//! `GET /v1/sites/{site}/notices/{hash}`: what visitors were shown, for ever.

use assent_consent::notice::NoticeHash;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
    routing::get,
};

use super::{delivery, problem::Problem, site};
use crate::{app::AppState, publish::compressed::Compressed};

const CACHING: &str = "public, max-age=31536000, immutable";
const VARY: HeaderValue = HeaderValue::from_static("accept-encoding");

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/v1/sites/{site}/notices/{hash}", get(notice))
}

async fn notice(
    State(app): State<AppState>,
    Path((id, hash)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "The site has no notice with this hash.");
    let site = site(&app, &id)?;
    let hash = NoticeHash::parse(&hash).ok_or_else(missing)?;
    let send =
        |content: &Compressed| delivery::compressed(&headers, content, "application/json", CACHING, &VARY);
    if let Some(variant) = site.variants().find(|variant| variant.hash == hash) {
        return Ok(send(&variant.notice_json));
    }
    let notice = app.store.notice(&id, hash).await?.ok_or_else(missing)?;
    Ok(send(&Compressed::plain(notice.canonical())))
}
