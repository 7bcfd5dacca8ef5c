//! Everything that speaks HTTP: a module per resource, each with a `router()`, and what they share.

pub(crate) mod address;
pub(crate) mod assets;
pub(crate) mod body;
pub(crate) mod center;
pub(crate) mod console;
pub(crate) mod cookies;
pub(crate) mod delivery;
pub(crate) mod demo;
pub(crate) mod events;
pub(crate) mod handover;
pub(crate) mod health;
pub(crate) mod ledger;
pub(crate) mod loader;
pub(crate) mod notices;
pub(crate) mod origin;
pub(crate) mod page;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod records;
pub(crate) mod third_parties;
pub(crate) mod verify;
pub(crate) mod wellknown;
pub(crate) mod witness;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderMap, HeaderName, StatusCode},
    middleware,
};

use crate::{
    app::{App, AppState},
    limits::Limit,
    publish::Site,
};
use address::Client;
use problem::Problem;

/// The endpoints that scripts on a site's pages call, open to that site's origins only.
pub(crate) fn visitor_router(state: &AppState) -> Router<AppState> {
    Router::new()
        .merge(records::router())
        .merge(ledger::record_router())
        .merge(events::router())
        .merge(third_parties::router())
        .merge(handover::router())
        .layer(middleware::from_fn_with_state(
            Arc::clone(state),
            origin::cross_origin,
        ))
}

/// A published site, or the problem that there is none.
pub(crate) fn site(app: &App, id: &str) -> Result<Arc<Site>, Problem> {
    app.published
        .site(id)
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "There is no site with this id."))
}

/// The site that one of its own pages calls, if the caller has not done so too often.
pub(crate) fn called(
    app: &App,
    limit: &Limit,
    client: Client,
    id: &str,
    headers: &HeaderMap,
) -> Result<Arc<Site>, Problem> {
    let site = site(app, id)?;
    origin::of_site(&site, headers)?;
    limit
        .check(client.address, site.id())
        .map_err(Problem::too_many)?;
    Ok(site)
}

/// A site whose records and proofs anybody may ask for, if the caller has not done so too often: each is computed.
pub(crate) fn asked(app: &App, client: Client, id: &str) -> Result<Arc<Site>, Problem> {
    let site = site(app, id)?;
    app.limits
        .proofs
        .check(client.address, site.id())
        .map_err(Problem::too_many)?;
    Ok(site)
}

/// A header's value as text; `None` where it is missing or not plain text.
pub(crate) fn text(headers: &HeaderMap, name: impl Into<HeaderName>) -> Option<&str> {
    headers.get(name.into()).and_then(|value| value.to_str().ok())
}

/// The answer where no route fits.
pub(crate) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is nothing at this address.")
}
