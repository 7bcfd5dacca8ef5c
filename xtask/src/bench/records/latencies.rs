//! How long answers took.

use std::time::Duration;

/// Latencies of one load, in microseconds, in no order until they are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies(Vec<u32>);

impl Latencies {
    /// One more.
    pub(super) fn push(&mut self, latency: Duration) {
        self.0
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A percentile by nearest rank; nothing where there are none.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        let us = sorted.get(rank).copied().unwrap_or_default();
        Duration::from_micros(us.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(99), Duration::ZERO);
        for ms in (1..=200).rev() {
            latencies.push(Duration::from_millis(ms));
        }
        for (percent, ms) in [(50, 100), (99, 198), (100, 200)] {
            assert_eq!(latencies.percentile(percent), Duration::from_millis(ms));
        }
    }

    #[test]
    fn a_latency_beyond_all_measure_is_the_longest() {
        let mut latencies = Latencies::default();
        latencies.push(Duration::from_hours(24));
        assert_eq!(latencies.percentile(50), Duration::from_micros(u32::MAX.into()));
    }
}
