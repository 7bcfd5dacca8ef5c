//! The one place that draws random values, and what they are drawn for.

use assent_consent::record;
use uuid::{Builder, Uuid};

/// Where random bytes come from.
pub(crate) trait Random: Send + Sync + 'static {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The system has no randomness to give: nothing secret can be made.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub(crate) struct NoRandomness;

/// The operating system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(bytes).map_err(|_| NoRandomness)
    }
}

/// A secret of 32 bytes for links and cookies, as 64 hexadecimal digits.
pub(crate) fn token(random: &dyn Random) -> Result<String, NoRandomness> {
    let mut bytes = [0; 32];
    random.fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

/// A subject key: 32 hexadecimal digits.
pub(crate) fn subject_key(random: &dyn Random, now_ms: i64) -> Result<String, NoRandomness> {
    let mut bytes = [0; 12];
    random.fill(&mut bytes)?;
    Ok(record::subject_key(now_ms, bytes))
}

/// An id that sorts by time (UUID version 7).
pub(crate) fn id(random: &dyn Random, now_ms: i64) -> Result<Uuid, NoRandomness> {
    let mut bytes = [0; 10];
    random.fill(&mut bytes)?;
    let now_ms = u64::try_from(now_ms).unwrap_or_default();
    Ok(Builder::from_unix_timestamp_millis(now_ms, &bytes).into_uuid())
}

/// Values that differ from each other and are the same in every run.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct CountingRandom(std::sync::atomic::AtomicU64);

#[cfg(test)]
impl Random for CountingRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        use sha2::Digest as _;
        let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let digest = sha2::Sha256::digest(count.to_be_bytes());
        bytes.copy_from_slice(&digest[..bytes.len()]);
        Ok(())
    }
}
