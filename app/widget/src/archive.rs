//! The dialog as it opens, for the archive of notices: the browser's own view, rendered on the server.

use assent_consent::{Categories, Category, notice::Notice};
use leptos::prelude::*;
use serde_json::Value;

use crate::layer::{self, Json};

/// The dialog's markup for the inside of `<div id="assent">`, with what is granted before a choice switched on, and
/// without what is said of a browser's signals.
///
/// # Panics
/// Never: a notice holds nothing that JSON cannot.
#[expect(clippy::expect_used, reason = "strings, numbers and lists always serialise")]
pub fn dialog_html(notice: &Notice, before_choice: Categories) -> String {
    let granted = |category: &Category| {
        (
            category.id().to_owned(),
            Value::from(before_choice.has(*category)),
        )
    };
    let mut choice: serde_json::Map<_, _> = Category::ALL.iter().map(granted).collect();
    if notice.service_choice {
        let services: serde_json::Map<_, _> = notice
            .offered()
            .into_iter()
            .map(|(id, category)| (id, before_choice.has(category).into()))
            .collect();
        choice.insert("services".to_owned(), services.into());
    }
    let notice = serde_json::to_value(notice).expect("a notice serialises");
    layer::dialog(&notice, &choice.into(), String::new(), |_| (), |_| ()).to_html()
}

impl Json for Value {
    fn get(&self, key: &str) -> Self {
        self[key].clone()
    }

    fn text(&self, key: &str) -> String {
        self[key].as_str().unwrap_or_default().to_owned()
    }

    fn list(&self, key: &str) -> impl Iterator<Item = Self> {
        self[key].as_array().cloned().unwrap_or_default().into_iter()
    }

    fn is_on(&self) -> bool {
        *self == Self::Bool(true)
    }

    fn is_there(&self) -> bool {
        self.is_object()
    }
}
