//! The ledger's tables as values: what a store holds, what the audit expects, what digests hash.
//!
//! One type a table, the same for every backend; [`Row::TABLE`] and [`Row::key`] name a row in reports.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::apply::{AccountState, CreditOrder, Entered, KeySpendState, Lot, PartitionState, Posting, SequenceState};
use schemas::{AccountId, Day, KeyId, Partition, Producer};

/// A row of one of the ledger's tables. Stores hand rows out as JSON arrays, in the order of the fields.
pub trait Row: Serialize + DeserializeOwned + PartialEq {
    const TABLE: &'static str;

    /// The primary key, for people.
    fn key(&self) -> String;
}

macro_rules! row {
    ($(#[$doc:meta])* $name:ident, $table:literal, |$row:ident| $key:expr, { $($field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name {
            $(pub $field: $type,)+
        }

        impl Row for $name {
            const TABLE: &'static str = $table;

            fn key(&self) -> String {
                let $row = self;
                $key
            }
        }
    };
}

row!(/** A recorded fact. Ids are hex. */ EntryRow, "ledger_entries", |row| row.position.to_string(), {
    position: i64,
    partition: i64,
    ordinal: i64,
    event_id: String,
    event_type: String,
    verdict: String,
    rejection: Option<String>,
    account_id: String,
    request_id: Option<String>,
    key_id: Option<String>,
    admission_day: Option<i64>,
    amount_nanos: i64,
    balance_after_nanos: i64,
    provider_cost_nanos: Option<i64>,
    provisional: i64,
    occurred_at_micros: i64,
    event_sha256: String,
    head: String,
});

row!(/** A leg. */ PostingRow, "ledger_postings", |row| format!("{}/{}", row.position, row.leg), {
    position: i64,
    leg: i64,
    account_code: i64,
    account_id: Option<String>,
    partition: i64,
    amount_nanos: i64,
});

row!(/** A credit order. */ OrderRow, "ledger_orders", |row| row.position.to_string(), {
    position: i64,
    ordered_nanos: i64,
    actor: String,
    input_sha256: String,
    reason: Option<String>,
    reference: Option<String>,
    request_id: Option<String>,
    expires_at_micros: Option<i64>,
    grant_id: Option<String>,
});

row!(/** An entry that could not be booked. */ QuarantineRow, "ledger_quarantine", |row| row.position.to_string(), {
    position: i64,
    reason: String,
    payload: String,
});

row!(/** A customer's sums. */ BalanceRow, "ledger_balances", |row| row.account_id.clone(), {
    account_id: String,
    balance_nanos: i64,
    credits_nanos: i64,
    usage_nanos: i64,
    position: i64,
});

row!(/** A key's spend on a day. */ KeySpendRow, "ledger_key_spend", |row| format!("{}/{}", row.key_id, row.day), {
    key_id: String,
    day: i64,
    account_id: String,
    spent_nanos: i64,
    position: i64,
});

row!(/** A grant and what is left of it. */ LotRow, "ledger_lots", |row| row.grant_id.clone(), {
    grant_id: String,
    account_id: String,
    granted_nanos: i64,
    remaining_nanos: i64,
    expires_at_micros: Option<i64>,
    granted_position: i64,
    position: i64,
});

row!(/** A partition's chain. */ PartitionRow, "ledger_partitions", |row| row.partition.to_string(), {
    partition: i64,
    ordinal: i64,
    head: String,
    latest_day: Option<i64>,
    position: i64,
});

row!(/** A producer's sequence. */ ProducerRow, "ledger_producers", |row| format!("{}/{}/{}", row.node_id, row.boot_id, row.partition), {
    node_id: String,
    boot_id: String,
    partition: i64,
    contiguous: i64,
    ahead: String,
    position: i64,
});

/// Positions and counts are far below 2^63; a larger one could not have been stored.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn hex_id(id: uuid::Uuid) -> String {
    id.simple().to_string()
}

impl From<&Entered> for EntryRow {
    fn from(entered: &Entered) -> Self {
        let booking = &entered.booking;
        Self {
            position: signed(entered.position),
            partition: i64::from(booking.partition),
            ordinal: signed(entered.ordinal),
            event_id: booking.event_id.clone(),
            event_type: booking.event_type.to_owned(),
            verdict: booking.verdict.name().to_owned(),
            rejection: booking.verdict.rejection().map(|reason| reason.name().to_owned()),
            account_id: hex_id(booking.account.uuid()),
            request_id: booking.request_id.map(|id| hex_id(id.uuid())),
            key_id: booking.key_id.map(|id| hex_id(id.uuid())),
            admission_day: booking.admission_day.map(|day| i64::from(day.number())),
            amount_nanos: booking.amount.nanos(),
            balance_after_nanos: booking.balance_after.nanos(),
            provider_cost_nanos: booking.provider_cost.map(|cost| cost.nanos()),
            provisional: i64::from(booking.provisional),
            occurred_at_micros: booking.time.micros(),
            event_sha256: hex::encode(entered.event_sha256),
            head: hex::encode(entered.head),
        }
    }
}

impl PostingRow {
    pub fn new(position: u64, leg: usize, partition: Partition, posting: &Posting) -> Self {
        let account_id = match posting.account {
            crate::apply::LedgerAccount::Customer(account) => Some(hex_id(account.uuid())),
            _ => None,
        };
        Self {
            position: signed(position),
            leg: i64::try_from(leg).unwrap_or(i64::MAX),
            account_code: posting.account.code(),
            account_id,
            partition: i64::from(partition),
            amount_nanos: posting.amount.nanos(),
        }
    }
}

impl OrderRow {
    pub fn new(position: u64, order: &CreditOrder) -> Self {
        Self {
            position: signed(position),
            ordered_nanos: order.ordered.nanos(),
            actor: order.actor.clone(),
            input_sha256: order.input_sha256.clone(),
            reason: order.reason.clone(),
            reference: order.reference.clone(),
            request_id: order.request_id.map(|id| hex_id(id.uuid())),
            expires_at_micros: order.expires_at.map(|at| at.micros()),
            grant_id: order.grant_id.clone(),
        }
    }
}

impl QuarantineRow {
    pub fn new(position: u64, reason: String, payload: &[u8]) -> Self {
        Self { position: signed(position), reason, payload: hex::encode(payload) }
    }
}

impl BalanceRow {
    pub fn new(account: AccountId, state: &AccountState) -> Self {
        Self {
            account_id: hex_id(account.uuid()),
            balance_nanos: state.balance.nanos(),
            credits_nanos: state.credits.nanos(),
            usage_nanos: state.usage.nanos(),
            position: signed(state.position),
        }
    }
}

impl KeySpendRow {
    pub fn new(key: KeyId, day: Day, state: &KeySpendState) -> Self {
        Self {
            key_id: hex_id(key.uuid()),
            day: i64::from(day.number()),
            account_id: hex_id(state.account.uuid()),
            spent_nanos: state.spent.nanos(),
            position: signed(state.position),
        }
    }
}

impl From<&Lot> for LotRow {
    fn from(lot: &Lot) -> Self {
        Self {
            grant_id: lot.grant_id.clone(),
            account_id: hex_id(lot.account.uuid()),
            granted_nanos: lot.granted.nanos(),
            remaining_nanos: lot.remaining.nanos(),
            expires_at_micros: lot.expires_at.map(|at| at.micros()),
            granted_position: signed(lot.granted_position),
            position: signed(lot.position),
        }
    }
}

impl PartitionRow {
    pub fn new(partition: Partition, state: &PartitionState) -> Self {
        Self {
            partition: i64::from(partition),
            ordinal: signed(state.ordinal),
            head: hex::encode(state.head),
            latest_day: state.day.map(|day| i64::from(day.number())),
            position: signed(state.position),
        }
    }
}

impl ProducerRow {
    pub fn new(producer: Producer, partition: Partition, state: &SequenceState) -> Self {
        Self {
            node_id: hex_id(producer.node.uuid()),
            boot_id: hex_id(producer.boot.uuid()),
            partition: i64::from(partition),
            contiguous: signed(state.sequence.contiguous),
            ahead: ahead_json(&state.sequence.ahead),
            position: signed(state.position),
        }
    }
}

/// `[[5,7],[9,9]]`.
pub(super) fn ahead_json(ranges: &[(u64, u64)]) -> String {
    let parts: Vec<String> = ranges.iter().map(|(first, last)| format!("[{first},{last}]")).collect();
    format!("[{}]", parts.join(","))
}
