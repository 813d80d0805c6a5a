//! What the books say before an event: the part of it that decides what the event does.
//!
//! Every value knows the log position that last changed it, so a store writes back what is newer than
//! its own position and nothing else.

use std::collections::HashMap;

use schemas::terminal::Terminal;
use schemas::{AccountId, Day, KeyId, NanoUsd, Partition, Producer, RequestId};

use crate::chain::Head;

use super::lots::Lot;
use super::sequence::Sequence;

/// The books, or as much of them as a batch of events touches.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The last log position folded in.
    pub position: u64,
    pub partitions: HashMap<Partition, PartitionState>,
    pub accounts: HashMap<AccountId, AccountState>,
    pub lots: HashMap<String, Lot>,
    pub requests: HashMap<RequestId, RequestState>,
    /// Facts that are not about a request's end, by event id.
    pub events: HashMap<String, KnownEvent>,
    pub key_spend: HashMap<(KeyId, Day), KeySpendState>,
    pub sequences: HashMap<(Producer, Partition), SequenceState>,
}

impl State {
    pub fn account(&self, account: AccountId) -> AccountState {
        self.accounts.get(&account).cloned().unwrap_or_default()
    }

    /// The lots of an account that still hold something, in no particular order.
    pub(super) fn open_lots(&self, account: AccountId) -> impl Iterator<Item = &Lot> {
        let ids = self.accounts.get(&account).map_or(&[][..], |state| &state.open_lots);
        ids.iter().filter_map(|id| self.lots.get(id))
    }
}

/// One customer's books.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountState {
    pub balance: NanoUsd,
    /// Σ of everything but usage: top-ups, grants, refunds, adjustments, expiries.
    pub credits: NanoUsd,
    /// Σ charges; `balance = credits − usage`.
    pub usage: NanoUsd,
    /// Ids of the grants of which something is left.
    pub open_lots: Vec<String>,
    pub position: u64,
}

/// The facts known of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestState {
    pub account: AccountId,
    /// Kinds of usage facts seen, as bits: a second fact of a kind is a duplicate.
    pub seen: SeenKinds,
    pub effective: Option<Terminal>,
    pub charge: NanoUsd,
    /// Provider cost booked so far.
    pub provider_cost: Option<NanoUsd>,
    pub refunded: NanoUsd,
}

impl RequestState {
    pub fn new(account: AccountId) -> Self {
        Self { account, seen: SeenKinds::default(), effective: None, charge: NanoUsd::ZERO, provider_cost: None, refunded: NanoUsd::ZERO }
    }
}

/// A set of usage event types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeenKinds(u8);

impl SeenKinds {
    pub fn contains(self, event_type: &str) -> bool {
        self.0 & Self::bit(event_type) != 0
    }

    pub fn insert(&mut self, event_type: &str) {
        self.0 |= Self::bit(event_type);
    }

    fn bit(event_type: &str) -> u8 {
        match event_type {
            "usage.accepted" => 1,
            "usage.settled" => 2,
            "usage.released" => 4,
            "hold.expired" => 8,
            _ => 0,
        }
    }
}

/// A fact that was recorded under its event id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEvent {
    pub account: AccountId,
    /// Of a credit order.
    pub input_sha256: Option<String>,
}

/// What a key spent on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySpendState {
    pub account: AccountId,
    pub spent: NanoUsd,
    pub position: u64,
}

/// How far a partition's chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionState {
    /// Facts recorded so far.
    pub ordinal: u64,
    pub head: Head,
    /// The latest UTC day among the recorded facts: a later one is a reason for a checkpoint.
    pub day: Option<Day>,
    pub position: u64,
}

impl PartitionState {
    pub fn empty(partition: Partition) -> Self {
        Self { ordinal: 0, head: crate::chain::genesis(partition), day: None, position: 0 }
    }
}

/// A producer's sequence in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SequenceState {
    pub sequence: Sequence,
    pub position: u64,
}
