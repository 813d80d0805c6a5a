//! Requests to free models: so many a minute and so many a UTC day, of the whole account.
//!
//! More keys give nobody more. A request counts once it is admitted, whatever becomes of it. Days are those of the gate's
//! clock, so that gateways whose clocks differ count the same day. Pure: a check returns the next state.

use schemas::{Day, Timestamp};

use super::command::{FreeLimits, RefusalCause};
use super::rate::{Bucket, Short};

/// What an account used up. The default is a full allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FreeUse {
    minute: Bucket,
    day: Day,
    /// Requests of that day.
    used: u32,
}

/// A free request that is not admitted now, and when to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedUp {
    pub cause: RefusalCause,
    pub retry_after_ms: Option<u64>,
}

impl FreeUse {
    /// The state after one request more, or what is used up: the day before the minute, which waiting would not help.
    pub fn take(&self, limits: FreeLimits, now: Timestamp) -> Result<Self, UsedUp> {
        let (today, used) = (now.day(), self.used_on(now.day()));
        if used >= limits.requests_per_day {
            let resets_at = today.plus(1).start();
            let wait = u64::try_from(resets_at.micros().saturating_sub(now.micros())).unwrap_or(0).div_ceil(1_000);
            let cause = RefusalCause::FreeDay { limit: limits.requests_per_day, resets_at };
            return Err(UsedUp { cause, retry_after_ms: (limits.requests_per_day > 0).then_some(wait) });
        }
        let limit = limits.requests_per_minute;
        let minute = self.minute.take(u64::from(limit), 1, now).map_err(|Short { remaining, retry_after_ms }| {
            let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
            UsedUp { cause: RefusalCause::FreeMinute { limit, remaining }, retry_after_ms }
        })?;
        Ok(Self { minute, day: today, used: used + 1 })
    }

    /// Requests of a day, where that is the one being counted: a clock that was put back begins anew.
    pub fn used_on(&self, day: Day) -> u32 {
        if self.day == day { self.used } else { 0 }
    }
}
