//! The archive of notices: `GET /v1/sites/{site}/notices/{hash}`, what visitors were shown, for ever and byte for byte as
//! it is hashed, and `…/replay`, the same as they saw it.

use assent_center::{Frame, Replay};
use assent_consent::notice::NoticeHash;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{assets, center, delivery, page, problem::Problem, query::Query, site};
use crate::{
    app::{App, AppState},
    publish::{Site, compressed::Compressed},
};

const CACHING: &str = "public, max-age=31536000, immutable";
const VARY: HeaderValue = HeaderValue::from_static("accept-encoding");

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/v1/sites/{site}/notices/{hash}", get(notice))
        .route("/v1/sites/{site}/notices/{hash}/replay", get(replay))
}

/// Where a notice is replayed, on this server.
pub(crate) fn replay_path(site: &str, hash: NoticeHash) -> String {
    format!("/v1/sites/{site}/notices/{hash}/replay")
}

fn missing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "The site has no notice with this hash.")
}

async fn notice(
    State(app): State<AppState>,
    Path((id, hash)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = site(&app, &id)?;
    let hash = NoticeHash::parse(&hash).ok_or_else(missing)?;
    let send =
        |content: &Compressed| delivery::compressed(&headers, content, "application/json", CACHING, &VARY);
    if let Some(variant) = site.variants().find(|variant| variant.hash == hash) {
        return Ok(send(&variant.notice_json));
    }
    let body = archived(&app, &site, hash).await?;
    Ok(send(&Compressed::plain(body.into_bytes())))
}

async fn archived(app: &App, site: &Site, hash: NoticeHash) -> Result<String, Problem> {
    app.store.notice(site.id(), hash).await?.ok_or_else(missing)
}

/// What a replay needs of a notice. Whatever else a version of the format holds, these stay what they are.
#[derive(Deserialize)]
struct Shown {
    language: String,
    rule: String,
    banner_html: String,
    banner_css: String,
    dialog_html: String,
    dialog_css: String,
    honours_gpc: bool,
    honours_dnt: bool,
    texts: Signals,
}

#[derive(Deserialize)]
struct Signals {
    gpc_honoured: String,
    dnt_honoured: String,
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    lang: Option<String>,
}

/// Banner and dialog as they were, each in a frame that can neither run nor send nor lead anywhere.
async fn replay(
    State(app): State<AppState>,
    Path((id, hash)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = site(&app, &id)?;
    let hash = NoticeHash::parse(&hash).ok_or_else(missing)?;
    let body = archived(&app, &site, hash).await?;
    let shown: Shown = serde_json::from_str(&body).map_err(|error| {
        tracing::error!(%hash, %error, "an archived notice cannot be replayed");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The notice cannot be replayed.",
        )
    })?;
    let wanted = center::language(&site, asked.lang.as_deref(), &headers);
    let (language, texts) = center::rights_texts(wanted)?;
    let styles = Styles::of(&shown);
    let honoured: Vec<_> = [
        (shown.honours_gpc, shown.texts.gpc_honoured.as_str()),
        (shown.honours_dnt, shown.texts.dnt_honoured.as_str()),
    ]
    .into_iter()
    .filter_map(|(honours, text)| honours.then_some(text))
    .collect();
    let dialog = shown.dialog_html.replacen("<dialog ", "<dialog open ", 1);
    let config = &site.revision.config;
    let html = assent_center::replay(&Replay {
        frame: Frame {
            texts: &texts,
            language,
            direction: "ltr",
            stylesheet: &assets::address("center.css"),
            icon: "/favicon.svg",
            site_name: &config.name,
            controller: &config.controller,
            center_url: &format!("/c/{}", site.id()),
        },
        hash: &hash.to_string(),
        rule: &shown.rule,
        shown_language: &shown.language,
        json_url: &format!("/v1/sites/{}/notices/{hash}", site.id()),
        honoured: &honoured,
        banner: &document(&shown.language, &[&styles.banner], &shown.banner_html),
        dialog: &document(&shown.language, &[&styles.banner, &styles.dialog, STILL], &dialog),
        unfolded: &document(
            &shown.language,
            &[&styles.banner, &styles.dialog, UNFOLDED],
            &dialog,
        ),
    });
    let mut response = page::html(StatusCode::OK, html);
    if let Ok(policy) = HeaderValue::try_from(styles.policy()) {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// The dialog stands there at once: a frame that nobody has scrolled to yet plays no transition, nor does paper.
const STILL: &str = "#assent *,#assent ::backdrop{transition:none!important}";

/// What the dialog hides until somebody unfolds it, for whoever reads.
const UNFOLDED: &str = "#assent .assent-panel{display:block!important}#assent .assent-dialog{max-block-size:none!important;block-size:auto}";

struct Styles {
    banner: String,
    dialog: String,
}

impl Styles {
    /// As they were; what could end the element that holds them was never in them.
    fn of(shown: &Shown) -> Self {
        let clean = |css: &str| css.replace("</", "");
        Self {
            banner: clean(&shown.banner_css),
            dialog: clean(&shown.dialog_css),
        }
    }

    /// The frames inherit the page's policy: nothing of theirs runs or loads but these styles, by their hashes.
    fn policy(&self) -> String {
        let hashes = [self.banner.as_str(), &self.dialog, STILL, UNFOLDED]
            .map(|css| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(css))));
        format!(
            "default-src 'none'; style-src 'self' {}; img-src 'self' data:; form-action 'none'; base-uri 'none'; \
             frame-ancestors 'none'",
            hashes.join(" ")
        )
    }
}

/// The page around a banner or a dialog, as the host builds it: `#assent` first in the body. Links would open windows,
/// which the frame may not, so none takes the place of what is shown.
fn document(language: &str, styles: &[&str], inside: &str) -> String {
    let styles: String = styles
        .iter()
        .flat_map(|css| ["<style>", css, "</style>"])
        .collect();
    let language: String = language
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
        .collect();
    format!(
        "<!DOCTYPE html><html lang=\"{language}\"><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" \
         content=\"light dark\"><base target=\"_blank\">{styles}</head><body><div id=\"assent\" lang=\"{language}\">{inside}</div></body></html>"
    )
}
