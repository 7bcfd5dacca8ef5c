//! Delivering what is compressed and tagged already.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};

use super::text;
use crate::{
    negotiate::{self, Encoding},
    publish::compressed::Compressed,
};

/// The encoding that the client gets.
pub(crate) fn encoding(headers: &HeaderMap) -> Encoding {
    negotiate::encoding(text(headers, header::ACCEPT_ENCODING))
}

/// Answers with a compressed body, or 304 if the client has it.
pub(crate) fn compressed(
    request: &HeaderMap,
    content: &Compressed,
    media_type: &'static str,
    caching: &'static str,
    vary: &HeaderValue,
) -> Response {
    let (body, encoding) = content.body(encoding(request));
    let tag = content.etag(encoding);
    let known = text(request, header::IF_NONE_MATCH).is_some_and(|known| {
        known
            .split(',')
            .map(|one| one.trim().trim_start_matches("W/"))
            .any(|one| one == tag || one == "*")
    });
    let mut response = if known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        encoded(body, media_type, encoding)
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, vary.clone());
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    for_any_page(headers);
    response
}

/// A body that is encoded as stated.
pub(crate) fn encoded(body: Bytes, media_type: &'static str, encoding: Encoding) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    match encoding {
        Encoding::Identity => None,
        Encoding::Gzip => headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip")),
        Encoding::Brotli => headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br")),
    };
    response
}

/// Lets any page load and read the answer: what is public and the same for everybody.
pub(crate) fn for_any_page(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        axum::http::HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
}
