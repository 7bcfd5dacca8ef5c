//! Writes the pages, as the demo site's visitor would see them, into the folder that the first argument
//! names: for looking at their design without a server.

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::{fs, path::Path};

use assent_center::{CenterPage, MessagePage, News, message, page};
use fixture::Fixture;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let write = |name: &str, html: String| fs::write(Path::new(&folder).join(name), html);
    let english = Fixture::new("en", include_str!("../../texts/en.json"));
    let german = Fixture::new("de", include_str!("../../texts/de.json"));
    write("center.html", page(&english.page()))?;
    write(
        "center-saved.html",
        page(&CenterPage {
            news: Some(News::Saved),
            ..german.page()
        }),
    )?;
    let mut mirrored = Fixture::new("en", include_str!("../../texts/en.json"));
    "rtl".clone_into(&mut mirrored.texts.direction);
    write("center-rtl.html", page(&mirrored.page()))?;
    write(
        "center-new.html",
        page(&CenterPage {
            current: None,
            history: &[],
            news: Some(News::LinkExpired),
            back_url: None,
            ..english.page()
        }),
    )?;
    write(
        "center-message.html",
        message(&MessagePage {
            language: "en",
            direction: "ltr",
            stylesheet: "/center.css",
            icon: "/favicon.svg",
            title: "This site is not known here",
            text: "Please open the privacy settings from the site that you came from.",
        }),
    )
}
