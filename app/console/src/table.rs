//! Tables that are wider than a phone.

use leptos::prelude::*;

/// The head of a column.
pub(crate) enum Head {
    /// Of figures, dates and ids.
    Plain(&'static str),
    /// Of words, which begin where the head begins.
    Words(&'static str),
}

impl Head {
    fn cell(self) -> AnyView {
        match self {
            Self::Plain(text) => view! { <th scope="col">{text}</th> }.into_any(),
            Self::Words(text) => view! { <th scope="col" class="word">{text}</th> }.into_any(),
        }
    }
}

/// A table in a region that scrolls by itself and by the keyboard. `class` stands beside the region's own.
pub(crate) fn scrolling<const COLUMNS: usize>(
    name: &str,
    class: &str,
    heads: [Head; COLUMNS],
    rows: impl IntoView,
) -> AnyView {
    view! {
        <div
            class=format!("scroll {class}").trim_end().to_owned()
            role="region"
            aria-label=format!("{name}, scrolls")
            tabindex="0"
        >
            <table>
                <thead>
                    <tr>{heads.map(Head::cell)}</tr>
                </thead>
                <tbody>{rows.into_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}
