//! So many units a minute, kept by one number: the time at which everything taken so far will have been earned.

use std::sync::atomic::{AtomicI64, Ordering};

use schemas::Timestamp;

const MICROS_PER_MINUTE: i64 = 60_000_000;
/// So much of a minute's units may come at once.
const BURST_MICROS: i64 = MICROS_PER_MINUTE / 6;

/// A meter of a rate; see the module.
#[derive(Debug, Default)]
pub struct RateMeter(AtomicI64);

impl RateMeter {
    /// In how many microseconds there will be room for `units`; none where there is now.
    pub fn wait(&self, units: u64, per_minute: u64, now: Timestamp) -> Option<i64> {
        Self::after(self.0.load(Ordering::Relaxed), units, per_minute, now).err()
    }

    /// Takes units, or says in how many microseconds there will be room for them.
    pub fn take(&self, units: u64, per_minute: u64, now: Timestamp) -> Result<(), i64> {
        let mut wait = 0;
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |earned_at| {
            Self::after(earned_at, units, per_minute, now).inspect_err(|micros| wait = *micros).ok()
        });
        taken.map(|_| ()).map_err(|_| wait)
    }

    /// Gives back what was taken for nothing.
    pub fn give_back(&self, units: u64, per_minute: u64) {
        self.0.fetch_sub(cost(units, per_minute), Ordering::AcqRel);
    }

    fn after(earned_at: i64, units: u64, per_minute: u64, now: Timestamp) -> Result<i64, i64> {
        let cost = cost(units, per_minute);
        let start = earned_at.max(now.micros());
        let ahead = start - now.micros() + cost;
        // Something larger than a burst passes when nothing else is owed.
        let allowed = BURST_MICROS.max(cost);
        if ahead <= allowed { Ok(start + cost) } else { Err(ahead - allowed) }
    }
}

fn cost(units: u64, per_minute: u64) -> i64 {
    let cost = u128::from(units) * u128::from(MICROS_PER_MINUTE.unsigned_abs()) / u128::from(per_minute.max(1));
    i64::try_from(cost).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_takes_its_units_and_a_burst_no_more() {
        let meter = RateMeter::default();
        let start = 1_000_000_000_000;
        let taken = (0..600).filter(|tenth| meter.take(1, 60, Timestamp::from_micros(start + tenth * 100_000)).is_ok()).count();
        assert!((60..=70).contains(&taken), "{taken}");
    }

    #[test]
    fn a_refusal_says_how_long_to_wait() {
        let (meter, now) = (RateMeter::default(), Timestamp::from_micros(1_000_000_000_000));
        assert_eq!(meter.take(10, 60, now), Ok(()));
        let wait = meter.take(1, 60, now).err().unwrap_or_default();
        assert_eq!(wait, 1_000_000);
        assert_eq!((meter.wait(1, 60, now), meter.wait(1, 60, now.plus_micros(wait))), (Some(wait), None));
        meter.give_back(10, 60);
        assert_eq!(meter.take(1, 60, now), Ok(()));
        // Larger than any burst, and nothing owed.
        assert_eq!(RateMeter::default().take(600, 60, now), Ok(()));
    }
}
