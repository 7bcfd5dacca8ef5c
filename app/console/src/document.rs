use leptos::prelude::*;

/// Addresses of what every page loads.
#[derive(Clone, Copy, Debug)]
pub struct Assets<'a> {
    /// `console.css`.
    pub stylesheet: &'a str,
    /// The icon.
    pub icon: &'a str,
}

/// A whole document around `body`; `class` sets the layout.
pub(crate) fn document(assets: Assets<'_>, title: &str, class: &'static str, body: AnyView) -> String {
    view! {
        <!DOCTYPE html>
        <html lang="en" class="assent-page">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="robots" content="noindex" />
                <title>{format!("{title} – Assent")}</title>
                <link rel="icon" type="image/svg+xml" href=assets.icon.to_owned() />
                <link rel="stylesheet" href=assets.stylesheet.to_owned() />
            </head>
            <body class=class>{body}</body>
        </html>
    }
    .to_html()
}

/// The mark and the name.
pub(crate) fn wordmark() -> AnyView {
    view! {
        <span class="wordmark">
            <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false">
                <rect class="tile" width="32" height="32" rx="10" />
                <path
                    class="check"
                    d="m9.5 16.6 4.6 4.6 8.6-10"
                    fill="none"
                    stroke-width="3.2"
                    stroke-linecap="round"
                    stroke-linejoin="round"
                />
            </svg>
            <span>"Assent"</span>
        </span>
    }
    .into_any()
}

/// A page that only says something: not found, link expired.
#[derive(Clone, Debug)]
pub struct MessagePage<'a> {
    /// What every page loads.
    pub assets: Assets<'a>,
    /// Heading.
    pub title: &'a str,
    /// What is the matter and what to do.
    pub text: &'a str,
    /// Where to go from here: label and address.
    pub link: Option<(&'a str, &'a str)>,
}

/// A page with a heading, a paragraph and perhaps a link, as a whole HTML document.
pub fn message(page: &MessagePage<'_>) -> String {
    let link = page.link.map(|(label, address)| {
        view! { <p><a class="button" href=address.to_owned()>{label.to_owned()}</a></p> }
    });
    let body = view! {
        <main class="panel">
            {wordmark()}
            <h1>{page.title.to_owned()}</h1>
            <p>{page.text.to_owned()}</p>
            {link}
        </main>
    };
    document(page.assets, page.title, "console alone", body.into_any())
}
