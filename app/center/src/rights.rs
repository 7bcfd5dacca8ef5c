//! What a visitor can do with what is stored: see it, take it along, have it erased. Each is a page of its own, made to
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
    /// The signed confirmation, a compact JWS.
    pub confirmation: &'a str,
    /// Where to return to, http(s), and what to call that.
    pub back: (&'a str, &'a str),
}

/// The center's section with the ways to these pages.
pub(crate) fn section(page: &CenterPage<'_>) -> Option<AnyView> {
    let rights = page.rights?;
    let texts = rights.texts;
    Some(
        view! {
            <section class="card rights" aria-labelledby="rights" lang=rights.language.to_owned()>
                <h2 id="rights">{texts.title.clone()}</h2>
                <p>{texts.text.clone()}</p>
                <ul>
                    <li><a class="button quiet" href=rights.data_url.to_owned()>{texts.see.clone()}</a></li>
                    <li><a class="button quiet" href=rights.json_url.to_owned() download="">{texts.download.clone()}</a></li>
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

/// The step before everything is erased, as a whole HTML document. The form is posted to `action`, same origin.
pub fn erase(page: &Frame<'_>, action: &str) -> String {
    let texts = page.texts;
    let part = |title: &str, text: &str| {
        view! { <section class="card plain"><h2>{title.to_owned()}</h2><p>{text.to_owned()}</p></section> }
    };
    let body = view! {
        <div class="intro"><h1>{texts.erase_title.clone()}</h1></div>
        {part(&texts.goes_title, &texts.goes)}
        {part(&texts.stays_title, &texts.stays)}
        {part(&texts.site_title, &texts.site_text)}
        <form class="sure" method="post" action=action.to_owned()>
            <a class="button quiet" href=page.center_url.to_owned()>{texts.keep.clone()}</a>
            <button class="button danger">{texts.erase_now.clone()}</button>
        </form>
    };
    frame(page, &texts.erase_title, body.into_any())
}

/// The confirmation that everything was erased, as a whole HTML document.
pub fn erased(page: &ErasedPage<'_>) -> String {
    let texts = page.frame.texts;
    let ids = page
        .records
        .iter()
        .map(|id| view! { <li><code>{id.to_string()}</code></li> })
        .collect_view();
    let records = if page.records.is_empty() {
        text(&texts.done_none)
    } else {
        view! { <ul>{ids}</ul> }.into_any()
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
            <h1>{texts.done_title.clone()}</h1>
            <p class="lead screen">{texts.done_text.clone()}</p>
        </div>
        {back}
        <section class="card plain">
            <dl class="fields">
                {parties(&page.frame)}
                {field(&texts.done_at, time(&page.erased))}
                {field(&texts.subject, code(page.subject.clone()))}
                {field(&texts.done_records, records)}
            </dl>
            <p class="screen">
                <a class="receipt" download="erasure-confirmation.jws" href=format!("data:application/jose,{}", page.confirmation)>
                    {icon::draw(Icon::Download)}
                    <span>{texts.done_download.clone()}</span>
                </a>
            </p>
            <p class="signed"><code>{page.confirmation.to_owned()}</code></p>
        </section>
    };
    frame(&page.frame, &texts.done_title, body.into_any())
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
