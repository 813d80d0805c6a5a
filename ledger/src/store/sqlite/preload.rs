//! Reads the part of the books that a batch of events can touch.
//!
//! One query a table, whatever the size of the batch: the ids travel as one JSON list.

use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::apply::{Prepared, State};
use crate::store::named::Named;
use crate::store::{LedgerError, read};

/// Completes the state before a batch for every fact the batch names.
pub(super) async fn preload(connection: &mut SqliteConnection, state: &mut State, batch: &[Prepared]) -> Result<(), LedgerError> {
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

async fn sequences(connection: &mut SqliteConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.sources.is_empty() {
        return Ok(());
    }
    let sources = named.sources.iter().map(|(node, boot, partition)| (node.simple().to_string(), boot.simple().to_string(), partition));
    let sql = "SELECT p.node_id, p.boot_id, p.partition, p.contiguous, p.ahead, p.position FROM json_each($1) j \
        CROSS JOIN ledger_producers p ON p.node_id = unhex(j.value ->> 0) AND p.boot_id = unhex(j.value ->> 1) AND p.partition = j.value ->> 2";
    read::take_sequences(state, &fetch(connection, sql, &sources.collect::<Vec<_>>()).await?)
}

async fn requests(connection: &mut SqliteConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.requests.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = named.requests.iter().map(|id| id.uuid().simple().to_string()).collect();
    let sql = "SELECT request_id, event_type, verdict, account_id, amount_nanos, provider_cost_nanos, provisional FROM ledger_entries \
        WHERE request_id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY position";
    read::take_requests(state, &fetch(connection, sql, &ids).await?)?;
    let ids: Vec<String> = named.refunded.iter().map(|id| id.uuid().simple().to_string()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "SELECT o.request_id, sum(e.amount_nanos) AS refunded FROM ledger_orders o JOIN ledger_entries e ON e.position = o.position \
        WHERE o.request_id IN (SELECT unhex(value) FROM json_each($1)) AND e.event_type = 'balance.refund' GROUP BY o.request_id";
    read::take_refunds(state, &fetch(connection, sql, &ids).await?)
}

async fn events(connection: &mut SqliteConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.events.is_empty() {
        return Ok(());
    }
    let sql = "SELECT e.event_id, e.account_id, o.input_sha256 FROM ledger_entries e LEFT JOIN ledger_orders o ON o.position = e.position \
        WHERE e.request_id IS NULL AND e.event_id IN (SELECT value FROM json_each($1))";
    read::take_events(state, &fetch(connection, sql, &named.events).await?)
}

async fn accounts(connection: &mut SqliteConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.accounts.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = named.accounts.iter().map(|id| id.simple().to_string()).collect();
    let sql = "SELECT account_id, balance_nanos, credits_nanos, usage_nanos, position FROM ledger_balances \
        WHERE account_id IN (SELECT unhex(value) FROM json_each($1))";
    read::take_accounts(state, &fetch(connection, sql, &ids).await?)?;
    let sql = "SELECT grant_id, account_id, granted_nanos, remaining_nanos, expires_at_micros, granted_position, position FROM ledger_lots \
        WHERE remaining_nanos > 0 AND account_id IN (SELECT unhex(value) FROM json_each($1))";
    read::take_open_lots(state, &fetch(connection, sql, &ids).await?)
}

/// Lots that are named, also those of which nothing is left.
async fn grants(connection: &mut SqliteConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.grants.is_empty() {
        return Ok(());
    }
    let sql = "SELECT grant_id, account_id, granted_nanos, remaining_nanos, expires_at_micros, granted_position, position FROM ledger_lots \
        WHERE grant_id IN (SELECT value FROM json_each($1))";
    read::take_lots(state, &fetch(connection, sql, &named.grants).await?)
}

async fn key_spend(connection: &mut SqliteConnection, state: &mut State, named: &Named) -> Result<(), LedgerError> {
    if named.keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<(String, i32)> = named.keys.iter().map(|(key, day)| (key.uuid().simple().to_string(), day.number())).collect();
    let sql = "SELECT s.key_id, s.day, s.account_id, s.spent_nanos, s.position FROM json_each($1) j \
        CROSS JOIN ledger_key_spend s ON s.key_id = unhex(j.value ->> 0) AND s.day = j.value ->> 1";
    read::take_key_spend(state, &fetch(connection, sql, &keys).await?)
}

/// Runs a query whose one parameter is a JSON list.
async fn fetch(
    connection: &mut SqliteConnection,
    sql: &'static str,
    list: &(impl serde::Serialize + Sync),
) -> Result<Vec<SqliteRow>, LedgerError> {
    let json = serde_json::to_string(list).map_err(|error| LedgerError::Database(sqlx::Error::Encode(error.into())))?;
    Ok(sqlx::query(sql).bind(json).fetch_all(connection).await?)
}
