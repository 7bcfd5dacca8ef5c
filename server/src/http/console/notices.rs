//! `/console/sites/{site}/notices`: what a site's visitors were shown.

use assent_console::{ArchivedNotice, NoticesPage};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};

use super::shown;
use crate::{
    app::AppState,
    clock,
    http::{notices::replay_path, page, problem::Problem},
};

/// Notices that are listed.
const LISTED_MAX: u32 = 500;

/// The page.
pub(super) async fn notices(
    State(app): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shown = match shown(&app, &id, &headers).await? {
        Ok(shown) => shown,
        Err(instead) => return Ok(instead),
    };
    let organisation = shown.owner.organisation;
    let mut found = app.store.notices(organisation, &id, LISTED_MAX + 1).await?;
    let len = LISTED_MAX as usize;
    let is_shortened = found.len() > len;
    found.truncate(len);
    let notices: Vec<_> = found
        .into_iter()
        .map(|notice| ArchivedNotice {
            hash: notice.hash.to_string(),
            replay_url: replay_path(&id, notice.hash),
            rule: notice.rule,
            language: notice.language,
            revisions: (notice.first_revision, notice.last_revision),
            published: (
                clock::readable(notice.published_at_ms),
                clock::rfc3339(notice.published_at_ms),
            ),
        })
        .collect();
    let html = assent_console::notices(&NoticesPage {
        frame: shown.frame(),
        notices: &notices,
        is_shortened,
    });
    Ok(page::html(StatusCode::OK, html))
}
