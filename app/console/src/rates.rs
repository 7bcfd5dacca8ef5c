use assent_consent::Category;
use leptos::prelude::*;

use crate::{
    chart,
    counts::{Counts, DayCounts, every_day, total},
    days,
    figures::{Change, count_change, number, percent, rate_change, share},
    frame::{Frame, Page, framed},
};

/// The consent rates of one site over one period.
#[derive(Clone, Debug)]
pub struct RatesPage<'a> {
    /// What stands around it. Periods are asked for as `?days=30`, or `?from=2026-10-22&to=2026-11-20` with both
    /// days included.
    pub frame: Frame<'a>,
    /// The script tag to paste into the site's pages.
    pub script_tag: &'a str,
    /// First day, in days since 1970 UTC.
    pub from_day: i32,
    /// Last day, included.
    pub to_day: i32,
    /// The present day.
    pub today: i32,
    /// Counts per day, in any order; days without any may be missing.
    pub days: &'a [DayCounts],
    /// Sum over the period of the same length that ends the day before `from_day`.
    pub previous: Counts,
}

/// The rates as a whole HTML document.
pub fn rates(page: &RatesPage<'_>) -> String {
    let days = every_day(page.days, page.from_day, page.to_day);
    let sum = total(&days);
    let content = if sum.is_empty() {
        empty(page)
    } else {
        view! {
            {figures(&sum, page)}
            <section class="card" aria-labelledby="by-day">
                <h2 id="by-day">"Decisions over time"</h2>
                {chart::chart(&days)}
            </section>
            {opt_in(&days, &sum)}
            {table(&days, &sum)}
            {footnotes()}
        }
        .into_any()
    };
    let period = days::range(page.from_day, page.to_day);
    framed(&page.frame, Page::Rates, &period, controls(page), content)
}

fn controls(page: &RatesPage<'_>) -> AnyView {
    let length = page.to_day - page.from_day + 1;
    let links = [7, 30, 90]
        .map(|count| {
            let current = (page.to_day == page.today && length == count).then_some("true");
            view! {
                <li>
                    <a href=format!("{}?days={count}", page.frame.address) aria-current=current>
                        {format!("{count} days")}
                    </a>
                </li>
            }
        })
        .into_iter()
        .collect_view();
    let date = |name: &'static str, label: &'static str, day: i32| {
        view! {
            <div class="date">
                <label for=name>{label}</label>
                <input
                    id=name name=name type="date" required=true
                    value=days::iso(day) max=days::iso(page.today)
                />
            </div>
        }
    };
    view! {
        <div class="controls">
            <nav aria-label="Period"><ul class="segments">{links}</ul></nav>
            <form class="dates" method="get" action=page.frame.address.to_owned()>
                {date("from", "From", page.from_day)}
                {date("to", "To", page.to_day)}
                <button class="button quiet">"Show"</button>
            </form>
        </div>
    }
    .into_any()
}

fn figures(sum: &Counts, page: &RatesPage<'_>) -> AnyView {
    let before = page.previous;
    let decided = sum.decided();
    let of_decided = |label: &'static str, now: u64, was: u64| {
        rate(label, now, decided, "decided", share(was, before.decided()))
    };
    let length = page.to_day - page.from_day + 1;
    let against = if before.is_empty() {
        "There are no earlier figures to compare with.".to_owned()
    } else if length == 1 {
        "Changes are against the day before.".to_owned()
    } else {
        format!("Changes are against the {length} days before.")
    };
    view! {
        <section class="overview" aria-label="Figures">
            <dl class="figures">
                {figure(
                    "Banner shown",
                    number(sum.shown),
                    "page views".to_owned(),
                    &count_change(sum.shown, before.shown),
                )}
                {rate("Decided", decided, sum.shown, "shown", share(before.decided(), before.shown))}
                {of_decided("Accepted all", sum.accepted_all, before.accepted_all)}
                {of_decided("Rejected all", sum.rejected_all, before.rejected_all)}
                {of_decided("Mixed", sum.mixed, before.mixed)}
            </dl>
            <p class="against">{against}</p>
        </section>
    }
    .into_any()
}

fn rate(label: &'static str, part: u64, whole: u64, of: &'static str, before: Option<i64>) -> AnyView {
    let now = share(part, whole);
    figure(
        label,
        percent(now),
        format!("{} of {} {of}", number(part), number(whole)),
        &rate_change(now, before),
    )
}

fn figure(label: &'static str, value: String, of: String, change: &Change) -> AnyView {
    let change = match change {
        Change::Up(text) => Some(moved("m6 14 6-6 6 6", "Up", text.clone())),
        Change::Down(text) => Some(moved("m6 10 6 6 6-6", "Down", text.clone())),
        Change::Same(text) => Some(moved("M6 12h12", "Unchanged,", text.clone())),
        Change::Unknown => None,
    };
    let change = change.map(|change| view! { <dd class="change">{change}</dd> });
    view! {
        <div class="card figure">
            <dt>{label}</dt>
            <dd class="value">{value}</dd>
            <dd class="of">{of}</dd>
            {change}
        </div>
    }
    .into_any()
}

fn moved(path: &'static str, word: &'static str, text: String) -> AnyView {
    view! {
        <svg viewBox="0 0 24 24" width="16" height="16" aria-hidden="true" focusable="false">
            <path
                d=path fill="none" stroke="currentColor" stroke-width="2.5"
                stroke-linecap="round" stroke-linejoin="round"
            />
        </svg>
        <span><span class="unseen">{format!("{word} ")}</span>{text}</span>
    }
    .into_any()
}

fn opt_in(days: &[DayCounts], sum: &Counts) -> AnyView {
    let decided = sum.decided();
    let rows = Category::OPTIONAL
        .map(|category| {
            let label = match category {
                Category::Performance => "Performance",
                Category::Functional => "Functional",
                Category::Targeting => "Targeting",
                Category::Necessary => "Strictly necessary",
            };
            let granted = sum.granted(category);
            view! {
                <li>
                    <p>
                        <strong>{label}</strong>
                        <span>
                            <b>{percent(share(granted, decided))}</b>
                            {format!(" · {} of {} decided", number(granted), number(decided))}
                        </span>
                    </p>
                    {chart::opt_in(days, category, label)}
                </li>
            }
        })
        .into_iter()
        .collect_view();
    view! {
        <section class="card" aria-labelledby="opt-in">
            <h2 id="opt-in">"Opt-in rate per category"</h2>
            <p class="note">"Of the decisions of a day, how many allowed the category."</p>
            <ul class="shares">{rows}</ul>
        </section>
    }
    .into_any()
}

fn table(days: &[DayCounts], sum: &Counts) -> AnyView {
    let rows = days
        .iter()
        .rev()
        .map(|entry| {
            view! {
                <tr>
                    <th scope="row">
                        <time datetime=days::iso(entry.day)>{days::long(entry.day)}</time>
                    </th>
                    {cells(&entry.counts)}
                </tr>
            }
        })
        .collect_view();
    let columns = [
        "Shown",
        "Decided",
        "Accepted all",
        "Rejected all",
        "Mixed",
        "Performance",
        "Functional",
        "Targeting",
    ]
    .map(|label| view! { <th scope="col">{label}</th> })
    .into_iter()
    .collect_view();
    view! {
        <section class="card" aria-labelledby="table">
            <h2 id="table">"By day"</h2>
            <p class="note">"Decided is a share of shown, every column after it a share of decided."</p>
            <div class="scroll" role="region" aria-label="Figures by day, scrolls" tabindex="0">
                <table>
                    <thead><tr><th scope="col">"Day, UTC"</th>{columns}</tr></thead>
                    <tbody>{rows}</tbody>
                    <tfoot><tr><th scope="row">"Total"</th>{cells(sum)}</tr></tfoot>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn cells(counts: &Counts) -> AnyView {
    let decided = counts.decided();
    let cell = |part: u64, whole: u64| {
        view! {
            <td>
                {percent(share(part, whole))} " "
                <span class="part">{format!("{} of {}", number(part), number(whole))}</span>
            </td>
        }
    };
    view! {
        <td>{number(counts.shown)}</td>
        {cell(decided, counts.shown)}
        {cell(counts.accepted_all, decided)}
        {cell(counts.rejected_all, decided)}
        {cell(counts.mixed, decided)}
        {cell(counts.performance, decided)}
        {cell(counts.functional, decided)}
        {cell(counts.targeting, decided)}
    }
    .into_any()
}

fn footnotes() -> AnyView {
    view! {
        <section class="footnotes" aria-labelledby="counting">
            <h2 id="counting">"How this is counted"</h2>
            <p>
                "“Banner shown” counts page views, not people: a visitor who ignores the banner on three pages \
                counts three times there, and once under “Decided” if the decision comes on the third. The \
                share of visitors who decide is therefore higher than the share of page views shown here."
            </p>
            <p>
                "A decision counts where the banner asked for it. Choices that visitors change later, in the \
                preference center or by the site’s own control, are recorded but not counted here. Nothing \
                that identifies a visitor is stored for counting. Days begin at midnight UTC."
            </p>
            <p>
                "A banner is counted by a message that may be lost, a decision by its record, which is sent until \
                it arrives: it counts on the day on which it does. Where a day has more decisions than counted \
                banners, each decision counts as a banner shown."
            </p>
        </section>
    }
    .into_any()
}

fn empty(page: &RatesPage<'_>) -> AnyView {
    view! {
        <section class="card empty" aria-labelledby="next">
            <h2 id="next">"No banner has been shown in this period"</h2>
            <p>
                "Figures appear here within seconds of the first visit. Three steps lead there; if the banner \
                is on your site already, choose a longer period above."
            </p>
            <ol>
                <li>
                    <p>"Paste this tag into the head of every page, before other scripts:"</p>
                    <pre tabindex="0" aria-label="Script tag"><code>{page.script_tag.to_owned()}</code></pre>
                </li>
                <li><p>"Open a page of your site in a private window: the banner appears."</p></li>
                <li><p>"Press one of its buttons, then reload this page."</p></li>
            </ol>
        </section>
    }
    .into_any()
}
