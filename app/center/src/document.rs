use leptos::prelude::*;

/// What stands in a document's head.
pub(crate) struct Head<'a> {
    pub(crate) language: &'a str,
    pub(crate) direction: &'a str,
    pub(crate) stylesheet: &'a str,
    pub(crate) icon: &'a str,
    pub(crate) title: &'a str,
}

/// A whole document around `body`.
pub(crate) fn document(head: &Head<'_>, body: AnyView) -> String {
    let direction = if head.direction == "rtl" { "rtl" } else { "ltr" };
    view! {
        <!DOCTYPE html>
        <html lang=head.language.to_owned() dir=direction class="assent-page">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="robots" content="noindex" />
                <title>{head.title.to_owned()}</title>
                <link rel="icon" type="image/svg+xml" href=head.icon.to_owned() />
                <link rel="stylesheet" href=head.stylesheet.to_owned() />
            </head>
            <body class="center">{body}</body>
        </html>
    }
    .to_html()
}

/// A page that only says something: an unknown site, a server that cannot answer now.
#[derive(Clone, Debug)]
pub struct MessagePage<'a> {
    /// Language tag.
    pub language: &'a str,
    /// Writing direction, `ltr` or `rtl`.
    pub direction: &'a str,
    /// Address of `center.css`.
    pub stylesheet: &'a str,
    /// Address of the page's icon.
    pub icon: &'a str,
    /// Heading.
    pub title: &'a str,
    /// What is the matter and what to do.
    pub text: &'a str,
}

/// A page with a heading and a paragraph, as a whole HTML document.
pub fn message(page: &MessagePage<'_>) -> String {
    let head = Head {
        language: page.language,
        direction: page.direction,
        stylesheet: page.stylesheet,
        icon: page.icon,
        title: page.title,
    };
    let body = view! {
        <main class="message">
            <h1>{page.title.to_owned()}</h1>
            <p class="lead">{page.text.to_owned()}</p>
        </main>
    };
    document(&head, body.into_any())
}

/// The address if it leads to the web, else nothing: what owners configure must never become a script.
pub(crate) fn web_address(address: &str) -> Option<String> {
    let lower = address.to_ascii_lowercase();
    (lower.starts_with("https://") || lower.starts_with("http://")).then(|| address.to_owned())
}
