//! The wall clock of this process, and the one place where it may be behind.
//!
//! Every instant and every id comes from here, so that a deployment can be played in the past: `tollgate demo-traffic --days`
//! sets the clock back before anything happened, lets requests run, moves it on, and ends at the present. It is
//! a global, against the house's rule, because "now" is one for a process whether we like it or not; a clock
//! handed through a hundred signatures would say the same and could be forgotten in one of them.
//! **The clock is never ahead of the real one and never goes back once anything has happened.** `clippy.toml` bans both
//! setters everywhere but in that command.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::{ContextV7, Uuid};

use crate::timestamp::Timestamp;

/// Microseconds behind the real time; zero in every process that serves.
static BEHIND: AtomicI64 = AtomicI64::new(0);

/// Sets the clock back, for a process in which nothing has happened yet.
pub fn set_back(by_micros: i64) {
    BEHIND.store(by_micros.max(0), Ordering::SeqCst);
}

/// Moves the clock on to an instant: to no earlier one than it shows, and to none that has not come yet.
pub fn advance_to(at: Timestamp) {
    let behind = real_micros().saturating_sub(at.micros()).max(0);
    BEHIND.fetch_min(behind, Ordering::SeqCst);
}

pub(crate) fn now_micros() -> i64 {
    real_micros().saturating_sub(BEHIND.load(Ordering::Relaxed))
}

fn real_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A UUIDv7 of the clock's time that sorts after every earlier one of this process.
pub(crate) fn new_uuid() -> Uuid {
    if BEHIND.load(Ordering::Relaxed) == 0 {
        return Uuid::now_v7();
    }
    // No counter over a clock that jumps: the order within a millisecond is chance, and nothing keys on it.
    let micros = now_micros().unsigned_abs();
    let (seconds, nanos) = (micros / 1_000_000, u32::try_from(micros % 1_000_000).unwrap_or_default() * 1_000);
    Uuid::new_v7(uuid::Timestamp::from_unix(ContextV7::new(), seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RequestId;

    // One test, because the clock is one: nextest gives it a process of its own, and so must `cargo test` users of the clock.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "this is the clock's own test")]
    fn a_clock_set_back_goes_forward_only_and_ids_are_of_its_time() {
        const HOUR: i64 = 3_600_000_000;
        let real = Timestamp::now();
        set_back(48 * HOUR);
        let past = Timestamp::now();
        assert!(past.micros() <= real.micros() - 47 * HOUR);
        let minted = i64::try_from(RequestId::mint().minted_millis()).unwrap_or_default();
        assert!((minted - past.millis()).abs() < 60_000, "{minted} {past}");
        advance_to(past.plus_micros(HOUR));
        assert!(Timestamp::now() >= past.plus_micros(HOUR));
        advance_to(past);
        assert!(Timestamp::now() >= past.plus_micros(HOUR), "it went back");
        advance_to(real.plus_micros(900 * HOUR));
        let now = Timestamp::now();
        assert!(now >= real && now <= real.plus_micros(HOUR), "it is ahead: {now}");
    }
}
