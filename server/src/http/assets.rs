//! `GET /a/{hash}/{file}`: the files that the loader and the pages load. Their address changes with any of
//! them, so that they can be kept for ever.

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{delivery, problem::Problem};
use crate::{
    app::AppState,
    embedded::{ASSETS_HASH, File, asset, media_type, public},
    negotiate::Encoding,
};

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/a/{hash}/{file}", get(immutable))
        .route("/assent.d.ts", get(types))
        .route("/favicon.svg", get(icon))
        .route("/favicon.ico", get(icon))
}

/// Address of an asset.
pub(crate) fn address(name: &str) -> String {
    format!("/a/{}/{name}", *ASSETS_HASH)
}

async fn immutable(
    Path((hash, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut response = send(asset(&name).ok_or_else(missing)?, &headers);
    // A loader that a browser kept from before an update asks by the older hash. It gets today's file, which
    // must not be kept under that address.
    let caching = if hash == *ASSETS_HASH {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    Ok(response)
}

async fn icon(headers: HeaderMap) -> Result<Response, Problem> {
    let mut response = send(public("favicon.svg").ok_or_else(missing)?, &headers);
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=86400"),
    );
    Ok(response)
}

/// The types of `window.assent`, for the editors of those who write against it.
async fn types() -> impl IntoResponse {
    const TYPES: &str = include_str!("../../../app/types/assent.d.ts");
    (
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CACHE_CONTROL, "public, max-age=300"),
        ],
        TYPES,
    )
}

fn missing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is no such file in this build.")
}

fn send(file: &'static File, headers: &HeaderMap) -> Response {
    let (body, encoding) = match delivery::encoding(headers) {
        Encoding::Brotli if !file.brotli.is_empty() => (file.brotli, Encoding::Brotli),
        Encoding::Gzip if !file.gzip.is_empty() => (file.gzip, Encoding::Gzip),
        _ => (file.bytes, Encoding::Identity),
    };
    let mut response = delivery::encoded(Bytes::from_static(body), media_type(file.name), encoding);
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    delivery::for_any_page(headers);
    response
}
