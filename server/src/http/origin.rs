//! Who may call: origins of requests, and what other origins may read (CORS).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{problem::Problem, text};
use crate::{
    app::{App, AppState},
    publish::Site,
};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Lets pages of the site's origins read the answer, and answers their preflight requests.
pub(crate) async fn cross_origin(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let allowed = allowed_origin(&app, request.uri(), request.headers());
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = if is_preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if is_preflight {
            preflight(headers);
        }
    }
    response
}

fn preflight(headers: &mut HeaderMap) {
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
}

fn allowed_origin(app: &App, uri: &Uri, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let id = uri.path().strip_prefix("/v1/sites/")?.split('/').next()?;
    let site: Arc<Site> = app.published.site(id)?;
    site.allows(origin.to_str().ok()?).then(|| origin.clone())
}

/// Refuses what does not come from a page of the site or of the server.
pub(crate) fn of_site(site: &Site, headers: &HeaderMap) -> Result<(), Problem> {
    match text(headers, header::ORIGIN) {
        Some(origin) if site.allows(origin) => Ok(()),
        Some(origin) => {
            // Its pages see an error of CORS only, so the log says what to do.
            if site.refuses_first_time(origin) {
                tracing::info!(
                    site = site.id(),
                    origin,
                    "refused: if pages of the site stand there, add it to `origins` in the site's configuration \
                    and publish"
                );
            }
            Err(Problem::new(
                StatusCode::FORBIDDEN,
                "This origin is not one of the site's. Add it to `origins` in the site's configuration.",
            ))
        }
        None => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "The Origin header is missing; browsers send it with every such request.",
        )),
    }
}

/// Whether a link was followed on one of the server's own pages. Browsers leave the header out where the address
/// is plain http and not loopback; there it cannot be told.
pub(crate) fn is_followed_here(headers: &HeaderMap) -> bool {
    text(headers, axum::http::HeaderName::from_static(SEC_FETCH_SITE))
        .is_none_or(|relation| relation == "same-origin")
}

/// Refuses forms that were not posted by the server's own pages.
///
/// Browsers say so in `Sec-Fetch-Site` where the address is trustworthy (https or loopback); elsewhere the
/// origin has to be the configured one or the one under which the request came in.
pub(crate) fn own(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let own = match text(headers, axum::http::HeaderName::from_static(SEC_FETCH_SITE)) {
        Some(relation) => relation == "same-origin",
        None => text(headers, header::ORIGIN).is_some_and(|origin| {
            origin == app.origin
                || origin
                    .split_once("://")
                    .is_some_and(|(_, host)| text(headers, header::HOST) == Some(host))
        }),
    };
    if own {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "This form was not sent from a page of this server.",
    ))
}
