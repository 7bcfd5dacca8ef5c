use leptos::prelude::*;

use crate::{
    icon::{self, Icon},
    page::{CenterPage, HistoryRow, method, outcome},
};

/// The visitor's choices, with their receipts. The roles are spelled out because browsers drop a table's
/// meaning when the style sheet turns its rows into cards.
pub(crate) fn section(page: &CenterPage<'_>) -> AnyView {
    let texts = page.texts;
    let content = if page.history.is_empty() {
        view! { <p class="none">{texts.center_history_empty.clone()}</p> }.into_any()
    } else {
        let rows = page.history.iter().map(|entry| row(entry, page)).collect_view();
        let older = page.rights.zip(page.older_url).map(|(rights, address)| {
            let language = rights.language.to_owned();
            view! {
                <p lang=language><a href=address.to_owned()>{rights.texts.older.clone()}</a></p>
            }
        });
        let columns = [
            &texts.center_when,
            &texts.center_how,
            &texts.center_choice,
            &texts.center_record,
        ]
        .map(|label| view! { <th role="columnheader" scope="col">{label.clone()}</th> })
        .into_iter()
        .collect_view();
        view! {
            <table class="history" role="table" aria-labelledby="history">
                <thead role="rowgroup"><tr role="row">{columns}</tr></thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
            {older}
            <p><a href=page.verify_url.to_owned()>{texts.center_verify.clone()}</a></p>
        }
        .into_any()
    };
    view! {
        <section class="past" aria-labelledby="history">
            <h2 id="history">{texts.center_history.clone()}</h2>
            {content}
        </section>
    }
    .into_any()
}

fn row(row: &HistoryRow, page: &CenterPage<'_>) -> AnyView {
    let texts = page.texts;
    let method = method(row.method, texts);
    let time = row.decided.clone();
    let replay = page.rights.map(|rights| {
        view! {
            <a class="replay" href=row.replay_url.clone() lang=rights.language.to_owned()>
                {rights.texts.replay.clone()}
                <span class="unseen">{format!(", {}", time.text)}</span>
            </a>
        }
    });
    view! {
        <tr role="row">
            <td role="cell" data-label=texts.center_when.clone()>
                <time datetime=time.machine dir="auto">{time.text.clone()}</time>
            </td>
            <td role="cell" data-label=texts.center_how.clone()>{method.clone()}</td>
            <td role="cell" data-label=texts.center_choice.clone()>{outcome(row.granted, &row.services, page)}</td>
            <td role="cell" data-label=texts.center_record.clone()>
                <div>
                    <code>{row.record.to_string()}</code>
                    <a class="receipt" href=row.receipt_url.clone() download="">
                        {icon::draw(Icon::Download)}
                        <span>{texts.center_receipt.clone()}</span>
                        <span class="unseen">{format!(", {}", time.text)}</span>
                    </a>
                    {replay}
                </div>
            </td>
        </tr>
    }
    .into_any()
}
