//! Admission: the one call that asks every limit, and raising a hold afterwards.

use schemas::{Day, NanoUsd, RequestId, Timestamp};

use super::{AccountState, Change, Entry, Hold, Moment, Origin};
use crate::protocol::command::{FreeLimits, KeyLimit, KeyPolicy, LimitLevel, RateLimits, Refusal, RefusalCause, ReserveCommand, Reserved};
use crate::protocol::error::GateError;
use crate::protocol::free::{FreeUse, UsedUp};
use crate::protocol::key::KeyState;
use crate::protocol::rate::{Bucket, Short};

/// What a level's limits become if the request is admitted; `None` where there is no such limit.
#[derive(Default)]
struct Taken {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

/// What one level has in use, to be checked against its limits.
struct InUse<'a> {
    requests: &'a Bucket,
    tokens: &'a Bucket,
    live: u32,
}

/// How much to hold, and what the request may cost at most.
struct Grant {
    hold: NanoUsd,
    worst_case: NanoUsd,
}

impl AccountState {
    /// Admits a request or says which limit refuses it. **A refusal leaves nothing behind**: money and
    /// every rate are checked before anything is taken. A repeated request id is answered as held again.
    pub fn reserve(&mut self, at: Moment<'_>, command: &ReserveCommand) -> Result<Reserved, GateError> {
        if let Some(entry) = self.entries.get(&command.request_id) {
            return self.held_already(at, command.request_id, entry);
        }
        check_command(command)?;
        self.check_bounds(at, command)?;
        let empty = KeyState::default();
        let key = command.key.map(|policy| (policy, self.keys.get(&policy.key_id).unwrap_or(&empty)));
        let grant = match self.grant(at, command, key)? {
            Ok(grant) => grant,
            Err(refusal) => return Ok(Reserved::Refused(refusal)),
        };
        let account_use = InUse { requests: &self.requests, tokens: &self.tokens, live: self.live };
        let taken = match self.take(at, LimitLevel::Account, account_use, command.account_rates, command.tokens) {
            Ok(taken) => taken,
            Err(refusal) => return Ok(Reserved::Refused(refusal)),
        };
        let key_taken = match key.map_or(Ok(Taken::default()), |(policy, state)| {
            let key_use = InUse { requests: &state.requests, tokens: &state.tokens, live: state.live };
            self.take(at, LimitLevel::Key, key_use, policy.rates, command.tokens)
        }) {
            Ok(taken) => taken,
            Err(refusal) => return Ok(Reserved::Refused(refusal)),
        };
        let free = match command.free.map(|limits| self.free.take(limits, at.now)).transpose() {
            Ok(free) => free,
            Err(UsedUp { cause, retry_after_ms }) => {
                return Ok(Reserved::Refused(self.refusal(LimitLevel::Account, cause, retry_after_ms)));
            }
        };
        self.admit(at, command, &grant, (taken, key_taken, free))
    }

    /// Raises a hold to `to`; a smaller amount changes nothing. Refused, the hold stays as it was. The
    /// key's limit is the one the request was admitted under.
    pub fn resize(&mut self, at: Moment<'_>, request_id: RequestId, to: NanoUsd) -> Result<Reserved, GateError> {
        let Some(Entry::Held(hold)) = self.entries.get(&request_id) else {
            return Err(GateError::NoHold { request_id });
        };
        if hold.fenced {
            return Err(GateError::NoHold { request_id });
        }
        let worst_case = hold.worst_case.max(to);
        let raise = to.checked_sub(hold.amount)?;
        if raise.nanos() <= 0 {
            return Ok(self.held_answer(at, hold.amount, hold.worst_case));
        }
        if let Some(refusal) = self.refuse_raise(at, hold, raise)? {
            return Ok(Reserved::Refused(refusal));
        }
        let exposure = worst_case.checked_sub(to)?.checked_sub(hold.exposure())?;
        let (key, day) = (hold.origin.key, hold.origin.day);
        self.change(key, day, Change { held: raise, exposure, ..Change::default() })?;
        if let Some(Entry::Held(hold)) = self.entries.get_mut(&request_id) {
            (hold.amount, hold.worst_case) = (to, worst_case);
        }
        Ok(self.held_answer(at, to, worst_case))
    }

    /// Counts a request in flight as one to a free model, once, where it was not admitted as one: what it asked first gave no
    /// answer. Refused, nothing changes.
    pub fn count_free(&mut self, at: Moment<'_>, request_id: RequestId, limits: FreeLimits) -> Result<Reserved, GateError> {
        let free = self.free.take(limits, at.now);
        let Some(Entry::Held(hold)) = self.entries.get_mut(&request_id).filter(|entry| !matches!(entry, Entry::Held(hold) if hold.fenced))
        else {
            return Err(GateError::NoHold { request_id });
        };
        let (amount, worst_case) = (hold.amount, hold.worst_case);
        if !hold.origin.is_free {
            match free {
                Ok(free) => (self.free, hold.origin.is_free) = (free, true),
                Err(UsedUp { cause, retry_after_ms }) => {
                    return Ok(Reserved::Refused(self.refusal(LimitLevel::Account, cause, retry_after_ms)));
                }
            }
        }
        Ok(self.held_answer(at, amount, worst_case))
    }

    /// Moves a hold's deadline. False if there is no hold to renew: its owner must abort the request.
    pub fn renew(&mut self, at: Moment<'_>, request_id: RequestId) -> bool {
        match self.entries.get_mut(&request_id) {
            Some(Entry::Held(hold)) if !hold.fenced => {
                hold.deadline = at.deadline();
                true
            }
            _ => false,
        }
    }

    fn held_already(&self, at: Moment<'_>, request_id: RequestId, entry: &Entry) -> Result<Reserved, GateError> {
        match entry {
            Entry::Held(hold) => Ok(self.held_answer(at, hold.amount, hold.worst_case)),
            Entry::Pending(spend) => Ok(self.held_answer(at, spend.actual, spend.actual)),
            Entry::Expired(_) => Err(GateError::Ended { request_id }),
        }
    }

    fn held_answer(&self, at: Moment<'_>, hold: NanoUsd, worst_case: NanoUsd) -> Reserved {
        Reserved::Held { hold, worst_case, amounts: self.amounts(), epoch: at.epoch }
    }

    fn check_bounds(&self, at: Moment<'_>, command: &ReserveCommand) -> Result<(), GateError> {
        if self.entries.len() >= at.rules.entries_max {
            return Err(GateError::Full { bound: "entries_max", max: at.rules.entries_max });
        }
        let new_key = command.key.is_some_and(|policy| !self.keys.contains_key(&policy.key_id));
        if new_key && self.keys.len() >= at.rules.keys_max {
            return Err(GateError::Full { bound: "keys_max", max: at.rules.keys_max });
        }
        Ok(())
    }

    fn refusal(&self, level: LimitLevel, cause: RefusalCause, retry_after_ms: Option<u64>) -> Refusal {
        Refusal { level, cause, amounts: self.amounts(), retry_after_ms }
    }

    /// How much of the account's and the key's money the request gets.
    fn grant(
        &self,
        at: Moment<'_>,
        command: &ReserveCommand,
        key: Option<(KeyPolicy, &KeyState)>,
    ) -> Result<Result<Grant, Refusal>, GateError> {
        let amounts = self.amounts();
        if amounts.settled_balance().is_negative() {
            return Ok(Err(self.refusal(LimitLevel::Account, RefusalCause::NegativeBalance, None)));
        }
        let worst_case = command.worst_case.max(command.hold);
        if worst_case.is_zero() {
            return Ok(Ok(Grant { hold: NanoUsd::ZERO, worst_case }));
        }
        let minimum = command.minimum.min(command.hold);
        if let Some(refusal) = self.refuse_balance(at, minimum) {
            return Ok(Err(refusal));
        }
        let mut room = amounts.available();
        if let Some((KeyPolicy { limit: Some(limit), .. }, state)) = key {
            match self.key_room(at, limit, state, command.admitted_at.day(), (NanoUsd::ZERO, minimum))? {
                Ok(key_room) => room = room.min(key_room),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        let exposure = self.exposure.checked_add(worst_case.checked_sub(command.hold)?)?;
        let wanted = if exposure <= command.overdraft_max { command.hold } else { worst_case };
        let granted = if wanted <= room {
            let exposed = if wanted == command.hold { worst_case } else { wanted };
            Grant { hold: wanted, worst_case: exposed }
        } else {
            Grant { hold: room, worst_case: room }
        };
        Ok(Ok(granted))
    }

    /// The account's own money: `needed` must be there.
    fn refuse_balance(&self, at: Moment<'_>, needed: NanoUsd) -> Option<Refusal> {
        let amounts = self.amounts();
        let level = LimitLevel::Account;
        if amounts.settled_balance().is_negative() {
            return Some(self.refusal(level, RefusalCause::NegativeBalance, None));
        }
        if amounts.settled_balance() < needed {
            return Some(self.refusal(level, RefusalCause::Balance, None));
        }
        (amounts.available() < needed).then(|| self.refusal(level, RefusalCause::InFlight, Some(at.in_flight_retry())))
    }

    /// What the key's limit leaves in the window of `day`, at least `needed`; `own` of what is held there is
    /// the request's own.
    fn key_room(
        &self,
        at: Moment<'_>,
        limit: KeyLimit,
        state: &KeyState,
        day: Day,
        (own, needed): (NanoUsd, NanoUsd),
    ) -> Result<Result<NanoUsd, Refusal>, GateError> {
        let sum = state.in_window(limit.window, day)?;
        let (window, amount, spent, held) = (limit.window, limit.amount, sum.spent, sum.held);
        let resets_at = window.resets_at(day);
        let unspent = amount.checked_sub(spent)?;
        if unspent.checked_sub(own)? < needed {
            let cause = RefusalCause::KeyLimit { window, limit: amount, spent, held, resets_at };
            return Ok(Err(self.refusal(LimitLevel::Key, cause, resets_at.map(|reset| at.millis_until(reset)))));
        }
        let room = unspent.checked_sub(held)?;
        if room < needed {
            let cause = RefusalCause::KeyInFlight { window, limit: amount, spent, held, resets_at };
            return Ok(Err(self.refusal(LimitLevel::Key, cause, Some(at.in_flight_retry()))));
        }
        Ok(Ok(room))
    }

    fn refuse_raise(&self, at: Moment<'_>, hold: &Hold, raise: NanoUsd) -> Result<Option<Refusal>, GateError> {
        // What the request holds already is its own: only the rest of the settled balance must cover the raise.
        let needed = self.amounts().settled_balance().checked_sub(hold.amount)?;
        if needed < raise {
            let negative = self.amounts().settled_balance().is_negative();
            let cause = if negative { RefusalCause::NegativeBalance } else { RefusalCause::Balance };
            return Ok(Some(self.refusal(LimitLevel::Account, cause, None)));
        }
        if self.amounts().available() < raise {
            return Ok(Some(self.refusal(LimitLevel::Account, RefusalCause::InFlight, Some(at.in_flight_retry()))));
        }
        let (Some(limit), Some(state)) = (hold.limit, hold.origin.key.and_then(|key| self.keys.get(&key))) else {
            return Ok(None);
        };
        Ok(self.key_room(at, limit, state, hold.origin.day, (hold.amount, raise))?.err())
    }

    /// Checks one level's rates; what they become is kept only if the whole request is admitted.
    fn take(&self, at: Moment<'_>, level: LimitLevel, in_use: InUse<'_>, rates: RateLimits, tokens: u64) -> Result<Taken, Refusal> {
        if let Some(limit) = rates.concurrency.filter(|limit| in_use.live >= *limit) {
            let retry = (limit > 0).then(|| at.in_flight_retry());
            return Err(self.refusal(level, RefusalCause::Concurrency { limit }, retry));
        }
        let requests = rates.requests_per_minute.map(|limit| {
            in_use.requests.take(u64::from(limit), 1, at.now).map_err(|Short { remaining, retry_after_ms }| {
                let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
                self.refusal(level, RefusalCause::Requests { limit, remaining }, retry_after_ms)
            })
        });
        let tokens = rates.tokens_per_minute.map(|limit| {
            in_use.tokens.take(limit, tokens, at.now).map_err(|Short { remaining, retry_after_ms }| {
                self.refusal(level, RefusalCause::Tokens { limit, remaining }, retry_after_ms)
            })
        });
        Ok(Taken { requests: requests.transpose()?, tokens: tokens.transpose()? })
    }

    /// Everything said yes: take it all.
    fn admit(
        &mut self,
        at: Moment<'_>,
        command: &ReserveCommand,
        grant: &Grant,
        (taken, key_taken, free): (Taken, Taken, Option<FreeUse>),
    ) -> Result<Reserved, GateError> {
        let hold = Hold {
            amount: grant.hold,
            worst_case: grant.worst_case,
            owner: command.owner,
            deadline: at.deadline(),
            fenced: false,
            limit: command.key.and_then(|policy| policy.limit),
            origin: Origin {
                key: command.key.map(|policy| policy.key_id),
                day: command.admitted_at.day(),
                tokens: command.tokens,
                account_metered: taken.tokens.is_some(),
                key_metered: key_taken.tokens.is_some(),
                is_free: free.is_some(),
            },
        };
        let change = Change { held: hold.amount, exposure: hold.exposure(), live: 1, ..Change::default() };
        self.change(hold.origin.key, hold.origin.day, change)?;
        self.requests = taken.requests.unwrap_or(self.requests);
        self.tokens = taken.tokens.unwrap_or(self.tokens);
        self.free = free.unwrap_or(self.free);
        if let Some(state) = hold.origin.key.and_then(|key| self.keys.get_mut(&key)) {
            state.requests = key_taken.requests.unwrap_or(state.requests);
            state.tokens = key_taken.tokens.unwrap_or(state.tokens);
        }
        self.entries.insert(command.request_id, Entry::Held(hold));
        Ok(self.held_answer(at, grant.hold, grant.worst_case))
    }
}

pub(crate) fn check_command(command: &ReserveCommand) -> Result<(), GateError> {
    let amounts = [
        ("hold", command.hold),
        ("minimum", command.minimum),
        ("worst_case", command.worst_case),
        ("overdraft_max", command.overdraft_max),
    ];
    match amounts.into_iter().find(|(_, amount)| amount.is_negative()) {
        Some((name, _)) => Err(GateError::Negative { name }),
        None => Ok(()),
    }
}

impl Moment<'_> {
    /// The deadline of a hold made or renewed now.
    pub(crate) fn deadline(&self) -> Timestamp {
        self.now.plus_micros(i64::from(self.rules.hold_ttl_ms) * 1_000)
    }

    /// Holds with an earlier deadline are the reaper's.
    pub(crate) fn overdue_before(&self) -> Timestamp {
        self.now.plus_micros(-i64::from(self.rules.reap_grace_ms) * 1_000)
    }

    fn in_flight_retry(&self) -> u64 {
        u64::from(self.rules.in_flight_retry_ms)
    }

    fn millis_until(&self, then: Timestamp) -> u64 {
        u64::try_from(then.micros().saturating_sub(self.now.micros())).unwrap_or(0).div_ceil(1_000)
    }
}
