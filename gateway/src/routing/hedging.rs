//! When a stream that is slow to begin gets a second attempt beside the first, and how many streams may.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::health::Speeds;

/// Second attempts that may follow at once after quiet times.
const BURST: u32 = 10;
/// The price of one, in hundredths.
const ONE: u32 = 100;

/// Which of an endpoint's times to first token counts, of the last five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Percentile {
    P50,
    P75,
    #[default]
    P90,
    P99,
}

/// The configured rules. Off by default: a second attempt costs what the provider bills for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HedgingRules {
    pub enabled: bool,
    pub percentile: Percentile,
    /// Never sooner; also where nothing was measured.
    pub delay_min: Duration,
    /// Of a hundred streams that could be hedged, so many may be.
    pub share_percent: u32,
}

impl Default for HedgingRules {
    fn default() -> Self {
        Self { enabled: false, percentile: Percentile::default(), delay_min: Duration::from_secs(1), share_percent: 10 }
    }
}

impl HedgingRules {
    /// How long an endpoint of these speeds is waited for.
    pub fn delay(&self, speeds: &Speeds) -> Duration {
        let measured_ms = speeds.ttft_ms(self.percentile as usize);
        Duration::from_secs_f64(f64::from(measured_ms.max(0.0)) / 1_000.0).max(self.delay_min)
    }
}

/// The share of streams that may be hedged, kept by this process: when everything is slow, second attempts would make it slower.
#[derive(Debug)]
pub struct HedgeBudget(AtomicU32);

impl Default for HedgeBudget {
    fn default() -> Self {
        Self(AtomicU32::new(BURST * ONE))
    }
}

impl HedgeBudget {
    /// A stream that could be hedged has begun.
    pub fn earn(&self, share_percent: u32) {
        let add = |left: u32| Some(left.saturating_add(share_percent).min(BURST * ONE));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// `false` where nothing is left.
    pub fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(ONE)).is_ok()
    }

    /// It was not begun after all.
    pub fn give_back(&self) {
        self.earn(ONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_share_of_streams_is_hedged_beyond_a_burst() {
        let budget = HedgeBudget::default();
        assert_eq!((0..100).filter(|_| budget.take()).count(), BURST as usize);
        let hedged = (0..1_000).filter(|_| {
            budget.earn(10);
            budget.take()
        });
        assert_eq!(hedged.count(), 100);
        (0..1_000).for_each(|_| budget.earn(100));
        assert_eq!((0..100).filter(|_| budget.take()).count(), BURST as usize, "what was not used is not saved for ever");
    }

    #[test]
    fn an_endpoint_is_waited_for_as_long_as_it_usually_takes_and_never_less_than_the_floor() {
        let rules = HedgingRules { delay_min: Duration::from_millis(300), ..HedgingRules::default() };
        assert_eq!(rules.delay(&Speeds::default()), Duration::from_millis(300), "nothing was measured");
    }
}
