//! `/console/sites/{site}/records`: records looked up, given out, held, restricted and erased by their site's owner.

use std::{collections::BTreeMap, fmt::Write as _};

use assent_consent::{
    Categories, Category,
    ledger::erasure,
    receipt::{self, ReceiptError},
    record::ConsentRecord,
};
use assent_console::{
    Content, ErasedRecordPage, Held, Moment, Place, RecordPage, RecordState, RecordsPage, Restricted, Run,
    Stored, TrailLine,
};
use assent_store::{AskedBy, Deed, Hold, Order, Outcome};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::Serialize;
use uuid::Uuid;

use super::{DAY_MS, Shown, check_csrf, day, message, shown, today};
use crate::{
    app::{App, AppState},
    clock,
    confirmation::{self, Confirmation},
    http::{body, origin, page, problem::Problem},
    ledger::StoredLog,
};

/// Lines of the trail, and holds, that are listed.
const LISTED: u32 = 100;
/// The longest time for which a record can be held at once, in days: ten years.
const HOLD_DAYS_MAX: i32 = 3_653;
/// The longest reason of a hold, in characters.
const REASON_LEN_MAX: usize = 500;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/console/sites/{site}/records", get(records).post(look_up))
        .route("/console/sites/{site}/records/{id}", get(record))
        .route("/console/sites/{site}/records/{id}/{deed}", get(ask).post(act))
}

async fn records(
    State(app): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match shown(&app, &id, &headers).await? {
        Ok(site) => overview(&app, &site, "", None).await,
        Err(instead) => Ok(instead),
    }
}

/// What was asked for and was not found, and why.
type NotFound = (StatusCode, &'static str);

async fn look_up(
    State(app): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    origin::own(&app, &headers)?;
    let site = match shown(&app, &id, &headers).await? {
        Ok(site) => site,
        Err(instead) => return Ok(instead),
    };
    let form = form(&site, &headers, body).await?;
    let asked = form.get("record").map_or("", |asked| asked.trim());
    match find(&app, &site, asked).await? {
        Ok(record) => Ok(page::see_other(&address(&site, record), &[])),
        Err(error) => overview(&app, &site, asked, Some(error)).await,
    }
}

/// The fields of a form that belongs to this session.
async fn form(site: &Shown, headers: &HeaderMap, body: Body) -> Result<BTreeMap<String, String>, Problem> {
    let form: BTreeMap<String, String> = body::form(headers, body).await?;
    check_csrf(&site.csrf, form.get("csrf").map_or("", String::as_str))?;
    Ok(form)
}

fn address(site: &Shown, record: Uuid) -> String {
    format!("{}/records/{record}", site.address)
}

/// The id of a record that is stored, or was erased, from that id or from its receipt.
async fn find(app: &App, site: &Shown, asked: &str) -> Result<Result<Uuid, NotFound>, Problem> {
    let by_id = Uuid::parse_str(asked).ok();
    let record = match by_id {
        Some(id) => id,
        None => match receipt::verify_with(asked, &app.known_keys) {
            Ok(record) if record.site == site.config.id => record.id,
            Ok(_) => return Ok(Err((StatusCode::NOT_FOUND, "This is a receipt of another site."))),
            Err(error) => return Ok(Err((StatusCode::UNPROCESSABLE_ENTITY, wrong(error)))),
        },
    };
    let id = &site.config.id;
    let is_known = app.store.logged(id, record).await?.is_some() || app.store.is_erased(id, record).await?;
    Ok(match by_id {
        _ if is_known => Ok(record),
        Some(_) => Err((
            StatusCode::NOT_FOUND,
            "No record with this id is or was stored here.",
        )),
        None => Err((
            StatusCode::NOT_FOUND,
            "This receipt is genuine, but its record is neither stored nor listed as erased. Run assent audit.",
        )),
    })
}

const fn wrong(error: ReceiptError) -> &'static str {
    match error {
        ReceiptError::Malformed => "This is neither a receipt nor the id of a record.",
        ReceiptError::UnknownKey => {
            "This receipt was signed by another server, or by a key that is not known here."
        }
        ReceiptError::Altered => "This receipt was altered: its signature does not fit.",
        ReceiptError::Unreadable => "The receipt’s content cannot be read.",
    }
}

async fn overview(
    app: &App,
    site: &Shown,
    asked: &str,
    error: Option<NotFound>,
) -> Result<Response, Problem> {
    let id = &site.config.id;
    let now_ms = app.clock.now_ms();
    let run = app.store.retention(id).await?.map(|run| Run {
        at: moment(run.ran_at_ms),
        erased: run.erased,
        spared: run.spared,
        erased_in_all: run.erased_in_all,
    });
    let holds = app.store.holds(id, now_ms, LISTED).await?;
    let holds: Vec<_> = holds.into_iter().map(held).collect();
    let trail: Vec<_> = app
        .store
        .trail(id, LISTED)
        .await?
        .into_iter()
        .map(|entry| TrailLine {
            at: moment(entry.at_ms),
            owner: entry.owner,
            deed: in_words(entry.deed),
            record: entry.record.to_string(),
        })
        .collect();
    let html = assent_console::records(&RecordsPage {
        frame: site.frame(),
        asked,
        error: error.map(|(_, text)| text),
        retention_days: site.config.retention_days,
        run,
        holds: &holds,
        trail: &trail,
    });
    Ok(page::html(
        error.map_or(StatusCode::OK, |(status, _)| status),
        html,
    ))
}

const fn in_words(deed: Deed) -> &'static str {
    match deed {
        Deed::Export => "exported",
        Deed::Erase => "erased",
        Deed::Hold => "put on legal hold",
        Deed::LiftHold => "legal hold lifted",
        Deed::Restrict => "use restricted",
        Deed::LiftRestriction => "restriction lifted",
        Deed::AskErasure => "erasure asked for, waits for the hold",
    }
}

fn held(hold: Hold) -> Held {
    Held {
        record: hold.record.to_string(),
        since: moment(hold.held_at_ms),
        until: moment(hold.until_ms),
        reason: hold.reason,
        erasure_asked: hold.erasure_asked_at_ms.map(moment),
    }
}

fn moment(at_ms: i64) -> Moment {
    Moment {
        text: clock::readable(at_ms),
        machine: clock::rfc3339(at_ms),
    }
}

async fn record(
    State(app): State<AppState>,
    Path((id, record)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = match shown(&app, &id, &headers).await? {
        Ok(site) => site,
        Err(instead) => return Ok(instead),
    };
    match Uuid::parse_str(&record) {
        Ok(record) => one(&app, &site, record, None).await,
        Err(_) => Ok(unknown()),
    }
}

fn unknown() -> Response {
    message(
        StatusCode::NOT_FOUND,
        "Unknown record",
        "No record with this id is or was stored for this site.",
    )
}

/// A record's page, with the reason why what was asked for was not done.
async fn one(
    app: &App,
    site: &Shown,
    id: Uuid,
    refusal: Option<(StatusCode, &str)>,
) -> Result<Response, Problem> {
    let (status, refusal) = refusal.map_or((StatusCode::OK, None), |(status, text)| (status, Some(text)));
    let answer = |state| {
        let html = assent_console::record(&RecordPage {
            frame: site.frame(),
            id: &id.to_string(),
            state,
            refusal,
        });
        page::html(status, html)
    };
    let site_id = &site.config.id;
    let Some(logged) = app.store.logged(site_id, id).await? else {
        let is_erased = app.store.is_erased(site_id, id).await?;
        return Ok(if is_erased {
            answer(RecordState::Erased)
        } else {
            unknown()
        });
    };
    let record = logged.record?;
    let now_ms = app.clock.now_ms();
    let restriction = app.store.restriction(site_id, record.subject).await?;
    let holds = app.store.holds_of(site_id, record.subject, now_ms).await?;
    let head = app.store.last_head(site_id).await?;
    let json = pretty(&record)?;
    let receipt = app.signer.sign(&record);
    let [first, last] = [1, HOLD_DAYS_MAX].map(|days| date(today(app) + days));
    Ok(answer(RecordState::Stored(Box::new(Stored {
        content: restriction.is_none().then(|| Content {
            summary: summary(&record),
            facts: facts(&record),
            notice: record.notice.to_string(),
            notice_url: notice_path(&record),
            json: &json,
            receipt: &receipt,
        }),
        place: Place {
            index: logged.leaf,
            size: app.store.log_size(site_id).await?,
            signed: head
                .filter(|head| head.size > logged.leaf)
                .map(|head| moment(head.made_at_ms)),
        },
        hold: holds.into_iter().find(|hold| hold.record == id).map(held),
        restriction: restriction.map(|restriction| Restricted {
            since: moment(restriction.since_ms),
            by_visitor: restriction.asked_by == AskedBy::Visitor,
        }),
        hold_days: (&first, &last),
    }))))
}

/// `2026-11-21` of days since 1970.
fn date(day: i32) -> String {
    let text = clock::rfc3339(i64::from(day) * DAY_MS);
    text.split('T').next().unwrap_or_default().to_owned()
}

fn notice_path(record: &ConsentRecord) -> String {
    format!("/v1/sites/{}/notices/{}", record.site, record.notice)
}

fn pretty(value: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string_pretty(value).map_err(|error| {
        tracing::error!(%error, "an answer does not serialise");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be made.")
    })
}

/// `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn summary(record: &ConsentRecord) -> String {
    let granted = Categories::from(record.choice);
    let (allowed, refused): (Vec<_>, Vec<_>) = Category::OPTIONAL
        .into_iter()
        .partition(|category| granted.has(*category));
    let names = |categories: Vec<Category>| {
        let names: Vec<_> = categories.into_iter().map(Category::id).collect();
        listed(&names)
    };
    let is_plain = record.services.is_empty();
    let mut deed = match (allowed.is_empty(), refused.is_empty()) {
        (true, _) if is_plain => "refused everything that is not necessary".to_owned(),
        (_, true) if is_plain => "allowed everything".to_owned(),
        (true, _) => format!("refused {}", names(refused)),
        (_, true) => format!("allowed {}", names(allowed)),
        _ => format!("allowed {} and refused {}", names(allowed), names(refused)),
    };
    for (service, is_granted) in &record.services {
        let _ = write!(
            deed,
            ", but {} {service}",
            if *is_granted { "allowed" } else { "refused" }
        );
    }
    let asked = if record.asked {
        "asked by the banner, a visitor"
    } else {
        "a visitor, of their own accord,"
    };
    format!("On {}, {asked} {deed}.", clock::readable(record.decided_at_ms))
}

fn facts(record: &ConsentRecord) -> Vec<(&'static str, String)> {
    let yes = |is: bool| if is { "on" } else { "off" }.to_owned();
    let mut facts = vec![
        ("Decided (browser’s clock)", clock::readable(record.decided_at_ms)),
        ("Received", clock::readable(record.received_at_ms)),
        ("Counts until", clock::readable(record.expires_at_ms)),
        ("Made by way of", record.method.id().to_owned()),
    ];
    for (label, wanted) in [("Allowed beside", true), ("Refused beside", false)] {
        let services: Vec<_> = record
            .services
            .iter()
            .filter(|(_, answer)| **answer == wanted)
            .map(|(id, _)| id.as_str())
            .collect();
        if !services.is_empty() {
            facts.push((label, services.join(", ")));
        }
    }
    facts.extend([
        ("Global Privacy Control", yes(record.gpc)),
        ("Do Not Track", yes(record.dnt)),
        ("Rule", record.rule.clone()),
        ("Language", record.language.clone()),
        ("Revision", record.revision.to_string()),
        ("Visitor’s number here", hex::encode(record.subject.0)),
    ]);
    if let Some(previous) = record.previous {
        facts.push(("Replaces record", previous.to_string()));
    }
    facts
}

async fn ask(
    State(app): State<AppState>,
    Path((id, record, deed)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let site = match shown(&app, &id, &headers).await? {
        Ok(site) => site,
        Err(instead) => return Ok(instead),
    };
    let Ok(record) = Uuid::parse_str(&record) else {
        return Ok(unknown());
    };
    if deed != "erase" || app.store.logged(&id, record).await?.is_none() {
        return Ok(page::see_other(&address(&site, record), &[]));
    }
    let html = assent_console::erase_record(&site.frame(), &record.to_string());
    Ok(page::html(StatusCode::OK, html))
}

async fn act(
    State(app): State<AppState>,
    Path((id, record, deed)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    origin::own(&app, &headers)?;
    let site = match shown(&app, &id, &headers).await? {
        Ok(site) => site,
        Err(instead) => return Ok(instead),
    };
    let form = form(&site, &headers, body).await?;
    let Ok(record) = Uuid::parse_str(&record) else {
        return Ok(unknown());
    };
    let order = match read(&app, &deed, &form) {
        Ok(order) => order,
        Err(refusal) => return one(&app, &site, record, Some(refusal)).await,
    };
    // Made before it is written down that it was given out.
    let file = match order {
        Order::Export => export(&app, &site, record).await?,
        _ => None,
    };
    let now_ms = app.clock.now_ms();
    let sign = |leaf, entry| erasure::sign(&id, leaf, &entry, now_ms, app.signer.key());
    let outcome = app
        .store
        .carry_out(&id, record, site.owner.id, &order, now_ms, &sign)
        .await?;
    let conflict = |text| Some((StatusCode::CONFLICT, text));
    match (outcome, order, file) {
        (Outcome::Done, Order::Erase, _) => erased(&app, &site, record, now_ms),
        (Outcome::Done, Order::Export, Some(file)) => Ok(file),
        (Outcome::Held, ..) => {
            let text = "The record is held and was not erased.";
            one(&app, &site, record, conflict(text)).await
        }
        (Outcome::Restricted, ..) => {
            let text = "The visitor’s records are restricted; nothing was done.";
            one(&app, &site, record, conflict(text)).await
        }
        (Outcome::Done | Outcome::Unchanged | Outcome::Absent, ..) => {
            Ok(page::see_other(&address(&site, record), &[]))
        }
    }
}

/// What is to be done, or why the form cannot be used.
fn read(app: &App, deed: &str, form: &BTreeMap<String, String>) -> Result<Order, (StatusCode, &'static str)> {
    let wrong = |text| (StatusCode::UNPROCESSABLE_ENTITY, text);
    Ok(match deed {
        "export" => Order::Export,
        "erase" => Order::Erase,
        "lift-hold" => Order::LiftHold,
        "restrict" => Order::Restrict,
        "lift-restriction" => Order::LiftRestriction,
        "hold" => {
            let reason = form.get("reason").map_or("", |reason| reason.trim());
            if reason.is_empty() || reason.chars().count() > REASON_LEN_MAX {
                return Err(wrong("A hold needs a reason of at most 500 characters."));
            }
            let today = today(app);
            let last_day = day(form.get("until").map(String::as_str))
                .filter(|last| (today + 1..=today + HOLD_DAYS_MAX).contains(last))
                .ok_or_else(|| {
                    wrong("A hold needs a last day: tomorrow at the earliest, in ten years at the latest.")
                })?;
            Order::Hold {
                reason: reason.to_owned(),
                until_ms: i64::from(last_day + 1) * DAY_MS - 1,
            }
        }
        _ => return Err((StatusCode::NOT_FOUND, "There is nothing of this name to do.")),
    })
}

/// A record with all that proves it.
#[derive(Serialize)]
struct Export<'a> {
    site: &'a str,
    exported_at: String,
    record: &'a ConsentRecord,
    receipt: String,
    /// Where what the visitor was shown can be read.
    notice_url: String,
    /// That the record is in the log (<https://c2sp.org/tlog-proof>); null until a checkpoint covers it.
    proof: Option<String>,
}

async fn export(app: &App, site: &Shown, id: Uuid) -> Result<Option<Response>, Problem> {
    let site = &site.config.id;
    let Some(logged) = app.store.logged(site, id).await? else {
        return Ok(None);
    };
    let record = logged.record?;
    let log = StoredLog {
        store: app.store.as_ref(),
        site,
    };
    let proof = log.prove(logged.leaf).await?;
    let json = pretty(&Export {
        site,
        exported_at: clock::rfc3339(app.clock.now_ms()),
        receipt: app.signer.sign(&record),
        notice_url: format!("{}{}", app.origin, notice_path(&record)),
        proof: proof.map(|proof| proof.to_string()),
        record: &record,
    })?;
    let mut response = json.into_response();
    let headers = response.headers_mut();
    page::secure(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(file) = HeaderValue::try_from(format!("attachment; filename=\"consent-record-{id}.json\"")) {
        headers.insert(header::CONTENT_DISPOSITION, file);
    }
    Ok(Some(response))
}

fn erased(app: &App, site: &Shown, record: Uuid, now_ms: i64) -> Result<Response, Problem> {
    let confirmation = confirmation::sign(
        app,
        &site.config.id,
        &Confirmation::Erasure {
            erased_at_ms: now_ms,
            held: Vec::new(),
            records: &[record],
            subject: None,
        },
    )?;
    let html = assent_console::erased_record(&ErasedRecordPage {
        frame: site.frame(),
        id: &record.to_string(),
        at: moment(now_ms),
        confirmation: &confirmation,
    });
    Ok(page::html(StatusCode::OK, html))
}

#[cfg(test)]
mod tests {
    use assent_consent::record::Choice;
    use assent_store::conformance::sample;

    use super::*;

    #[test]
    fn lists_read_as_people_write_them() {
        assert_eq!(listed(&[]), "");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn a_record_is_summed_up_with_the_services_that_differ() {
        let notice = sample::notice(&sample::config("shop"), "first");
        let mut record = sample::record(&notice, notice.hash(), 0, sample::subject(0));
        record.asked = true;
        let mut says = |choice: [bool; 3], services: &[(&str, bool)]| {
            let [performance, functional, targeting] = choice;
            record.choice = Choice {
                performance,
                functional,
                targeting,
            };
            let services = services.iter();
            record.services = services.map(|(id, is)| ((*id).to_owned(), *is)).collect();
            let summary = summary(&record);
            let (_, deed) = summary.split_once("a visitor ").unwrap();
            deed.to_owned()
        };
        let (all, none) = ([true; 3], [false; 3]);
        assert_eq!(says(none, &[]), "refused everything that is not necessary.");
        assert_eq!(says(all, &[]), "allowed everything.");
        assert_eq!(
            says([true, false, true], &[]),
            "allowed performance and targeting and refused functional."
        );
        // Nobody who let one service run has refused everything, nor the other way round.
        assert_eq!(
            says(none, &[("maps", true)]),
            "refused performance, functional and targeting, but allowed maps."
        );
        assert_eq!(
            says(all, &[("ads", false)]),
            "allowed performance, functional and targeting, but refused ads."
        );
        assert_eq!(
            says([true, false, false], &[("ads", true), ("stats", false)]),
            "allowed performance and refused functional and targeting, but allowed ads, but refused stats."
        );
    }
}
