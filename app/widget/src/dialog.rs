//! The second layer, as a browser module.
//!
//! Native `<dialog>` does the focus trap, Esc, the inert page behind and the return of focus; this module
//! fills it with the view of `layer`. What the visitor toggles lives in the checkboxes until a button is pressed, so
//! the view needs no signals; Leptos' reactive system would be half of the download. For the same reason the notice is
//! read straight from the page's parsed JSON, and one listener serves all buttons.

use std::cell::RefCell;

use assent_consent::{Categories, Category};
use js_sys::{Array, Function, JsString, Object, Reflect};
use leptos::{ev, prelude::*};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{Element, HtmlDialogElement, HtmlElement, HtmlInputElement};

use crate::layer::{self, Json};

thread_local! {
    /// Takes the open dialog off the page.
    static UNMOUNT: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// Opens the dialog at the end of `root`.
///
/// `notice` is a parsed `assent_consent::notice::Notice`, `choice` the present one as `window.assent` tells it, with
/// which the toggles begin. `on_choice(bits, services)` is called when the visitor has decided and focus is back where
/// it was; `services` holds the services whose answer differs from their category's, id → boolean, and is undefined
/// where there are none. `on_close()` is called once after every opening, with or without a choice, when the dialog
/// has left the page. While one is open, further calls do nothing.
#[wasm_bindgen]
pub fn open(root: &HtmlElement, notice: &JsValue, choice: &JsValue, on_choice: Function, on_close: Function) {
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
    let decided = move |choice: Categories, services: &JsValue| {
        let _ = on_choice.call2(&JsValue::NULL, &choice.bits().into(), services);
    };
    let honoured = honoured(notice, &notice.get("texts"));
    let mut state = layer::dialog(
        notice,
        choice,
        honoured,
        move |event| pressed(&event, &decided),
        move |_| closed(),
    )
    .build();
    state.mount(root, None);
    UNMOUNT.set(Some(Box::new(move || state.unmount())));
    if let Some(dialog) = root.last_element_child() {
        for category in elements(&dialog, ".assent-category") {
            count(&category);
        }
        let _ = dialog.unchecked_into::<HtmlDialogElement>().show_modal();
    }
}

fn pressed(event: &ev::MouseEvent, decided: &impl Fn(Categories, &JsValue)) {
    let Some(target) = event.target().map(JsCast::unchecked_into::<Element>) else {
        return;
    };
    // A switch has moved by then, by whatever means it was pressed.
    switched(&target);
    let Some(button) = closest(&target, "[data-assent-do]") else {
        return;
    };
    let Some(dialog) = closest(&button, "dialog") else {
        return;
    };
    let choice = match button.get_attribute("data-assent-do").as_deref() {
        Some("expand") => return expand(&button),
        Some("accept-all") => Some((Categories::ALL, JsValue::UNDEFINED)),
        Some("reject-all") => Some((Categories::NECESSARY, JsValue::UNDEFINED)),
        Some("confirm") => Some(toggled(&dialog)),
        _ => None,
    };
    // Closed first, so that focus is back on the page when the caller changes the page.
    dialog.unchecked_into::<HtmlDialogElement>().close();
    if let Some((choice, services)) = choice {
        decided(choice, &services);
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

/// A category's switch moves those of its services; where all of these agree, the category's agrees with them.
fn switched(target: &Element) {
    let Some(input) = target.dyn_ref::<HtmlInputElement>() else {
        return;
    };
    let Some(category) = closest(input, ".assent-category") else {
        return;
    };
    let services = inputs(&category, "[data-category]");
    if input.has_attribute("data-category") {
        if let Some(first) = services.first()
            && services.iter().all(|other| other.checked() == first.checked())
            && let Some(own) = inputs(&category, ":not([data-category])").first()
        {
            own.set_checked(first.checked());
        }
    } else {
        for service in &services {
            service.set_checked(input.checked());
        }
    }
    count(&category);
}

/// Says how many of a category's services are on, where they are not all as the category is.
fn count(category: &Element) {
    let Some(line) = category.query_selector(".assent-partly").ok().flatten() else {
        return;
    };
    let services = inputs(category, "[data-category]");
    let is_on = !inputs(category, ":not([data-category]):checked").is_empty();
    let on = inputs(category, "[data-category]:checked").len();
    if on == if is_on { services.len() } else { 0 } {
        line.set_text_content(None);
    } else {
        // The browser's own replacement: Rust's would be 3 KB more.
        let words = JsString::from(line.get_attribute("data-words").unwrap_or_default());
        let words = words
            .replace("{on}", &on.to_string())
            .replace("{all}", &services.len().to_string());
        line.set_text_content(words.as_string().as_deref());
    }
}

/// The switches below an element that also match `which`.
fn inputs(element: &Element, which: &str) -> Vec<HtmlInputElement> {
    elements(element, &["input", which].concat())
}

fn elements<T: JsCast>(element: &Element, selector: &str) -> Vec<T> {
    let found = element.query_selector_all(selector).ok();
    found
        .iter()
        .flat_map(|found| (0..found.length()).filter_map(|at| found.get(at)))
        .map(JsCast::unchecked_into)
        .collect()
}

/// The categories that are on, and the services that differ from theirs.
fn toggled(dialog: &Element) -> (Categories, JsValue) {
    let on = inputs(dialog, ":not([data-category]):checked");
    let categories: Categories = on
        .iter()
        .filter_map(|input| Category::from_id(input.value().as_bytes()))
        .collect();
    let mut services = JsValue::UNDEFINED;
    for input in inputs(dialog, "[data-category]") {
        let category = input.get_attribute("data-category").unwrap_or_default();
        let is_on = Category::from_id(category.as_bytes()).is_some_and(|category| categories.has(category));
        if input.checked() != is_on {
            if services.is_undefined() {
                services = Object::new().into();
            }
            let _ = Reflect::set(&services, &input.value().into(), &input.checked().into());
        }
    }
    (categories | Categories::NECESSARY, services)
}

fn closest(element: &Element, selector: &str) -> Option<Element> {
    element.closest(selector).ok()?
}

/// What is said of the signals that this browser sends and the rule honours, empty without any.
fn honoured(notice: &JsValue, texts: &JsValue) -> String {
    let navigator = js_sys::global().get("navigator");
    let mut said = String::new();
    if notice.get("honours_gpc").is_truthy() && navigator.get("globalPrivacyControl").is_truthy() {
        said = texts.text("gpc_honoured") + " ";
    }
    if notice.get("honours_dnt").is_truthy() && navigator.get("doNotTrack") == "1" {
        said += &texts.text("dnt_honoured");
    }
    said
}

impl Json for JsValue {
    fn get(&self, key: &str) -> Self {
        Reflect::get(self, &key.into()).unwrap_or_default()
    }

    fn text(&self, key: &str) -> String {
        self.get(key).as_string().unwrap_or_default()
    }

    fn list(&self, key: &str) -> impl Iterator<Item = Self> {
        let entries = self.get(key).dyn_into::<Array>().unwrap_or_default();
        (0..entries.length()).map(move |at| entries.get(at))
    }

    fn is_on(&self) -> bool {
        self.is_truthy()
    }

    fn is_there(&self) -> bool {
        self.is_object()
    }
}
