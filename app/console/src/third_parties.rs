use crate::table::{
    Head::{Plain, Words},
    scrolling,
};
use assent_consent::{Category, site::BlockingMode};
use leptos::prelude::*;

use crate::{
    days,
    figures::number,
    frame::{Frame, Page, framed},
};

/// What the pages of one site loaded from third parties without consent, over the last 30 days.
#[derive(Clone, Debug)]
pub struct ThirdPartiesPage<'a> {
    /// What stands around it.
    pub frame: Frame<'a>,
    /// Whether automatic blocking is on.
    pub mode: BlockingMode,
    /// Whether it would hold what nobody knows.
    pub holds_unknown: bool,
    /// The third parties, as they are to be listed.
    pub found: &'a [ThirdParty],
    /// The configuration's field `blocking` with one more allowed host, as JSON.
    pub allowing: &'a str,
    /// The present day, in days since 1970 UTC.
    pub today: i32,
}

/// A third party.
#[derive(Clone, Debug)]
pub struct ThirdParty {
    /// Its host.
    pub host: String,
    /// What it would wait for.
    pub waits: Waits,
    /// How pages loaded it, in words.
    pub kinds: Vec<&'static str>,
    /// Page views in the last 7 days.
    pub week: u64,
    /// Page views in the last 30 days.
    pub month: u64,
    /// The last day on which it was seen, in days since 1970 UTC.
    pub last_day: i32,
    /// An entry of the configuration's `services` that declares it, as JSON.
    pub entry: String,
}

/// What a third party would wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// The categories of the services that declare it: their names, and the categories.
    Services(Vec<String>, Vec<Category>),
    /// The category that the shipped list gives it.
    Listed(Category),
    /// Nothing: nobody declares it.
    Unknown,
}

const REPORT: &str = "\"blocking\": { \"mode\": \"report\" }";

const fn word(category: Category) -> &'static str {
    match category {
        Category::Necessary => "strictly necessary",
        Category::Performance => "performance",
        Category::Functional => "functional",
        Category::Targeting => "targeting",
    }
}

fn third_parties_in_words(count: usize) -> String {
    match count {
        1 => "1 third party".to_owned(),
        _ => format!("{count} third parties"),
    }
}

/// The third parties as a whole HTML document.
pub fn third_parties(page: &ThirdPartiesPage<'_>) -> String {
    let content = if page.found.is_empty() {
        nothing(page.mode)
    } else {
        view! {
            {summary(page)}
            {table(page)}
            {declare(page)}
            {footnotes()}
        }
        .into_any()
    };
    framed(
        &page.frame,
        Page::ThirdParties,
        &days::range(page.today - 29, page.today),
        ().into_any(),
        content,
    )
}

fn switched_off() -> AnyView {
    view! {
        <p>
            "Only marked tags are held, and pages report nothing. To see what they load without consent, add this \
            to the site’s configuration and publish it; nothing more is held by it:"
        </p>
        <pre tabindex="0" aria-label="Configuration"><code>{REPORT}</code></pre>
    }
    .into_any()
}

fn nothing(mode: BlockingMode) -> AnyView {
    let (title, text) = match mode {
        BlockingMode::Off => ("Automatic blocking is off", switched_off()),
        BlockingMode::Report => (
            "Your pages have reported nothing in the last 30 days",
            view! {
                <p>
                    "They load nothing from third parties without consent, or nobody has opened them since \
                    reports are on. To try: open a page of your site in a private window, wait a moment, and \
                    reload this page."
                </p>
                <p>
                    "A browser that sends Global Privacy Control or Do Not Track reports nothing."
                </p>
            }
            .into_any(),
        ),
        BlockingMode::Enforce => (
            "Nothing got past automatic blocking in the last 30 days",
            view! {
                <p>
                    "It is enforced: what third parties bring waits for its category. What nobody declares, and \
                    what loads in ways that no page can hold, would be listed here."
                </p>
            }
            .into_any(),
        ),
    };
    view! {
        <section class="card empty" aria-labelledby="next">
            <h2 id="next">{title}</h2>
            {text}
        </section>
    }
    .into_any()
}

fn summary(page: &ThirdPartiesPage<'_>) -> AnyView {
    let count = |wanted: fn(&Waits) -> bool| page.found.iter().filter(|found| wanted(&found.waits)).count();
    let declared = count(|waits| matches!(waits, Waits::Services(..)));
    let listed = count(|waits| matches!(waits, Waits::Listed(_)));
    let unknown = count(|waits| *waits == Waits::Unknown);
    let known = declared + listed;
    let would_wait = match (declared, listed) {
        (0, 0) => "None of them is declared by your services or known to the shipped list.".to_owned(),
        (declared, 0) => format!(
            "{} would wait until the visitor agrees; your services declare what for.",
            third_parties_in_words(declared)
        ),
        (0, listed) => format!(
            "{} would wait until the visitor agrees, for the category that the shipped list gives.",
            third_parties_in_words(listed)
        ),
        (declared, listed) => format!(
            "{} would wait until the visitor agrees: {declared} for the category of a service that declares it, \
            {listed} for the one that the shipped list gives.",
            third_parties_in_words(known)
        ),
    };
    let unknown_too = match (unknown, page.holds_unknown) {
        (0, _) => String::new(),
        (unknown, true) => format!(
            " {} that nobody declares would wait for all categories, because hold_unknown is on.",
            third_parties_in_words(unknown)
        ),
        (unknown, false) => format!(
            " {} that nobody declares would load as before, because hold_unknown is off.",
            third_parties_in_words(unknown)
        ),
    };
    let (title, text) = match page.mode {
        BlockingMode::Off => ("Automatic blocking is off", switched_off()),
        BlockingMode::Report => (
            "If automatic blocking were enforced now",
            view! {
                <p>{would_wait + &unknown_too}</p>
                <p>
                    "What they bring would be missing until then: scripts do not run, embeds show a placeholder, \
                    requests fail as they do without a network. What your pages cannot do without belongs to a \
                    strictly necessary service, or into "<code>"allow"</code>"."
                </p>
            }
            .into_any(),
        ),
        BlockingMode::Enforce => (
            "Automatic blocking is enforced, and these loaded all the same",
            view! {
                <p>
                    {format!(
                        "{known} of them should have waited, and loaded in a way that no page can hold: fetched \
                        ahead from the markup, by a style sheet, by a frame. Mark their tags, or send the Content \
                        Security Policy that `assent csp` prints. Nobody declares the other {unknown}."
                    )}
                </p>
            }
            .into_any(),
        ),
    };
    view! {
        <section class="card words" aria-labelledby="summary">
            <h2 id="summary">{title}</h2>
            {text}
        </section>
    }
    .into_any()
}

fn waits(waits: &Waits) -> String {
    let listed = |categories: &[Category]| {
        categories
            .iter()
            .map(|category| word(*category))
            .collect::<Vec<_>>()
            .join(" and ")
    };
    match waits {
        Waits::Services(names, categories) => format!("{} ({})", names.join(", "), listed(categories)),
        Waits::Listed(category) => format!("{} (shipped list)", word(*category)),
        Waits::Unknown => "unknown: nobody declares it".to_owned(),
    }
}

fn table(page: &ThirdPartiesPage<'_>) -> AnyView {
    let rows = page
        .found
        .iter()
        .map(|found| {
            view! {
                <tr>
                    <th scope="row">{found.host.clone()}</th>
                    <td class="word">{waits(&found.waits)}</td>
                    <td class="word">{found.kinds.join(", ")}</td>
                    <td>{number(found.week)}</td>
                    <td>{number(found.month)}</td>
                    <td>
                        <time datetime=days::iso(found.last_day)>{days::short(found.last_day)}</time>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="table">
            <h2 id="table">"Loaded without consent"</h2>
            <p class="note">
                "Page views on which each was loaded though the visitor had not granted what it waits for."
            </p>
            {scrolling("Third parties", "hosts", [Plain("Host"), Words("Would wait for"), Words("Loaded as"), Plain("7 days"), Plain("30 days"), Plain("Last seen")], rows)}
        </section>
    }
    .into_any()
}

fn declare(page: &ThirdPartiesPage<'_>) -> Option<AnyView> {
    let entries = page
        .found
        .iter()
        .filter(|found| !matches!(found.waits, Waits::Services(..)))
        .map(|found| {
            view! {
                <li>
                    <details>
                        <summary>{found.host.clone()}</summary>
                        <pre tabindex="0" aria-label=format!("Service of {}", found.host)>
                            <code>{found.entry.clone()}</code>
                        </pre>
                    </details>
                </li>
            }
        })
        .collect::<Vec<_>>();
    if entries.is_empty() {
        return None;
    }
    Some(
        view! {
            <section class="card words" aria-labelledby="declare">
                <h2 id="declare">"Declare them"</h2>
                <p>
                    "Visitors read about declared services, can agree to them, and placeholders name them. Copy the \
                    entry into the configuration’s "<code>"services"</code>", say what it is and what it stores, \
                    and set the category: it is the shipped list’s where that knows the host, otherwise a guess."
                </p>
                <ul class="entries">{entries}</ul>
                <h3>"Or let one pass"</h3>
                <p>
                    "Hosts in "<code>"allow"</code>", and all below them, are never held and no longer listed here:"
                </p>
                <pre tabindex="0" aria-label="Allowed hosts"><code>{page.allowing.to_owned()}</code></pre>
                <p>"Then publish: "<code>"assent publish site.json"</code>"."</p>
            </section>
        }
        .into_any(),
    )
}

fn footnotes() -> AnyView {
    view! {
        <section class="footnotes" aria-labelledby="counting">
            <h2 id="counting">"How this is counted"</h2>
            <p>
                "Once a page is at rest, its loader sends what the browser lists as loaded from third parties: host, \
                way of loading and what it would wait for, nothing about the page or its visitor. What a mark \
                governs is left out, and so are WebSockets and what frames load for themselves, which the list \
                does not show. Browsers that send Global Privacy Control or Do Not Track report nothing."
            </p>
            <p>
                "At most 200 third parties a day are counted, and kept for 90 days. Browser extensions of visitors, \
                and anybody who pretends to be one, can add hosts that your pages do not use: look before you \
                declare. Days begin at midnight UTC."
            </p>
        </section>
    }
    .into_any()
}
