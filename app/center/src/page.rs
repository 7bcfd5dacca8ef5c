use assent_consent::{
    Categories, Category,
    notice::{NoticeCategory, Texts},
    record::{Method, Services},
};
use leptos::prelude::*;
use uuid::Uuid;

use crate::{
    choices,
    document::{Head, document, web_address},
    history,
    icon::{self, Icon},
    rights::{self, Rights},
};

/// Everything that the center shows to one visitor of one site.
#[derive(Clone, Debug)]
pub struct CenterPage<'a> {
    /// Language tag of `texts`.
    pub language: &'a str,
    /// All wordings, with the writing direction.
    pub texts: &'a Texts,
    /// Address of `center.css`.
    pub stylesheet: &'a str,
    /// Address of the page's icon.
    pub icon: &'a str,
    /// What the visitor knows the site as.
    pub site_name: &'a str,
    /// Who is responsible for the data.
    pub controller: &'a str,
    /// Address of the cookie policy, http(s).
    pub policy_url: &'a str,
    /// Where to return to, http(s) or a path of this server; the link is left out where there is none.
    pub back_url: Option<&'a str>,
    /// The four categories, as [`categories`](assent_consent::notice::categories) makes them.
    pub categories: &'a [NoticeCategory],
    /// Whether the visitor can choose among the services one by one.
    pub service_choice: bool,
    /// What the rule grants before a choice; sets the switches while there is none.
    pub before_choice: Categories,
    /// Whether the browser sends Global Privacy Control and the rule honours it.
    pub gpc_honoured: bool,
    /// Whether it sends Do Not Track and the rule honours that.
    pub dnt_honoured: bool,
    /// The choice that holds now.
    pub current: Option<Current>,
    /// Earlier choices, newest first, the current one included.
    pub history: &'a [HistoryRow],
    /// Where earlier ones than these stand, same origin; `None` if there are none.
    pub older_url: Option<&'a str>,
    /// Address of the page on which receipts are checked, same origin.
    pub verify_url: &'a str,
    /// What the visitor can do with what is stored; `None` where nothing is.
    pub rights: Option<Rights<'a>>,
    /// What has just happened.
    pub news: Option<News>,
    /// Address to which the forms are posted, same origin.
    pub action: &'a str,
    /// Further form fields, name and value, posted with every decision.
    pub hidden: &'a [(&'a str, String)],
}

/// The choice that holds now.
#[derive(Clone, Debug)]
pub struct Current {
    /// What is granted.
    pub granted: Categories,
    /// The services whose answer differs from their category's.
    pub services: Services,
    /// When the visitor decided.
    pub decided: Moment,
}

/// A point in time, written for people and for machines.
#[derive(Clone, Debug)]
pub struct Moment {
    /// `2026-11-20 14:03 UTC`.
    pub text: String,
    /// For `<time datetime>`: `2026-11-20T14:03:00Z`.
    pub machine: String,
}

/// One choice of the past.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    /// When the visitor decided.
    pub decided: Moment,
    /// Where the choice was made.
    pub method: Method,
    /// What was granted.
    pub granted: Categories,
    /// The services whose answer differed from their category's.
    pub services: Services,
    /// The consent record.
    pub record: Uuid,
    /// Address of the receipt's download, same origin.
    pub receipt_url: String,
    /// Where what was shown can be seen again, same origin.
    pub replay_url: String,
}

/// What has just happened, said at the top of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The choice was stored, and the site asks for it.
    Saved,
    /// The choice was stored; the site learns it by the link back.
    SavedHere,
    /// The choice could not be stored; the visitor may try again.
    Failed,
    /// The link that led here was used before or is too old.
    LinkExpired,
    /// The page was open for too long; nothing was stored.
    Ended,
}

/// The center as a whole HTML document.
///
/// Form fields: `performance`, `functional`, `targeting` (`on` where ticked) and `do` = `save`, `accept`,
/// `reject` or `withdraw`, with the [`hidden`](CenterPage::hidden) ones. Where the visitor can choose among the
/// services one by one, also [`SHOWN`](crate::SHOWN) and, for each of them, [`field`](crate::field).
pub fn page(page: &CenterPage<'_>) -> String {
    let texts = page.texts;
    let head = Head {
        language: page.language,
        direction: &texts.direction,
        stylesheet: page.stylesheet,
        icon: page.icon,
        title: &format!("{} – {}", texts.center_title, page.site_name),
    };
    let own = |address: &&str| address.starts_with('/') && !address.starts_with("//");
    let back = page.back_url.filter(own).map(str::to_owned);
    let back = back
        .or_else(|| page.back_url.and_then(web_address))
        .map(|address| {
            view! {
                <a class="back" href=address referrerpolicy="origin">
                    {icon::draw(Icon::Back)}
                    <span>{texts.center_back.clone()}</span>
                </a>
            }
        });
    let policy = web_address(page.policy_url).map(|address| {
        view! { <li><a href=address>{texts.policy_link.clone()}</a></li> }
    });
    let body = view! {
        <header class="bar">
            <p class="site">{page.site_name.to_owned()}</p>
            {back}
        </header>
        <main>
            <div class="intro">
                <h1>{texts.center_title.clone()}</h1>
                <p class="lead">{texts.center_text.clone()}</p>
                {page.service_choice.then(|| view! { <p class="lead">{texts.services_choice.clone()}</p> })}
                {page.gpc_honoured.then(|| view! { <p class="lead">{texts.gpc_honoured.clone()}</p> })}
                {page.dnt_honoured.then(|| view! { <p class="lead">{texts.dnt_honoured.clone()}</p> })}
                <ul class="facts">
                    <li>{format!("{}: {}", texts.center_controller, page.controller)}</li>
                    {policy}
                </ul>
            </div>
            {page.news.map(|news| said(news, texts))}
            {current(page)}
            {choices::form(page)}
            {choices::withdraw(page)}
            {history::section(page)}
            {rights::section(page)}
        </main>
        <footer class="foot">
            {icon::draw(Icon::Mark)}
            <span>"Assent"</span>
        </footer>
    };
    document(&head, body.into_any())
}

fn said(news: News, texts: &Texts) -> AnyView {
    let (is_good, text) = match news {
        News::Saved => (true, &texts.center_saved),
        News::SavedHere => (true, &texts.center_saved_here),
        News::Failed => (false, &texts.center_failed),
        News::LinkExpired => (false, &texts.center_link_expired),
        News::Ended => (false, &texts.center_ended),
    };
    let (class, role, sign) = if is_good {
        ("news good", "status", Icon::Check)
    } else {
        ("news bad", "alert", Icon::Warning)
    };
    view! {
        <p class=class role=role>
            {icon::draw(sign)}
            <span>{text.clone()}</span>
        </p>
    }
    .into_any()
}

fn current(page: &CenterPage<'_>) -> AnyView {
    let texts = page.texts;
    let state = match &page.current {
        Some(current) => {
            let time = current.decided.clone();
            view! {
                <p class="since"><time datetime=time.machine dir="auto">{time.text}</time></p>
                {outcome(current.granted, &current.services, page)}
            }
            .into_any()
        }
        None => view! { <p class="since">{texts.center_none.clone()}</p> }.into_any(),
    };
    view! {
        <section class="card current" aria-labelledby="current">
            <h2 id="current">{texts.center_current.clone()}</h2>
            {state}
        </section>
    }
    .into_any()
}

/// The optional categories and the services that differ from theirs, each with a sign and the word for allowed or
/// refused.
pub(crate) fn outcome(granted: Categories, services: &Services, page: &CenterPage<'_>) -> AnyView {
    outcomes(granted, services, page.texts, page.categories)
}

/// As [`outcome`], on any page; `shown` has the services' names.
pub(crate) fn outcomes(
    granted: Categories,
    services: &Services,
    texts: &Texts,
    shown: &[NoticeCategory],
) -> AnyView {
    let entry = |label: String, is_allowed: bool| {
        let (class, sign, word) = if is_allowed {
            ("yes", Icon::Check, &texts.allowed)
        } else {
            ("no", Icon::Cross, &texts.refused)
        };
        view! {
            <li class=class>
                {icon::draw(sign)}
                <span class="label">{label}</span>
                <span class="state">{word.clone()}</span>
            </li>
        }
    };
    let categories = Category::OPTIONAL.map(|category| {
        let (label, _) = texts.category(category);
        entry(label.to_owned(), granted.has(category))
    });
    let exceptions = services.iter().map(|(id, answer)| {
        let shown = shown.iter().flat_map(|category| &category.services);
        // What is no longer in use has its id only.
        let name = shown
            .filter(|service| service.id == *id)
            .map(|service| service.name.clone())
            .next();
        entry(name.unwrap_or_else(|| id.clone()), *answer)
    });
    let entries = categories.into_iter().chain(exceptions).collect_view();
    view! { <ul class="outcome">{entries}</ul> }.into_any()
}

/// Where a choice was made, in words.
pub(crate) const fn method(method: Method, texts: &Texts) -> &String {
    match method {
        Method::Banner => &texts.method_banner,
        Method::Dialog => &texts.method_dialog,
        Method::Center => &texts.method_center,
        Method::Api => &texts.method_api,
        Method::Embed => &texts.method_embed,
    }
}
