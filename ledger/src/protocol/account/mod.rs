//! What the gate knows of one account, and every transition of it.
//!
//! `available = posted − pending − held`, kept as running sums next to the entries they add up. Every
//! transition is all or nothing and idempotent by request id. **A hold leaves only by settle, release,
//! expire or post**, never by time alone. Start at [`AccountState::reserve`] in `reserve.rs`; `ending.rs`
//! ends holds and takes the ledger's word, `rebuild.rs` makes whole states.

mod ending;
pub(crate) mod image;
mod rebuild;
mod reserve;

pub(crate) use self::reserve::check_command;

use std::collections::BTreeMap;

use schemas::{Day, KeyId, NanoUsd, NodeId, RequestId, Timestamp};

use super::command::{Amounts, KeyLimit, KeySpend};
use super::error::GateError;
use super::free::FreeUse;
use super::key::{DayChange, KeyState};
use super::rate::Bucket;

/// The named bounds and times a state is run with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRules {
    /// A hold not renewed for this long is overdue.
    pub hold_ttl_ms: u32,
    /// How long after its deadline a hold may still be renewed before the reaper takes it.
    pub reap_grace_ms: u32,
    /// How long an expired request's late settle still counts at once; later it counts when it is booked.
    pub tombstone_keep_ms: u32,
    /// Answered with refusals that the end of any request in flight may lift.
    pub in_flight_retry_ms: u32,
    /// Holds, unposted charges and tombstones of one account together.
    pub entries_max: usize,
    /// Keys of one account that the gate knows.
    pub keys_max: usize,
}

/// When, in which life of the gate and by which rules a transition happens.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    pub now: Timestamp,
    pub epoch: u64,
    pub rules: &'a AccountRules,
}

/// One account. Comparable and hashable, so that a model checker can store it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct AccountState {
    posted: NanoUsd,
    position: u64,
    pending: NanoUsd,
    held: NanoUsd,
    /// Σ (worst case − hold) of live holds.
    exposure: NanoUsd,
    /// Live holds.
    live: u32,
    entries: BTreeMap<RequestId, Entry>,
    keys: BTreeMap<KeyId, KeyState>,
    requests: Bucket,
    tokens: Bucket,
    free: FreeUse,
}

/// What is known of one request that the ledger has not posted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Entry {
    Held(Hold),
    Pending(Spend),
    /// The reaper ended the hold; a late settle still counts.
    Expired(Tombstone),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Hold {
    amount: NanoUsd,
    /// Never below `amount`.
    worst_case: NanoUsd,
    owner: NodeId,
    deadline: Timestamp,
    /// The reaper is ending it: it can no longer be renewed or raised.
    fenced: bool,
    /// The key's limit at admission: raises are checked against it.
    limit: Option<KeyLimit>,
    origin: Origin,
}

/// What outlives the hold itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Origin {
    key: Option<KeyId>,
    /// Admission day.
    day: Day,
    /// Estimate that the tokens-per-minute limits were charged.
    tokens: u64,
    account_metered: bool,
    key_metered: bool,
    /// It counts as a request to a free model.
    is_free: bool,
}

/// Holds no money; leaves when its late settle is posted, or after `tombstone_keep_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tombstone {
    expired_at: Timestamp,
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Spend {
    actual: NanoUsd,
    key: Option<KeyId>,
    day: Day,
    settled_at: Timestamp,
}

/// How an entry's going or coming changes the sums; amounts may be negative.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    held: NanoUsd,
    pending: NanoUsd,
    exposure: NanoUsd,
    live: i32,
}

impl AccountState {
    pub const fn amounts(&self) -> Amounts {
        Amounts { posted: self.posted, pending: self.pending, held: self.held }
    }

    /// The log position that `posted` is as of.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Σ (worst case − hold): what the account may be overdrawn by if every request in flight costs the most.
    pub const fn exposure(&self) -> NanoUsd {
        self.exposure
    }

    /// Requests in flight.
    pub const fn live_holds(&self) -> u32 {
        self.live
    }

    /// Settled and not yet posted.
    pub fn unposted(&self) -> impl Iterator<Item = (RequestId, Timestamp)> {
        self.entries.iter().filter_map(|(request, entry)| match entry {
            Entry::Pending(spend) => Some((*request, spend.settled_at)),
            _ => None,
        })
    }

    /// Holds the reaper ended a while ago.
    pub fn tombstones(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry, Entry::Expired(_))).count()
    }

    /// The hold of a request in flight.
    pub fn hold_of(&self, request: RequestId) -> Option<NanoUsd> {
        match self.entries.get(&request) {
            Some(Entry::Held(hold)) => Some(hold.amount),
            _ => None,
        }
    }

    /// Requests to free models that were admitted on a day.
    pub fn free_requests(&self, day: Day) -> u32 {
        self.free.used_on(day)
    }

    /// How many keys it knows.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    pub fn knows_key(&self, key: KeyId) -> bool {
        self.keys.contains_key(&key)
    }

    pub fn key_spend(&self, key: KeyId, today: Day) -> Result<KeySpend, GateError> {
        self.keys.get(&key).map_or(Ok(KeySpend::default()), |state| state.spend(today))
    }

    /// True while every running sum is what the entries add up to. **Holds after every transition.**
    pub fn is_consistent(&self) -> bool {
        let mut counted = Change::default();
        let mut by_key: BTreeMap<KeyId, (NanoUsd, NanoUsd, u32)> = BTreeMap::new();
        for entry in self.entries.values() {
            let (key, held, pending, live) = match entry {
                Entry::Held(hold) => (hold.origin.key, hold.amount, NanoUsd::ZERO, 1),
                Entry::Pending(spend) => (spend.key, NanoUsd::ZERO, spend.actual, 0),
                Entry::Expired(tombstone) => (tombstone.origin.key, NanoUsd::ZERO, NanoUsd::ZERO, 0),
            };
            if let Entry::Held(hold) = entry {
                counted.exposure = counted.exposure.saturating_add(hold.exposure());
            }
            counted.held = counted.held.saturating_add(held);
            counted.pending = counted.pending.saturating_add(pending);
            counted.live += live;
            if let Some(key) = key {
                let sums = by_key.entry(key).or_default();
                *sums = (sums.0.saturating_add(pending), sums.1.saturating_add(held), sums.2 + live.unsigned_abs());
            }
        }
        let keys_agree = self.keys.iter().all(|(key, state)| {
            let (pending, held, live) = by_key.remove(key).unwrap_or_default();
            state.in_flight() == (pending, held) && state.live == live
        });
        keys_agree
            && by_key.is_empty()
            && (counted.held, counted.pending, counted.exposure) == (self.held, self.pending, self.exposure)
            && counted.live.unsigned_abs() == self.live
    }

    /// Applies a change to the account's and the key's sums. **Nothing changes unless everything can.**
    fn change(&mut self, key: Option<KeyId>, day: Day, change: Change) -> Result<(), GateError> {
        let held = self.held.checked_add(change.held)?;
        let pending = self.pending.checked_add(change.pending)?;
        let exposure = self.exposure.checked_add(change.exposure)?;
        let live = self.live.checked_add_signed(change.live).ok_or(GateError::Overflow)?;
        if let Some(key) = key {
            let state = self.keys.entry(key).or_default();
            let key_live = state.live.checked_add_signed(change.live).ok_or(GateError::Overflow)?;
            state.change(day, DayChange { held: change.held, pending: change.pending })?;
            state.live = key_live;
        }
        (self.held, self.pending, self.exposure, self.live) = (held, pending, exposure, live);
        Ok(())
    }
}

impl Hold {
    const fn exposure(&self) -> NanoUsd {
        self.worst_case.saturating_sub(self.amount)
    }

    /// What the sums lose when this hold goes.
    fn leaving(&self) -> Result<Change, GateError> {
        Ok(Change { held: self.amount.checked_neg()?, pending: NanoUsd::ZERO, exposure: self.exposure().checked_neg()?, live: -1 })
    }
}
