//! The loader: one script with the configuration, the banner, the gate and the host.

use std::{fmt::Write as _, io, sync::LazyLock};

use assent_compression::brotli;
use assent_consent::{
    Categories, Category,
    decision::{Objections, Terms, decide},
    marks::{self, Mark},
    notice::{Notice, NoticeHash},
    signals::{google, settings::Told},
    site::{Blocking, BlockingMode, ConfigError, ItemKind, Rule, SiteConfig},
};
use assent_store::{OrganisationId, Revision};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};
use uuid::Uuid;

use crate::embedded::{ASSETS_HASH, asset, asset_text};

/// What the host reads, but for the gate; app/host/src/loader.ts says what each is.
#[derive(Serialize)]
struct Settings<'a> {
    s: &'a str,
    r: u32,
    v: u32,
    n: String,
    l: &'a str,
    m: u8,
    d: u8,
    q: u8,
    e: u16,
    i: u32,
    #[serde(skip_serializing_if = "is_zero")]
    x: u8,
    c: String,
    t: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    u: Option<[String; 3]>,
    b: String,
    a: String,
    p: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    marks: Vec<Mark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signals: Option<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wall: Option<Wall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    o: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    services: Option<String>,
    // Beside the gate, where they compress best.
    y: &'a str,
    h: &'a str,
}

/// Settings of the part `wall`.
#[derive(Serialize)]
struct Wall {
    enforce: bool,
    unknown: bool,
    own: String,
}

impl Wall {
    fn of(config: &SiteConfig) -> Option<Self> {
        let Blocking {
            mode, hold_unknown, ..
        } = config.blocking;
        (mode != BlockingMode::Off).then(|| Self {
            enforce: mode == BlockingMode::Enforce,
            unknown: hold_unknown,
            own: config.own_hosts().into_iter().collect::<Vec<_>>().join(" "),
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(bits: &u8) -> bool {
    *bits == 0
}

/// What of the late parts a site may need, as bits of [`Settings::x`].
const PLACEHOLDERS: u8 = 1;
const STORAGE: u8 = 2;

/// The loader's source for one rule and language.
pub(crate) fn compose(revision: &Revision, rule: &Rule, notice: &Notice, hash: NoticeHash) -> String {
    let config = &revision.config;
    let defaults = rule.on_by_default.iter().copied().collect::<Categories>();
    let stored = [
        ItemKind::IndexedDb,
        ItemKind::CacheStorage,
        ItemKind::ServiceWorker,
    ]
    .map(|kind| config.erase_list(&[kind]));
    let stored = stored.iter().any(|list| !list.is_empty()).then_some(stored);
    let settings = Settings {
        s: &config.id,
        r: revision.number,
        v: revision.valid_from,
        n: hash.to_string(),
        l: &notice.language,
        m: rule.model as u8,
        d: Categories::granted(defaults.bits()).bits(),
        q: rule.honours().bits(),
        e: rule.expiry_days,
        i: first_visit(rule),
        x: u8::from(config.placeholders) * PLACEHOLDERS + u8::from(stored.is_some()) * STORAGE,
        c: config.erase_list(&[ItemKind::Cookie]),
        t: config.erase_list(&[ItemKind::LocalStorage, ItemKind::SessionStorage]),
        u: stored,
        b: config.host_list(),
        a: format!("/a/{}/", *ASSETS_HASH),
        p: &notice.texts.privacy_settings,
        marks: marks::table(config),
        signals: config.signals.told(),
        wall: Wall::of(config),
        o: config.service_choice.then(|| service_list(config)),
        services: config.service_choice.then(|| service_ids(config)),
        y: &notice.banner_css,
        h: &notice.banner_html,
    };
    // The cookies are read here, outside of every function: Chromium looks at the stack of who reads them, and for
    // that parses each function on it once more.
    let mut out = String::from("((ASSENT,COOKIES)=>{var PARTS=[];");
    if config.trusted_types {
        out.push_str(asset_text("trusted-types.js").trim_end());
    }
    if !settings.marks.is_empty() {
        out.push_str(asset_text("marks.js").trim_end());
    }
    if settings.signals.is_some() {
        out.push_str(asset_text("signals.js").trim_end());
    }
    if config.reload_on_withdrawal {
        out.push_str(asset_text("reload.js").trim_end());
    }
    if config.turbo {
        out.push_str(asset_text("turbo.js").trim_end());
    }
    if settings.wall.is_some() {
        out.push_str(asset_text("wall.js").trim_end());
    }
    // After automatic blocking: an owner's mark stands above it.
    if config.service_choice {
        out.push_str(asset_text("services.js").trim_end());
    }
    out.push_str(asset_text("host.js").trim_end());
    out.push_str("})(");
    match expression(&settings) {
        Ok(text) => out.push_str(&end_tags_escaped(&text)),
        // Not reached: strings and numbers always serialise. A loader that does not parse holds everything.
        Err(error) => tracing::error!(%error, "the loader's settings do not serialise"),
    }
    if out.ends_with('}') {
        out.pop();
    }
    let gate = if config.service_choice {
        &GATE_SERVICES
    } else {
        &GATE
    };
    let _ = write!(out, ",g:{}}},document.cookie)", **gate);
    out
}

/// What the gate says of a visitor without a cookie, if that is nothing but the necessary: its answer, and from
/// bit 6 the granted types of Google's Consent Mode. 0 where signals or defaults can grant something.
fn first_visit(rule: &Rule) -> u32 {
    let terms = Terms {
        model: rule.model,
        on_by_default: rule.on_by_default.iter().copied().collect(),
        honours: rule.honours(),
        expiry_s: 0,
        valid_from_revision: 0,
        by_service: false,
    };
    let first = decide(&terms, Objections::default(), None, 0);
    if first.granted != Categories::NECESSARY || !first.ask {
        return 0;
    }
    u32::from(first.bits()) | u32::from(google(first.granted)) << 6
}

/// The loader that a configuration would have as its first revision, under its first rule.
///
/// # Errors
/// When the configuration cannot be published, or has not the language.
pub(crate) fn preview(config: &SiteConfig, language: Option<&str>) -> Result<String, ConfigError> {
    config.check()?;
    let wrong = |field: &str, problem: &str| ConfigError {
        field: field.to_owned(),
        problem: problem.to_owned(),
    };
    let language = language.unwrap_or_else(|| config.default_language());
    if !config.languages.iter().any(|offered| offered == language) {
        return Err(wrong("languages", "does not hold the language"));
    }
    let rule = config.rules.first().ok_or_else(|| wrong("rules", "is empty"))?;
    let notice = super::notice(config, rule, language)?;
    let revision = Revision {
        organisation: OrganisationId(Uuid::nil()),
        number: 1,
        valid_from: 1,
        published_at_ms: 0,
        config: config.clone(),
    };
    Ok(compose(&revision, rule, &notice, notice.hash()))
}

/// The list of services as the gate reads it, after the cookie's value.
fn service_list(config: &SiteConfig) -> String {
    let entries = config.slots().into_iter();
    entries.fold(String::from(" "), |list, (code, service)| {
        format!("{list}{}{code}", service.category as u8)
    })
}

/// The ids of those services, in the same order, and of the necessary ones.
fn service_ids(config: &SiteConfig) -> String {
    let necessary = config
        .services
        .iter()
        .filter(|service| service.category == Category::Necessary);
    let ids: Vec<&str> = config
        .slots()
        .into_values()
        .chain(necessary)
        .map(|service| service.id.as_str())
        .collect();
    ids.join(" ")
}

/// The settings as a JavaScript expression.
fn expression(settings: &Settings) -> serde_json::Result<String> {
    let mut text = Vec::new();
    settings.serialize(&mut Serializer::with_formatter(&mut text, Script::default()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes what JSON would say as JavaScript does, which compresses better: the names of the settings bare, and strings in
/// single quotes, because the banner's markup is full of double ones.
#[derive(Default)]
struct Script {
    depth: usize,
    bare: bool,
}

impl Script {
    fn quote<W: ?Sized + io::Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.bare { b"" } else { b"'" })
    }
}

impl Formatter for Script {
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        // Further in, owners choose the names.
        self.bare = self.depth == 1;
        writer.write_all(if first { b"" } else { b"," })
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.bare = false;
        Ok(())
    }

    fn begin_string<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.quote(writer)
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.quote(writer)
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        writer.write_all(fragment.replace('\'', "\\'").as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Quote => writer.write_all(b"\""),
            other => CompactFormatter.write_char_escape(writer, other),
        }
    }
}

static GATE: LazyLock<String> = LazyLock::new(|| gate("gate.wasm"));
static GATE_SERVICES: LazyLock<String> = LazyLock::new(|| gate("gate-services.wasm"));

/// A gate as a JavaScript expression, in the form that compresses better.
fn gate(gate: &str) -> String {
    let wasm = asset(gate).map_or(&[][..], |file| file.bytes);
    let characters = end_tags_escaped(&literal(wasm));
    let base64 = format!("atob('{}')", BASE64_STANDARD.encode(wasm));
    if brotli(base64.as_bytes()).len() < brotli(characters.as_bytes()).len() {
        base64
    } else {
        characters
    }
}

/// A JavaScript string literal with one character for each byte. Only what would end or change the literal is
/// escaped. Single quotes, because WebAssembly has no instruction 0x27 and hence few of them.
fn literal(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 3 / 2 + 2);
    out.push('\'');
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\'' => out.push_str("\\'"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            // "\0" followed by a digit would be read as an octal escape.
            0 if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => out.push_str("\\x00"),
            0 => out.push_str("\\0"),
            _ => out.push(char::from(*byte)),
        }
    }
    out.push('\'');
    out
}

/// Makes sure that no literal holds `</script`, for those who put the loader into a page.
fn end_tags_escaped(literal: &str) -> String {
    if literal.to_ascii_lowercase().contains("</script") {
        literal.replace("</", "<\\/")
    } else {
        literal.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use assent_consent::decision::Model;

    use super::*;

    /// Reads a literal as a JavaScript engine does.
    fn read(literal: &str) -> Vec<u8> {
        let inner = literal.strip_prefix('\'').unwrap().strip_suffix('\'').unwrap();
        let mut bytes = Vec::new();
        let mut rest = inner.chars().peekable();
        while let Some(character) = rest.next() {
            assert!(!matches!(character, '\'' | '\n' | '\r'), "ends the literal");
            if character != '\\' {
                bytes.push(u8::try_from(u32::from(character)).unwrap());
                continue;
            }
            match rest.next().unwrap() {
                'n' => bytes.push(b'\n'),
                'r' => bytes.push(b'\r'),
                '0' => {
                    assert!(!rest.peek().is_some_and(char::is_ascii_digit), "an octal escape");
                    bytes.push(0);
                }
                'x' => {
                    let digits: String = [rest.next().unwrap(), rest.next().unwrap()].iter().collect();
                    bytes.push(u8::from_str_radix(&digits, 16).unwrap());
                }
                other => bytes.push(u8::try_from(u32::from(other)).unwrap()),
            }
        }
        bytes
    }

    #[test]
    fn a_literal_gives_back_the_bytes() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let awkward = b"\0\x001\0a\\\\0'\"`${x}\r\n</script>\xff\xc3\xa4".to_vec();
        for bytes in [all, awkward, Vec::new()] {
            let literal = end_tags_escaped(&literal(&bytes));
            assert_eq!(read(&literal), bytes);
            assert!(!literal.contains("</script"));
        }
        let wasm = asset("gate.wasm").unwrap().bytes;
        assert_eq!(read(&literal(wasm)), wasm);
    }

    #[test]
    fn a_first_visit_is_known_only_where_nothing_optional_is_granted() {
        let mut rule = crate::demo::config_at("http://localhost").unwrap().rules[0].clone();
        rule.model = Model::OptIn;
        let security_alone = 0b100_0000 << 6;
        let asked_and_necessary = 0b1_0001;
        assert_eq!(first_visit(&rule), security_alone | asked_and_necessary);
        rule.model = Model::OptOut;
        rule.on_by_default = vec![Category::Functional];
        assert_eq!(first_visit(&rule), 0);
        rule.model = Model::None;
        rule.on_by_default = Vec::new();
        assert_eq!(first_visit(&rule), 0, "nobody is asked");
    }

    #[test]
    fn the_gate_stands_in_the_loader_in_either_form() {
        let wasm = asset("gate.wasm").unwrap().bytes;
        let bytes = match GATE.strip_prefix("atob('") {
            Some(base64) => BASE64_STANDARD.decode(base64.trim_end_matches("')")).unwrap(),
            None => read(&GATE),
        };
        assert_eq!(bytes, wasm);
    }
}
