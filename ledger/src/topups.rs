//! Top-ups as the log has them, for unit tests.

#![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

use eventlog::Entry;
use schemas::event::{Credit, credit_event_id};
use schemas::{AccountId, Body, BootId, Event, Header, NanoUsd, NodeId, Producer, Timestamp};

/// One top-up of an account a position, from the log's beginning on, all on one day.
pub fn topups<const N: usize>(accounts: [AccountId; N]) -> [Entry; N] {
    let producer = Producer { node: NodeId::mint(), boot: BootId::mint() };
    let mut position = 0;
    accounts.map(|account| {
        position += 1;
        let order = Credit {
            actor: "test".to_owned(),
            amount_nanos: NanoUsd::from_nanos(5),
            expires_at: None,
            idempotency_key: position.to_string(),
            input_sha256: String::new(),
            reason: None,
            reference: None,
            request_id: None,
        };
        let id = credit_event_id(account, &order.idempotency_key);
        let header = Header { id, account, producer, pseq: position, time: Timestamp::from_micros(1_795_392_000_000_000) };
        Entry { position, payload: Event { header, body: Body::BalanceTopup(order) }.encode().unwrap().into() }
    })
}
