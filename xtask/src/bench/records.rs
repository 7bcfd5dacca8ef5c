//! Durable consent records per second: 64 connections, each sending its next record when the last one is
//! acknowledged. Afterwards every acknowledged record is read back.
//!
//! One thread drives all connections, so that the generator takes as little as it can of the cores that it shares
//! with the server.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::{
    Result,
    http::{Answer, Connection, PATIENCE},
    server::Server,
};

const CONNECTIONS: usize = 64;
const DURATION: Duration = Duration::from_secs(15);
// Bounds memory and disk, whatever the machine.
const RECORDS_PER_CONNECTION_MAX: usize = 20_000;

/// What a submission has to name, taken from the loader as a browser would.
struct Notice {
    revision: String,
    hash: String,
}

/// What one connection does.
struct Client {
    stream: TcpStream,
    /// What has come of the present answer.
    answer: Vec<u8>,
    sent_at: Instant,
    /// The record that is under way: its id and subject key.
    sent: (String, String),
    /// Time from sending to acknowledgement, in microseconds.
    latencies_us: Vec<u32>,
    /// Id and subject key of each acknowledged record.
    acknowledged: Vec<(String, String)>,
}

/// Builds the release server, loads it, and prints the figures. `database` is an address, else its data is in SQLite.
///
/// # Errors
/// The build's, a refused record, or an acknowledged record that is not there afterwards.
#[expect(clippy::disallowed_methods, reason = "measures the server from outside")]
pub(crate) fn run(database: Option<&str>) -> Result {
    let database = database.map(|address| ("ASSENT_DATABASE", address));
    let server = Server::start(&super::binary()?, database.as_slice())?;
    let notice = notice(server.address)?;
    let now_ms = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_millis();

    let start = Instant::now();
    let clients = load(server.address, &notice, now_ms)?;
    let seconds = start.elapsed().as_secs_f64();
    let stored: usize = each_connection(|number| read_back(server.address, &clients[number].acknowledged))?
        .iter()
        .sum();
    let mut latencies_us: Vec<u32> = clients
        .iter()
        .flat_map(|client| &client.latencies_us)
        .copied()
        .collect();
    latencies_us.sort_unstable();
    let sent = latencies_us.len();

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_second = sent as f64 / seconds;
    println!("| connections | acknowledged | read back | records/s | p50 | p99 |");
    println!("|---:|---:|---:|---:|---:|---:|");
    println!(
        "| {CONNECTIONS} | {sent} | {stored} | {per_second:.0} | {:.1} ms | {:.1} ms |",
        percentile_ms(&latencies_us, 50),
        percentile_ms(&latencies_us, 99),
    );
    if stored == sent {
        Ok(())
    } else {
        Err("acknowledged records are missing".into())
    }
}

fn each_connection<T: Send>(work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a connection's thread panicked")?)
            .collect()
    })
}

fn notice(address: SocketAddr) -> Result<Notice> {
    let loader = Connection::open(address)?.get("/s/demo.js?lang=en", "")?;
    let loader = String::from_utf8(loader.body)?;
    let value = |name: &str, end: char| {
        let (_, rest) = loader.split_once(name)?;
        rest.split(end).next().map(str::to_owned)
    };
    match (value("\"r\":", ','), value("\"n\":\"", '"')) {
        (Some(revision), Some(hash)) => Ok(Notice { revision, hash }),
        _ => Err("the loader names no revision and notice".into()),
    }
}

/// Keeps every connection busy until the time is over, then waits for the last answers.
#[expect(clippy::disallowed_methods, reason = "measures the server from outside")]
fn load(address: SocketAddr, notice: &Notice, now_ms: u128) -> Result<Vec<Client>> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(CONNECTIONS);
    let mut clients = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry()
            .register(&mut stream, Token(number), Interest::READABLE)?;
        clients.push(Client {
            stream,
            answer: Vec::new(),
            sent_at: Instant::now(),
            sent: Default::default(),
            latencies_us: Vec::new(),
            acknowledged: Vec::new(),
        });
    }
    let start = Instant::now();
    for (number, client) in clients.iter_mut().enumerate() {
        client.submit(address, number, notice, now_ms)?;
    }
    let mut busy = CONNECTIONS;
    while busy > 0 {
        poll.poll(&mut events, Some(PATIENCE))?;
        if events.is_empty() {
            return Err("the server answers no more".into());
        }
        for event in &events {
            let Token(number) = event.token();
            let client = &mut clients[number];
            if !client.receive()? {
                continue;
            }
            if start.elapsed() < DURATION && client.acknowledged.len() < RECORDS_PER_CONNECTION_MAX {
                client.submit(address, number, notice, now_ms)?;
            } else {
                busy -= 1;
            }
        }
    }
    Ok(clients)
}

impl Client {
    /// Sends the next record.
    #[expect(clippy::disallowed_methods, reason = "measures the server from outside")]
    fn submit(
        &mut self,
        address: SocketAddr,
        connection_number: usize,
        notice: &Notice,
        now_ms: u128,
    ) -> Result {
        let number = self.acknowledged.len();
        self.sent = identifiers(now_ms, connection_number, number);
        let request = request(address, &self.sent.0, &self.sent.1, notice, now_ms, number);
        self.sent_at = Instant::now();
        // One request is far smaller than a socket's buffer, which is empty here.
        self.stream.write_all(request.as_bytes())?;
        Ok(())
    }

    /// Reads what has come; true when that completes the acknowledgement.
    fn receive(&mut self) -> Result<bool> {
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err("the server has closed a connection".into()),
                Ok(len) => self.answer.extend_from_slice(&bytes[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let Some(answer) = Answer::parse(&self.answer)? else {
            return Ok(false);
        };
        if answer.status != 201 {
            let body = String::from_utf8_lossy(&answer.body);
            return Err(format!("a record was refused: {} {body}", answer.status).into());
        }
        self.answer.clear();
        let latency = self.sent_at.elapsed();
        self.latencies_us
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        self.acknowledged.push(std::mem::take(&mut self.sent));
        Ok(true)
    }
}

/// A record id of version 7 and a subject key, both unique within the run and spread like random ones.
fn identifiers(now_ms: u128, connection_number: usize, number: usize) -> (String, String) {
    let time_ms = now_ms + number as u128 / 10;
    // Odd multiplier: a bijection, so that no two records share an id.
    let spread = ((connection_number as u64) << 32 | number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let id = format!(
        "{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}",
        time_ms >> 16,
        time_ms & 0xFFFF,
        spread >> 60,
        spread >> 48 & 0xFFF,
        spread & 0xFFFF_FFFF_FFFF,
    );
    let key = format!("{spread:016x}{:016x}", !spread);
    (id, key)
}

fn request(address: SocketAddr, id: &str, key: &str, notice: &Notice, now_ms: u128, number: usize) -> String {
    let Notice { revision, hash } = notice;
    let (performance, functional, targeting) = (
        number.is_multiple_of(2),
        number.is_multiple_of(3),
        number.is_multiple_of(5),
    );
    let body = format!(
        r#"{{"id":"{id}","key":"{key}","revision":{revision},"notice":"{hash}","method":"banner","choice":{{"performance":{performance},"functional":{functional},"targeting":{targeting}}},"asked":true,"gpc":false,"dnt":false,"previous":null,"decided_at_ms":{now_ms}}}"#
    );
    format!(
        "POST /v1/sites/demo/records HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n\
         Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn read_back(address: SocketAddr, acknowledged: &[(String, String)]) -> Result<usize> {
    let mut connection = Connection::open(address)?;
    let mut found = 0;
    for (id, key) in acknowledged {
        let answer = connection.get(
            &format!("/v1/sites/demo/records/{id}"),
            &format!("Authorization: Bearer {key}\r\n"),
        )?;
        found += usize::from(answer.status == 200);
    }
    Ok(found)
}

/// A percentile of sorted values; 0 where there are none.
fn percentile_ms(sorted_us: &[u32], percent: usize) -> f64 {
    let rank = (sorted_us.len() * percent).div_ceil(100).saturating_sub(1);
    sorted_us.get(rank).map_or(0.0, |&us| f64::from(us) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identifiers_are_unique_and_well_formed() {
        let mut seen = HashSet::new();
        for connection in 0..8 {
            for number in 0..1_000 {
                let (id, key) = identifiers(1_795_000_000_000, connection, number);
                assert_eq!((id.len(), key.len()), (36, 32), "{id} {key}");
                assert_eq!(&id[14..15], "7");
                assert!(seen.insert(id));
            }
        }
    }

    #[test]
    fn percentiles_by_nearest_rank() {
        let values: Vec<u32> = (1..=200).map(|ms| ms * 1_000).collect();
        assert!((percentile_ms(&values, 50) - 100.0).abs() < f64::EPSILON);
        assert!((percentile_ms(&values, 99) - 198.0).abs() < f64::EPSILON);
        assert!(percentile_ms(&[], 99).abs() < f64::EPSILON);
    }
}
