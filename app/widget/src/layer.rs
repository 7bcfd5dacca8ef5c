//! The dialog's view: one for the browser, which fills in the present choice, and for the archive, which keeps how it
//! opens.

use assent_consent::Category;
use leptos::{either::Either, ev, prelude::*};

/// Parsed JSON: the page's own in the browser, where another parser would cost more than the view; serde's elsewhere.
pub(crate) trait Json: Sized {
    /// A member; nothing where there is none.
    fn get(&self, key: &str) -> Self;
    /// A member that is a text; empty where it is none.
    fn text(&self, key: &str) -> String;
    /// The entries of a member that is a list.
    fn list(&self, key: &str) -> impl Iterator<Item = Self>;
    /// Whether it is `true`.
    fn is_on(&self) -> bool;
    /// Whether it is an object.
    fn is_there(&self) -> bool;
}

/// The dialog of a notice, its switches as `choice` has them; `honoured` says which signals are, empty without any.
pub(crate) fn dialog<J: Json, P: Fn(ev::MouseEvent) + 'static, C: Fn(ev::Event) + 'static>(
    notice: &J,
    choice: &J,
    honoured: String,
    pressed: P,
    closed: C,
) -> impl IntoView + use<J, P, C> {
    let texts = notice.get("texts");
    view! {
        <dialog
            class="assent-dialog"
            aria-labelledby="assent-dialog-title"
            lang=notice.text("language")
            dir=texts.text("direction")
            on:click=pressed
            on:close=closed
        >
            <div class="assent-head">
                <h2 id="assent-dialog-title" tabindex="-1" autofocus>{texts.text("dialog_title")}</h2>
                <button type="button" data-assent-do="close" aria-label=texts.text("close")></button>
            </div>
            <div class="assent-body">
                <p>
                    {texts.text("dialog_text")}" "
                    <a href=notice.text("policy_url") target="_blank" rel="noopener">{texts.text("policy_link")}</a>
                </p>
                {(!honoured.is_empty()).then(|| view! { <p>{honoured}</p> })}
                {notice.list("categories")
                    .map(|entry| category(&entry, &texts, choice))
                    .collect::<Vec<_>>()}
                // The host leads there.
                <button type="button" class="assent-past" data-assent="center">{texts.text("center_history")}</button>
            </div>
            <div class="assent-actions">
                <button type="button" data-assent-do="accept-all">{texts.text("accept_all")}</button>
                <button type="button" data-assent-do="reject-all">{texts.text("reject_all")}</button>
                <button type="button" data-assent-do="confirm">{texts.text("confirm_choices")}</button>
            </div>
        </dialog>
    }
}

fn category<J: Json>(entry: &J, texts: &J, choice: &J) -> impl IntoView + use<J> {
    let id = entry.text("id");
    let category = Category::from_id(id.as_bytes()).unwrap_or(Category::Necessary);
    let label_id = ["assent-label-", &id].concat();
    let panel_id = ["assent-panel-", &id].concat();
    let state = if category == Category::Necessary {
        Either::Left(view! { <span class="assent-always">{texts.text("always_active")}</span> })
    } else {
        Either::Right(view! {
            <input
                type="checkbox"
                role="switch"
                value=id
                aria-labelledby=label_id.clone()
                checked=choice.get(category.id()).is_on()
            />
        })
    };
    // There where the visitor can choose among the services one by one.
    let chosen = choice.get("services");
    let by_service = category != Category::Necessary && chosen.is_there();
    let partly = by_service.then(|| {
        view! { <p class="assent-partly" role="status" data-words=texts.text("services_on")></p> }
    });
    let services: Vec<_> = entry
        .list("services")
        .map(|entry| {
            let id = entry.text("id");
            let is_on = by_service.then(|| chosen.get(&id).is_on());
            service(&entry, texts, &id, category, is_on)
        })
        .collect();
    let heading = if services.is_empty() {
        "no_services"
    } else {
        "services_heading"
    };
    view! {
        <div class="assent-category">
            <div class="assent-row">
                <h3>
                    <button
                        type="button"
                        id=label_id
                        data-assent-do="expand"
                        aria-controls=panel_id.clone()
                        aria-expanded="false"
                    >
                        {entry.text("label")}
                    </button>
                </h3>
                {state}
            </div>
            {partly}
            <div class="assent-panel" id=panel_id hidden>
                <p>{entry.text("text")}</p>
                <p class="assent-heading">{texts.text(heading)}</p>
                {services}
            </div>
        </div>
    }
}

/// One service; with a switch where `is_on` says how it stands.
fn service<J: Json>(
    entry: &J,
    texts: &J,
    id: &str,
    category: Category,
    is_on: Option<bool>,
) -> impl IntoView + use<J> {
    let label_id = ["assent-service-", id].concat();
    let switch = is_on.map(|is_on| {
        view! {
            <input
                type="checkbox"
                role="switch"
                value=id.to_owned()
                data-category=category.id()
                aria-labelledby=label_id.clone()
                checked=is_on
            />
        }
    });
    let policy_url = entry.text("policy_url");
    let policy = (!policy_url.is_empty()).then(|| {
        view! {
            " · "
            <a href=policy_url target="_blank" rel="noopener noreferrer">{texts.text("provider_policy")}</a>
        }
    });
    let columns = ["item_name", "item_purpose", "item_lifetime", "item_kind"].map(|key| texts.text(key));
    let rows: Vec<_> = entry
        .list("items")
        .map(|item| {
            let cells = ["name", "purpose", "lifetime", "kind"];
            let cells: Vec<_> = cells
                .iter()
                .zip(&columns)
                .map(|(key, column)| {
                    let mut words = item.text(key);
                    if *key == "purpose" {
                        words = [&words, " ", &item.text("note")].concat();
                    }
                    view! { <td data-label=column.clone()>{words}</td> }
                })
                .collect();
            view! { <tr>{cells}</tr> }
        })
        .collect();
    let items = (!rows.is_empty()).then(|| {
        let columns: Vec<_> = columns
            .iter()
            .map(|column| view! { <th scope="col">{column.clone()}</th> })
            .collect();
        view! {
            <table>
                <thead>
                    <tr>{columns}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        }
    });
    view! {
        <div class="assent-service">
            <div class="assent-title">
                <h4 id=label_id>{entry.text("name")}</h4>
                {switch}
            </div>
            <p>{entry.text("purpose")}</p>
            <p class="assent-muted">
                {texts.text("item_provider")}": "{entry.text("provider")} {policy}
            </p>
            {items}
        </div>
    }
}
