//! Rows of the books taken into a [`State`]; the same for every database.

use schemas::ids::{BootId, NodeId};
use schemas::{NanoUsd, Partition, Producer};

use crate::apply::state::KnownEvent;
use crate::apply::{AccountState, KeySpendState, Lot, PartitionState, RequestState, Sequence, SequenceState, State};

use super::LedgerError;
use super::columns::{Columns, SqlRow};

/// Columns `partition, ordinal, head, latest_day, position`.
pub(super) fn take_partitions<R: SqlRow>(state: &mut State, rows: &[R]) -> Result<(), LedgerError> {
    for row in rows {
        let columns = Columns { table: "ledger_partitions", row };
        let partition = PartitionState {
            ordinal: columns.count("ordinal")?,
            head: columns.head("head")?,
            day: columns.optional_day("latest_day")?,
            position: columns.count("position")?,
        };
        state.partitions.insert(columns.partition("partition")?, partition);
    }
    Ok(())
}

/// Whole rows of `ledger_producers`.
pub(super) fn take_sequences<R: SqlRow>(state: &mut State, rows: &[R]) -> Result<(), LedgerError> {
    for row in rows {
        let (producer, partition, sequence) = sequence(row)?;
        state.sequences.insert((producer, partition), sequence);
    }
    Ok(())
}

pub(super) fn sequence<R: SqlRow>(row: &R) -> Result<(Producer, Partition, SequenceState), LedgerError> {
    let columns = Columns { table: "ledger_producers", row };
    let producer = Producer { node: NodeId::from_uuid(columns.id("node_id")?), boot: BootId::from_uuid(columns.id("boot_id")?) };
    let text = columns.text("ahead")?;
    let ahead = serde_json::from_str(&text);
    let ahead = ahead.map_err(|_| LedgerError::Row { table: "ledger_producers", column: "ahead", value: text })?;
    let sequence = Sequence { contiguous: columns.count("contiguous")?, ahead };
    Ok((producer, columns.partition("partition")?, SequenceState { sequence, position: columns.count("position")? }))
}

/// The usage facts of requests, in log order.
pub(super) fn take_requests<R: SqlRow>(state: &mut State, rows: &[R]) -> Result<(), LedgerError> {
    for row in rows {
        let columns = Columns { table: "ledger_entries", row };
        let account = columns.account("account_id")?;
        let request = state.requests.entry(columns.request("request_id")?).or_insert_with(|| RequestState::new(account));
        fold_request(request, &columns)?;
    }
    Ok(())
}

/// Takes one recorded usage fact into what is known of its request.
pub(super) fn fold_request<R: SqlRow>(request: &mut RequestState, columns: &Columns<'_, R>) -> Result<(), LedgerError> {
    let event_type = columns.text("event_type")?;
    request.seen.insert(&event_type);
    let verdict = columns.text("verdict")?;
    if let (Some(terminal), "applied" | "superseding") = (columns.terminal()?, verdict.as_str()) {
        request.effective = Some(terminal);
        let amount = columns.integer("amount_nanos")?;
        request.charge = NanoUsd::from_nanos(amount.saturating_neg());
        request.provider_cost = columns.optional_nanos("provider_cost_nanos")?.or(request.provider_cost);
    }
    Ok(())
}

/// Columns `request_id, refunded`, of requests that are taken already.
pub(super) fn take_refunds<R: SqlRow>(state: &mut State, rows: &[R]) -> Result<(), LedgerError> {
    for row in rows {
        let columns = Columns { table: "ledger_orders", row };
        if let Some(request) = state.requests.get_mut(&columns.request("request_id")?) {
            request.refunded = columns.nanos("refunded")?;
        }
    }
    Ok(())
}

/// Columns `event_id, account_id, input_sha256`.
pub(super) fn take_events<R: SqlRow>(state: &mut State, rows: &[R]) -> Result<(), LedgerError> {
    for row in rows {
        let columns = Columns { table: "ledger_entries", row };
        let known = KnownEvent { account: columns.account("account_id")?, input_sha256: columns.optional_text("input_sha256")? };
        state.events.insert(columns.text("event_id")?, known);
    }
    Ok(())
}

/// Whole rows of `ledger_balances`.
pub(super) fn take_accounts<R: SqlRow>(state: &mut State, rows: &[R]) -> Result<(), LedgerError> {
    for row in rows {
        let columns = Columns { table: "ledger_balances", row };
        let account = AccountState {
            balance: columns.nanos("balance_nanos")?,
            credits: columns.nanos("credits_nanos")?,
            usage: columns.nanos("usage_nanos")?,
            open_lots: Vec::new(),
            position: columns.count("position")?,
        };
        state.accounts.insert(columns.account("account_id")?, account);
    }
    Ok(())
}

/// Whole rows of `ledger_lots`: all the open ones of accounts that are taken already.
pub(super) fn take_open_lots<R: SqlRow>(state: &mut State, rows: &[R]) -> Result<(), LedgerError> {
    for row in rows {
        let lot = lot(row)?;
        state.accounts.entry(lot.account).or_default().open_lots.push(lot.grant_id.clone());
        state.lots.insert(lot.grant_id.clone(), lot);
    }
    Ok(())
}

/// Whole rows of `ledger_lots`: those that are named, also where nothing is left of them.
pub(super) fn take_lots<R: SqlRow>(state: &mut State, rows: &[R]) -> Result<(), LedgerError> {
    for row in rows {
        let lot = lot(row)?;
        state.lots.insert(lot.grant_id.clone(), lot);
    }
    Ok(())
}

fn lot<R: SqlRow>(row: &R) -> Result<Lot, LedgerError> {
    let columns = Columns { table: "ledger_lots", row };
    Ok(Lot {
        grant_id: columns.text("grant_id")?,
        account: columns.account("account_id")?,
        granted: columns.nanos("granted_nanos")?,
        remaining: columns.nanos("remaining_nanos")?,
        expires_at: columns.optional_time("expires_at_micros")?,
        granted_position: columns.count("granted_position")?,
        position: columns.count("position")?,
    })
}

/// Whole rows of `ledger_key_spend`.
pub(super) fn take_key_spend<R: SqlRow>(state: &mut State, rows: &[R]) -> Result<(), LedgerError> {
    for row in rows {
        let columns = Columns { table: "ledger_key_spend", row };
        let spend = KeySpendState {
            account: columns.account("account_id")?,
            spent: columns.nanos("spent_nanos")?,
            position: columns.count("position")?,
        };
        state.key_spend.insert((columns.key("key_id")?, columns.day("day")?), spend);
    }
    Ok(())
}
