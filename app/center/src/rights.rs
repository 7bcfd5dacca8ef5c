//! What a visitor can do with what is stored: see it, take it along, restrict its use, have it erased. Each is a page of its own, made to
//! be printed as well.

use assent_consent::{
    Categories,
    notice::{NoticeCategory, Texts},
    record::{Event, Method, Services},
};
use leptos::prelude::*;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    document::{Head, document, web_address},
    icon::{self, Icon},
    page::{CenterPage, Moment, method, outcomes},
};

/// The wordings of these pages: `app/texts/rights`. They stand apart from [`Texts`], which every notice carries.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RightsTexts {
    title: String,
    text: String,
    see: String,
    download: String,
    erase: String,
    center: String,
    data_title: String,
    data_text: String,
    data_shortened: String,
    pub(crate) older: String,
    made: String,
    subject: String,
    site: String,
    decided: String,
    received: String,
    until: String,
    previous: String,
    shown: String,
    pub(crate) language: String,
    pub(crate) rule: String,
    revision: String,
    asked: String,
    gpc: String,
    dnt: String,
    salt: String,
    event: String,
    event_given: String,
    event_refused: String,
    event_renewed: String,
    event_changed: String,
    event_withdrawn: String,
    formats: String,
    /// Link to a replay.
    pub(crate) replay: String,
    pub(crate) replay_title: String,
    pub(crate) replay_text: String,
    pub(crate) replay_banner: String,
    pub(crate) replay_dialog: String,
    pub(crate) replay_unfolded: String,
    pub(crate) replay_hash: String,
    pub(crate) replay_json: String,
    pub(crate) replay_signal: String,
    yes: String,
    no: String,
    not_stored_title: String,
    /// What is not stored, for the download too.
    pub not_stored: String,
    erase_title: String,
    goes_title: String,
    goes: String,
    stays_title: String,
    stays: String,
    site_title: String,
    site_text: String,
    erase_now: String,
    keep: String,
    done_title: String,
    done_text: String,
    done_at: String,
    done_records: String,
    done_none: String,
    done_download: String,
    done_site: String,
    restrict: String,
    lift: String,
    restricted_since: String,
    held_until: String,
    restrict_title: String,
    restrict_means_title: String,
    restrict_means: String,
    restrict_not_title: String,
    restrict_not: String,
    restrict_leave: String,
    restricted_title: String,
    restricted_text: String,
    restricted_at: String,
    lift_text: String,
    lifted_title: String,
    lifted_text: String,
    lifted_at: String,
    held_title: String,
    held_ask: String,
    held_done_title: String,
    held_done_text: String,
    held_done: String,
}

/// What the center says of the visitor's rights.
#[derive(Clone, Copy, Debug)]
pub struct Rights<'a> {
    /// Wordings.
    pub texts: &'a RightsTexts,
    /// Language tag of `texts`, which may be another than the center's.
    pub language: &'a str,
    /// Address of the page with everything that is stored, same origin.
    pub data_url: &'a str,
    /// Address of the same as JSON.
    pub json_url: &'a str,
    /// Address of the page that restricts its use, or lifts that.
    pub restrict_url: &'a str,
    /// Whether its use is restricted.
    pub is_restricted: bool,
    /// Address of the page that erases it.
    pub erase_url: &'a str,
}

/// What these pages have in common.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Wordings.
    pub texts: &'a RightsTexts,
    /// Language tag of `texts`.
    pub language: &'a str,
    /// Writing direction, `ltr` or `rtl`.
    pub direction: &'a str,
    /// Address of `center.css`.
    pub stylesheet: &'a str,
    /// Address of the page's icon.
    pub icon: &'a str,
    /// What the visitor knows the site as.
    pub site_name: &'a str,
    /// Who is responsible for the data.
    pub controller: &'a str,
    /// Address of the center.
    pub center_url: &'a str,
}

/// Everything that is stored about a visitor.
#[derive(Clone, Debug)]
pub struct DataPage<'a> {
    /// The page around it.
    pub frame: Frame<'a>,
    /// The wordings of choices and methods.
    pub notice: &'a Texts,
    /// The site's categories, for the names of services.
    pub categories: &'a [NoticeCategory],
    /// Now.
    pub made: Moment,
    /// The subject, 32 hexadecimal digits.
    pub subject: String,
    /// All records, newest first.
    pub records: &'a [DataRow],
    /// Whether there are older ones that are left out.
    pub is_shortened: bool,
    /// Since when their use is restricted.
    pub restricted: Option<Moment>,
    /// Address of the same as JSON.
    pub json_url: &'a str,
}

/// A record, as it is stored.
#[derive(Clone, Debug)]
pub struct DataRow {
    /// Its id.
    pub id: Uuid,
    /// The browser's time.
    pub decided: Moment,
    /// The server's time.
    pub received: Moment,
    /// When the choice stops to count.
    pub expires: Moment,
    /// What happened.
    pub event: Event,
    /// Where the choice was made.
    pub method: Method,
    /// What was granted.
    pub granted: Categories,
    /// The services whose answer differed from their category's.
    pub services: Services,
    /// The record that this one replaced.
    pub previous: Option<Uuid>,
    /// Language of the notice.
    pub language: String,
    /// The rule that applied.
    pub rule: String,
    /// The revision that was shown.
    pub revision: u32,
    /// Hash of the notice.
    pub notice: String,
    /// Where the notice can be seen as it was shown, same origin.
    pub replay_url: String,
    /// Address of the receipt's download, same origin.
    pub receipt_url: String,
    /// Address of the record as a Kantara Consent Receipt, where the site can give one.
    pub kantara_url: Option<String>,
    /// Address of the record after ISO/IEC TS 27560.
    pub dpv_url: String,
    /// Whether the banner asked.
    pub asked: bool,
    /// Whether Global Privacy Control was on.
    pub gpc: bool,
    /// Whether Do Not Track was on.
    pub dnt: bool,
    /// The salt, hexadecimal digits.
    pub salt: String,
    /// Until when the law keeps it.
    pub held_until: Option<Moment>,
}

/// A record that the law keeps.
#[derive(Clone, Debug)]
pub struct HeldRow {
    /// Its id.
    pub id: Uuid,
    /// Until when.
    pub until: Moment,
}

/// A restriction that was made or lifted just now.
#[derive(Clone, Debug)]
pub struct RestrictionPage<'a> {
    /// The page around it.
    pub frame: Frame<'a>,
    /// Whether the use is restricted now.
    pub is_restricted: bool,
    /// Since when it is restricted, or when that was lifted.
    pub at: Moment,
    /// The subject, 32 hexadecimal digits.
    pub subject: String,
    /// The signed confirmation, a compact JWS.
    pub confirmation: &'a str,
}

/// What has been erased.
#[derive(Clone, Debug)]
pub struct ErasedPage<'a> {
    /// The page around it.
    pub frame: Frame<'a>,
    /// When.
    pub erased: Moment,
    /// The subject, 32 hexadecimal digits.
    pub subject: String,
    /// Ids of the erased records.
    pub records: &'a [Uuid],
    /// Those that the law keeps.
    pub held: &'a [HeldRow],
    /// The signed confirmation, a compact JWS.
    pub confirmation: &'a str,
    /// Where to return to, http(s), and what to call that.
    pub back: (&'a str, &'a str),
}

/// The center's section with the ways to these pages.
pub(crate) fn section(page: &CenterPage<'_>) -> Option<AnyView> {
    let rights = page.rights?;
    let texts = rights.texts;
    let restrict = if rights.is_restricted {
        &texts.lift
    } else {
        &texts.restrict
    };
    Some(
        view! {
            <section class="card rights" aria-labelledby="rights" lang=rights.language.to_owned()>
                <h2 id="rights">{texts.title.clone()}</h2>
                <p>{texts.text.clone()}</p>
                {rights.is_restricted.then(|| view! { <p class="note">{texts.lift_text.clone()}</p> })}
                <ul>
                    <li><a class="button quiet" href=rights.data_url.to_owned()>{texts.see.clone()}</a></li>
                    <li><a class="button quiet" href=rights.json_url.to_owned() download="">{texts.download.clone()}</a></li>
                    <li><a class="button quiet" href=rights.restrict_url.to_owned()>{restrict.clone()}</a></li>
                    <li><a class="button danger" href=rights.erase_url.to_owned()>{texts.erase.clone()}</a></li>
                </ul>
            </section>
        }
        .into_any(),
    )
}

/// Everything that is stored about a visitor, as a whole HTML document.
pub fn data(page: &DataPage<'_>) -> String {
    let texts = page.frame.texts;
    let records = page.records.iter().map(|row| record(row, page)).collect_view();
    let shortened = page.is_shortened.then(|| {
        let text = texts
            .data_shortened
            .replace("{count}", &page.records.len().to_string());
        view! { <p class="lead">{text}</p> }
    });
    let body = view! {
        <div class="intro">
            <h1>{texts.data_title.clone()}</h1>
            <p class="lead screen">{texts.data_text.clone()}</p>
            <p class="screen">
                <a class="receipt" href=page.json_url.to_owned() download="">
                    {icon::draw(Icon::Download)}
                    <span>{texts.download.clone()}</span>
                </a>
            </p>
        </div>
        <dl class="card fields">
            {parties(&page.frame)}
            {field(&texts.subject, code(page.subject.clone()))}
            {field(&texts.made, time(&page.made))}
            {page.restricted.as_ref().map(|since| field(&texts.restricted_since, time(since)))}
        </dl>
        {page.records.is_empty().then(|| view! { <p class="none">{texts.done_none.clone()}</p> })}
        {shortened}
        {records}
        <section class="card plain">
            <h2>{texts.not_stored_title.clone()}</h2>
            <p>{texts.not_stored.clone()}</p>
        </section>
    };
    frame(&page.frame, &texts.data_title, body.into_any())
}

fn record(row: &DataRow, page: &DataPage<'_>) -> AnyView {
    let texts = page.frame.texts;
    let own = page.notice;
    let yes = |is: bool| text(if is { &texts.yes } else { &texts.no });
    let shown = view! {
        <a href=row.replay_url.clone()>{texts.replay.clone()}</a>
        <br />
        <code>{row.notice.clone()}</code>
    };
    let download = |address: &str, name: &'static str| {
        view! {
            <a class="receipt" href=address.to_owned() download="">
                {icon::draw(Icon::Download)}
                <span>{name}</span>
            </a>
            " "
        }
    };
    let formats = view! {
        {download(&row.receipt_url, "JWS")}
        {row.kantara_url.as_ref().map(|address| download(address, "Kantara"))}
        {download(&row.dpv_url, "ISO/IEC TS 27560")}
    };
    view! {
        <section class="card plain">
            <h2>{own.center_record.clone()}" "<code>{row.id.to_string()}</code></h2>
            {outcomes(row.granted, &row.services, own, page.categories)}
            <dl class="fields">
                {field(&texts.decided, time(&row.decided))}
                {field(&texts.received, time(&row.received))}
                {field(&texts.until, time(&row.expires))}
                {field(&texts.event, text(event(row.event, texts)))}
                {field(&own.center_how, text(method(row.method, own)))}
                {field(&texts.asked, yes(row.asked))}
                {field(&texts.gpc, yes(row.gpc))}
                {field(&texts.dnt, yes(row.dnt))}
                {field(&texts.language, text(&row.language))}
                {field(&texts.rule, text(&row.rule))}
                {field(&texts.revision, text(&row.revision.to_string()))}
                {field(&texts.shown, shown.into_any())}
                {row.previous.map(|id| field(&texts.previous, code(id.to_string())))}
                {field(&texts.salt, code(row.salt.clone()))}
                <div class="screen"><dt>{texts.formats.clone()}</dt><dd>{formats}</dd></div>
                {row.held_until.as_ref().map(|until| field(&texts.held_until, time(until)))}
            </dl>
        </section>
    }
    .into_any()
}

/// What happened, in words.
const fn event(event: Event, texts: &RightsTexts) -> &String {
    match event {
        Event::Given => &texts.event_given,
        Event::Refused => &texts.event_refused,
        Event::Renewed => &texts.event_renewed,
        Event::Changed => &texts.event_changed,
        Event::Withdrawn => &texts.event_withdrawn,
    }
}

/// The step before everything is erased, as a whole HTML document. The form is posted to `action`, same origin. What is
/// `held` stays.
pub fn erase(page: &Frame<'_>, action: &str, held: &[HeldRow]) -> String {
    let texts = page.texts;
    let body = view! {
        <div class="intro"><h1>{texts.erase_title.clone()}</h1></div>
        {part(&texts.goes_title, &texts.goes)}
        {kept(texts, &texts.held_ask, held)}
        {part(&texts.stays_title, &texts.stays)}
        {part(&texts.site_title, &texts.site_text)}
        <form class="sure" method="post" action=action.to_owned()>
            <a class="button quiet" href=page.center_url.to_owned()>{texts.keep.clone()}</a>
            <button class="button danger">{texts.erase_now.clone()}</button>
        </form>
    };
    frame(page, &texts.erase_title, body.into_any())
}

fn part(title: &str, text: &str) -> AnyView {
    view! { <section class="card plain"><h2>{title.to_owned()}</h2><p>{text.to_owned()}</p></section> }
        .into_any()
}

/// What the law keeps.
fn kept(texts: &RightsTexts, text: &str, held: &[HeldRow]) -> Option<AnyView> {
    if held.is_empty() {
        return None;
    }
    let rows = held
        .iter()
        .map(|row| {
            view! {
                <li>
                    <code>{row.id.to_string()}</code>
                    <span>{texts.held_until.clone()}" "{time(&row.until)}</span>
                </li>
            }
        })
        .collect_view();
    Some(
        view! {
            <section class="card plain">
                <h2>{texts.held_title.clone()}</h2>
                <p>{text.to_owned()}</p>
                <ul class="held">{rows}</ul>
            </section>
        }
        .into_any(),
    )
}

/// The step before the use of everything is restricted, or, if it is, `since` when and the way to lift that, as a whole
/// HTML document. The form is posted to `action`, same origin, with `do` = `restrict` or `lift`.
pub fn restrict(page: &Frame<'_>, action: &str, since: Option<&Moment>) -> String {
    let texts = page.texts;
    let (title, deed, label) = match since {
        None => (&texts.restrict_title, "restrict", &texts.restrict),
        Some(_) => (&texts.restricted_title, "lift", &texts.lift),
    };
    let state = since.map(|since| {
        view! {
            <p class="lead">{texts.lift_text.clone()}</p>
            <dl class="card fields">{field(&texts.restricted_since, time(since))}</dl>
        }
    });
    let body = view! {
        <div class="intro"><h1>{title.clone()}</h1></div>
        {state}
        {part(&texts.restrict_means_title, &texts.restrict_means)}
        {part(&texts.restrict_not_title, &texts.restrict_not)}
        <form class="sure" method="post" action=action.to_owned()>
            <a class="button quiet" href=page.center_url.to_owned()>{texts.restrict_leave.clone()}</a>
            <button class="button" name="do" value=deed>{label.clone()}</button>
        </form>
    };
    frame(page, title, body.into_any())
}

/// The confirmation that the use of everything was restricted, or that this was lifted, as a whole HTML document.
pub fn restriction(page: &RestrictionPage<'_>) -> String {
    let texts = page.frame.texts;
    let (title, text, at) = if page.is_restricted {
        (
            &texts.restricted_title,
            &texts.restricted_text,
            &texts.restricted_at,
        )
    } else {
        (&texts.lifted_title, &texts.lifted_text, &texts.lifted_at)
    };
    let body = view! {
        <div class="intro">
            <h1>{title.clone()}</h1>
            <p class="lead screen">{text.clone()}</p>
        </div>
        <section class="card plain">
            <dl class="fields">
                {parties(&page.frame)}
                {field(at, time(&page.at))}
                {field(&texts.subject, code(page.subject.clone()))}
            </dl>
            {signed(texts, "restriction-confirmation.jws", page.confirmation)}
        </section>
    };
    frame(&page.frame, title, body.into_any())
}

/// A signed confirmation, to download and to print.
fn signed(texts: &RightsTexts, file: &'static str, confirmation: &str) -> AnyView {
    view! {
        <p class="screen">
            <a class="receipt" download=file href=format!("data:application/jose,{confirmation}")>
                {icon::draw(Icon::Download)}
                <span>{texts.done_download.clone()}</span>
            </a>
        </p>
        <p class="signed"><code>{confirmation.to_owned()}</code></p>
    }
    .into_any()
}

/// The confirmation that everything was erased that the law does not keep, as a whole HTML document.
pub fn erased(page: &ErasedPage<'_>) -> String {
    let texts = page.frame.texts;
    let ids = page
        .records
        .iter()
        .map(|id| view! { <li><code>{id.to_string()}</code></li> })
        .collect_view();
    let records = match (page.records, page.held) {
        ([], []) => Some(text(&texts.done_none)),
        // That some were stored is said above.
        ([], _) => None,
        _ => Some(view! { <ul>{ids}</ul> }.into_any()),
    };
    let at = if records.is_some() {
        &texts.done_at
    } else {
        &texts.made
    };
    let (title, lead) = if page.held.is_empty() {
        (&texts.done_title, &texts.done_text)
    } else {
        (&texts.held_done_title, &texts.held_done_text)
    };
    let (back, label) = page.back;
    let back = web_address(back).map(|address| {
        view! {
            <section class="card plain screen">
                <p>{texts.done_site.clone()}</p>
                <p><a class="button" href=address referrerpolicy="origin">{label.to_owned()}</a></p>
            </section>
        }
    });
    let body = view! {
        <div class="intro">
            <h1>{title.clone()}</h1>
            <p class="lead screen">{lead.clone()}</p>
        </div>
        {back}
        {kept(texts, &texts.held_done, page.held)}
        <section class="card plain">
            <dl class="fields">
                {parties(&page.frame)}
                {field(at, time(&page.erased))}
                {field(&texts.subject, code(page.subject.clone()))}
                {records.map(|records| field(&texts.done_records, records))}
            </dl>
            {signed(texts, "erasure-confirmation.jws", page.confirmation)}
        </section>
    };
    frame(&page.frame, title, body.into_any())
}

pub(crate) fn parties(page: &Frame<'_>) -> AnyView {
    let site = format!("{} ({})", page.site_name, page.controller);
    field(&page.texts.site, text(&site))
}

pub(crate) fn field(label: &str, value: AnyView) -> AnyView {
    view! { <div><dt>{label.to_owned()}</dt><dd>{value}</dd></div> }.into_any()
}

pub(crate) fn text(text: &str) -> AnyView {
    text.to_owned().into_any()
}

fn code(text: String) -> AnyView {
    view! { <code>{text}</code> }.into_any()
}

fn time(at: &Moment) -> AnyView {
    view! { <time datetime=at.machine.clone() dir="auto">{at.text.clone()}</time> }.into_any()
}

pub(crate) fn frame(page: &Frame<'_>, title: &str, content: AnyView) -> String {
    let head = Head {
        language: page.language,
        direction: page.direction,
        stylesheet: page.stylesheet,
        icon: page.icon,
        title: &format!("{title} – {}", page.site_name),
    };
    let body = view! {
        <header class="bar">
            <p class="site">{page.site_name.to_owned()}</p>
            <a class="back" href=page.center_url.to_owned()>
                {icon::draw(Icon::Back)}
                <span>{page.texts.center.clone()}</span>
            </a>
        </header>
        <main class="document">{content}</main>
        <footer class="foot">
            {icon::draw(Icon::Mark)}
            <span>"Assent"</span>
        </footer>
    };
    document(&head, body.into_any())
}
