use crate::table::{
    Head::{Plain, Words},
    scrolling,
};
use leptos::prelude::*;

use crate::{
    figures::number,
    frame::{Frame, Page, framed},
};

/// A point in time, written for people and for machines.
#[derive(Clone, Debug)]
pub struct Moment {
    /// `2026-11-20 14:03 UTC`.
    pub text: String,
    /// For `<time datetime>`: `2026-11-20T14:03:00Z`.
    pub machine: String,
}

/// Where a record is looked up, and what was done with records.
#[derive(Clone, Debug)]
pub struct RecordsPage<'a> {
    /// What stands around it. A record's page is `/records/ID` below the site's address.
    pub frame: Frame<'a>,
    /// What was asked for last.
    pub asked: &'a str,
    /// Why it was not found.
    pub error: Option<&'a str>,
    /// Days for which records are kept after they have stopped to count.
    pub retention_days: u16,
    /// How the last look for those that are kept for longer went.
    pub run: Option<Run>,
    /// Records on legal hold, as they are to be listed.
    pub holds: &'a [Held],
    /// What was done, newest first.
    pub trail: &'a [TrailLine],
}

/// How a look for records that are kept for too long went.
#[derive(Clone, Debug)]
pub struct Run {
    /// When.
    pub at: Moment,
    /// Records erased then.
    pub erased: u64,
    /// Records left alone then, because they were held or restricted.
    pub spared: u64,
    /// Records erased by all looks.
    pub erased_in_all: u64,
}

/// A record on legal hold.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its id.
    pub record: String,
    /// Since when.
    pub since: Moment,
    /// Until when.
    pub until: Moment,
    /// The owner's words.
    pub reason: String,
    /// When the visitor asked for its erasure.
    pub erasure_asked: Option<Moment>,
}

/// Something that was done with a record.
#[derive(Clone, Debug)]
pub struct TrailLine {
    /// When.
    pub at: Moment,
    /// Email of the owner; `None` where it was done at the visitor's request.
    pub owner: Option<String>,
    /// What, in words.
    pub deed: &'static str,
    /// The record's id.
    pub record: String,
}

/// One record.
#[derive(Clone, Debug)]
pub struct RecordPage<'a> {
    /// What stands around it.
    pub frame: Frame<'a>,
    /// The record's id.
    pub id: &'a str,
    /// What has become of it.
    pub state: RecordState<'a>,
    /// Why what was asked for was not done.
    pub refusal: Option<&'a str>,
}

/// What has become of a record.
#[derive(Clone, Debug)]
pub enum RecordState<'a> {
    /// It was erased.
    Erased,
    /// It is stored.
    Stored(Box<Stored<'a>>),
}

/// A record that is there.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    /// What it says; `None` where its use is restricted.
    pub content: Option<Content<'a>>,
    /// Its place in the log.
    pub place: Place,
    /// The hold on it.
    pub hold: Option<Held>,
    /// The restriction of its visitor's records.
    pub restriction: Option<Restricted>,
    /// The first and the last day until which it can be held, `2026-11-21`.
    pub hold_days: (&'a str, &'a str),
}

/// What a record says.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    /// In a sentence.
    pub summary: String,
    /// Label and value, as they are to be listed.
    pub facts: Vec<(&'static str, String)>,
    /// Hash of the notice that was shown.
    pub notice: String,
    /// Address at which it can be read.
    pub notice_url: String,
    /// The record as JSON.
    pub json: &'a str,
    /// Its receipt.
    pub receipt: &'a str,
}

/// Where an entry stands in the log.
#[derive(Clone, Debug)]
pub struct Place {
    /// From 0.
    pub index: u64,
    /// Entries of the log.
    pub size: u64,
    /// When the newest checkpoint was signed, if it covers the entry.
    pub signed: Option<Moment>,
}

/// A restriction.
#[derive(Clone, Debug)]
pub struct Restricted {
    /// Since when.
    pub since: Moment,
    /// Whether the visitor wants it, who alone can lift it then.
    pub by_visitor: bool,
}

/// The confirmation that a record was erased.
#[derive(Clone, Debug)]
pub struct ErasedRecordPage<'a> {
    /// What stands around it.
    pub frame: Frame<'a>,
    /// The record's id.
    pub id: &'a str,
    /// When.
    pub at: Moment,
    /// The signed confirmation, a compact JWS.
    pub confirmation: &'a str,
}

/// The records of a site, as a whole HTML document. What is asked for is posted to the page itself, with `csrf` and
/// `record`: an id or a receipt.
pub fn records(page: &RecordsPage<'_>) -> String {
    let content = view! {
        {look_up(page)}
        {retention(page)}
        {holds(page)}
        {trail(page)}
    };
    framed(
        &page.frame,
        Page::Records,
        "receipts, retention, legal holds",
        ().into_any(),
        content.into_any(),
    )
}

fn look_up(page: &RecordsPage<'_>) -> AnyView {
    let described = if page.error.is_some() {
        "hint wrong"
    } else {
        "hint"
    };
    view! {
        <section class="card words" aria-labelledby="look-up">
            <h2 id="look-up">"Look up a record"</h2>
            <p class="about" id="hint">
                "By its receipt, as the visitor has it, or by its id. There is no list of records and no search by \
                person: only who has one of the two finds a record."
            </p>
            {page.error.map(|text| view! { <p class="refusal" id="wrong" role="alert">{text.to_owned()}</p> })}
            <form class="ask" method="post" action=format!("{}/records", page.frame.address)>
                {csrf(&page.frame)}
                <div class="field">
                    <label for="record">"Receipt or record id"</label>
                    <input
                        id="record" name="record" value=page.asked.to_owned() required=true maxlength="8192"
                        spellcheck="false" autocomplete="off" aria-describedby=described
                    />
                </div>
                <button class="button">"Look up"</button>
            </form>
        </section>
    }
    .into_any()
}

fn retention(page: &RecordsPage<'_>) -> AnyView {
    let kept = match page.retention_days {
        0 => "Records are erased once they have stopped to count.".to_owned(),
        1 => "Records are kept for 1 day after they have stopped to count, then erased.".to_owned(),
        days => format!(
            "Records are kept for {} days after they have stopped to count, then erased.",
            number(days.into())
        ),
    };
    let run = page.run.as_ref().map(|run| {
        let figure = |label: &'static str, count: u64| {
            view! { <div><dt>{label}</dt><dd>{number(count)}</dd></div> }
        };
        view! {
            <dl class="facts">
                <div><dt>"Last look"</dt><dd>{time(&run.at)}</dd></div>
                {figure("Erased then", run.erased)}
                {figure("Left alone, because held or restricted", run.spared)}
                {figure("Erased in all", run.erased_in_all)}
            </dl>
        }
    });
    view! {
        <section class="card words" aria-labelledby="retention">
            <h2 id="retention">"Retention"</h2>
            <p class="about">
                {kept}" The configuration’s "<code>"retention_days"</code>" says how long; the server looks once a \
                day. Held and restricted records stay."
            </p>
            {run}
        </section>
    }
    .into_any()
}

fn holds(page: &RecordsPage<'_>) -> AnyView {
    if page.holds.is_empty() {
        return view! {
            <section class="card words" aria-labelledby="holds">
                <h2 id="holds">"Legal holds"</h2>
                <p class="about">"No record is held. A hold is set on a record’s page."</p>
            </section>
        }
        .into_any();
    }
    let rows = page
        .holds
        .iter()
        .map(|hold| {
            view! {
                <tr>
                    <th scope="row">{link(&page.frame, &hold.record)}</th>
                    <td class="word">{hold.reason.clone()}</td>
                    <td>{time(&hold.until)}</td>
                    <td>{hold.erasure_asked.as_ref().map(time)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="holds">
            <h2 id="holds">"Legal holds"</h2>
            {scrolling("Legal holds", "held", [Plain("Record"), Words("Reason"), Plain("Held until"), Plain("Erasure asked for")], rows)}
        </section>
    }
    .into_any()
}

fn trail(page: &RecordsPage<'_>) -> AnyView {
    if page.trail.is_empty() {
        return view! {
            <section class="card words" aria-labelledby="trail">
                <h2 id="trail">"Audit trail"</h2>
                <p class="about">
                    "Nothing yet. Every export, erasure, hold and restriction is written down here: when, who, what, \
                    and the record’s id."
                </p>
            </section>
        }
        .into_any();
    }
    let rows = page
        .trail
        .iter()
        .map(|line| {
            let who = line
                .owner
                .clone()
                .unwrap_or_else(|| "the visitor’s request".to_owned());
            view! {
                <tr>
                    <th scope="row">{time(&line.at)}</th>
                    <td class="word">{line.deed}</td>
                    <td class="word">{who}</td>
                    <td>{link(&page.frame, &line.record)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="trail">
            <h2 id="trail">"Audit trail"</h2>
            {scrolling("Audit trail", "", [Plain("When"), Words("What"), Words("Who"), Plain("Record")], rows)}
        </section>
    }
    .into_any()
}

/// A record, as a whole HTML document. What can be done with it is posted to `/DEED` below its address, with `csrf`:
/// `export`, `hold` (with `until`, a day, and `reason`), `lift-hold`, `restrict`, `lift-restriction`; `/erase` asks first.
pub fn record(page: &RecordPage<'_>) -> String {
    let content = match &page.state {
        RecordState::Erased => erased_state(),
        RecordState::Stored(stored) => stored_state(page, stored),
    };
    let content = view! {
        {page.refusal.map(|text| view! { <p class="refusal" role="alert">{text.to_owned()}</p> })}
        {content}
    };
    framed(
        &page.frame,
        Page::Records,
        &format!("record {}", page.id),
        ().into_any(),
        content.into_any(),
    )
}

fn erased_state() -> AnyView {
    view! {
        <section class="card words" aria-labelledby="state">
            <h2 id="state">"This record was erased"</h2>
            <p class="about">
                "Nothing of what it said is left. Its entry stays in the log, where it says nothing \
                without the record. A browser that sends the record again is refused."
            </p>
        </section>
    }
    .into_any()
}

fn stored_state(page: &RecordPage<'_>, stored: &Stored<'_>) -> AnyView {
    let content = stored.content.as_ref().map(|content| {
        view! {
            {says(content)}
            {as_stored(content)}
        }
    });
    view! {
        {states(stored)}
        {content}
        {place(&stored.place)}
        {acts(page, stored)}
    }
    .into_any()
}

/// What keeps the record from being erased or used.
fn states(stored: &Stored<'_>) -> AnyView {
    let hold = stored.hold.as_ref().map(|hold| {
        let asked = hold.erasure_asked.as_ref().map(|at| {
            view! {
                <p class="about">
                    "The visitor asked for its erasure on "{time(at)}". It is erased when the hold ends."
                </p>
            }
        });
        view! {
            <section class="card words state" aria-labelledby="held">
                <h2 id="held">"On legal hold until "{time(&hold.until)}</h2>
                <p>{hold.reason.clone()}</p>
                <p class="about">"Held since "{time(&hold.since)}". Neither you nor retention nor the visitor can erase it."</p>
                {asked}
            </section>
        }
    });
    let restriction = stored.restriction.as_ref().map(|restriction| {
        let who = if restriction.by_visitor {
            "The visitor asked for it, and alone can lift it."
        } else {
            "An owner of this site has set it, and can lift it below. The visitor sees it in the preference center."
        };
        view! {
            <section class="card words state" aria-labelledby="restricted">
                <h2 id="restricted">"Use restricted since "{time(&restriction.since)}</h2>
                <p class="about">
                    "All records of this visitor are kept and not used (GDPR, article 18): they are not shown, not \
                    exported, and not erased by retention. "{who}
                </p>
            </section>
        }
    });
    view! { {hold}{restriction} }.into_any()
}

fn says(content: &Content<'_>) -> AnyView {
    let facts = content
        .facts
        .iter()
        .map(|(label, value)| view! { <div><dt>{*label}</dt><dd>{value.clone()}</dd></div> })
        .collect_view();
    view! {
        <section class="card words" aria-labelledby="says">
            <h2 id="says">"What it says"</h2>
            <p>{content.summary.clone()}</p>
            <dl class="facts">
                {facts}
                <div>
                    <dt>"What the visitor was shown"</dt>
                    <dd><a href=content.notice_url.clone()><code>{content.notice.clone()}</code></a></dd>
                </div>
            </dl>
        </section>
    }
    .into_any()
}

fn as_stored(content: &Content<'_>) -> AnyView {
    view! {
        <section class="card words" aria-labelledby="stored">
            <h2 id="stored">"As it is stored"</h2>
            <ul class="entries">
                <li>
                    <details>
                        <summary>"Record (JSON)"</summary>
                        <pre tabindex="0" aria-label="Record as JSON"><code>{content.json.to_owned()}</code></pre>
                    </details>
                </li>
                <li>
                    <details>
                        <summary>"Receipt (JWS)"</summary>
                        <pre tabindex="0" aria-label="Receipt"><code>{content.receipt.to_owned()}</code></pre>
                    </details>
                </li>
            </ul>
        </section>
    }
    .into_any()
}

fn place(place: &Place) -> AnyView {
    let signed = match &place.signed {
        Some(at) => view! { "The checkpoint of "{time(at)}" covers it." }.into_any(),
        None => view! { "No checkpoint covers it yet; that takes a minute at most." }.into_any(),
    };
    view! {
        <section class="card words" aria-labelledby="place">
            <h2 id="place">"Its place in the log"</h2>
            <p class="about">
                {format!("Entry {} of {}. ", number(place.index + 1), number(place.size))}
                {signed}
            </p>
        </section>
    }
    .into_any()
}

fn acts(page: &RecordPage<'_>, stored: &Stored<'_>) -> AnyView {
    let address = format!("{}/records/{}", page.frame.address, page.id);
    let button = |deed: &str, label: &'static str| {
        view! {
            <form method="post" action=format!("{address}/{deed}")>
                {csrf(&page.frame)}
                <button class="button quiet">{label}</button>
            </form>
        }
        .into_any()
    };
    let is_restricted = stored.restriction.is_some();
    let export = if is_restricted {
        act("Export", "Not while its use is restricted.", None)
    } else {
        act(
            "Export",
            "A JSON file with the record, its receipt and the proof that it is in the log.",
            Some(button("export", "Export")),
        )
    };
    let hold = match stored.hold {
        Some(_) => act(
            "Legal hold",
            "Without it, retention and erasure apply again, at once where the visitor has asked.",
            Some(button("lift-hold", "Lift the hold")),
        ),
        None => act(
            "Legal hold",
            "Keeps the record until a day, for a legal duty or claim. Visitors who want it erased are told that it is \
             held, and until when; the reason is for owners only: no names.",
            Some(hold_form(page, stored, &address)),
        ),
    };
    let restrict = match &stored.restriction {
        None => act(
            "Restrict use",
            "All of this visitor’s records are kept and not used, until you or the visitor lift that.",
            Some(button("restrict", "Restrict use")),
        ),
        Some(restriction) if restriction.by_visitor => act(
            "Restrict use",
            "Restricted at the visitor’s wish; only the visitor can lift it.",
            None,
        ),
        Some(_) => act(
            "Restrict use",
            "Restricted by an owner of this site.",
            Some(button("lift-restriction", "Lift the restriction")),
        ),
    };
    let erase = match (&stored.hold, is_restricted) {
        (Some(_), _) => act("Erase", "Not while it is held.", None),
        (None, true) => act("Erase", "Not while its use is restricted.", None),
        (None, false) => act(
            "Erase",
            "For a visitor who asks you for it. The entry in the log stays, and says nothing any more.",
            Some(view! { <a class="button danger" href=format!("{address}/erase")>"Erase …"</a> }.into_any()),
        ),
    };
    view! {
        <section class="card acts" aria-labelledby="acts">
            <h2 id="acts">"What you can do"</h2>
            <p class="note">"Everything done here is written into the audit trail."</p>
            <ul>{export}{hold}{restrict}{erase}</ul>
        </section>
    }
    .into_any()
}

fn act(title: &'static str, text: &'static str, control: Option<AnyView>) -> AnyView {
    view! {
        <li>
            <div>
                <h3>{title}</h3>
                <p>{text}</p>
            </div>
            {control}
        </li>
    }
    .into_any()
}

fn hold_form(page: &RecordPage<'_>, stored: &Stored<'_>, address: &str) -> AnyView {
    let (first, last) = stored.hold_days;
    view! {
        <form class="hold" method="post" action=format!("{address}/hold")>
            {csrf(&page.frame)}
            <div class="field">
                <label for="until">"Until (included)"</label>
                <input id="until" name="until" type="date" required=true min=first.to_owned() max=last.to_owned() />
            </div>
            <div class="field">
                <label for="reason">"Reason"</label>
                <input id="reason" name="reason" required=true maxlength="500" autocomplete="off" />
            </div>
            <button class="button quiet">"Hold"</button>
        </form>
    }
    .into_any()
}

/// The step before a record is erased, as a whole HTML document.
pub fn erase_record(frame: &Frame<'_>, id: &str) -> String {
    let address = format!("{}/records/{id}", frame.address);
    let content = view! {
        <section class="card words" aria-labelledby="sure">
            <h2 id="sure">"Erase this record?"</h2>
            <p>
                "What it says and whose it was goes for good, and so does your proof of this choice. Its entry in the \
                log stays with the date of the erasure, and the audit trail keeps the record’s id."
            </p>
            <p>
                "When the visitor’s browser next asks for the choice and no other record is left, the site asks anew. \
                Other records of the same visitor are not erased: visitors erase all of theirs in the preference center."
            </p>
            <form class="sure" method="post" action=format!("{address}/erase")>
                {csrf(frame)}
                <a class="button quiet" href=address.clone()>"Keep it"</a>
                <button class="button danger">"Erase now"</button>
            </form>
        </section>
    };
    framed(
        frame,
        Page::Records,
        &format!("record {id}"),
        ().into_any(),
        content.into_any(),
    )
}

/// The confirmation that a record was erased, as a whole HTML document.
pub fn erased_record(page: &ErasedRecordPage<'_>) -> String {
    let content = view! {
        <section class="card words" aria-labelledby="done">
            <h2 id="done">"The record was erased"</h2>
            <p class="about">
                "Download the signed confirmation now, for the visitor who asked or for your files: the server keeps \
                no copy of it."
            </p>
            <dl class="facts">
                <div><dt>"Erased on"</dt><dd>{time(&page.at)}</dd></div>
                <div><dt>"Record"</dt><dd><code>{page.id.to_owned()}</code></dd></div>
            </dl>
            <p>
                <a
                    class="button" download="erasure-confirmation.jws"
                    href=format!("data:application/jose,{}", page.confirmation)
                >
                    "Download confirmation"
                </a>
            </p>
            <pre tabindex="0" aria-label="Confirmation"><code>{page.confirmation.to_owned()}</code></pre>
        </section>
    };
    framed(
        &page.frame,
        Page::Records,
        &format!("record {}", page.id),
        ().into_any(),
        content.into_any(),
    )
}

fn csrf(frame: &Frame<'_>) -> AnyView {
    view! { <input type="hidden" name="csrf" value=frame.csrf.to_owned() /> }.into_any()
}

fn link(frame: &Frame<'_>, record: &str) -> AnyView {
    view! { <a href=format!("{}/records/{record}", frame.address)><code>{record.to_owned()}</code></a> }
        .into_any()
}

fn time(at: &Moment) -> AnyView {
    view! { <time datetime=at.machine.clone()>{at.text.clone()}</time> }.into_any()
}
