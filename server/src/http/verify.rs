//! `GET /verify`: the page on which anybody checks a receipt, in their own browser (app/verify).

use axum::{Router, extract::State, response::Response, routing::get};

use super::{assets, page};
use crate::app::AppState;

const PAGE: &str = include_str!("../../../app/verify/page.html");

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/verify", get(show))
}

async fn show(State(app): State<AppState>) -> Response {
    page::computing(
        PAGE.replace("{stylesheet}", &assets::address("verify.css"))
            .replace("{script}", &assets::address("verify.js"))
            .replace("{origin}", &app.origin),
    )
}
