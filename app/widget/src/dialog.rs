//! The second layer, as a browser module.
//!
//! Native `<dialog>` does the focus trap, Esc, the inert page behind and the return of focus; this module
//! fills it. What the visitor toggles lives in the checkboxes until a button is pressed, so the view needs
//! no signals; Leptos' reactive system would be half of the download. For the same reason the notice is read
//! straight from the page's parsed JSON, and one listener serves all buttons.

use std::cell::RefCell;

use assent_consent::{Categories, Category};
use js_sys::{Array, Function, Reflect};
use leptos::{either::Either, ev, prelude::*};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{Element, HtmlDialogElement, HtmlElement, HtmlInputElement};

thread_local! {
    /// Takes the open dialog off the page.
    static UNMOUNT: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// Opens the dialog at the end of `root`.
///
/// `notice` is a parsed `assent_consent::notice::Notice`, `granted` the bits with which the toggles begin.
/// `on_choice(bits)` is called when the visitor has decided and focus is back where it was; `on_close()` once
/// after every opening, with or without a choice, when the dialog has left the page. While one is open,
/// further calls do nothing.
#[wasm_bindgen]
pub fn open(root: &HtmlElement, notice: &JsValue, granted: u8, on_choice: Function, on_close: Function) {
    if UNMOUNT.with_borrow(Option::is_some) {
        return;
    }
    let closed = move || {
        if let Some(unmount) = UNMOUNT.take() {
            unmount();
        }
        // An exception of the page's own callback is the page's; the dialog is closed either way.
        let _ = on_close.call0(&JsValue::NULL);
    };
    let decided = move |choice: Categories| {
        let _ = on_choice.call1(&JsValue::NULL, &choice.bits().into());
    };
    let mut state = dialog(notice, Categories::granted(granted), decided, closed).build();
    state.mount(root, None);
    UNMOUNT.set(Some(Box::new(move || state.unmount())));
    if let Some(dialog) = root.last_element_child() {
        let _ = dialog.unchecked_into::<HtmlDialogElement>().show_modal();
    }
}

fn dialog<D: Fn(Categories) + 'static, C: Fn() + 'static>(
    notice: &JsValue,
    granted: Categories,
    decided: D,
    closed: C,
) -> impl IntoView + use<D, C> {
    let texts = get(notice, "texts");
    let honoured = honoured(notice, &texts);
    view! {
        <dialog
            class="assent-dialog"
            aria-labelledby="assent-dialog-title"
            lang=text(notice, "language")
            dir=text(&texts, "direction")
            on:click=move |event| pressed(&event, &decided)
            on:close=move |_| closed()
        >
            <div class="assent-head">
                <h2 id="assent-dialog-title" tabindex="-1" autofocus>{text(&texts, "dialog_title")}</h2>
                <button type="button" data-assent-do="close" aria-label=text(&texts, "close")></button>
            </div>
            <div class="assent-body">
                <p>
                    {text(&texts, "dialog_text")}" "
                    <a href=text(notice, "policy_url") target="_blank" rel="noopener">{text(&texts, "policy_link")}</a>
                </p>
                {(!honoured.is_empty()).then(|| view! { <p>{honoured}</p> })}
                {list(notice, "categories")
                    .map(|entry| category(&entry, &texts, granted))
                    .collect::<Vec<_>>()}
            </div>
            <div class="assent-actions">
                <button type="button" data-assent-do="accept-all">{text(&texts, "accept_all")}</button>
                <button type="button" data-assent-do="reject-all">{text(&texts, "reject_all")}</button>
                <button type="button" data-assent-do="confirm">{text(&texts, "confirm_choices")}</button>
            </div>
        </dialog>
    }
}

fn pressed(event: &ev::MouseEvent, decided: &impl Fn(Categories)) {
    let Some(button) = event
        .target()
        .and_then(|target| closest(target.unchecked_ref(), "[data-assent-do]"))
    else {
        return;
    };
    let Some(dialog) = closest(&button, "dialog") else {
        return;
    };
    let choice = match button.get_attribute("data-assent-do").as_deref() {
        Some("expand") => return expand(&button),
        Some("accept-all") => Some(Categories::ALL),
        Some("reject-all") => Some(Categories::NECESSARY),
        Some("confirm") => Some(toggled(&dialog)),
        _ => None,
    };
    // Closed first, so that focus is back on the page when the caller changes the page.
    dialog.unchecked_into::<HtmlDialogElement>().close();
    if let Some(choice) = choice {
        decided(choice);
    }
}

fn expand(button: &Element) {
    let panel = closest(button, ".assent-category")
        .and_then(|category| category.query_selector(".assent-panel").ok()?);
    if let Some(panel) = panel
        && let Ok(hidden) = panel.toggle_attribute("hidden")
    {
        let _ = button.set_attribute("aria-expanded", if hidden { "false" } else { "true" });
    }
}

fn toggled(dialog: &Element) -> Categories {
    let on = dialog.query_selector_all("input:checked").ok();
    let on = on
        .iter()
        .flat_map(|on| (0..on.length()).filter_map(|at| on.get(at)));
    on.filter_map(|input| Category::from_id(input.unchecked_into::<HtmlInputElement>().value().as_bytes()))
        .collect::<Categories>()
        | Categories::NECESSARY
}

fn closest(element: &Element, selector: &str) -> Option<Element> {
    element.closest(selector).ok()?
}

fn category(entry: &JsValue, texts: &JsValue, granted: Categories) -> impl IntoView + use<> {
    let id = text(entry, "id");
    let category = Category::from_id(id.as_bytes()).unwrap_or(Category::Necessary);
    let label_id = ["assent-label-", &id].concat();
    let panel_id = ["assent-panel-", &id].concat();
    let state = if category == Category::Necessary {
        Either::Left(view! { <span class="assent-always">{text(texts, "always_active")}</span> })
    } else {
        Either::Right(view! {
            <input
                type="checkbox"
                role="switch"
                value=id
                aria-labelledby=label_id.clone()
                checked=granted.has(category)
            />
        })
    };
    let services: Vec<_> = list(entry, "services")
        .map(|entry| service(&entry, texts))
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
                        {text(entry, "label")}
                    </button>
                </h3>
                {state}
            </div>
            <div class="assent-panel" id=panel_id hidden>
                <p>{text(entry, "text")}</p>
                <p class="assent-heading">{text(texts, heading)}</p>
                {services}
            </div>
        </div>
    }
}

fn service(entry: &JsValue, texts: &JsValue) -> impl IntoView + use<> {
    let policy_url = text(entry, "policy_url");
    let policy = (!policy_url.is_empty()).then(|| {
        view! {
            " · "
            <a href=policy_url target="_blank" rel="noopener noreferrer">{text(texts, "provider_policy")}</a>
        }
    });
    let columns = ["item_name", "item_purpose", "item_lifetime", "item_kind"].map(|key| text(texts, key));
    let rows: Vec<_> = list(entry, "items")
        .map(|item| {
            let cells = ["name", "purpose", "lifetime", "kind"];
            let cells: Vec<_> = cells
                .iter()
                .zip(&columns)
                .map(|(key, column)| {
                    let mut words = text(&item, key);
                    if *key == "purpose" {
                        words = [&words, " ", &text(&item, "note")].concat();
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
            <h4>{text(entry, "name")}</h4>
            <p>{text(entry, "purpose")}</p>
            <p class="assent-muted">
                {text(texts, "item_provider")}": "{text(entry, "provider")} {policy}
            </p>
            {items}
        </div>
    }
}

/// What is said of the signals that this browser sends and the rule honours, empty without any.
fn honoured(notice: &JsValue, texts: &JsValue) -> String {
    let navigator = get(&js_sys::global(), "navigator");
    let mut said = String::new();
    if get(notice, "honours_gpc").is_truthy() && get(&navigator, "globalPrivacyControl").is_truthy() {
        said = text(texts, "gpc_honoured") + " ";
    }
    if get(notice, "honours_dnt").is_truthy() && get(&navigator, "doNotTrack") == "1" {
        said += &text(texts, "dnt_honoured");
    }
    said
}

fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap_or_default()
}

fn text(object: &JsValue, key: &str) -> String {
    get(object, key).as_string().unwrap_or_default()
}

fn list(object: &JsValue, key: &str) -> impl Iterator<Item = JsValue> {
    let entries = get(object, key).dyn_into::<Array>().unwrap_or_default();
    (0..entries.length()).map(move |at| entries.get(at))
}
