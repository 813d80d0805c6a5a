//! Requests and tokens a minute: the generic cell rate algorithm in exact integers.
//!
//! A cell is a request or a token. The level counts cell-microseconds: every cell adds a minute of
//! microseconds, and `limit` drain away each microsecond, so that nothing is ever rounded and a full
//! minute's worth may come at once. Pure: a check returns the next state, the caller keeps it or not.

use schemas::Timestamp;

/// What one cell adds to a level: the microseconds of a minute.
const CELL: u64 = 60_000_000;
/// A higher limit counts as this one. It keeps every level below 2⁵³, exact also where numbers are doubles.
pub const RATE_MAX_PER_MINUTE: u64 = 150_000_000;
/// Levels stop here; a limit of any size has drained it within two minutes of its largest burst.
const LEVEL_MAX: u64 = (1 << 53) - 1;
/// A clock that went back by more than this was stepped: what it measured before means nothing now.
const CLOCK_STEP_MICROS: i64 = 1_000_000;

/// One limit's state. The default is a full allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bucket {
    level: u64,
    at: Timestamp,
    /// As of the last check that was kept: corrections drain by it.
    limit: u64,
}

/// A request that does not fit now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    /// Whole cells that would have fitted.
    pub remaining: u64,
    /// `None`: it would never fit.
    pub retry_after_ms: Option<u64>,
}

impl Bucket {
    /// The state after `cells` more, or why they do not fit.
    pub fn take(&self, limit_per_minute: u64, cells: u64, now: Timestamp) -> Result<Self, Short> {
        let limit = limit_per_minute.min(RATE_MAX_PER_MINUTE);
        let capacity = limit * CELL;
        let level = self.level_at(limit, now);
        let wanted = level.saturating_add(cells.saturating_mul(CELL));
        if wanted <= capacity {
            return Ok(Self { level: wanted, at: now, limit });
        }
        let retry_after_ms = (cells <= limit && limit > 0).then(|| (wanted - capacity).div_ceil(limit).div_ceil(1_000));
        Err(Short { remaining: capacity.saturating_sub(level) / CELL, retry_after_ms })
    }

    /// Replaces an estimate by what was really used. May leave a debt that later requests wait for.
    pub fn correct(&mut self, estimated: u64, used: u64, now: Timestamp) {
        let level = self.level_at(self.limit, now);
        let corrected = if used >= estimated {
            level.saturating_add((used - estimated).saturating_mul(CELL))
        } else {
            level.saturating_sub((estimated - used).saturating_mul(CELL))
        };
        *self = Self { level: corrected.min(LEVEL_MAX), at: now, limit: self.limit };
    }

    /// Level, time and limit.
    pub(crate) const fn image(&self) -> (u64, Timestamp, u64) {
        (self.level, self.at, self.limit)
    }

    fn level_at(&self, limit: u64, now: Timestamp) -> u64 {
        let elapsed = now.micros().saturating_sub(self.at.micros());
        if elapsed < -CLOCK_STEP_MICROS {
            return 0;
        }
        let drained = u64::try_from(elapsed).unwrap_or(0).saturating_mul(limit);
        self.level.saturating_sub(drained)
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
    }

    /// 7 does not divide a minute: rounding would refuse the seventh or admit an eighth.
    #[test]
    fn a_full_minute_may_come_at_once_and_not_one_more() {
        let mut bucket = Bucket::default();
        for _ in 0..7 {
            bucket = bucket.take(7, 1, at(0)).expect("within the burst");
        }
        let short = bucket.take(7, 1, at(0)).expect_err("eighth");
        assert_eq!(short, Short { remaining: 0, retry_after_ms: Some(8_572) });
        assert!(bucket.take(7, 1, Timestamp::from_micros(at(0).micros() + 8_571_428)).is_err());
        assert!(bucket.take(7, 1, Timestamp::from_micros(at(0).micros() + 8_571_429)).is_ok());
    }

    #[test]
    fn over_a_long_time_exactly_the_limit_passes() {
        let (mut bucket, mut passed) = (Bucket::default(), 0);
        for tick in 0..600_000 {
            let now = Timestamp::from_micros(at(0).micros() + tick * 1_000);
            if let Ok(next) = bucket.take(97, 1, now) {
                (bucket, passed) = (next, passed + 1);
            }
        }
        assert_eq!(passed, 97 + 97 * 10 - 1, "the burst, then 97 a minute for ten minutes less the last millisecond");
    }

    #[test]
    fn a_correction_gives_back_and_may_leave_a_debt() {
        let mut bucket = Bucket::default().take(1_000, 900, at(0)).expect("fits");
        bucket.correct(900, 100, at(0));
        assert!(bucket.take(1_000, 900, at(0)).is_ok());
        bucket.correct(100, 3_000, at(0));
        let short = bucket.take(1_000, 500, at(60)).expect_err("still in debt");
        assert_eq!(short, Short { remaining: 0, retry_after_ms: Some(90_000) });
        assert!(bucket.take(1_000, 500, at(150)).is_ok());
    }

    #[test]
    fn more_than_the_limit_never_fits_and_says_so() {
        assert_eq!(Bucket::default().take(10, 11, at(0)), Err(Short { remaining: 10, retry_after_ms: None }));
        assert_eq!(Bucket::default().take(0, 1, at(0)), Err(Short { remaining: 0, retry_after_ms: None }));
    }

    #[test]
    fn a_clock_stepped_back_does_not_lock_the_limit() {
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            bucket = bucket.take(3, 1, at(3_600)).expect("burst");
        }
        assert!(bucket.take(3, 1, at(3_600)).is_err());
        assert!(bucket.take(3, 1, at(0)).is_ok());
    }
}
