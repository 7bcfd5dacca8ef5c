//! `GET /s/{site}.js`: the loader.

use assent_consent::decision::Objections;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
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

const SEC_GPC: HeaderName = HeaderName::from_static("sec-gpc");
/// Do Not Track.
const DNT: HeaderName = HeaderName::from_static("dnt");
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
        variant.loader(objections(&headers)),
        "text/javascript; charset=utf-8",
        CACHING,
        &vary(&app, &site),
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

/// The signals that the browser sends with its request.
pub(crate) fn objections(headers: &HeaderMap) -> Objections {
    let is_on = |name| text(headers, name) == Some("1");
    Objections::default()
        .and(Objections::GPC, is_on(SEC_GPC))
        .and(Objections::DNT, is_on(DNT))
}

/// The headers that the answer depends on.
fn vary(app: &App, site: &Site) -> HeaderValue {
    let base = "accept-encoding, accept-language";
    let country = app.country_header.as_ref().map(HeaderName::as_str);
    let objections = site.depends_on_objections().then_some("sec-gpc, dnt");
    let names: Vec<_> = [base].into_iter().chain(country).chain(objections).collect();
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(base))
}
