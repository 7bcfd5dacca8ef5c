//! How often one address may send.
//!
//! Each limit counts in a fixed number of slots; an address and a site are hashed into one of them with a
//! secret of this process. Memory is bounded by that, and no one can choose whom to share a slot with.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};

use crate::config::LimitConfig;

const SLOTS: u64 = 1 << 18;

/// The limits of the server.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Consent records.
    pub(crate) records: Limit,
    /// Impressions of the banner.
    pub(crate) events: Limit,
    /// Tokens between site and center, made or redeemed.
    pub(crate) handovers: Limit,
    /// Attempts to sign in.
    pub(crate) sign_ins: Limit,
    /// Records and proofs that are asked for.
    pub(crate) proofs: Limit,
}

impl Limits {
    /// Limits as configured.
    pub(crate) fn new(config: &LimitConfig) -> Self {
        Self {
            records: Limit::per_minute(config.records_per_minute),
            events: Limit::per_minute(config.events_per_minute),
            handovers: Limit::per_minute(config.handovers_per_minute),
            sign_ins: Limit::per_minute(config.sign_ins_per_minute),
            proofs: Limit::per_minute(config.proofs_per_minute),
        }
    }

    /// Forgets addresses that have been quiet.
    pub(crate) fn sweep(&self) {
        for limit in [
            &self.records,
            &self.events,
            &self.handovers,
            &self.sign_ins,
            &self.proofs,
        ] {
            if let Some(limiter) = &limit.limiter {
                limiter.retain_recent();
            }
        }
    }
}

/// One limit; `None` lets everything pass.
#[derive(Debug)]
pub(crate) struct Limit {
    limiter: Option<DefaultKeyedRateLimiter<u64>>,
    hasher: RandomState,
}

impl Limit {
    /// `count` each minute, at once or spread; 0 switches the limit off.
    pub(crate) fn per_minute(count: u32) -> Self {
        Self {
            limiter: NonZeroU32::new(count).map(|count| RateLimiter::dashmap(Quota::per_minute(count))),
            hasher: RandomState::new(),
        }
    }

    /// Counts one more. `Err` holds the seconds after which the next will pass.
    pub(crate) fn check(&self, address: IpAddr, site: &str) -> Result<(), u64> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        let slot = self.hasher.hash_one((household(address), site)) % SLOTS;
        limiter
            .check_key(&slot)
            .map_err(|until| until.wait_time_from(limiter.clock().now()).as_secs() + 1)
    }
}

/// An IPv6 customer has at least a /64: its addresses count as one.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_limited_for_one_site_only() {
        let limit = Limit::per_minute(2);
        let address = "192.0.2.7".parse().unwrap();
        assert_eq!(limit.check(address, "a"), Ok(()));
        assert_eq!(limit.check(address, "a"), Ok(()));
        assert!(
            limit
                .check(address, "a")
                .is_err_and(|wait_s| (1..=31).contains(&wait_s))
        );
        assert_eq!(limit.check(address, "b"), Ok(()));
        assert_eq!(limit.check("192.0.2.8".parse().unwrap(), "a"), Ok(()));
    }

    #[test]
    fn zero_is_off_and_neighbours_of_one_ipv6_network_count_as_one() {
        let off = Limit::per_minute(0);
        let one = Limit::per_minute(1);
        let (a, b) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        assert!((0..100).all(|_| off.check(a, "a").is_ok()));
        assert!(one.check(a, "a").is_ok());
        assert!(one.check(b, "a").is_err());
        assert!(one.check("2001:db8:0:1::1".parse().unwrap(), "a").is_ok());
    }
}
