//! The load: submissions over 64 kept connections, each with at most one under way.
//!
//! One thread drives all connections, so that the generator takes as little as it can of the cores that it shares
//! with the server.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};

use super::latencies::Latencies;
use crate::{
    Result,
    http::{Answer, PATIENCE},
};

/// How many connections there are.
pub(super) const CONNECTIONS: usize = 64;

/// What is sent.
pub(super) trait Submissions: Sync {
    /// The status of an acknowledgement.
    const ACKNOWLEDGED: u16;

    /// The whole request that submits the `number`-th record; `host` is who is asked.
    fn request(&self, host: SocketAddr, number: u32) -> String;
}

/// When records are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// As soon as a connection is free.
    FlatOut,
    /// So many in each second, evenly, whether or not the server keeps up.
    PerSecond(u32),
}

impl Pace {
    /// When a record is due, counted from the start, at `elapsed` after it; `None` once the load is over.
    fn due(self, number: u32, elapsed: Duration, duration: Duration) -> Option<Duration> {
        let due = match self {
            Self::FlatOut => elapsed,
            Self::PerSecond(rate) => {
                Duration::from_nanos(u64::from(number) * 1_000_000_000 / u64::from(rate))
            }
        };
        (due < duration).then_some(due)
    }
}

/// What came of a load. Every record that was sent was acknowledged.
pub(super) struct Outcome {
    /// How many records.
    pub(super) records: u32,
    /// From the first submission to the last acknowledgement.
    pub(super) took: Duration,
    /// From when each was due to its acknowledgement: one that has to wait for a free connection waits within its
    /// latency, so that a server that stalls hides nothing.
    pub(super) latencies: Latencies,
}

/// What one connection does.
struct Client {
    stream: TcpStream,
    /// What has come of the present answer.
    answer: Vec<u8>,
    /// When the record that is under way was due.
    due: Instant,
}

/// Submits records from the number `first` on at this pace for so long, then waits for the last answers.
///
/// # Errors
/// The network's, or an answer that is no acknowledgement.
#[expect(clippy::disallowed_methods, reason = "measures the server from outside")]
pub(super) fn run<S: Submissions>(
    address: SocketAddr,
    submissions: &S,
    first: u32,
    pace: Pace,
    duration: Duration,
) -> Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(CONNECTIONS);
    let start = Instant::now();
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
            due: start,
        });
    }
    let mut free: VecDeque<usize> = (0..CONNECTIONS).collect();
    let mut records = 0;
    let mut latencies = Latencies::default();
    let start = Instant::now();
    loop {
        let mut wait = PATIENCE;
        while let Some(&connection) = free.front() {
            let elapsed = start.elapsed();
            let Some(due) = pace.due(records, elapsed, duration) else {
                break;
            };
            let early = due.saturating_sub(elapsed);
            if !early.is_zero() {
                // The system counts these in whole milliseconds: a record leaves up to one late, within its latency.
                wait = early;
                break;
            }
            let request = submissions.request(address, first + records);
            let client = &mut clients[connection];
            client.due = start + due;
            // One request is far smaller than a socket's buffer, which is empty here.
            client.stream.write_all(request.as_bytes())?;
            free.pop_front();
            records += 1;
        }
        let is_over = pace.due(records, start.elapsed(), duration).is_none();
        if is_over && free.len() == CONNECTIONS {
            break;
        }
        poll.poll(&mut events, Some(wait))?;
        if events.is_empty() && wait == PATIENCE {
            return Err("the server answers no more".into());
        }
        for event in &events {
            let Token(connection) = event.token();
            let client = &mut clients[connection];
            if client.receive(S::ACKNOWLEDGED)? {
                latencies.push(client.due.elapsed());
                free.push_back(connection);
            }
        }
    }
    Ok(Outcome {
        records,
        took: start.elapsed(),
        latencies,
    })
}

impl Client {
    /// Reads what has come; true when that completes the acknowledgement.
    fn receive(&mut self, acknowledged: u16) -> Result<bool> {
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
        if answer.status != acknowledged {
            let body = String::from_utf8_lossy(&answer.body);
            return Err(format!("a record was refused: {} {body}", answer.status).into());
        }
        self.answer.clear();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        thread,
    };

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_pace_spreads_records_evenly_and_ends() {
        let pace = Pace::PerSecond(2_500);
        let due = |number| pace.due(number, Duration::ZERO, 2 * SECOND);
        assert_eq!(due(0), Some(Duration::ZERO));
        assert_eq!(due(1), Some(Duration::from_micros(400)));
        assert_eq!(due(2_500), Some(SECOND));
        assert_eq!(due(4_999), Some(Duration::from_micros(1_999_600)));
        assert_eq!(due(5_000), None);
        // Late as it is, what was due is sent.
        assert!(pace.due(4_999, 60 * SECOND, 2 * SECOND).is_some());
    }

    #[test]
    fn flat_out_a_record_is_due_at_once_until_the_time_is_over() {
        assert_eq!(Pace::FlatOut.due(9, SECOND, 2 * SECOND), Some(SECOND));
        assert_eq!(Pace::FlatOut.due(9, 2 * SECOND, 2 * SECOND), None);
    }

    struct Numbers;

    impl Submissions for Numbers {
        const ACKNOWLEDGED: u16 = 201;

        fn request(&self, _host: SocketAddr, number: u32) -> String {
            format!("{number:08}")
        }
    }

    const STALL: Duration = Duration::from_millis(300);

    /// Answers requests of 8 bytes, the first on each connection only after `STALL`.
    fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream: TcpStream = stream.unwrap();
                thread::spawn(move || {
                    let mut request = [0; 8];
                    let mut stall = STALL;
                    while stream.read_exact(&mut request).is_ok() {
                        thread::sleep(std::mem::take(&mut stall));
                        stream
                            .write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
                            .unwrap();
                    }
                });
            }
        });
        address
    }

    #[test]
    fn each_record_of_a_pace_is_sent_once_and_waits_within_its_latency() {
        let pace = Pace::PerSecond(500);
        let outcome = run(server(), &Numbers, 100, pace, Duration::from_millis(200)).unwrap();
        assert_eq!(outcome.records, 100);
        assert_eq!(outcome.latencies.len(), 100);
        assert!(outcome.took >= STALL, "{:?}", outcome.took);
        assert!(outcome.latencies.percentile(60) >= STALL);
        // The last 36 found no connection free: they were due before 200 ms, and sent after 300.
        assert!(outcome.latencies.percentile(1) >= Duration::from_millis(100));
    }

    #[test]
    fn another_answer_than_the_acknowledgement_ends_the_load() {
        struct Other;
        impl Submissions for Other {
            const ACKNOWLEDGED: u16 = 200;
            fn request(&self, _host: SocketAddr, number: u32) -> String {
                format!("{number:08}")
            }
        }
        let outcome = run(server(), &Other, 0, Pace::FlatOut, SECOND);
        let error = outcome.err().unwrap().to_string();
        assert!(error.contains("201"), "{error}");
    }
}
