//! The figures as Markdown.

use std::{fmt, time::Duration};

use super::load::Outcome;

/// The table's first two lines.
pub(super) const HEAD: &str = "\
| server | stored before | records/s | p50 | p99 | p99 at a steady rate | memory at rest | under load | disk per record |
|---|---:|---:|---:|---:|---:|---:|---:|---:|";

/// A load at a steady rate, in records per second.
pub(super) struct Paced {
    /// As it was to be.
    pub(super) rate: u32,
    /// What came of it.
    pub(super) outcome: Outcome,
}

/// What was measured of one server: a line of the table.
pub(super) struct Row {
    /// Its name.
    pub(super) server: String,
    /// Records that were there before.
    pub(super) stored: u64,
    /// The load of what it can do at most.
    pub(super) flat_out: Outcome,
    /// The load at a steady rate, if there was one.
    pub(super) paced: Option<Paced>,
    /// Resident bytes before the load.
    pub(super) at_rest: u64,
    /// Resident bytes, the most under load.
    pub(super) under_load: u64,
    /// Bytes on disk for each record, indexes included.
    pub(super) disk: u64,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = [
            self.server.clone(),
            grouped(self.stored),
            grouped(rate(&self.flat_out)),
            ms(self.flat_out.latencies.percentile(50)),
            ms(self.flat_out.latencies.percentile(99)),
            self.paced.as_ref().map_or_else(|| "–".to_owned(), Paced::cell),
            mb(self.at_rest),
            mb(self.under_load),
            format!("{} B", grouped(self.disk)),
        ];
        write!(f, "| {} |", cells.join(" | "))
    }
}

impl Paced {
    fn cell(&self) -> String {
        let p99 = ms(self.outcome.latencies.percentile(99));
        let (wanted, kept) = (u64::from(self.rate), rate(&self.outcome));
        // The last answers take a moment, too.
        if kept * 100 < wanted * 95 {
            format!("{p99} ({}/s wanted, {} kept)", grouped(wanted), grouped(kept))
        } else {
            format!("{p99} ({}/s)", grouped(wanted))
        }
    }
}

/// Records per second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "far below 2^64 and never negative"
)]
fn rate(outcome: &Outcome) -> u64 {
    (f64::from(outcome.records) / outcome.took.as_secs_f64()).round() as u64
}

fn ms(latency: Duration) -> String {
    let ms = latency.as_secs_f64() * 1_000.0;
    if ms < 100.0 {
        format!("{ms:.1} ms")
    } else {
        format!("{ms:.0} ms")
    }
}

fn mb(bytes: u64) -> String {
    format!("{} MB", (bytes + 500_000) / 1_000_000)
}

/// With a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::records::latencies::Latencies;

    fn outcome(records: u32, seconds: u64) -> Outcome {
        let mut latencies = Latencies::default();
        latencies.push(Duration::from_micros(7_250));
        Outcome {
            records,
            took: Duration::from_secs(seconds),
            latencies,
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        let row = Row {
            server: "Assent, SQLite".to_owned(),
            stored: 10_000_000,
            flat_out: outcome(123_450, 10),
            paced: Some(Paced {
                rate: 5_000,
                outcome: outcome(50_000, 10),
            }),
            at_rest: 13_499_999,
            under_load: 52_500_000,
            disk: 275,
        };
        let line = row.to_string();
        assert_eq!(
            line,
            "| Assent, SQLite | 10,000,000 | 12,345 | 7.2 ms | 7.2 ms | 7.2 ms (5,000/s) | 13 MB | 53 MB | 275 B |"
        );
        let columns = |line: &str| line.matches('|').count();
        assert!(HEAD.lines().all(|head| columns(head) == columns(&line)));
    }

    #[test]
    fn a_rate_that_was_not_kept_is_said_so() {
        let paced = Paced {
            rate: 5_000,
            outcome: outcome(50_000, 20),
        };
        assert_eq!(paced.cell(), "7.2 ms (5,000/s wanted, 2,500 kept)");
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
