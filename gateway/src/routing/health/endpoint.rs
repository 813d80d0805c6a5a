//! The live state of one endpoint: its speed, its counts, and whether it lately failed.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;
use projector::histogram::Percentiles;
use schemas::Timestamp;

use super::HealthStatus;
use super::breaker::Breaker;
use super::outcome::Ending;
use super::windows::{Window, Windows};

/// Fewer attempts than this in five minutes say nothing about an endpoint.
const JUDGED_ATTEMPTS_MIN: u64 = 20;
/// Successes of a thousand: from here on normal; below the second, down.
const NORMAL_PERMILLE: u64 = 950;
const DEGRADED_PERMILLE: u64 = 800;
/// A failure is remembered against an endpoint for so long.
pub const UNSTABLE_MICROS: i64 = 30_000_000;
/// How much a new measurement moves a mean, in percent.
const NEW_PERCENT: f64 = 0.2;
/// An older measurement says nothing any more: who was slow once is asked again some day.
const FORGOTTEN_MICROS: i64 = 10 * 60 * 1_000_000;

/// A mean that forgets, 0 where nothing was measured.
#[derive(Debug, Default)]
struct Mean {
    value_bits: AtomicU64,
    measured_at: AtomicI64,
}

impl Mean {
    fn add(&self, value: f64, now: Timestamp) {
        let before = f64::from_bits(self.value_bits.load(Ordering::Relaxed));
        // Two at once may lose one: a mean does not mind.
        let after = if before == 0.0 { value } else { before + (value - before) * NEW_PERCENT };
        self.value_bits.store(after.to_bits(), Ordering::Relaxed);
        self.measured_at.store(now.micros(), Ordering::Relaxed);
    }

    fn get(&self) -> f64 {
        f64::from_bits(self.value_bits.load(Ordering::Relaxed))
    }

    /// The mean, while it says something.
    fn at(&self, now: Timestamp) -> f64 {
        let is_old = self.measured_at.load(Ordering::Relaxed) + FORGOTTEN_MICROS < now.micros();
        if is_old { 0.0 } else { self.get() }
    }
}

/// Percentiles of the last five minutes, as routing reads them; 0 where nothing was measured.
#[derive(Debug, Default)]
pub struct Speeds {
    ttft_ms: [AtomicU32; 4],
    throughput: [AtomicU32; 4],
}

impl Speeds {
    fn set(of: &[AtomicU32; 4], percentiles: Option<Percentiles>) {
        let values = percentiles.map_or([0.0; 4], |of| [of.p50, of.p75, of.p90, of.p99]);
        for (cell, value) in of.iter().zip(values) {
            cell.store((value as f32).to_bits(), Ordering::Relaxed);
        }
    }

    /// `place` counts p50, p75, p90, p99.
    pub fn ttft_ms(&self, place: usize) -> f32 {
        self.ttft_ms.get(place).map_or(0.0, |cell| f32::from_bits(cell.load(Ordering::Relaxed)))
    }

    pub fn throughput(&self, place: usize) -> f32 {
        self.throughput.get(place).map_or(0.0, |cell| f32::from_bits(cell.load(Ordering::Relaxed)))
    }
}

/// See the module. Kept across catalogs.
#[derive(Debug, Default)]
pub struct EndpointState {
    /// Its own: a model the provider does not have says nothing about the others.
    pub breaker: Breaker,
    pub speeds: Speeds,
    ttft_ms: Mean,
    latency_ms: Mean,
    last_failure_at: AtomicI64,
    status: AtomicU8,
    windows: Mutex<Windows>,
    /// Of all other gateways.
    elsewhere: Mutex<Vec<Windows>>,
}

impl EndpointState {
    /// As far as the counts of the last five minutes go.
    pub fn status(&self) -> HealthStatus {
        HealthStatus::from_byte(self.status.load(Ordering::Relaxed))
    }

    /// Whether it failed a moment ago.
    pub fn is_unstable(&self, now: Timestamp) -> bool {
        self.last_failure_at.load(Ordering::Relaxed) + UNSTABLE_MICROS > now.micros()
    }

    /// Milliseconds until it begins to answer, as expected now; 0 where unknown.
    pub fn expected_ttft_ms(&self, now: Timestamp) -> f64 {
        self.ttft_ms.at(now)
    }

    /// Milliseconds for a whole answer, as expected now; 0 where unknown.
    pub fn expected_latency_ms(&self, now: Timestamp) -> f64 {
        self.latency_ms.at(now)
    }

    pub fn means(&self) -> (f64, f64) {
        (self.ttft_ms.get(), self.latency_ms.get())
    }

    /// It began to answer.
    pub fn began(&self, ttft_ms: Option<u64>, now: Timestamp) {
        if let Some(ttft_ms) = ttft_ms {
            self.ttft_ms.add(ttft_ms.max(1) as f64, now);
        }
    }

    /// It had not begun to answer after so long: less than that is no longer expected of it.
    pub fn waited(&self, waited_ms: u64, now: Timestamp) {
        if waited_ms as f64 > self.ttft_ms.at(now) {
            self.ttft_ms.add(waited_ms as f64, now);
        }
    }

    /// Counts an attempt's end.
    pub fn ended(&self, ending: Ending, ttft_ms: Option<u64>, now: Timestamp) {
        match ending {
            // Whole answers are compared with whole answers.
            Ending::Succeeded { latency_ms, .. } if ttft_ms.is_none() => self.latency_ms.add(latency_ms.max(1) as f64, now),
            Ending::Failed(blame) if !matches!(blame, super::Blame::Nobody | super::Blame::RateLimited) => {
                self.last_failure_at.fetch_max(now.micros(), Ordering::Relaxed);
            }
            Ending::Succeeded { .. } | Ending::Failed(_) => {}
        }
        self.windows.lock().count(ending, ttft_ms, now);
    }

    /// The counts of a window, over all gateways.
    pub fn counts(&self, window: Window, now: Timestamp) -> super::Counts {
        let mut counts = self.windows.lock().counts(window, now);
        self.elsewhere.lock().iter().for_each(|windows| counts.add(&windows.counts(window, now)));
        counts
    }

    /// This gateway's own counts.
    pub fn own_windows(&self) -> Windows {
        self.windows.lock().clone()
    }

    pub fn percentiles(&self, now: Timestamp) -> (Option<Percentiles>, Option<Percentiles>) {
        let windows = self.windows.lock();
        (windows.ttft_ms(now), windows.throughput(now))
    }

    /// What was written down before this life.
    pub fn restore(&self, windows: Windows, (ttft_ms, latency_ms): (f64, f64), now: Timestamp) {
        *self.windows.lock() = windows;
        for (mean, value) in [(&self.ttft_ms, ttft_ms), (&self.latency_ms, latency_ms)] {
            if value.is_finite() && value > 0.0 {
                mean.add(value, now);
            }
        }
    }

    /// What other gateways count.
    pub fn set_elsewhere(&self, windows: Vec<Windows>) {
        *self.elsewhere.lock() = windows;
    }

    /// What another gateway measured, where this one did not.
    pub fn hear_of(&self, (ttft_ms, latency_ms): (f64, f64), now: Timestamp) {
        for (mean, value) in [(&self.ttft_ms, ttft_ms), (&self.latency_ms, latency_ms)] {
            if mean.get() == 0.0 && value.is_finite() && value > 0.0 {
                mean.add(value, now);
            }
        }
    }

    /// Judges anew; run from time to time, because counts grow old by themselves.
    pub fn judge(&self, now: Timestamp) {
        let counts = self.counts(Window::FiveMinutes, now);
        let status = match counts.success_permille().filter(|_| counts.counted() >= JUDGED_ATTEMPTS_MIN) {
            Some(permille) if permille < DEGRADED_PERMILLE => HealthStatus::Unhealthy,
            Some(permille) if permille < NORMAL_PERMILLE => HealthStatus::Degraded,
            _ => HealthStatus::Healthy,
        };
        self.status.store(status as u8, Ordering::Relaxed);
        let (ttft, throughput) = self.percentiles(now);
        Speeds::set(&self.speeds.ttft_ms, ttft);
        Speeds::set(&self.speeds.throughput, throughput);
    }
}
