//! `/c/{site}`: the preference center, a page that needs no script.
//!
//! The visitor's key is in a cookie that only this site's center gets. It comes in by a one-time token from
//! the site, which then asks for what was chosen here as long as the cookie lasts and once more, or is made with the
//! first choice, which the site learns by the link back. The center's choices go the same way as the browser's.

mod rights;

pub(crate) use rights::texts as rights_texts;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use assent_center::{CenterPage, Current, HistoryRow, Moment, News, Rights, SHOWN, field};
use assent_consent::{
    Categories, Category,
    decision::Objections,
    notice::NoticeHash,
    record::{Choice, ConsentRecord, Method, Services, Subject, Submission},
    site::Rule,
};
use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    address::{self, Client},
    assets, body, cookies, handover,
    loader::{self, objections},
    notices, origin, page,
    problem::Problem,
    query::Query,
    records::{self, Format, Wanted},
    site, text,
};
use crate::{
    app::{App, AppState},
    clock, intake,
    publish::{Site, Variant},
    random,
};

/// Choices that the history shows.
const HISTORY_LEN: u32 = 50;
/// How long the cookie stays where the site knows the key, too: ten minutes, for which a token works, less than the
/// hour after which the site asks for the last time (`VISIT_S` in app/host/src/center.ts). So nothing can be chosen here
/// that the site does not learn.
const SESSION_S: u32 = 50 * 60;
/// How long it stays where the key was made here: thirteen months, the longest that a choice can count.
const COOKIE_S: u32 = 395 * 86_400;
/// Field of a form that was made for a visitor whom the center knew.
const KNOWN: &str = "known";

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/c/{site}", get(show).post(decide))
        .route("/c/{site}/back", get(back))
        .route("/c/{site}/receipts/{id}", get(receipt))
        .merge(rights::router())
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    t: Option<String>,
    lang: Option<String>,
    saved: Option<String>,
}

/// Who the visitor is to this site, and where they came from.
#[derive(Clone, Debug)]
struct Visitor {
    key: String,
    subject: Subject,
    /// Place among the site's of the origin that the visitor came from, with a key of the site's; `None` if the
    /// key was made here.
    origin: Option<usize>,
}

impl Visitor {
    fn new(key: String, origin: Option<usize>) -> Option<Self> {
        Some(Self {
            subject: Subject::of_key(&key)?,
            key,
            origin,
        })
    }

    /// Reads the cookie: the key, a dot, the place of the origin if there is one.
    fn read(site: &Site, headers: &HeaderMap) -> Option<Self> {
        let (key, origin) = cookies::read(headers, &cookie_name(site))?.split_once('.')?;
        let origin = match origin {
            "" => None,
            place => Some(place.parse().ok()?),
        };
        Self::new(key.to_owned(), origin)
    }

    fn cookie(&self, app: &App, site: &Site) -> String {
        let (origin, max_age_s) = match self.origin {
            Some(at) => (at.to_string(), SESSION_S),
            None => (String::new(), COOKIE_S),
        };
        cookie(app, site, &format!("{}.{origin}", self.key), max_age_s)
    }
}

fn cookie(app: &App, site: &Site, value: &str, max_age_s: u32) -> String {
    cookies::write(
        &cookie_name(site),
        value,
        &format!("/c/{}", site.id()),
        "Lax",
        max_age_s,
        app.is_secure(),
    )
}

fn cookie_name(site: &Site) -> String {
    format!("assent-center-{}", site.id())
}

async fn show(view: View) -> Response {
    let View {
        app,
        site,
        client,
        asked,
        headers,
    } = &view;
    let visitor = Visitor::read(site, headers);
    let mut news = asked.saved.is_some().then_some(match &visitor {
        Some(Visitor { origin: Some(_), .. }) => News::Saved,
        _ => News::SavedHere,
    });
    if let Some(token) = &asked.t {
        // Only from the site's own pages: a link from elsewhere could make the visitor go on as the subject of
        // whoever made it. The host asks the browser to send the origin, whatever the page's policy.
        let from = text(headers, header::REFERER).and_then(|address| site.origin_of(address));
        let taken = match from {
            Some(_) => take(app, *client, site, token).await,
            None => Ok(None),
        };
        match taken {
            Ok(Some(key)) => {
                if let Some(visitor) = Visitor::new(key, from) {
                    return page::see_other(&view.address(""), &[visitor.cookie(app, site)]);
                }
                news = Some(News::LinkExpired);
            }
            Ok(None) => news = Some(News::LinkExpired),
            Err(problem) => return unavailable(problem.status()),
        }
    }
    view.render(StatusCode::OK, visitor.as_ref(), news).await
}

struct Decision {
    r#do: Deed,
    /// All fields of the form.
    fields: BTreeMap<String, String>,
    /// The revision and the notice that the page showed: what the visitor agreed to, even if another was
    /// published meanwhile.
    revision: u32,
    notice: NoticeHash,
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Save,
    Accept,
    Reject,
    Withdraw,
}

impl Decision {
    fn read(fields: BTreeMap<String, String>) -> Option<Self> {
        Some(Self {
            r#do: match fields.get("do")?.as_str() {
                "save" => Deed::Save,
                "accept" => Deed::Accept,
                "reject" => Deed::Reject,
                "withdraw" => Deed::Withdraw,
                _ => return None,
            },
            revision: fields.get("revision")?.parse().ok()?,
            notice: NoticeHash::parse(fields.get("notice")?)?,
            fields,
        })
    }

    /// The choice and its exceptions; `offered` holds the services that the page let the visitor choose among.
    fn choice(&self, offered: &BTreeMap<String, Category>) -> (Choice, Services) {
        match self.r#do {
            Deed::Save => switched(&self.fields, offered),
            Deed::Accept => (Categories::ALL.into(), Services::new()),
            Deed::Reject | Deed::Withdraw => (Categories::NECESSARY.into(), Services::new()),
        }
    }
}

/// What the switches say. A category's switch that was moved moves those of its services that were not moved
/// themselves; where all of its services agree in the end, the category agrees with them.
fn switched(fields: &BTreeMap<String, String>, offered: &BTreeMap<String, Category>) -> (Choice, Services) {
    let shown = fields.get(SHOWN).map_or("", String::as_str);
    let was_on = |name: &str| shown.split(' ').any(|other| other == name);
    let mut granted = Categories::NECESSARY;
    let mut answers = Services::new();
    for category in Category::OPTIONAL {
        let mut is_on = fields.contains_key(category.id());
        let is_moved = is_on != was_on(category.id());
        let services: Services = offered
            .iter()
            .filter(|(_, of)| **of == category)
            .map(|(id, _)| {
                let name = field(id);
                let own = fields.contains_key(&name);
                let answer = if is_moved && own == was_on(&name) {
                    is_on
                } else {
                    own
                };
                (id.clone(), answer)
            })
            .collect();
        if let Some(first) = services.values().next()
            && services.values().all(|answer| answer == first)
        {
            is_on = *first;
        }
        if is_on {
            granted = granted | category.set();
        }
        answers.extend(services.into_iter().filter(|(_, answer)| *answer != is_on));
    }
    (granted.into(), answers)
}

async fn decide(view: View, body: Body) -> Response {
    let View {
        app,
        site,
        client,
        headers,
        ..
    } = &view;
    let visitor = Visitor::read(site, headers);
    match store(app, site, *client, visitor.clone(), headers, body).await {
        Ok(Some(visitor)) => {
            // That of who came from the site ends when it was to end: see `SESSION_S`.
            let cookie = visitor.origin.is_none().then(|| visitor.cookie(app, site));
            page::see_other(&view.saved(), cookie.as_slice())
        }
        Ok(None) => view.render(StatusCode::CONFLICT, None, Some(News::Ended)).await,
        Err(problem) => {
            view.render(problem.status(), visitor.as_ref(), Some(News::Failed))
                .await
        }
    }
}

/// Stores what the form says; the visitor is made here if there was none. `None` if the page was made for a visitor whose
/// cookie has ended since: then nothing is stored.
async fn store(
    app: &App,
    site: &Site,
    client: Client,
    visitor: Option<Visitor>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<Visitor>, Problem> {
    origin::own(app, headers)?;
    app.limits
        .records
        .check(client.address, site.id())
        .map_err(Problem::too_many)?;
    let decision = Decision::read(body::form(headers, body).await?).ok_or_else(body::unreadable)?;
    if visitor.is_none() && decision.fields.contains_key(KNOWN) {
        return Ok(None);
    }
    let shown = site
        .shown(app.store.as_ref(), decision.revision, decision.notice)
        .await?;
    let (choice, services) = match &shown {
        Some(shown) => decision.choice(&shown.offered),
        // Refused below, with the field to blame.
        None => decision.choice(&BTreeMap::new()),
    };
    let now_ms = app.clock.now_ms();
    let visitor = match visitor {
        Some(visitor) => visitor,
        None => Visitor::new(random::subject_key(app.random.as_ref(), now_ms)?, None)
            .ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "No key could be made."))?,
    };
    let newest = handover::newest(app, site.id(), visitor.subject).await?;
    let submission = Submission {
        id: random::id(app.random.as_ref(), now_ms)?,
        key: visitor.key.clone(),
        revision: decision.revision,
        notice: decision.notice,
        method: Method::Center,
        choice,
        services,
        asked: false,
        gpc: objections(headers).meets(Objections::GPC),
        dnt: objections(headers).meets(Objections::DNT),
        previous: newest.map(|record| record.id),
        decided_at_ms: now_ms,
    };
    intake::accept(app, site, &submission, address::device(headers)).await?;
    Ok(Some(visitor))
}

/// Back to the site, with a one-time token from which its pages learn the present choice.
///
/// Only where the key was made here. Who came with a key of the site's has it there still, and the site asks with
/// that one: so no token ever carries a key from one browser into another.
async fn back(
    View {
        app,
        site,
        client,
        headers,
        ..
    }: View,
) -> Response {
    // Followed on the center's own page only, so that no other page can send a visitor back with a token.
    if !origin::is_followed_here(&headers) {
        return page::see_other(&format!("/c/{}", site.id()), &[]);
    }
    let visitor = Visitor::read(&site, &headers);
    let at = visitor.as_ref().and_then(|visitor| visitor.origin);
    let Some(origin) = at.and_then(|at| site.origin(at)).or_else(|| site.origin(0)) else {
        return unavailable(StatusCode::NOT_FOUND);
    };
    let Some(visitor) = visitor.filter(|visitor| visitor.origin.is_none()) else {
        return page::see_other(&format!("{origin}/#assent"), &[]);
    };
    match hand_back(&app, client, &site, &visitor).await {
        Ok(token) => {
            let mut response = page::see_other(&format!("{origin}/#assent={token}"), &[]);
            // The host takes the token only from a page that the center has sent the visitor to.
            response
                .headers_mut()
                .insert(header::REFERRER_POLICY, HeaderValue::from_static("origin"));
            response
        }
        Err(problem) => unavailable(problem.status()),
    }
}

async fn hand_back(app: &App, client: Client, site: &Site, visitor: &Visitor) -> Result<String, Problem> {
    app.limits
        .handovers
        .check(client.address, site.id())
        .map_err(Problem::too_many)?;
    handover::grant_subject(app, site.id(), &visitor.key).await
}

async fn take(app: &App, client: Client, site: &Site, token: &str) -> Result<Option<String>, Problem> {
    app.limits
        .handovers
        .check(client.address, site.id())
        .map_err(Problem::too_many)?;
    handover::take_subject(app, site.id(), token).await
}

async fn receipt(
    State(app): State<AppState>,
    Path((id, record)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = site(&app, &id)?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "You have no receipt with this id.");
    let visitor = Visitor::read(&site, &headers).ok_or_else(missing)?;
    let record = Uuid::parse_str(&record).map_err(|_| missing())?;
    let record = app
        .store
        .record(site.id(), record, visitor.subject)
        .await?
        .ok_or_else(missing)?;
    let (body, media_type, ending) = match wanted.format()? {
        None => (app.signer.sign(&record).into_bytes(), "application/jose", "jws"),
        Some(format) => (
            records::export(&app, &site, &record, format).await?,
            format.media_type(),
            match format {
                Format::Kantara => "kantara.json",
                Format::Dpv => "jsonld",
            },
        ),
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    page::secure(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    let file = format!("attachment; filename=\"consent-receipt-{}.{ending}\"", record.id);
    if let Ok(file) = HeaderValue::try_from(file) {
        headers.insert(header::CONTENT_DISPOSITION, file);
    }
    Ok(response)
}

fn unavailable(status: StatusCode) -> Response {
    message(
        status,
        "Not available at the moment",
        "The privacy center cannot answer at the moment. Please try again soon.",
    )
}

fn message(status: StatusCode, title: &str, text: &str) -> Response {
    let html = assent_center::message(&assent_center::MessagePage {
        language: "en",
        direction: "ltr",
        stylesheet: &assets::address("center.css"),
        icon: "/favicon.svg",
        title,
        text,
    });
    page::html(status, html)
}

/// The language of a page: the one wanted, else the first that the browser asks for and the site offers.
pub(crate) fn language<'a>(site: &'a Site, wanted: Option<&str>, headers: &HeaderMap) -> &'a str {
    let languages = &site.revision.config.languages;
    let at = crate::negotiate::language(languages, wanted, text(headers, header::ACCEPT_LANGUAGE));
    languages.get(at).map_or("en", String::as_str)
}

/// What is stored of the visitor.
#[derive(Default)]
struct Past {
    /// Newest first.
    records: Vec<ConsentRecord>,
    /// Whether there are more.
    is_shortened: bool,
    /// What the law keeps although the visitor had it erased.
    kept: Vec<ConsentRecord>,
    /// Which of the records are followed by one that was erased.
    superseded: BTreeSet<Uuid>,
    is_restricted: bool,
}

/// A request for a page of a site's center; who asks for an unknown site is told so.
struct View {
    app: AppState,
    site: Arc<Site>,
    client: Client,
    asked: Asked,
    headers: HeaderMap,
}

impl FromRequestParts<AppState> for View {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Response> {
        let client = Client::from_request_parts(parts, app)
            .await
            .map_err(|never| match never {})?;
        let Path(id) = Path::<String>::from_request_parts(parts, app)
            .await
            .map_err(IntoResponse::into_response)?;
        let Query(asked) = Query::from_request_parts(parts, app)
            .await
            .map_err(IntoResponse::into_response)?;
        let site = app.published.site(&id).ok_or_else(|| {
            message(
                StatusCode::NOT_FOUND,
                "Unknown site",
                "There is no privacy center at this address. Please follow the link on the website again.",
            )
        })?;
        Ok(Self {
            app: AppState::clone(app),
            site,
            client,
            asked,
            headers: parts.headers.clone(),
        })
    }
}

impl View {
    /// Address of a page of the center, empty for the center itself, in the language that the visitor asked for.
    fn address(&self, page: &str) -> String {
        let address = format!("/c/{}{page}", self.site.id());
        match self.asked.lang.as_deref() {
            None => address,
            wanted => format!("{address}?lang={}", language(&self.site, wanted, &self.headers)),
        }
    }

    /// Address of the center once a choice is saved.
    fn saved(&self) -> String {
        let center = self.address("");
        let joint = if center.contains('?') { '&' } else { '?' };
        format!("{center}{joint}saved=1")
    }

    /// What the site shows to this visitor.
    fn variant(&self) -> Result<&Variant, Problem> {
        let wanted = self.asked.lang.as_deref();
        loader::choose(&self.app, &self.site, self.client, wanted, &self.headers)
    }

    async fn render(&self, status: StatusCode, visitor: Option<&Visitor>, news: Option<News>) -> Response {
        let variant = self.variant();
        let past = match visitor {
            Some(visitor) => self.past(visitor.subject).await,
            None => Ok(Past::default()),
        };
        match (variant, past) {
            (Ok(variant), Ok(past)) => match self.page(variant, &past, visitor.is_some(), news) {
                Ok(html) => page::html(status, html),
                Err(problem) => unavailable(problem.status()),
            },
            (Err(problem), _) | (_, Err(problem)) => unavailable(problem.status()),
        }
    }

    async fn past(&self, subject: Subject) -> Result<Past, Problem> {
        let site = self.site.id();
        let store = &self.app.store;
        let mut records = store.history(site, subject, HISTORY_LEN + 1).await?;
        let is_shortened = records.len() > HISTORY_LEN as usize;
        records.truncate(HISTORY_LEN as usize);
        let taken_back = handover::taken_back(&self.app, site, subject).await?;
        let (records, kept) = records
            .into_iter()
            .partition(|record| !taken_back.contains(&record.id));
        Ok(Past {
            records,
            is_shortened,
            kept,
            superseded: handover::superseded(&self.app, site, subject).await?,
            is_restricted: store.restriction(site, subject).await?.is_some(),
        })
    }

    fn page(
        &self,
        variant: &Variant,
        past: &Past,
        is_known: bool,
        news: Option<News>,
    ) -> Result<String, Problem> {
        let records = &past.records;
        let notice = &variant.notice;
        let [data_url, json_url, restrict_url, erase_url] =
            ["/data", "/data.json", "/restrict", "/erase"].map(|page| self.address(page));
        let (language, texts) = rights::texts(&notice.language)?;
        let is_stored = !records.is_empty() || !past.kept.is_empty();
        let rights = is_stored.then_some(Rights {
            texts: &texts,
            language,
            data_url: &data_url,
            json_url: &json_url,
            restrict_url: &restrict_url,
            is_restricted: past.is_restricted,
            erase_url: &erase_url,
        });
        let revision = &self.site.revision;
        let rule = revision.config.rules.iter().find(|rule| rule.id == notice.rule);
        let mut before_choice = rule.map_or(Categories::NECESSARY, Rule::before_choice);
        let honours = rule.map(Rule::honours).unwrap_or_default();
        let objections = objections(&self.headers);
        if objections.meets(honours) {
            before_choice = before_choice.without(Category::Targeting.set());
        }
        let now_ms = self.app.clock.now_ms();
        let counts = |record: &&ConsentRecord| {
            record.revision >= revision.valid_from
                && record.expires_at_ms > now_ms
                // As in the gate: nobody knows what of a category they refused.
                && (record.services.is_empty() || revision.config.service_choice)
        };
        let counting: Vec<_> = (records.iter())
            .filter(|record| !past.superseded.contains(&record.id))
            .cloned()
            .collect();
        let current = handover::latest(&counting).filter(counts).map(|record| Current {
            granted: record.choice.into(),
            services: record.services.clone(),
            decided: moment(record.decided_at_ms),
        });
        let history: Vec<HistoryRow> = records
            .iter()
            .map(|record| HistoryRow {
                decided: moment(record.decided_at_ms),
                method: record.method,
                granted: record.choice.into(),
                services: record.services.clone(),
                record: record.id,
                receipt_url: format!("/c/{}/receipts/{}", self.site.id(), record.id),
                replay_url: notices::replay_path(self.site.id(), record.notice),
            })
            .collect();
        let mut hidden = vec![
            ("revision", revision.number.to_string()),
            ("notice", variant.hash.to_string()),
        ];
        if is_known {
            hidden.push((KNOWN, "1".to_owned()));
        }
        Ok(assent_center::page(&CenterPage {
            language: &notice.language,
            texts: &notice.texts,
            stylesheet: &assets::address("center.css"),
            icon: "/favicon.svg",
            site_name: &revision.config.name,
            controller: &notice.controller,
            policy_url: &notice.policy_url,
            back_url: Some(&format!("/c/{}/back", self.site.id())),
            categories: &notice.categories,
            service_choice: notice.service_choice,
            before_choice,
            gpc_honoured: objections.meets(Objections::GPC) && honours.meets(Objections::GPC),
            dnt_honoured: objections.meets(Objections::DNT) && honours.meets(Objections::DNT),
            current,
            history: &history,
            older_url: past.is_shortened.then_some(&data_url),
            verify_url: "/verify",
            rights,
            news,
            action: &self.address(""),
            hidden: &hidden,
        }))
    }
}

fn moment(at_ms: i64) -> Moment {
    Moment {
        text: clock::readable(at_ms),
        machine: clock::rfc3339(at_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The categories that are on and the exceptions, after a form with these switches on.
    fn saved(shown: &str, on: &str) -> String {
        let offered = [("a", 1), ("b", 1), ("maps", 2)]
            .map(|(id, at)| (id.to_owned(), Category::ALL[at]))
            .into();
        let mut fields: BTreeMap<_, _> = on
            .split(' ')
            .map(|name| (name.to_owned(), "on".to_owned()))
            .collect();
        fields.insert(SHOWN.to_owned(), shown.to_owned());
        let (choice, services) = switched(&fields, &offered);
        let granted = Categories::from(choice).iter().skip(1).map(Category::id);
        let services = services.iter().map(|(id, on)| format!("{id}:{on}"));
        granted
            .map(str::to_owned)
            .chain(services)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn switches_of_categories_and_services_make_one_choice() {
        for (shown, on, expected) in [
            ("", "", ""),
            ("", "performance", "performance"),
            ("", "targeting", "targeting"),
            ("", "service-a", "a:true"),
            ("", "service-a service-b", "performance"),
            (
                "performance service-a service-b",
                "performance service-a",
                "performance b:false",
            ),
            ("performance service-a service-b", "performance", ""),
            ("performance service-a service-b", "service-a service-b", ""),
            ("performance service-a", "service-a", ""),
            (
                "performance service-a",
                "performance service-a",
                "performance b:false",
            ),
            ("", "performance service-maps", "performance functional"),
            (
                "performance service-a service-b",
                "service-b functional",
                "functional",
            ),
        ] {
            assert_eq!(saved(shown, on), expected, "{shown} → {on}");
        }
    }
}
