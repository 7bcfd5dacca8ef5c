//! `/demo/`: the demo site, from `public/demo`.

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{Redirect, Response},
    routing::get,
};

use super::{delivery, problem::Problem};
use crate::{
    app::AppState,
    embedded::{media_type, public},
    negotiate::Encoding,
};

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    let home = || async { Redirect::temporary("/demo/") };
    Router::new()
        .route("/", get(home))
        .route("/demo", get(home))
        .route("/demo/", get(|| async { page("index.html") }))
        .route(
            "/demo/{*path}",
            get(|Path(path): Path<String>| async move { page(&path) }),
        )
}

fn page(path: &str) -> Result<Response, Problem> {
    let file = public(&format!("demo/{path}"))
        .or_else(|| public(&format!("demo/{}/index.html", path.trim_end_matches('/'))))
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "The demo site has no such page."))?;
    let mut response = delivery::encoded(
        Bytes::from_static(file.bytes),
        media_type(file.name),
        Encoding::Identity,
    );
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}
