//! Assent's own server, on either database.

use std::{net::SocketAddr, ops::Range, path::Path, thread, time::Duration};

use super::{
    data::{Data, ORIGIN},
    load::{self, CONNECTIONS, Pace, Submissions},
    memory::Memory,
    options::{Database, Options},
    random::{id, spread},
    table::{Paced, Row},
};
use crate::{Result, http::Connection};

/// One of the two databases, and how it is measured.
pub(super) struct Measured<'a> {
    /// Which.
    pub(super) database: Database,
    /// The server's program.
    pub(super) binary: &'a Path,
    /// How.
    pub(super) options: &'a Options,
    /// Milliseconds since 1970.
    pub(super) now_ms: u64,
}

impl Measured<'_> {
    /// Measures the server empty, and where it is asked for, with records stored before.
    ///
    /// # Errors
    /// A refused record, or an acknowledged one that is not there afterwards.
    pub(super) fn rows(&self) -> Result<Vec<Row>> {
        let empty = Data::empty(self.database, self.binary)?;
        let empty_bytes = empty.bytes()?;
        let mut rows = vec![self.row(&empty, 0, empty_bytes)?];
        drop(empty);
        let stored = self.options.stored;
        if stored > 0 {
            let filled = Data::filled(self.database, self.binary, stored)?;
            rows.push(self.row(&filled, stored, empty_bytes)?);
        }
        Ok(rows)
    }

    fn row(&self, data: &Data, stored: u32, empty_bytes: u64) -> Result<Row> {
        let server = data.start(self.binary)?;
        let records = Records::of_loader(server.address, self.now_ms)?;
        thread::sleep(super::REST);
        let at_rest = Memory::of(server.id())?.now;

        let duration = Duration::from_secs(self.options.seconds.into());
        let load = |first, pace| load::run(server.address, &records, first, pace, duration);
        let flat_out = load(0, Pace::FlatOut)?;
        let rate = self.options.rate.unwrap_or(self.database.goal() / 2);
        let paced = load(flat_out.records, Pace::PerSecond(rate))?;
        let under_load = Memory::of(server.id())?.peak;

        let sent = flat_out.records + paced.records;
        records.read_back(server.address, sent)?;
        server.stop()?;
        let bytes = data.bytes()?.saturating_sub(empty_bytes);
        Ok(Row {
            server: format!("Assent, {}", self.database.title()),
            stored: stored.into(),
            flat_out,
            paced: Some(Paced { rate, outcome: paced }),
            at_rest,
            under_load,
            disk: bytes / u64::from(stored + sent).max(1),
        })
    }
}

/// Records as a browser submits them, each of another subject.
struct Records {
    /// The revision and the hash of the notice that they name.
    revision: String,
    notice: String,
    now_ms: u64,
}

impl Records {
    /// Takes what a submission has to name from the loader, as a browser would.
    fn of_loader(address: SocketAddr, now_ms: u64) -> Result<Self> {
        let loader = Connection::open(address)?.get("/s/demo.js?lang=en", "")?;
        let loader = String::from_utf8(loader.body)?;
        let value = |name: &str, end: char| {
            let (_, settings) = loader.rsplit_once("})({")?;
            let (_, rest) = settings.split_once(name)?;
            rest.split(end).next().map(str::to_owned)
        };
        match (value(",r:", ','), value(",n:'", '\'')) {
            (Some(revision), Some(notice)) => Ok(Self {
                revision,
                notice,
                now_ms,
            }),
            _ => Err("the loader names no revision and notice".into()),
        }
    }

    /// Reads records back over as many connections.
    ///
    /// # Errors
    /// Some are not there.
    fn read_back(&self, address: SocketAddr, sent: u32) -> Result {
        let share = sent.div_ceil(u32::try_from(CONNECTIONS)?).max(1);
        let missing = thread::scope(|scope| {
            let readers: Vec<_> = (0..sent)
                .step_by(share as usize)
                .map(|first| scope.spawn(move || self.missing(address, first..sent.min(first + share))))
                .collect();
            readers
                .into_iter()
                .map(|reader| reader.join().map_err(|_| "a reader panicked")?)
                .sum::<Result<u32>>()
        })?;
        if missing == 0 {
            Ok(())
        } else {
            Err(format!("{missing} of {sent} acknowledged records are missing").into())
        }
    }

    fn missing(&self, address: SocketAddr, numbers: Range<u32>) -> Result<u32> {
        let mut connection = Connection::open(address)?;
        let mut missing = 0;
        for number in numbers {
            let answer = connection.get(
                &format!("/v1/sites/demo/records/{}", id(self.now_ms, number)),
                &format!("Authorization: Bearer {}\r\n", key(self.now_ms, number)),
            )?;
            missing += u32::from(answer.status != 200);
        }
        Ok(missing)
    }
}

/// The subject key of a record, made when it was decided, as the loader makes it.
fn key(now_ms: u64, number: u32) -> String {
    let spread = spread(number);
    format!("{:08x}{spread:016x}{:08x}", now_ms >> 12, !spread >> 32)
}

impl Submissions for Records {
    const ACKNOWLEDGED: u16 = 201;

    fn request(&self, host: SocketAddr, number: u32) -> String {
        let Self {
            revision,
            notice,
            now_ms,
        } = self;
        let (id, key) = (id(*now_ms, number), key(*now_ms, number));
        let (performance, functional, targeting) = (
            number.is_multiple_of(2),
            number.is_multiple_of(3),
            number.is_multiple_of(5),
        );
        let body = format!(
            r#"{{"id":"{id}","key":"{key}","revision":{revision},"notice":"{notice}","method":"banner","choice":{{"performance":{performance},"functional":{functional},"targeting":{targeting}}},"asked":true,"gpc":false,"dnt":false,"previous":null,"decided_at_ms":{now_ms}}}"#
        );
        format!(
            "POST /v1/sites/demo/records HTTP/1.1\r\nHost: {host}\r\nOrigin: {ORIGIN}\r\n\
             Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}
