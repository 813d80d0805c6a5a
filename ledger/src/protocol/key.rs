//! What one API key spent, by UTC admission day.
//!
//! A request counts on the day it was admitted, whenever it ends: its hold, its pending cost and what the
//! ledger booked all stand in the same day, so a window that resets cannot lose or double any of them.
//! Pure bookkeeping: limits are decided in `account::reserve`.

use schemas::{Day, NanoUsd};

use super::command::KeySpend;
use super::error::GateError;
use super::rate::Bucket;
use super::window::LimitWindow;

/// Days kept apart; older ones are folded into one sum. More than two months, so every window is exact.
const DAYS_KEPT: usize = 64;

/// One key of one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct KeyState {
    /// Ascending.
    days: Vec<DaySpend>,
    /// Posted on days that are folded.
    folded: NanoUsd,
    /// Days before this one are folded.
    folded_before: Option<Day>,
    pending: NanoUsd,
    held: NanoUsd,
    /// Live holds.
    pub(super) live: u32,
    pub(super) requests: Bucket,
    pub(super) tokens: Bucket,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct DaySpend {
    day: Day,
    posted: NanoUsd,
    /// The log position `posted` is as of.
    position: u64,
    pending: NanoUsd,
    held: NanoUsd,
}

/// What stands in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowSpend {
    /// posted + pending
    pub spent: NanoUsd,
    pub held: NanoUsd,
}

/// A key for a backend that keeps it in a form of its own.
pub(crate) struct KeyImage<'a> {
    state: &'a KeyState,
    pub folded: NanoUsd,
    pub folded_before: Option<Day>,
    /// Ascending: day, posted, position, pending, held.
    pub days: Vec<(Day, NanoUsd, u64, NanoUsd, NanoUsd)>,
}

impl KeyImage<'_> {
    pub(crate) fn live(&self) -> u32 {
        self.state.live
    }

    pub(crate) fn buckets(&self) -> [Bucket; 2] {
        [self.state.requests, self.state.tokens]
    }
}

/// A change to one day's in-flight sums; amounts may be negative.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DayChange {
    pub held: NanoUsd,
    pub pending: NanoUsd,
}

impl KeyState {
    /// What stands in the window that `day` lies in.
    pub fn in_window(&self, window: LimitWindow, day: Day) -> Result<WindowSpend, GateError> {
        let Some((first, end)) = window.days(day) else {
            let posted = NanoUsd::checked_sum(self.days.iter().map(|spend| spend.posted))?;
            let spent = posted.checked_add(self.folded)?.checked_add(self.pending)?;
            return Ok(WindowSpend { spent, held: self.held });
        };
        let mut sum = WindowSpend::default();
        for spend in self.days.iter().rev().skip_while(|spend| spend.day >= end).take_while(|spend| spend.day >= first) {
            sum.spent = sum.spent.checked_add(spend.posted)?.checked_add(spend.pending)?;
            sum.held = sum.held.checked_add(spend.held)?;
        }
        Ok(sum)
    }

    /// posted + pending in each of today's windows.
    pub fn spend(&self, today: Day) -> Result<KeySpend, GateError> {
        Ok(KeySpend {
            total: self.in_window(LimitWindow::Total, today)?.spent,
            daily: self.in_window(LimitWindow::Daily, today)?.spent,
            weekly: self.in_window(LimitWindow::Weekly, today)?.spent,
            monthly: self.in_window(LimitWindow::Monthly, today)?.spent,
        })
    }

    /// Sums over every day: what the entries of this key must add up to.
    pub fn in_flight(&self) -> (NanoUsd, NanoUsd) {
        (self.pending, self.held)
    }

    /// The state as plain values: what is folded, before which day, and its days.
    pub(crate) fn image(&self) -> KeyImage<'_> {
        let days = self.days.iter().map(|spend| (spend.day, spend.posted, spend.position, spend.pending, spend.held));
        KeyImage { state: self, folded: self.folded, folded_before: self.folded_before, days: days.collect() }
    }

    /// **Nothing changes unless everything can.**
    pub(super) fn change(&mut self, day: Day, change: DayChange) -> Result<(), GateError> {
        let held = self.held.checked_add(change.held)?;
        let pending = self.pending.checked_add(change.pending)?;
        let spend = self.day_mut(day);
        let day_held = spend.held.checked_add(change.held)?;
        let day_pending = spend.pending.checked_add(change.pending)?;
        (spend.held, spend.pending) = (day_held, day_pending);
        (self.held, self.pending) = (held, pending);
        Ok(())
    }

    /// Sets a day's booked total, unless a later one is known.
    ///
    /// False if the day is folded: its total stays as it was until the gate is rebuilt.
    pub(super) fn post(&mut self, day: Day, total: NanoUsd, position: u64) -> bool {
        if self.folded_before.is_some_and(|before| day < before) {
            return false;
        }
        let spend = self.day_mut(day);
        if position >= spend.position {
            (spend.posted, spend.position) = (total, position);
        }
        true
    }

    fn day_mut(&mut self, day: Day) -> &mut DaySpend {
        let index = match self.days.iter().rposition(|spend| spend.day <= day) {
            Some(index) if self.days[index].day == day => return &mut self.days[index],
            Some(index) => index + 1,
            None => 0,
        };
        self.days.insert(index, DaySpend { day, posted: NanoUsd::ZERO, position: 0, pending: NanoUsd::ZERO, held: NanoUsd::ZERO });
        let folded = if self.days.len() > DAYS_KEPT && index > 0 { self.fold_oldest() } else { 0 };
        &mut self.days[index - folded]
    }

    /// Folds the oldest day if nothing of it is in flight; says how many days went.
    fn fold_oldest(&mut self) -> usize {
        let oldest = self.days[0];
        let Ok(folded) = self.folded.checked_add(oldest.posted) else { return 0 };
        if !oldest.held.is_zero() || !oldest.pending.is_zero() {
            return 0;
        }
        self.folded = folded;
        self.folded_before = Some(oldest.day.plus(1));
        self.days.remove(0);
        1
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    fn usd(dollars: i32) -> NanoUsd {
        NanoUsd::from_usd(dollars)
    }

    /// 2026-11-23, a Monday.
    const MONDAY: i32 = 20_780;

    #[test]
    fn windows_are_calendar_days_weeks_and_months() {
        let monday = Day::from_number(MONDAY);
        assert_eq!(monday.to_string(), "2026-11-23");
        let mut key = KeyState::default();
        for back in 0..40 {
            assert!(key.post(monday.plus(-back), usd(1), 7));
        }
        let spend = key.spend(monday).expect("sums");
        assert_eq!((spend.daily, spend.weekly, spend.monthly, spend.total), (usd(1), usd(1), usd(23), usd(40)));
        let sunday = key.spend(monday.plus(-1)).expect("sums");
        assert_eq!((sunday.daily, sunday.weekly, sunday.monthly), (usd(1), usd(7), usd(23)));
    }

    #[test]
    fn an_older_total_does_not_replace_a_newer_one() {
        let day = Day::from_number(MONDAY);
        let mut key = KeyState::default();
        assert!(key.post(day, usd(5), 9) && key.post(day, usd(3), 8));
        assert_eq!(key.spend(day).expect("sums").daily, usd(5));
    }

    #[test]
    fn old_days_are_folded_and_the_total_stays() {
        let mut key = KeyState::default();
        for ahead in 0..500 {
            assert!(key.post(Day::from_number(MONDAY + ahead), usd(1), 1));
        }
        assert_eq!(key.days.len(), DAYS_KEPT);
        assert_eq!(key.spend(Day::from_number(MONDAY + 499)).expect("sums").total, usd(500));
        assert!(!key.post(Day::from_number(MONDAY), usd(100), 2));
    }

    #[test]
    fn a_day_with_money_in_flight_is_not_folded() {
        let day = Day::from_number(MONDAY);
        let mut key = KeyState::default();
        key.change(day, DayChange { held: usd(2), pending: usd(1) }).expect("changes");
        for ahead in 1..100 {
            assert!(key.post(day.plus(ahead), usd(1), 1));
        }
        key.change(day, DayChange { held: usd(-2), pending: usd(-1) }).expect("changes back");
        assert_eq!(key.in_flight(), (NanoUsd::ZERO, NanoUsd::ZERO));
    }
}
