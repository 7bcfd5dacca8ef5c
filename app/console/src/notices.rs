use crate::table::{
    Head::{Plain, Words},
    scrolling,
};
use leptos::prelude::*;

use crate::frame::{Frame, Page, framed};

/// What a site's visitors were shown, revision by revision.
#[derive(Clone, Debug)]
pub struct NoticesPage<'a> {
    /// What stands around it.
    pub frame: Frame<'a>,
    /// The archived notices, as they are to be listed.
    pub notices: &'a [ArchivedNotice],
    /// Whether there are older ones that are left out.
    pub is_shortened: bool,
}

/// A notice of the archive.
#[derive(Clone, Debug)]
pub struct ArchivedNotice {
    /// Its hash, 64 hexadecimal digits.
    pub hash: String,
    /// Id of the rule under which it was shown.
    pub rule: String,
    /// Its language tag.
    pub language: String,
    /// The first and the last revision that showed it.
    pub revisions: (u32, u32),
    /// When it was first published, for people and for machines.
    pub published: (String, String),
    /// Where it can be seen as it was shown, same origin.
    pub replay_url: String,
}

/// The notices as a whole HTML document.
pub fn notices(page: &NoticesPage<'_>) -> String {
    let rows = page
        .notices
        .iter()
        .map(|notice| {
            let (first, last) = notice.revisions;
            let revisions = if first == last {
                first.to_string()
            } else {
                format!("{first}–{last}")
            };
            let (text, machine) = notice.published.clone();
            view! {
                <tr>
                    <th scope="row">
                        <a href=notice.replay_url.clone()>{format!("{} · {}", notice.rule, notice.language)}</a>
                    </th>
                    <td>{revisions}</td>
                    <td><time datetime=machine>{text}</time></td>
                    <td class="word"><code>{notice.hash.clone()}</code></td>
                </tr>
            }
        })
        .collect_view();
    let shortened = page.is_shortened.then(|| {
        view! { <p class="note">{format!("The newest {} are listed.", page.notices.len())}</p> }
    });
    let content = view! {
        <section class="card" aria-labelledby="table">
            <h2 id="table">"What visitors were shown"</h2>
            <p class="note">
                "Each rule and language has a notice of its own: all texts, layout and styles. It is kept for ever under \
                its SHA-256, which stands in every consent record made on it."
            </p>
            {scrolling("Notices", "", [Plain("Rule and language"), Plain("Revisions"), Plain("First published"), Words("SHA-256")], rows)}
            {shortened}
        </section>
    };
    framed(
        &page.frame,
        Page::Notices,
        "what visitors were shown",
        ().into_any(),
        content.into_any(),
    )
}
