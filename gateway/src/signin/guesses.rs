//! How often something may be tried: a token bucket for each key, in this process.
//!
//! Keys are addresses and hashes of what was tried; what a full table forgets first is what is nearest to full again.
//! With several gateways each counts for itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Keys remembered at once.
const KEYS_MAX: usize = 65_536;

/// A bound on tries.
#[derive(Debug)]
pub struct Guesses<K> {
    burst: f64,
    /// Tries that come back each second.
    refill: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// How long to wait until the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    pub retry_after_seconds: u64,
}

impl<K: Eq + Hash> Guesses<K> {
    /// `burst` tries at once, and as many again over `period`.
    pub fn new(burst: u32, period: Duration) -> Self {
        let burst = f64::from(burst);
        Self { burst, refill: burst / period.as_secs_f64(), buckets: Mutex::default() }
    }

    /// Takes one try.
    pub fn take(&self, key: K) -> Result<(), TooMany> {
        self.take_at(key, Instant::now())
    }

    fn take_at(&self, key: K, now: Instant) -> Result<(), TooMany> {
        let mut buckets = self.buckets.lock();
        if buckets.len() >= KEYS_MAX && !buckets.contains_key(&key) {
            self.make_room(&mut buckets, now);
        }
        let bucket = buckets.entry(key).or_insert(Bucket { left: self.burst, at: now });
        *bucket = Bucket { left: self.left(bucket, now), at: now };
        if bucket.left < 1.0 {
            let seconds = ((1.0 - bucket.left) / self.refill).ceil();
            return Err(TooMany { retry_after_seconds: (seconds as u64).max(1) });
        }
        bucket.left -= 1.0;
        Ok(())
    }

    /// Gives a try back: it was no guess.
    pub fn give_back(&self, key: &K) {
        if let Some(bucket) = self.buckets.lock().get_mut(key) {
            bucket.left = (bucket.left + 1.0).min(self.burst);
        }
    }

    fn left(&self, bucket: &Bucket, now: Instant) -> f64 {
        (bucket.left + now.duration_since(bucket.at).as_secs_f64() * self.refill).min(self.burst)
    }

    /// Forgets the emptier half of what is known least about.
    fn make_room(&self, buckets: &mut HashMap<K, Bucket>, now: Instant) {
        for share in [1.0, 0.75, 0.5, 0.0] {
            buckets.retain(|_, bucket| self.left(bucket, now) < self.burst * share);
            if buckets.len() < KEYS_MAX {
                return;
            }
        }
    }
}

/// What addresses are counted by: one machine has a whole /64 of the newer kind.
pub fn counted_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            IpAddr::V6(Ipv6Addr::new(segments[0], segments[1], segments[2], segments[3], 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn tries_run_out_and_come_back_with_time() {
        let guesses = Guesses::new(3, Duration::from_secs(30));
        let start = Instant::now();
        for _ in 0..3 {
            guesses.take_at("a", start).unwrap();
        }
        assert_eq!(guesses.take_at("a", start), Err(TooMany { retry_after_seconds: 10 }));
        assert!(guesses.take_at("b", start).is_ok(), "another key has its own");
        assert!(guesses.take_at("a", start + Duration::from_secs(10)).is_ok());
        assert!(guesses.take_at("a", start + Duration::from_secs(10)).is_err());
        guesses.give_back(&"a");
        assert!(guesses.take_at("a", start + Duration::from_secs(10)).is_ok());
    }

    #[test]
    fn a_full_table_forgets_those_that_tried_least() {
        let guesses = Guesses::new(2, Duration::from_secs(3600));
        let start = Instant::now();
        guesses.take_at(usize::MAX, start).unwrap();
        guesses.take_at(usize::MAX, start).unwrap();
        for key in 0..KEYS_MAX {
            guesses.take_at(key, start).unwrap();
        }
        assert!(guesses.buckets.lock().len() <= KEYS_MAX);
        assert!(guesses.take_at(usize::MAX, start).is_err(), "whoever has no tries left has none after that");
    }

    #[test]
    fn neighbours_in_one_network_count_together() {
        let counted = |text: &str| counted_address(text.parse().unwrap());
        assert_eq!(counted("2001:db8::1"), counted("2001:db8::ffff:2"));
        assert_eq!(counted("::ffff:192.0.2.1"), counted("192.0.2.1"));
        assert_ne!(counted("192.0.2.1"), counted("192.0.2.2"));
    }
}
