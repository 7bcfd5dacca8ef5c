//! What a visitor can do with what is stored: see it, take it along, restrict its use, have it erased. All of it is
//! for whoever has the center's cookie; everybody else is sent to the center.

use std::collections::BTreeMap;

use assent_center::{DataPage, DataRow, ErasedPage, Frame, HeldRow, RestrictionPage, RightsTexts};
use assent_consent::{
    ledger::erasure,
    record::{ConsentRecord, Subject},
};
use assent_store::Hold;
use serde::{Deserialize, Serialize};

use super::{
    App, AppState, Asked, Body, Client, HeaderMap, HeaderValue, IntoResponse as _, Path, Problem, Query,
    Response, Router, Site, State, StatusCode, Uuid, Variant, View, Visitor, assets, body, clock, cookie,
    get, header, loader, moment, notices, origin, page, site, unavailable,
};
use crate::confirmation::{self, Confirmation};

/// Records that are given out at once.
const RECORDS_MAX: u32 = 10_000;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/c/{site}/data", get(data))
        .route("/c/{site}/data.json", get(download))
        .route("/c/{site}/restrict", get(ask_restriction).post(restrict))
        .route("/c/{site}/erase", get(ask).post(erase))
}

/// The wordings, and their language.
pub(crate) fn texts(language: &str) -> Result<(&'static str, RightsTexts), Problem> {
    crate::texts::rights(language).map_err(|error| {
        tracing::error!(%error, "the wordings of the center cannot be read");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be made.")
    })
}

/// A subject's records, newest first, and whether there are more.
async fn records(app: &App, site: &Site, subject: Subject) -> Result<(Vec<ConsentRecord>, bool), Problem> {
    let mut records = app.store.history(site.id(), subject, RECORDS_MAX + 1).await?;
    let len = RECORDS_MAX as usize;
    let is_shortened = records.len() > len;
    records.truncate(len);
    Ok((records, is_shortened))
}

/// When the holds on a visitor's records end, by the records' ids.
type Ends = BTreeMap<Uuid, i64>;

async fn ends(app: &App, site: &Site, subject: Subject) -> Result<Ends, Problem> {
    let holds = app.store.holds_of(site.id(), subject, app.clock.now_ms()).await?;
    Ok(holds.iter().map(|hold| (hold.record, hold.until_ms)).collect())
}

async fn restricted_since_ms(app: &App, site: &Site, subject: Subject) -> Result<Option<i64>, Problem> {
    let restriction = app.store.restriction(site.id(), subject).await?;
    Ok(restriction.map(|restriction| restriction.since_ms))
}

/// What is stored about a visitor, as JSON.
#[derive(Serialize)]
struct Data<'a> {
    site: &'a str,
    name: &'a str,
    controller: &'a str,
    policy_url: &'a str,
    made_at: String,
    subject: Subject,
    not_stored: &'a str,
    /// Since when their use is restricted.
    #[serde(skip_serializing_if = "Option::is_none")]
    restricted_since: Option<String>,
    /// Whether these are all records.
    complete: bool,
    records: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    record: &'a ConsentRecord,
    decided_at: String,
    received_at: String,
    expires_at: String,
    receipt: String,
    notice_url: String,
    replay_url: String,
    /// Until when the law keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_until: Option<String>,
}

impl<'a> Entry<'a> {
    fn new(app: &App, record: &'a ConsentRecord, ends: &Ends) -> Self {
        Self {
            held_until: ends.get(&record.id).copied().map(clock::rfc3339),
            record,
            decided_at: clock::rfc3339(record.decided_at_ms),
            received_at: clock::rfc3339(record.received_at_ms),
            expires_at: clock::rfc3339(record.expires_at_ms),
            receipt: app.signer.sign(record),
            notice_url: format!(
                "{}/v1/sites/{}/notices/{}",
                app.origin, record.site, record.notice
            ),
            replay_url: format!("{}{}", app.origin, replay_path(record)),
        }
    }
}

async fn download(
    State(app): State<AppState>,
    client: Client,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = site(&app, &id)?;
    let visitor = Visitor::read(&site, &headers)
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "There is nothing stored for this browser."))?;
    app.limits
        .handovers
        .check(client.address, site.id())
        .map_err(Problem::too_many)?;
    let variant = loader::choose(&app, &site, client, asked.lang.as_deref(), &headers)?;
    let (_, texts) = texts(&variant.notice.language)?;
    let (records, is_shortened) = records(&app, &site, visitor.subject).await?;
    let ends = ends(&app, &site, visitor.subject).await?;
    let restricted_since_ms = restricted_since_ms(&app, &site, visitor.subject).await?;
    let config = &site.revision.config;
    let data = Data {
        site: site.id(),
        name: &config.name,
        controller: &config.controller,
        policy_url: &config.policy_url,
        made_at: clock::rfc3339(app.clock.now_ms()),
        subject: visitor.subject,
        not_stored: &texts.not_stored,
        restricted_since: restricted_since_ms.map(clock::rfc3339),
        complete: !is_shortened,
        records: records
            .iter()
            .map(|record| Entry::new(&app, record, &ends))
            .collect(),
    };
    let json = serde_json::to_string_pretty(&data).map_err(|error| {
        tracing::error!(%error, "an answer does not serialise");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The file cannot be made.")
    })?;
    let mut response = json.into_response();
    let headers = response.headers_mut();
    page::secure(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let file = format!("attachment; filename=\"consent-data-{}.json\"", site.id());
    if let Ok(file) = HeaderValue::try_from(file) {
        headers.insert(header::CONTENT_DISPOSITION, file);
    }
    Ok(response)
}

fn replay_path(record: &ConsentRecord) -> String {
    notices::replay_path(&record.site, record.notice)
}

async fn data(view: View) -> Result<Response, Response> {
    let own = Own::new(&view)?;
    own.data().await.map_err(|problem| failed(&problem))
}

async fn ask(view: View) -> Result<Response, Response> {
    let own = Own::new(&view)?;
    own.ask().await.map_err(|problem| failed(&problem))
}

async fn ask_restriction(view: View) -> Result<Response, Response> {
    let own = Own::new(&view)?;
    own.ask_restriction().await.map_err(|problem| failed(&problem))
}

async fn restrict(view: View, body: Body) -> Result<Response, Response> {
    let own = Own::new(&view)?;
    own.restrict(body).await.map_err(|problem| failed(&problem))
}

async fn erase(view: View) -> Result<Response, Response> {
    let own = Own::new(&view)?;
    own.erase().await.map_err(|problem| failed(&problem))
}

#[derive(Deserialize)]
struct Wish {
    r#do: Restrict,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Restrict {
    Restrict,
    Lift,
}

fn failed(problem: &Problem) -> Response {
    unavailable(problem.status())
}

/// A page about what is stored of the visitor who asks.
struct Own<'a> {
    view: &'a View,
    visitor: Visitor,
    variant: &'a Variant,
    language: &'static str,
    texts: RightsTexts,
    center: String,
}

impl<'a> Own<'a> {
    /// Who has no key is sent to the center.
    #[expect(clippy::result_large_err, reason = "the answer is sent as it is")]
    fn new(view: &'a View) -> Result<Self, Response> {
        let Some(visitor) = Visitor::read(&view.site, &view.headers) else {
            return Err(page::see_other(&view.address(""), &[]));
        };
        let variant = view.variant().map_err(|problem| failed(&problem))?;
        let (language, texts) = texts(&variant.notice.language).map_err(|problem| failed(&problem))?;
        Ok(Self {
            center: view.address(""),
            view,
            visitor,
            variant,
            language,
            texts,
        })
    }

    fn frame<'b>(&'b self, stylesheet: &'b str) -> Frame<'b> {
        let config = &self.view.site.revision.config;
        Frame {
            texts: &self.texts,
            language: self.language,
            direction: "ltr",
            stylesheet,
            icon: "/favicon.svg",
            site_name: &config.name,
            controller: &config.controller,
            center_url: &self.center,
        }
    }

    async fn data(&self) -> Result<Response, Problem> {
        let View { app, site, .. } = self.view;
        let subject = self.visitor.subject;
        let (records, is_shortened) = records(app, site, subject).await?;
        let has_contact = site.revision.config.contact.is_some();
        let ends = ends(app, site, subject).await?;
        let rows: Vec<_> = records
            .iter()
            .map(|record| row(record, has_contact, &ends))
            .collect();
        let html = assent_center::data(&DataPage {
            frame: self.frame(&assets::address("center.css")),
            notice: &self.variant.notice.texts,
            categories: &self.variant.notice.categories,
            made: moment(app.clock.now_ms()),
            subject: digits(subject),
            records: &rows,
            is_shortened,
            restricted: restricted_since_ms(app, site, subject).await?.map(moment),
            json_url: &self.view.address("/data.json"),
        });
        Ok(page::html(StatusCode::OK, html))
    }

    async fn ask(&self) -> Result<Response, Problem> {
        let View { app, site, .. } = self.view;
        let ends = ends(app, site, self.visitor.subject).await?;
        let held = held(ends.into_iter());
        let html = assent_center::erase(
            &self.frame(&assets::address("center.css")),
            &self.view.address("/erase"),
            &held,
        );
        Ok(page::html(StatusCode::OK, html))
    }

    async fn erase(&self) -> Result<Response, Problem> {
        let View { app, site, .. } = self.view;
        self.acts()?;
        let subject = self.visitor.subject;
        let now_ms = app.clock.now_ms();
        let sign = |leaf, entry| erasure::sign(site.id(), leaf, &entry, now_ms, app.signer.key());
        let erased = app.store.erase(site.id(), subject, None, now_ms, &sign).await?;
        let confirmation = confirmation::sign(
            app,
            site.id(),
            &Confirmation::Erasure {
                erased_at_ms: now_ms,
                held: confirmation::held(&erased.held),
                records: &erased.records,
                subject: Some(subject),
            },
        )?;
        let from = self.visitor.origin.and_then(|at| site.origin(at));
        let back = from.or_else(|| site.origin(0)).unwrap_or_default();
        let end = |hold: &Hold| (hold.record, hold.until_ms);
        let html = assent_center::erased(&ErasedPage {
            frame: self.frame(&assets::address("center.css")),
            erased: moment(now_ms),
            subject: digits(subject),
            records: &erased.records,
            held: &held(erased.held.iter().map(end)),
            confirmation: &confirmation,
            // The site asks what has become of its choice, and learns that it is gone.
            back: (&format!("{back}/#assent"), &self.variant.notice.texts.center_back),
        });
        let mut response = page::html(StatusCode::OK, html);
        if let Ok(gone) = HeaderValue::try_from(cookie(app, site, "", 0)) {
            response.headers_mut().append(header::SET_COOKIE, gone);
        }
        Ok(response)
    }

    /// Whether what is posted comes from the center's own pages, and not too often: each is a commit of its own.
    fn acts(&self) -> Result<(), Problem> {
        let View {
            app,
            site,
            client,
            headers,
            ..
        } = self.view;
        origin::own(app, headers)?;
        app.limits
            .handovers
            .check(client.address, site.id())
            .map_err(Problem::too_many)
    }

    async fn ask_restriction(&self) -> Result<Response, Problem> {
        let View { app, site, .. } = self.view;
        let since_ms = restricted_since_ms(app, site, self.visitor.subject).await?;
        let html = assent_center::restrict(
            &self.frame(&assets::address("center.css")),
            &self.view.address("/restrict"),
            since_ms.map(moment).as_ref(),
        );
        Ok(page::html(StatusCode::OK, html))
    }

    async fn restrict(&self, form: Body) -> Result<Response, Problem> {
        let View {
            app, site, headers, ..
        } = self.view;
        self.acts()?;
        let Wish { r#do: wish } = body::form(headers, form).await?;
        let subject = self.visitor.subject;
        let now_ms = app.clock.now_ms();
        let restricted_since_ms = match wish {
            Restrict::Restrict => match app.store.restrict(site.id(), subject, now_ms).await? {
                Some(restriction) => Some(restriction.since_ms),
                None => return Ok(page::see_other(&self.center, &[])),
            },
            Restrict::Lift => {
                app.store.lift_restriction(site.id(), subject).await?;
                None
            }
        };
        let confirmation = confirmation::sign(
            app,
            site.id(),
            &Confirmation::Restriction {
                confirmed_at_ms: now_ms,
                restricted_since_ms,
                subject,
            },
        )?;
        let html = assent_center::restriction(&RestrictionPage {
            frame: self.frame(&assets::address("center.css")),
            is_restricted: restricted_since_ms.is_some(),
            at: moment(restricted_since_ms.unwrap_or(now_ms)),
            subject: digits(subject),
            confirmation: &confirmation,
        });
        Ok(page::html(StatusCode::OK, html))
    }
}

fn held(ends: impl Iterator<Item = (Uuid, i64)>) -> Vec<HeldRow> {
    ends.map(|(id, until_ms)| HeldRow {
        id,
        until: moment(until_ms),
    })
    .collect()
}

fn digits(subject: Subject) -> String {
    hex::encode(subject.0)
}

fn row(record: &ConsentRecord, has_contact: bool, ends: &Ends) -> DataRow {
    let receipt = format!("/c/{}/receipts/{}", record.site, record.id);
    DataRow {
        id: record.id,
        decided: moment(record.decided_at_ms),
        received: moment(record.received_at_ms),
        expires: moment(record.expires_at_ms),
        event: record.event,
        method: record.method,
        granted: record.choice.into(),
        services: record.services.clone(),
        previous: record.previous,
        language: record.language.clone(),
        rule: record.rule.clone(),
        revision: record.revision,
        notice: record.notice.to_string(),
        replay_url: replay_path(record),
        kantara_url: has_contact.then(|| format!("{receipt}?format=kantara")),
        dpv_url: format!("{receipt}?format=dpv"),
        receipt_url: receipt,
        asked: record.asked,
        gpc: record.gpc,
        dnt: record.dnt,
        salt: hex::encode(record.salt.0),
        held_until: ends.get(&record.id).copied().map(moment),
    }
}
