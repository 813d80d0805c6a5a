//! One world: what stands in memory, on disk, in the log, in the ledger and on the wire.

use ledger::posted::Posted;
use ledger::protocol::{AccountRules, AccountState, Lifecycle, Moment};
use schemas::terminal::{Precedence, Terminal};
use schemas::{AccountId, NanoUsd, NodeId, RequestId, Timestamp};
use uuid::Uuid;

use super::config::{Budget, Protocol};
use super::mutant::Mutant;

/// What a provisional recovery charges: the part of a stream that was delivered.
pub const DELIVERED: i64 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub requests: Vec<Request>,
    pub gateway_up: bool,
    pub gate: Gate,
    pub log: Vec<LogEvent>,
    pub ledger: Books,
    /// Said by the ledger, not yet heard by the gate; in any order.
    pub feedback: Vec<Word>,
    pub budget: Budget,
}

/// One request: the gateway's memory of it, its spool records, and what others saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Request {
    pub admission: Admission,
    /// The gateway's memory. Gone after a crash.
    pub life: Option<Lifecycle>,
    /// The gateway has an acknowledgement of the log. Gone after a crash.
    pub shipped: bool,
    pub spool: SpoolFile,
    /// Its hold is overdue, `hold.expired` is in the log, the gate has not heard it yet.
    pub reaping: bool,
    /// Ghosts: what happened, whoever remembers.
    pub dispatched: bool,
    pub first_byte: bool,
    pub checkpointed: bool,
    /// The client has its whole answer, of this cost.
    pub answered: Option<i64>,
    /// The reaper ended its hold when its owner was dead: what it costs was free for others to spend.
    pub expired: bool,
    /// The gate was told of a charge and took note.
    pub told: Option<i64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Admission {
    #[default]
    Unasked,
    /// Only with a seeded bug: checked, not yet held.
    Checked,
    Held,
    Refused,
}

/// The records of one request on the gateway's disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SpoolFile {
    pub accepted: Option<Synced>,
    pub checkpoint: bool,
    pub terminal: Option<(Ending, Synced)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Synced {
    No,
    Yes,
}

/// A terminal event: which, and its charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ending {
    pub terminal: Terminal,
    pub charge: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Gate {
    pub open: bool,
    /// The log's end when the gate lost its state.
    pub flushed_at: usize,
    pub account: AccountState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogEvent {
    Ended(usize, Ending),
    TopUp,
}

/// A message of the ledger to the gate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Word {
    pub position: u64,
    pub posted: i64,
    /// Only a seeded bug looks at it: what the booked event changed.
    pub change: i64,
    pub requests: Vec<usize>,
}

/// The ledger: a fold of the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Books {
    pub position: usize,
    pub balance: i64,
    pub effective: Vec<Option<Ending>>,
    /// How often each request was charged.
    pub charges: Vec<u8>,
    pub topped_up: bool,
}

impl Books {
    pub fn new(protocol: &Protocol) -> Self {
        let requests = protocol.plans.len();
        let (balance, effective) = (protocol.balance, vec![None; requests]);
        Self { position: 0, balance, effective, charges: vec![0; requests], topped_up: false }
    }

    /// Books one event and says which request the gate should forget.
    pub fn apply(&mut self, event: LogEvent, topup: i64, mutant: Option<Mutant>) -> Option<usize> {
        self.position += 1;
        match event {
            LogEvent::TopUp => {
                if !self.topped_up || mutant == Some(Mutant::TopupNotIdempotent) {
                    self.balance += topup;
                }
                self.topped_up = true;
                None
            }
            LogEvent::Ended(request, ending) => self.apply_ending(request, ending, mutant),
        }
    }

    fn apply_ending(&mut self, request: usize, ending: Ending, mutant: Option<Mutant>) -> Option<usize> {
        let effective = self.effective[request].map(|ending| ending.terminal);
        let verdict = match ending.terminal.against(effective) {
            Precedence::Ignored if mutant == Some(Mutant::ApplyNotIdempotent) => Precedence::First,
            Precedence::Supersedes if mutant == Some(Mutant::ExpireBeatsSettle) => Precedence::Ignored,
            verdict => verdict,
        };
        if verdict != Precedence::Ignored {
            self.effective[request] = Some(ending);
            self.balance -= ending.charge;
            self.charges[request] += u8::from(ending.terminal == Terminal::Settled);
        }
        let in_effect = self.effective[request].map(|ending| ending.terminal);
        (in_effect != Some(Terminal::Expired)).then_some(request)
    }
}

pub const RULES: AccountRules = AccountRules {
    hold_ttl_ms: 1_000,
    reap_grace_ms: 0,
    tombstone_keep_ms: 1_000_000,
    in_flight_retry_ms: 1_000,
    entries_max: 100,
    keys_max: 1,
};

/// The one instant at which everything happens.
pub fn now() -> Moment<'static> {
    Moment { now: Timestamp::from_micros(1_000_000_000), epoch: 1, rules: &RULES }
}

/// The same clock when a hold that nobody renewed is overdue.
pub fn later() -> Moment<'static> {
    Moment { now: now().now.plus_micros(2_000_000), ..now() }
}

pub fn request_id(request: usize) -> RequestId {
    RequestId::from_uuid(Uuid::from_u128(request as u128 + 1))
}

pub fn account_id() -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(7))
}

pub fn owner() -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(9))
}

pub fn nanos(amount: i64) -> NanoUsd {
    NanoUsd::from_nanos(amount)
}

impl Word {
    pub fn message(&self) -> Posted {
        Posted {
            account_id: account_id(),
            posted: nanos(self.posted),
            position: self.position,
            requests: self.requests.iter().map(|request| request_id(*request)).collect(),
            key_spend: Vec::new(),
        }
    }
}
