//! The one place that reads the time.

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970, UTC.
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .unwrap_or(0)
    }
}

/// A time in words that read the same in every language: `2026-11-21 20:11 UTC`.
pub(crate) fn readable(at_ms: i64) -> String {
    format(at_ms, "%Y-%m-%d %H:%M UTC")
}

/// A time as machines read it: `2026-11-21T20:11:00Z`.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    format(at_ms, "%Y-%m-%dT%H:%M:%SZ")
}

fn format(at_ms: i64, pattern: &str) -> String {
    jiff::Timestamp::from_millisecond(at_ms)
        .map(|at| at.strftime(pattern).to_string())
        .unwrap_or_default()
}

/// A clock that stands still until it is told otherwise.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct FixedClock(std::sync::atomic::AtomicI64);

#[cfg(test)]
impl FixedClock {
    /// A clock that shows this time, in milliseconds since 1970.
    pub(crate) fn new(now_ms: i64) -> Self {
        Self(now_ms.into())
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, std::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(test)]
impl Clock for FixedClock {
    fn now_ms(&self) -> i64 {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}
