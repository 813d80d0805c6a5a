//! What the ledger answers.

use schemas::terminal::Terminal;
use schemas::{AccountId, Day, KeyId, NanoUsd, Partition, Producer, RequestId, Timestamp};

use crate::apply::TransactionKind;
use crate::chain::{Checkpoint, Head};
use crate::posted::Posted;

/// The most transactions one page holds.
pub const PAGE_LIMIT_MAX: usize = 1_000;

/// What a batch did.
#[derive(Debug, Clone, Default)]
pub struct BatchOutcome {
    /// For the gate: every account the batch concerned.
    pub posted: Vec<Posted>,
    /// The log position after the batch.
    pub position: u64,
    /// Facts recorded, whatever their verdict.
    pub applied: u64,
    /// Facts that were recorded before.
    pub duplicates: u64,
    /// Of the duplicates: idempotency keys that came with another order.
    pub conflicts: u64,
    pub quarantined: u64,
    /// The contiguous part of every producer's sequence that the batch touched.
    pub watermarks: Vec<(Producer, Partition, u64)>,
    /// Heads that are now due outside the database; already written where the store has a heads log.
    pub checkpoints: Vec<Checkpoint>,
}

impl BatchOutcome {
    /// Entries that were new to the books, whatever became of them.
    pub fn entries(&self) -> u64 {
        self.applied + self.duplicates + self.quarantined
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountTotals {
    /// Top-ups, grants, refunds, adjustments, less expiries.
    pub credits: NanoUsd,
    /// Charges.
    pub usage: NanoUsd,
}

/// Which transactions, newest first.
#[derive(Debug, Clone, Default)]
pub struct TransactionQuery {
    pub account: Option<AccountId>,
    /// From the page before.
    pub cursor: Option<String>,
    /// At least 1, at most [`PAGE_LIMIT_MAX`]; values outside are brought inside.
    pub limit: usize,
    /// Empty for all.
    pub kinds: Vec<TransactionKind>,
    /// By the event's time, inclusive.
    pub from: Option<Timestamp>,
    /// By the event's time, exclusive.
    pub to: Option<Timestamp>,
    /// Of one request: its charge, and refunds of it.
    pub request: Option<RequestId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Opaque; `None` on the last page.
    pub next_cursor: Option<String>,
}

/// One change of a customer's balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The event's id: stable over replays.
    pub id: String,
    pub account_id: AccountId,
    pub kind: TransactionKind,
    /// Charges are negative.
    pub amount: NanoUsd,
    pub balance_after: NanoUsd,
    pub request_id: Option<RequestId>,
    /// The key of a charged request.
    pub key_id: Option<KeyId>,
    pub reference: Option<String>,
    pub reason: Option<String>,
    pub created_at: Timestamp,
}

/// The result of a credit order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditOutcome {
    /// `None` when the order was rejected, or when an expiry found nothing left.
    pub transaction: Option<Transaction>,
    /// Of the order that got this result: another one under the same key is a conflict.
    pub input_sha256: String,
    /// The stable word for the reason.
    pub rejected: Option<String>,
}

/// How a request ended in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestCharge {
    pub account_id: AccountId,
    pub terminal: Terminal,
    pub charge: NanoUsd,
    /// `None` is unknown.
    pub provider_cost: Option<NanoUsd>,
    pub refunded: NanoUsd,
    pub provisional: bool,
}

/// A partition's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionHead {
    pub partition: Partition,
    pub ordinal: u64,
    pub head: Head,
}

/// Numbers of a producer that never arrived, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerGap {
    pub producer: Producer,
    pub partition: Partition,
    pub first: u64,
    pub last: u64,
}

/// A grant to be ended by a `balance.grant_expired` event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueGrant {
    /// Event id of the grant.
    pub grant_id: String,
    pub account_id: AccountId,
    pub remaining: NanoUsd,
    pub expires_at: Timestamp,
}

/// What an account was charged for requests admitted on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChargeTotal {
    pub account_id: AccountId,
    pub day: Day,
    pub charged: NanoUsd,
    /// Requests with a charge; those that cost nothing are not counted.
    pub requests: u64,
}
