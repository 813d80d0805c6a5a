//! Reads the part of the books that a batch of events can touch.
//!
//! One query a table, whatever the size of the batch: the ids travel as arrays.

use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::apply::{Prepared, State};
use crate::store::named::Named;
use crate::store::{LedgerError, read};

/// Completes the state before a batch for every fact the batch names.
pub(super) async fn preload(connection: &mut PgConnection, state: &mut State, batch: &[Prepared]) -> Result<(), LedgerError> {
    let named = Named::by(batch, state);
    if state.partitions.is_empty() {
        let sql = "SELECT partition, ordinal, head, latest_day, position FROM ledger_partitions";
        read::take_partitions(state, &sqlx::query(sql).fetch_all(&mut *connection).await?)?;
    }
    sequences(connection, state, &named).await?;
    requests(connection, state, &named).await?;
    events(connection, state, &named).await?;
    accounts(connection, state, &named).await?;
    grants(connection, state, &named).await?;
    key_spend(connection, state, &named).await
}

async fn sequences(connection: &mut PgConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.sources.is_empty() {
        return Ok(());
    }
    let nodes: Vec<Uuid> = named.sources.iter().map(|(node, _, _)| *node).collect();
    let boots: Vec<Uuid> = named.sources.iter().map(|(_, boot, _)| *boot).collect();
    let partitions: Vec<i32> = named.sources.iter().map(|(_, _, partition)| i32::from(*partition)).collect();
    let sql = "SELECT p.node_id, p.boot_id, p.partition, p.contiguous, p.ahead, p.position FROM ledger_producers p \
        JOIN unnest($1, $2, $3::INT2[]) AS named (node_id, boot_id, partition) USING (node_id, boot_id, partition)";
    read::take_sequences(state, &sqlx::query(sql).bind(nodes).bind(boots).bind(partitions).fetch_all(connection).await?)
}

async fn requests(connection: &mut PgConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.requests.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = named.requests.iter().map(|id| id.uuid()).collect();
    let sql = "SELECT request_id, event_type, verdict, account_id, amount_nanos, provider_cost_nanos, provisional FROM ledger_entries \
        WHERE request_id = ANY($1) ORDER BY position";
    read::take_requests(state, &sqlx::query(sql).bind(ids).fetch_all(&mut *connection).await?)?;
    let ids: Vec<Uuid> = named.refunded.iter().map(|id| id.uuid()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "SELECT o.request_id, CAST(sum(e.amount_nanos) AS BIGINT) AS refunded FROM ledger_orders o \
        JOIN ledger_entries e ON e.position = o.position AND e.request_id IS NULL \
        WHERE o.request_id = ANY($1) AND e.event_type = 'balance.refund' GROUP BY o.request_id";
    read::take_refunds(state, &sqlx::query(sql).bind(ids).fetch_all(connection).await?)
}

async fn events(connection: &mut PgConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.events.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = named.events.iter().map(String::as_str).collect();
    let sql = "SELECT e.event_id, e.account_id, o.input_sha256 FROM ledger_entries e LEFT JOIN ledger_orders o ON o.position = e.position \
        WHERE e.request_id IS NULL AND e.event_id = ANY($1)";
    read::take_events(state, &sqlx::query(sql).bind(ids).fetch_all(connection).await?)
}

async fn accounts(connection: &mut PgConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.accounts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = named.accounts.iter().copied().collect();
    let sql = "SELECT account_id, balance_nanos, credits_nanos, usage_nanos, position FROM ledger_balances WHERE account_id = ANY($1)";
    read::take_accounts(state, &sqlx::query(sql).bind(&ids).fetch_all(&mut *connection).await?)?;
    let sql = "SELECT grant_id, account_id, granted_nanos, remaining_nanos, expires_at_micros, granted_position, position FROM ledger_lots \
        WHERE remaining_nanos > 0 AND account_id = ANY($1)";
    read::take_open_lots(state, &sqlx::query(sql).bind(&ids).fetch_all(connection).await?)
}

/// Lots that are named, also those of which nothing is left.
async fn grants(connection: &mut PgConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.grants.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = named.grants.iter().map(String::as_str).collect();
    let sql = "SELECT grant_id, account_id, granted_nanos, remaining_nanos, expires_at_micros, granted_position, position FROM ledger_lots \
        WHERE grant_id = ANY($1)";
    read::take_lots(state, &sqlx::query(sql).bind(ids).fetch_all(connection).await?)
}

async fn key_spend(connection: &mut PgConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uuid> = named.keys.iter().map(|(key, _)| key.uuid()).collect();
    let days: Vec<i32> = named.keys.iter().map(|(_, day)| day.number()).collect();
    let sql = "SELECT s.key_id, s.day, s.account_id, s.spent_nanos, s.position FROM ledger_key_spend s \
        JOIN unnest($1, $2) AS named (key_id, day) USING (key_id, day)";
    read::take_key_spend(state, &sqlx::query(sql).bind(keys).bind(days).fetch_all(connection).await?)
}
