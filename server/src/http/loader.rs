//! `GET /s/{site}.js`: the loader.

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
};
use serde::Deserialize;

use super::{address::Client, delivery, problem::Problem, query::Query, site, text};
use crate::{
    app::{App, AppState},
    negotiate,
    publish::{Site, Variant},
};

const CACHING: &str = "public, max-age=300, stale-while-revalidate=86400";

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/s/{file}", get(loader))
}

/// What a visitor may ask for in the address.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    /// Language tag.
    pub(crate) lang: Option<String>,
}

async fn loader(
    State(app): State<AppState>,
    client: Client,
    Path(file): Path<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = file.strip_suffix(".js").unwrap_or_default();
    let site = site(&app, id)?;
    let variant = choose(&app, &site, client, wanted.lang.as_deref(), &headers)?;
    Ok(delivery::compressed(
        &headers,
        &variant.loader,
        "text/javascript; charset=utf-8",
        CACHING,
        &vary(&app),
    ))
}

/// What is published for this visitor's country and language.
pub(crate) fn choose<'a>(
    app: &App,
    site: &'a Site,
    client: Client,
    wanted: Option<&str>,
    headers: &HeaderMap,
) -> Result<&'a Variant, Problem> {
    let rule = site.rule(client.country(app, headers));
    let language = negotiate::language(
        &site.revision.config.languages,
        wanted,
        text(headers, header::ACCEPT_LANGUAGE),
    );
    site.variant(rule, language)
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "The site has no rule and language."))
}

/// The headers that the answer depends on.
fn vary(app: &App) -> HeaderValue {
    let base = "accept-encoding, accept-language";
    app.country_header
        .as_ref()
        .and_then(|country| HeaderValue::try_from(format!("{base}, {country}")).ok())
        .unwrap_or(HeaderValue::from_static(base))
}
