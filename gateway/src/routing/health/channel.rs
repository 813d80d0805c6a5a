//! The live state of one channel: its breaker, what its provider asked for, and what runs there now.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicUsize, Ordering};

use schemas::Timestamp;

use super::breaker::{Breaker, BreakerState};
use super::rate::RateMeter;
use super::{ChannelKey, HealthStatus};
use crate::control::channel::ChannelLimitsSpec;

/// See the module. Kept across catalogs as long as the channel's address is the same.
#[derive(Debug)]
pub struct ChannelState {
    pub breaker: Breaker,
    /// Its provider asked every key to wait until then.
    cool_until: AtomicI64,
    last_check_at: AtomicI64,
    last_success_at: AtomicI64,
    last_failure_at: AtomicI64,
    in_flight: AtomicU32,
    requests: RateMeter,
    tokens: RateMeter,
    /// Gateways that share its limits.
    gateways: AtomicU32,
    next_key: AtomicUsize,
    status: AtomicU8,
    /// What it waits for is the end of a failure, not of a limit.
    pauses: AtomicBool,
}

impl Default for ChannelState {
    fn default() -> Self {
        Self {
            breaker: Breaker::default(),
            cool_until: AtomicI64::new(0),
            last_check_at: AtomicI64::new(0),
            last_success_at: AtomicI64::new(0),
            last_failure_at: AtomicI64::new(0),
            in_flight: AtomicU32::new(0),
            requests: RateMeter::default(),
            tokens: RateMeter::default(),
            gateways: AtomicU32::new(1),
            next_key: AtomicUsize::new(0),
            status: AtomicU8::new(0),
            pauses: AtomicBool::new(false),
        }
    }
}

/// Why a channel takes no attempt now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassRefusal {
    BreakerOpen {
        until: Timestamp,
    },
    /// Its provider has enough of us for now.
    CoolingDown {
        until: Timestamp,
    },
    /// Its provider failed, and said when to come again.
    Pausing {
        until: Timestamp,
    },
    /// Its provider refuses all its keys.
    KeysRefused {
        until: Timestamp,
    },
    Concurrency,
    RequestRate {
        wait_micros: i64,
    },
    TokenRate {
        wait_micros: i64,
    },
}

impl PassRefusal {
    /// Until when it stands.
    pub const fn until(self, now: Timestamp) -> Timestamp {
        match self {
            Self::BreakerOpen { until } | Self::CoolingDown { until } | Self::Pausing { until } | Self::KeysRefused { until } => until,
            Self::Concurrency => now,
            Self::RequestRate { wait_micros } | Self::TokenRate { wait_micros } => now.plus_micros(wait_micros),
        }
    }

    /// Whether it is the provider's word (or the channel's limit) on how much may be sent, not a failure.
    pub const fn is_about_rates(self) -> bool {
        matches!(self, Self::CoolingDown { .. } | Self::Concurrency | Self::RequestRate { .. } | Self::TokenRate { .. })
    }
}

/// An attempt's place at a channel; given back when dropped.
#[derive(Debug)]
pub struct Pass {
    state: Arc<ChannelState>,
    is_probe: bool,
    /// Index of the key to be used; 0 where there is none.
    pub key: usize,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.state.in_flight.fetch_sub(1, Ordering::AcqRel);
        if self.is_probe {
            self.state.breaker.leave_probe();
        }
    }
}

fn instant(cell: &AtomicI64) -> Option<Timestamp> {
    Some(cell.load(Ordering::Relaxed)).filter(|micros| *micros != 0).map(Timestamp::from_micros)
}

impl ChannelState {
    /// Whether an attempt could pass now, told by a few atomics. Takes no place.
    pub fn refusal(&self, keys: &[ChannelKey], limits: &ChannelLimitsSpec, now: Timestamp) -> Option<PassRefusal> {
        if !self.breaker.lets_through(now) {
            return Some(PassRefusal::BreakerOpen { until: self.breaker.open_until().unwrap_or(now) });
        }
        if let Some(refusal) = self.waits(keys, now) {
            return Some(refusal);
        }
        if limits.concurrency.is_some_and(|limit| self.in_flight.load(Ordering::Relaxed) >= self.share(limit)) {
            return Some(PassRefusal::Concurrency);
        }
        let per_minute = limits.requests_per_minute.map(|limit| u64::from(self.share(limit)));
        per_minute.and_then(|per_minute| self.requests.wait(1, per_minute, now)).map(|wait_micros| PassRefusal::RequestRate { wait_micros })
    }

    fn waits(&self, keys: &[ChannelKey], now: Timestamp) -> Option<PassRefusal> {
        let cool_until = self.cool_until.load(Ordering::Relaxed);
        if cool_until > now.micros() {
            return Some(self.waits_until(Timestamp::from_micros(cool_until)));
        }
        if keys.is_empty() || keys.iter().any(|key| key.state.is_usable(now)) {
            return None;
        }
        let cooling = keys.iter().filter(|key| !key.state.is_refused(now)).filter_map(|key| key.state.cool_until()).min();
        let refused = || keys.iter().filter_map(|key| key.state.refused_until()).min().unwrap_or(now);
        Some(cooling.map_or_else(|| PassRefusal::KeysRefused { until: refused() }, |until| self.waits_until(until)))
    }

    fn waits_until(&self, until: Timestamp) -> PassRefusal {
        if self.pauses.load(Ordering::Relaxed) { PassRefusal::Pausing { until } } else { PassRefusal::CoolingDown { until } }
    }

    /// Takes a place for an attempt that may use so many tokens, and chooses its key.
    pub fn enter(
        self: &Arc<Self>,
        keys: &[ChannelKey],
        limits: &ChannelLimitsSpec,
        tokens: u64,
        now: Timestamp,
    ) -> Result<Pass, PassRefusal> {
        if let Some(refusal) = self.waits(keys, now) {
            return Err(refusal);
        }
        let is_probe = match self.breaker.state(now) {
            BreakerState::Closed => false,
            BreakerState::HalfOpen if self.breaker.enter_probe() => true,
            BreakerState::Open | BreakerState::HalfOpen => {
                return Err(PassRefusal::BreakerOpen { until: self.breaker.open_until().unwrap_or(now) });
            }
        };
        let running = self.in_flight.fetch_add(1, Ordering::AcqRel);
        let pass = Pass { state: Arc::clone(self), is_probe, key: self.turn(keys, now) };
        if limits.concurrency.is_some_and(|limit| running >= self.share(limit)) {
            return Err(PassRefusal::Concurrency);
        }
        let per_minute = limits.requests_per_minute.map(|limit| u64::from(self.share(limit)));
        if let Some(per_minute) = per_minute {
            self.requests.take(1, per_minute, now).map_err(|wait_micros| PassRefusal::RequestRate { wait_micros })?;
        }
        if let Some(limit) = limits.tokens_per_minute {
            let share = (limit / u64::from(self.gateways.load(Ordering::Relaxed).max(1))).max(1);
            if let Err(wait_micros) = self.tokens.take(tokens, share, now) {
                if let Some(per_minute) = per_minute {
                    self.requests.give_back(1, per_minute);
                }
                return Err(PassRefusal::TokenRate { wait_micros });
            }
        }
        Ok(pass)
    }

    /// This gateway's part of a limit of the whole deployment.
    fn share(&self, limit: u32) -> u32 {
        (limit / self.gateways.load(Ordering::Relaxed).max(1)).max(1)
    }

    pub fn set_gateways(&self, gateways: u32) {
        self.gateways.store(gateways.max(1), Ordering::Relaxed);
    }

    /// Keys take turns; those that are refused or cooling are passed over.
    fn turn(&self, keys: &[ChannelKey], now: Timestamp) -> usize {
        if keys.len() < 2 {
            return 0;
        }
        let turn = self.next_key.fetch_add(1, Ordering::Relaxed);
        let places = (0..keys.len()).map(|step| turn.wrapping_add(step) % keys.len());
        places.into_iter().find(|place| keys[*place].state.is_usable(now)).unwrap_or(0)
    }

    /// Its provider asks to wait, after a failure or because of its limits: this key of several, else the channel.
    pub fn cool(&self, keys: &[ChannelKey], key: usize, until: Timestamp, has_failed: bool) {
        self.pauses.store(has_failed, Ordering::Relaxed);
        if let Some(key) = keys.get(key) {
            key.state.cool(until);
        }
        if keys.len() < 2 {
            self.cool_until.fetch_max(until.micros(), Ordering::AcqRel);
        }
    }

    pub fn succeeded_at(&self, now: Timestamp) {
        self.last_success_at.fetch_max(now.micros(), Ordering::Relaxed);
    }

    pub fn failed_at(&self, now: Timestamp) {
        self.last_failure_at.fetch_max(now.micros(), Ordering::Relaxed);
    }

    pub fn checked_at(&self, now: Timestamp) {
        self.last_check_at.fetch_max(now.micros(), Ordering::Relaxed);
    }

    /// What was written down, or what another gateway found out.
    pub fn restore(&self, last_check_at: Option<Timestamp>, last_success_at: Option<Timestamp>, last_failure_at: Option<Timestamp>) {
        let cells =
            [(&self.last_check_at, last_check_at), (&self.last_success_at, last_success_at), (&self.last_failure_at, last_failure_at)];
        for (cell, at) in cells.into_iter().filter_map(|(cell, at)| Some((cell, at?))) {
            cell.fetch_max(at.micros(), Ordering::Relaxed);
        }
    }

    pub fn cool_until_at_least(&self, until: Timestamp) {
        self.cool_until.fetch_max(until.micros(), Ordering::AcqRel);
    }

    pub fn cool_until(&self) -> Option<Timestamp> {
        instant(&self.cool_until)
    }

    pub fn last_check_at(&self) -> Option<Timestamp> {
        instant(&self.last_check_at)
    }

    pub fn last_success_at(&self) -> Option<Timestamp> {
        instant(&self.last_success_at)
    }

    pub fn last_failure_at(&self) -> Option<Timestamp> {
        instant(&self.last_failure_at)
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// As last judged.
    pub fn status(&self) -> HealthStatus {
        HealthStatus::from_byte(self.status.load(Ordering::Relaxed))
    }

    /// `true` where that changed.
    pub fn set_status(&self, status: HealthStatus) -> bool {
        self.status.swap(status as u8, Ordering::AcqRel) != status as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::secrets::Secret;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000_000);

    fn keys() -> Vec<ChannelKey> {
        ["one", "two", "three"].map(|key| ChannelKey::new(Secret::new(key))).into()
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let state = Arc::new(ChannelState::default());
        let limits = ChannelLimitsSpec { concurrency: Some(2), ..ChannelLimitsSpec::default() };
        let one = state.enter(&[], &limits, 10, NOW);
        let two = state.enter(&[], &limits, 10, NOW);
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(state.enter(&[], &limits, 10, NOW).err(), Some(PassRefusal::Concurrency));
        assert_eq!(state.refusal(&[], &limits, NOW), Some(PassRefusal::Concurrency));
        drop(one);
        assert_eq!((state.in_flight(), state.refusal(&[], &limits, NOW)), (1, None));
        drop(two);
        state.set_gateways(2);
        let _one = state.enter(&[], &limits, 10, NOW);
        assert_eq!(state.refusal(&[], &limits, NOW), Some(PassRefusal::Concurrency), "two gateways share two places");
    }

    #[test]
    fn a_token_rate_that_refuses_takes_no_request() {
        let state = Arc::new(ChannelState::default());
        let limits = ChannelLimitsSpec { tokens_per_minute: Some(600), requests_per_minute: Some(60), concurrency: None };
        assert!(state.enter(&[], &limits, 100, NOW).is_ok());
        assert!(matches!(state.enter(&[], &limits, 100, NOW), Err(PassRefusal::TokenRate { wait_micros }) if wait_micros > 0));
        assert_eq!(state.in_flight(), 0);
        let more = (0..20).filter(|_| state.enter(&[], &ChannelLimitsSpec { tokens_per_minute: None, ..limits }, 1, NOW).is_ok()).count();
        assert_eq!(more, 9, "ten a burst, one of them taken");
    }

    #[test]
    fn keys_take_turns_and_those_that_are_refused_are_passed_over() {
        let (state, keys, limits) = (Arc::new(ChannelState::default()), keys(), ChannelLimitsSpec::default());
        let turn = || state.enter(&keys, &limits, 1, NOW).map(|pass| pass.key);
        assert_eq!([turn(), turn(), turn(), turn()], [Ok(0), Ok(1), Ok(2), Ok(0)]);
        assert!(keys[1].state.refuse_until(NOW.plus_micros(1_000), NOW));
        assert!(!keys[1].state.refuse_until(NOW.plus_micros(2_000), NOW), "it is told once");
        assert!((0..6).all(|_| turn() != Ok(1)));
        state.cool(&keys, 0, NOW.plus_micros(500), false);
        assert!((0..3).all(|_| turn() == Ok(2)));
        state.cool(&keys, 2, NOW.plus_micros(700), false);
        assert_eq!(turn(), Err(PassRefusal::CoolingDown { until: NOW.plus_micros(500) }), "the first of them that rests no longer");
    }
}
