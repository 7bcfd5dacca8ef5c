//! c15t's backend, in `bench/c15t`, under the same load: one new subject with each record.

use std::{fs, net::SocketAddr, thread, time::Duration};

use super::{
    load::{self, Pace, Submissions},
    memory::Memory,
    options::Options,
    random::{id, spread},
    table::Row,
};
use crate::{
    Result, node, paths, process,
    server::{Server, free_address, scratch_folder},
    step,
};

const FOLDER: &str = "bench/c15t";
const LOCK: &str = "bench/c15t/package-lock.json";
const DRIVER: &str = "node_modules/better-sqlite3/build/Release/better_sqlite3.node";
/// `bench/c15t/backend.mjs` has the same.
const DOMAIN: &str = "shop.example";
/// As `c15t` sends it.
const VERSION: &str = "2.2.1";
/// The most records with which it is measured: with more a single answer takes seconds.
const STORED_MAX: u32 = 200_000;
/// From when `c15t` counts the time in its ids.
const EPOCH_MS: u64 = 1_700_000_000_000;
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// What `backend.mjs` calls its settings, and what they are.
const SETTINGS: [(&str, &str); 2] = [
    ("defaults", "SQLite as it is"),
    ("wal", "WAL, commits not synced"),
];

/// Installs it, and measures it empty, and where it is asked for, with records stored before; in each case with SQLite's
/// defaults and with what is advised for many small commits.
///
/// # Errors
/// npm's, or a refused record.
pub(super) fn measure(options: &Options, now_ms: u64) -> Result<Vec<Row>> {
    install()?;
    let stored = options.stored.min(STORED_MAX);
    let mut rows = Vec::new();
    for stored in [0, stored].into_iter().take(if stored > 0 { 2 } else { 1 }) {
        for (settings, description) in SETTINGS {
            rows.push(row(settings, description, stored, options, now_ms)?);
        }
    }
    Ok(rows)
}

fn install() -> Result {
    node::check()?;
    node::install("c15t", FOLDER)?;
    let built = paths::root().join(FOLDER).join(DRIVER);
    step::when_changed("better-sqlite3", &[LOCK], &[built], || {
        // The only package here that is not whole without its script: it fetches or compiles SQLite.
        process::quiet(process::command("npm").args([
            "rebuild",
            "--prefix",
            FOLDER,
            "--foreground-scripts",
            "better-sqlite3",
        ]))
        .map(drop)
    })
}

fn row(settings: &str, description: &str, stored: u32, options: &Options, now_ms: u64) -> Result<Row> {
    let folder = scratch_folder()?;
    let database = folder.path().join("c15t.db");
    process::quiet(
        process::command("node")
            .arg(format!("{FOLDER}/fill.mjs"))
            .arg(&database)
            .args([settings, &stored.to_string()]),
    )?;
    let bytes_before = fs::metadata(&database)?.len();
    let address = free_address()?;
    let server = Server::launch(
        process::command("node")
            .arg(format!("{FOLDER}/server.mjs"))
            .arg(&database)
            .args([settings, &address.port().to_string()]),
        address,
        "/api/c15t/status",
    )?;
    thread::sleep(super::REST);
    let at_rest = Memory::of(server.id())?.now;
    let duration = Duration::from_secs(options.seconds.into());
    let flat_out = load::run(address, &Records { now_ms }, 0, Pace::FlatOut, duration)?;
    let under_load = Memory::of(server.id())?.peak;
    server.stop()?;
    let bytes = fs::metadata(&database)?.len().saturating_sub(bytes_before);
    let disk = bytes / u64::from(flat_out.records.max(1));
    Ok(Row {
        server: format!("c15t {VERSION}, {description}"),
        stored: stored.into(),
        flat_out,
        paced: None,
        at_rest,
        under_load,
        disk,
    })
}

/// Consent as `c15t` submits it (`saveConsents` in c15t/dist/index.js), each of a new subject.
struct Records {
    now_ms: u64,
}

impl Submissions for Records {
    const ACKNOWLEDGED: u16 = 200;

    fn request(&self, host: SocketAddr, number: u32) -> String {
        let now_ms = self.now_ms;
        let given = |every: u32| number.is_multiple_of(every);
        let body = format!(
            r#"{{"type":"cookie_banner","domain":"{DOMAIN}","preferences":{{"necessary":true,"functionality":{},"experience":false,"measurement":{},"marketing":{}}},"subjectId":"{}","jurisdiction":"GDPR","jurisdictionModel":"opt-in","givenAt":{now_ms},"uiSource":"banner","consentAction":"custom"}}"#,
            given(3),
            given(2),
            given(5),
            subject(now_ms, number),
        );
        format!(
            "POST /api/c15t/subjects HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{DOMAIN}\r\n\
             X-C15T-Version: {VERSION}\r\nX-Request-ID: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            id(now_ms, number),
            body.len()
        )
    }
}

/// A subject's id as `c15t` makes it: 20 bytes that begin with the time.
fn subject(now_ms: u64, number: u32) -> String {
    let mut bytes = [0; 20];
    let since = now_ms.saturating_sub(EPOCH_MS) + u64::from(number / 10);
    bytes[..8].copy_from_slice(&since.to_be_bytes());
    bytes[8..12].copy_from_slice(&number.to_be_bytes());
    bytes[12..].copy_from_slice(&spread(number).to_be_bytes());
    format!("sub_{}", base58(&bytes))
}

/// The number that these bytes are, with a 1 for each leading zero byte.
fn base58(bytes: &[u8]) -> String {
    let mut digits: Vec<u8> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).map(|_| 0);
    zeros
        .chain(digits.into_iter().rev())
        .map(|digit| char::from(BASE58[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base58_as_its_draft_has_it() {
        // draft-msporny-base58-03, section 5.
        assert_eq!(base58(b"Hello World!"), "2NEpo7TZRRrLZSi2U");
        assert_eq!(base58(&[0, 0, 0x28, 0x7f, 0xb4, 0xcd]), "11233QC4");
    }

    #[test]
    fn subjects_look_like_those_of_the_client() {
        let made = subject(1_795_370_169_910, 7);
        assert!(made.starts_with("sub_111"), "{made}");
        assert_eq!(made.len(), "sub_111D6NDAuTn1D4o7UMXmHMoXA7".len(), "{made}");
        assert_ne!(made, subject(1_795_370_169_910, 8));
    }

    #[test]
    fn the_version_that_is_named_is_the_one_that_is_installed() {
        let package = fs::read_to_string(paths::root().join(FOLDER).join("package.json")).unwrap();
        assert!(package.contains(&format!(r#""@c15t/backend": "{VERSION}""#)));
    }
}
