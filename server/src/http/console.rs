//! `/console`: where owners sign in, read their rates, see what their pages load without consent, what visitors were
//! shown, and act on records.

mod notices;
mod records;
mod third_parties;

use std::ops::Add;

use assent_consent::site::SiteConfig;
use assent_console::{
    Assets, Counts, DayCounts, Frame, MessagePage, RatesPage, SetPasswordPage, SignInPage, SiteLink,
};
use assent_store::{Grant, Measure, Owner, RateRow};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{address::Client, assets, body, cookies, origin, page, problem::Problem, query::Query};
use crate::{
    app::{App, AppState},
    auth,
    embed::script_tag,
};

const SIGN_IN: &str = "/console/sign-in";
const SET_PASSWORD: &str = "/console/password";
const SIGN_OUT: &str = "/console/sign-out";
const PASSWORD_LEN_MIN: usize = 12;
const PASSWORD_LEN_MAX: usize = 256;
const DAY_MS: i64 = 86_400_000;
const DAYS_DEFAULT: i32 = 30;
/// The longest period that is shown: two years.
const DAYS_MAX: i32 = 731;

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/console", get(home))
        .route("/console/", get(home))
        .route("/console/link", get(link))
        .route("/console/sites/{site}", get(rates))
        .route("/console/sites/{site}/notices", get(notices::notices))
        .route(
            "/console/sites/{site}/third-parties",
            get(third_parties::third_parties),
        )
        .route(SIGN_IN, post(sign_in))
        .route(SET_PASSWORD, post(set_password))
        .route(SIGN_OUT, post(sign_out))
        .merge(records::router())
}

/// Someone who is signed in.
struct SignedIn {
    owner: Owner,
    token: String,
}

fn cookie_name(app: &App) -> &'static str {
    if app.is_secure() {
        "__Host-assent"
    } else {
        "assent-session"
    }
}

fn session_cookie(app: &App, token: &str, max_age_s: u32) -> String {
    cookies::write(cookie_name(app), token, "/", "Strict", max_age_s, app.is_secure())
}

async fn signed_in(app: &App, headers: &HeaderMap) -> Result<Option<SignedIn>, Problem> {
    let Some(token) = cookies::read(headers, cookie_name(app)) else {
        return Ok(None);
    };
    let owner = app
        .store
        .session_owner(auth::hash(token), app.clock.now_ms())
        .await?;
    Ok(owner.map(|owner| SignedIn {
        owner,
        token: token.to_owned(),
    }))
}

async fn home(State(app): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(SignedIn { owner, .. }) = signed_in(&app, &headers).await? else {
        return Ok(sign_in_page(StatusCode::OK, "", None));
    };
    let sites = app.store.sites(owner.organisation).await?;
    Ok(match sites.first() {
        Some(site) => page::see_other(&format!("/console/sites/{}", site.config.id), &[]),
        None => message(
            StatusCode::OK,
            "No site yet",
            "Publish a configuration with `assent publish FILE`; its rates will appear here.",
        ),
    })
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

async fn sign_in(
    State(app): State<AppState>,
    client: Client,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    origin::own(&app, &headers)?;
    if app.limits.sign_ins.check(client.address, "console").is_err() {
        return Ok(sign_in_page(
            StatusCode::TOO_MANY_REQUESTS,
            "",
            Some("Too many attempts. Please wait a minute."),
        ));
    }
    let Credentials { email, password } = body::form(&headers, body).await?;
    let owner = app.store.owner_by_email(email.trim()).await?;
    let stored = owner.as_ref().and_then(|owner| owner.password_hash.clone());
    let fits = password.len() <= PASSWORD_LEN_MAX * 4 && app.passwords.fits(password, stored).await?;
    match owner {
        Some(owner) if fits => enter(&app, &owner).await,
        _ => Ok(sign_in_page(
            StatusCode::UNAUTHORIZED,
            &email,
            Some("Email or password is wrong."),
        )),
    }
}

async fn enter(app: &App, owner: &Owner) -> Result<Response, Problem> {
    let token = auth::begin_session(app, owner.id).await?;
    Ok(page::see_other(
        "/console",
        &[session_cookie(app, &token, auth::SESSION_S)],
    ))
}

fn sign_in_page(status: StatusCode, email: &str, error: Option<&str>) -> Response {
    let html = assent_console::sign_in(&SignInPage {
        assets: Assets {
            stylesheet: &assets::address("console.css"),
            icon: "/favicon.svg",
        },
        action: SIGN_IN,
        hidden: &[],
        email,
        error,
    });
    page::html(status, html)
}

#[derive(Deserialize)]
struct Link {
    t: String,
}

/// The one-time link. It is only used up with the password, so that a mail scanner or a reload does no harm.
async fn link(State(app): State<AppState>, Query(Link { t }): Query<Link>) -> Result<Response, Problem> {
    Ok(match linked_owner(&app, &t).await? {
        Some(owner) => set_password_page(StatusCode::OK, &t, &owner, None),
        None => link_expired(),
    })
}

async fn linked_owner(app: &App, token: &str) -> Result<Option<Owner>, Problem> {
    match app
        .store
        .peek_token(auth::hash(token), app.clock.now_ms())
        .await?
    {
        Some(Grant::SignIn(owner)) => Ok(app.store.owner(owner).await?),
        _ => Ok(None),
    }
}

fn link_expired() -> Response {
    message(
        StatusCode::GONE,
        "This link no longer works",
        "It was used before or is too old. Sign in with your password. Without one, `assent sign-in` on the \
         server prints a new link.",
    )
}

fn set_password_page(status: StatusCode, token: &str, owner: &Owner, error: Option<&str>) -> Response {
    let html = assent_console::set_password(&SetPasswordPage {
        assets: Assets {
            stylesheet: &assets::address("console.css"),
            icon: "/favicon.svg",
        },
        action: SET_PASSWORD,
        hidden: &[],
        token,
        email: &owner.email,
        error,
    });
    page::html(status, html)
}

#[derive(Deserialize)]
struct NewPassword {
    token: String,
    password: String,
    repeated: String,
}

async fn set_password(
    State(app): State<AppState>,
    client: Client,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    origin::own(&app, &headers)?;
    app.limits
        .sign_ins
        .check(client.address, "console")
        .map_err(Problem::too_many)?;
    let form: NewPassword = body::form(&headers, body).await?;
    let Some(owner) = linked_owner(&app, &form.token).await? else {
        return Ok(link_expired());
    };
    let length = form.password.chars().count();
    let error = if length < PASSWORD_LEN_MIN {
        Some("The password needs at least 12 characters.")
    } else if length > PASSWORD_LEN_MAX {
        Some("The password can have 256 characters at most.")
    } else if form.password != form.repeated {
        Some("The two passwords differ.")
    } else {
        None
    };
    if error.is_some() {
        return Ok(set_password_page(
            StatusCode::UNPROCESSABLE_ENTITY,
            &form.token,
            &owner,
            error,
        ));
    }
    let hash = app.passwords.hash(form.password).await?;
    let taken = app
        .store
        .take_token(auth::hash(&form.token), app.clock.now_ms())
        .await?;
    if taken != Some(Grant::SignIn(owner.id)) {
        return Ok(link_expired());
    }
    app.store.set_password(owner.id, &hash).await?;
    enter(&app, &owner).await
}

#[derive(Deserialize)]
struct SignOut {
    csrf: String,
}

async fn sign_out(State(app): State<AppState>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    origin::own(&app, &headers)?;
    if let Some(SignedIn { token, .. }) = signed_in(&app, &headers).await? {
        let SignOut { csrf } = body::form(&headers, body).await?;
        check_csrf(&auth::csrf_token(&token), &csrf)?;
        app.store.end_session(auth::hash(&token)).await?;
    }
    Ok(page::see_other("/console", &[session_cookie(&app, "", 0)]))
}

/// Refuses a form that was not made for this session.
fn check_csrf(expected: &str, sent: &str) -> Result<(), Problem> {
    // Hashes are compared, so that the time of the comparison tells nothing about the token.
    if auth::hash(sent) == auth::hash(expected) {
        return Ok(());
    }
    Err(Problem::field(
        StatusCode::FORBIDDEN,
        "csrf",
        "does not belong to this session",
    ))
}

#[derive(Debug, Default, Deserialize)]
struct Period {
    days: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

impl Period {
    /// First and last day, in days since 1970; what cannot be read gives the last 30 days.
    fn days(&self, today: i32) -> (i32, i32) {
        if let (Some(from), Some(to)) = (day(self.from.as_deref()), day(self.to.as_deref()))
            && from <= to
            && to - from < DAYS_MAX
        {
            return (from, to);
        }
        let days = self
            .days
            .as_deref()
            .and_then(|days| days.parse().ok())
            .filter(|days| (1..=DAYS_MAX).contains(days))
            .unwrap_or(DAYS_DEFAULT);
        (today - days + 1, today)
    }
}

/// Reads `2026-11-21` as days since 1970.
fn day(text: Option<&str>) -> Option<i32> {
    let date: jiff::civil::Date = text?.parse().ok()?;
    let epoch = jiff::civil::date(1970, 1, 1);
    Some(date.since((jiff::Unit::Day, epoch)).ok()?.get_days())
}

/// One of an owner's sites, as its pages show it.
struct Shown {
    owner: Owner,
    csrf: String,
    stylesheet: String,
    links: Vec<SiteLink>,
    address: String,
    config: SiteConfig,
}

impl Shown {
    fn frame(&self) -> Frame<'_> {
        Frame {
            assets: Assets {
                stylesheet: &self.stylesheet,
                icon: "/favicon.svg",
            },
            email: &self.owner.email,
            sign_out_action: SIGN_OUT,
            csrf: &self.csrf,
            sites: &self.links,
            site_name: &self.config.name,
            address: &self.address,
        }
    }
}

/// The site with this id, or what is answered instead: to whom is not signed in, or has no such site.
async fn shown(app: &App, id: &str, headers: &HeaderMap) -> Result<Result<Shown, Response>, Problem> {
    let Some(SignedIn { owner, token }) = signed_in(app, headers).await? else {
        return Ok(Err(page::see_other("/console", &[])));
    };
    let sites = app.store.sites(owner.organisation).await?;
    let links = sites
        .iter()
        .map(|site| SiteLink {
            name: site.config.name.clone(),
            address: format!("/console/sites/{}", site.config.id),
            current: site.config.id == id,
        })
        .collect();
    let Some(site) = sites.into_iter().find(|site| site.config.id == id) else {
        return Ok(Err(message(
            StatusCode::NOT_FOUND,
            "Unknown site",
            "You have no site at this address.",
        )));
    };
    Ok(Ok(Shown {
        owner,
        csrf: auth::csrf_token(&token),
        stylesheet: assets::address("console.css"),
        links,
        address: format!("/console/sites/{id}"),
        config: site.config,
    }))
}

/// The present day, in days since 1970.
fn today(app: &App) -> i32 {
    i32::try_from(app.clock.now_ms().div_euclid(DAY_MS)).unwrap_or(i32::MAX)
}

async fn rates(
    State(app): State<AppState>,
    Path(id): Path<String>,
    Query(period): Query<Period>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = match shown(&app, &id, &headers).await? {
        Ok(site) => site,
        Err(instead) => return Ok(instead),
    };
    let present_day = today(&app);
    let (from_day, to_day) = period.days(present_day);
    let before = from_day - (to_day - from_day + 1);
    let organisation = site.owner.organisation;
    let shown = app.store.rates(organisation, &id, from_day, to_day).await?;
    let previous = app.store.rates(organisation, &id, before, from_day - 1).await?;
    let by_day: Vec<DayCounts> = shown
        .days
        .iter()
        .map(|row| DayCounts {
            day: row.day,
            counts: counts(row),
        })
        .collect();
    let html = assent_console::rates(&RatesPage {
        frame: site.frame(),
        script_tag: &script_tag(&app.origin, &site.config),
        from_day,
        to_day,
        today: present_day,
        days: &by_day,
        previous: previous.days.iter().map(counts).fold(Counts::default(), Add::add),
    });
    Ok(page::html(StatusCode::OK, html))
}

/// The counts of a day. Whoever decided was asked: where the message that says so was lost, or came the day before, the
/// decision says it.
fn counts(row: &RateRow) -> Counts {
    let mut counts = Counts {
        shown: row.get(Measure::Shown),
        accepted_all: row.get(Measure::AcceptedAll),
        rejected_all: row.get(Measure::RejectedAll),
        mixed: row.get(Measure::Mixed),
        performance: row.get(Measure::Performance),
        functional: row.get(Measure::Functional),
        targeting: row.get(Measure::Targeting),
    };
    counts.shown = counts.shown.max(counts.decided());
    counts
}

fn message(status: StatusCode, title: &str, text: &str) -> Response {
    let html = assent_console::message(&MessagePage {
        assets: Assets {
            stylesheet: &assets::address("console.css"),
            icon: "/favicon.svg",
        },
        title,
        text,
        link: Some(("Open the console", "/console")),
    });
    page::html(status, html).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_bounded_and_fall_back() {
        let today = 20_778;
        let days = |query: &str| {
            let uri = format!("/?{query}").parse().unwrap();
            axum::extract::Query::<Period>::try_from_uri(&uri)
                .unwrap()
                .0
                .days(today)
        };
        assert_eq!(days(""), (today - 29, today));
        assert_eq!(days("days=7"), (today - 6, today));
        assert_eq!(days("days=100000"), (today - 29, today));
        assert_eq!(days("days=-1"), (today - 29, today));
        assert_eq!(days("from=2026-11-01&to=2026-11-03"), (20_758, 20_760));
        assert_eq!(days("from=2026-11-03&to=2026-11-01"), (today - 29, today));
        assert_eq!(days("from=banana&to=1"), (today - 29, today));
    }
}
