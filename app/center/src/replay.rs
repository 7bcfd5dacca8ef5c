//! What visitors were shown, once more: the archive's banner and dialog, each in a frame of its own in which nothing
//! runs.

use leptos::prelude::*;

use crate::rights::{Frame, field, frame, parties, text};

/// A notice from the archive.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a> {
    /// The page around it.
    pub frame: Frame<'a>,
    /// Its hash, 64 hexadecimal digits.
    pub hash: &'a str,
    /// Id of the rule under which it was shown.
    pub rule: &'a str,
    /// Its language tag.
    pub shown_language: &'a str,
    /// Address of its bytes as they are hashed, same origin.
    pub json_url: &'a str,
    /// What the dialog said besides where the browser sent a signal.
    pub honoured: &'a [&'a str],
    /// A whole document with the banner.
    pub banner: &'a str,
    /// A whole document with the dialog as it opened.
    pub dialog: &'a str,
    /// The same with everything unfolded.
    pub unfolded: &'a str,
}

/// The replay as a whole HTML document. The policy that it is sent with has to allow the styles of the three documents.
pub fn replay(page: &Replay<'_>) -> String {
    let texts = page.frame.texts;
    let stage = |id: &'static str, title: &str, document: &str| {
        view! {
            <section class="stage" aria-labelledby=id>
                <h2 id=id>{title.to_owned()}</h2>
                <iframe class=id sandbox="" srcdoc=document.to_owned() title=title.to_owned()></iframe>
            </section>
        }
    };
    let honoured = page
        .honoured
        .iter()
        .map(|said| view! { <p lang=page.shown_language.to_owned()>{format!("“{said}”")}</p> })
        .collect_view();
    let number = view! {
        <code>{page.hash.to_owned()}</code>
        <br />
        <a href=page.json_url.to_owned()>{texts.replay_json.clone()}</a>
    };
    let body = view! {
        <div class="intro">
            <h1>{texts.replay_title.clone()}</h1>
            <p class="lead">{texts.replay_text.clone()}</p>
        </div>
        <dl class="card fields">
            {parties(&page.frame)}
            {field(&texts.language, text(page.shown_language))}
            {field(&texts.rule, text(page.rule))}
            {field(&texts.replay_hash, number.into_any())}
            {(!page.honoured.is_empty()).then(|| field(&texts.replay_signal, honoured.into_any()))}
        </dl>
        {stage("banner", &texts.replay_banner, page.banner)}
        {stage("dialog", &texts.replay_dialog, page.dialog)}
        {stage("unfolded", &texts.replay_unfolded, page.unfolded)}
    };
    frame(&page.frame, &texts.replay_title, body.into_any())
}
