use leptos::prelude::*;

/// A sign that stands beside a word, never instead of one.
#[derive(Clone, Copy)]
pub(crate) enum Icon {
    Back,
    Check,
    Chevron,
    Cross,
    Download,
    Mark,
    Warning,
}

/// Draws a sign on a grid of 24, in the colour of the text around it, hidden from assistive technology.
pub(crate) fn draw(icon: Icon) -> impl IntoView + use<> {
    let (class, path) = match icon {
        Icon::Back => ("icon turns", "M19 12H5m6-6-6 6 6 6"),
        Icon::Check => ("icon", "m5 12.5 4.5 4.5L19 7.5"),
        Icon::Chevron => ("icon chevron", "m6 9 6 6 6-6"),
        Icon::Cross => ("icon", "m7 7 10 10M17 7 7 17"),
        Icon::Download => ("icon", "M12 4v11m-5-4 5 5 5-5M5 20h14"),
        Icon::Mark => (
            "icon",
            "M8 3h8a5 5 0 0 1 5 5v8a5 5 0 0 1-5 5H8a5 5 0 0 1-5-5V8a5 5 0 0 1 5-5Zm0 9.2 3 3 5.2-6.2",
        ),
        Icon::Warning => (
            "icon",
            "M12 8v5m0 3.5v.01M10.3 4.2 2.9 17a2 2 0 0 0 1.7 3h14.8a2 2 0 0 0 1.7-3L13.7 4.2a2 2 0 0 0-3.4 0Z",
        ),
    };
    view! {
        <svg class=class viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
            <path d=path fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" />
        </svg>
    }
}
