//! A breaker: after failures in a row nothing is sent for a while, then a bounded number of probes decides.
//!
//! **Half-open is a state of its own**: once the pause is over, [`PROBES_MAX`] attempts may pass; the first success
//! closes the breaker, a failure opens it again for twice as long.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use rand::Rng;
use schemas::Timestamp;
use serde::Serialize;

/// Attempts that may be under way at once while half-open.
pub const PROBES_MAX: u32 = 1;
/// The first pause. A provider that hiccups is asked again soon.
const PAUSE_MICROS_MIN: i64 = 1_000_000;
const PAUSE_MICROS_MAX: i64 = 60_000_000;
/// Doublings beyond this reach the longest pause.
const DOUBLINGS_MAX: u32 = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    Closed,
    Open,
    HalfOpen,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Breaker {
    /// Microseconds; 0 while closed.
    open_until: AtomicI64,
    consecutive_failures: AtomicU32,
    /// Times it opened since the last success.
    trips: AtomicU32,
    probes: AtomicU32,
}

impl Breaker {
    pub fn state(&self, now: Timestamp) -> BreakerState {
        match self.open_until.load(Ordering::Relaxed) {
            0 => BreakerState::Closed,
            until if until > now.micros() => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }

    /// Whether an attempt could pass now. Takes no place.
    pub fn lets_through(&self, now: Timestamp) -> bool {
        match self.state(now) {
            BreakerState::Closed => true,
            BreakerState::Open => false,
            BreakerState::HalfOpen => self.probes.load(Ordering::Relaxed) < PROBES_MAX,
        }
    }

    /// Takes a probe's place; [`Self::leave_probe`] gives it back.
    pub(super) fn enter_probe(&self) -> bool {
        let taken = self.probes.fetch_add(1, Ordering::AcqRel);
        if taken >= PROBES_MAX {
            self.leave_probe();
        }
        taken < PROBES_MAX
    }

    pub(super) fn leave_probe(&self) {
        self.probes.fetch_sub(1, Ordering::AcqRel);
    }

    /// An attempt begins to be answered: a breaker that is not closed closes. `true` where this closed it. The failures in a
    /// row are forgotten only once an answer has come to its end.
    pub fn began(&self) -> bool {
        self.open_until.load(Ordering::Relaxed) != 0 && self.open_until.swap(0, Ordering::AcqRel) != 0
    }

    /// An answer came to its end. `true` where this closed the breaker.
    pub fn succeeded(&self) -> bool {
        if self.consecutive_failures.load(Ordering::Relaxed) != 0 {
            self.consecutive_failures.store(0, Ordering::Relaxed);
        }
        if self.trips.load(Ordering::Relaxed) != 0 {
            self.trips.store(0, Ordering::Relaxed);
        }
        self.began()
    }

    /// One more failure; from `threshold` in a row on it opens. `true` where this opened it.
    pub fn failed(&self, threshold: u32, now: Timestamp, random: &mut impl Rng) -> bool {
        let failures = self.consecutive_failures.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        let until = self.open_until.load(Ordering::Acquire);
        let opens = match self.state(now) {
            BreakerState::Closed => failures >= threshold,
            // Attempts begun before it opened say nothing new.
            BreakerState::Open => false,
            BreakerState::HalfOpen => true,
        };
        if !opens {
            return false;
        }
        let doublings = self.trips.load(Ordering::Relaxed).min(DOUBLINGS_MAX);
        let pause = (PAUSE_MICROS_MIN << doublings).min(PAUSE_MICROS_MAX);
        // Half of it is chance, so that gateways do not probe in step.
        let pause = pause / 2 + random.random_range(0..=pause / 2);
        let new = now.plus_micros(pause).micros();
        let opened = self.open_until.compare_exchange(until, new, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if opened {
            self.trips.fetch_add(1, Ordering::Relaxed);
        }
        opened
    }

    pub fn consecutive_failures(&self) -> u32 {
        self.consecutive_failures.load(Ordering::Relaxed)
    }

    pub fn open_until(&self) -> Option<Timestamp> {
        Some(self.open_until.load(Ordering::Relaxed)).filter(|until| *until != 0).map(Timestamp::from_micros)
    }

    pub fn probes(&self) -> u32 {
        self.probes.load(Ordering::Relaxed)
    }

    /// What was written down, or what another gateway found out: open at least until then.
    pub fn restore(&self, consecutive_failures: u32, open_until: Option<Timestamp>) {
        self.consecutive_failures.fetch_max(consecutive_failures, Ordering::Relaxed);
        if let Some(until) = open_until {
            self.open_until.fetch_max(until.micros(), Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * SECOND)
    }

    #[test]
    fn it_opens_after_the_threshold_and_one_probe_decides() {
        let (breaker, mut random) = (Breaker::default(), rand::rng());
        assert!(!breaker.failed(3, at(100), &mut random));
        assert!(!breaker.failed(3, at(100), &mut random));
        assert_eq!(breaker.state(at(100)), BreakerState::Closed);
        assert!(breaker.failed(3, at(100), &mut random));
        assert_eq!((breaker.state(at(100)), breaker.lets_through(at(100))), (BreakerState::Open, false));
        // The longest first pause is over.
        assert_eq!(breaker.state(at(101)), BreakerState::HalfOpen);
        assert!(breaker.lets_through(at(101)) && breaker.enter_probe());
        assert!(!breaker.lets_through(at(101)) && !breaker.enter_probe(), "probes are bounded");
        assert!(breaker.succeeded());
        breaker.leave_probe();
        assert_eq!((breaker.state(at(101)), breaker.consecutive_failures()), (BreakerState::Closed, 0));
    }

    #[test]
    fn a_failed_probe_opens_it_for_longer() {
        let (breaker, mut random) = (Breaker::default(), rand::rng());
        breaker.failed(1, at(100), &mut random);
        let first = breaker.open_until().map(Timestamp::micros);
        assert!(first.is_some_and(|until| (at(100).micros() + SECOND / 2..=at(101).micros()).contains(&until)));
        assert!(breaker.failed(1, at(101), &mut random));
        let second = breaker.open_until().map(Timestamp::micros);
        assert!(second.is_some_and(|until| (at(102).micros()..=at(103).micros()).contains(&until)), "{second:?}");
        for _ in 0..20 {
            let until = breaker.open_until().unwrap_or_default();
            breaker.failed(1, until, &mut random);
            let pause = breaker.open_until().unwrap_or_default().micros() - until.micros();
            assert!(pause <= PAUSE_MICROS_MAX);
        }
    }

    #[test]
    fn failures_of_attempts_begun_before_it_opened_do_not_prolong_the_pause() {
        let (breaker, mut random) = (Breaker::default(), rand::rng());
        breaker.failed(1, at(100), &mut random);
        let until = breaker.open_until();
        assert!(!breaker.failed(1, at(100), &mut random));
        assert_eq!(breaker.open_until(), until);
    }
}
