//! Everything a batch writes, in one statement: rows, sums and the position.
//!
//! The rows of every table travel as one array a column. The position is compared and set by the main
//! part of the statement, so that it counts as the one row that must be affected.

use std::sync::Arc;

use schemas::NanoUsd;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Postgres, Type};

use crate::apply::{Applied, CreditOrder, Entered, LedgerAccount, Posting, Prepared, State};
use crate::store::LedgerError;
use crate::store::rows::{ahead_json, signed};
use crate::store::tables;
use crate::store::touched::Touched;

/// What a batch did, and the position it leads to.
pub(super) struct Batch<'a> {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) entries: &'a [Prepared],
    pub(super) applied: &'a [Applied],
    pub(super) touched: &'a Touched,
    pub(super) state: &'a State,
}

/// The one statement.
pub(super) struct BatchStatement(Arc<str>);

impl BatchStatement {
    pub(super) fn new() -> Self {
        let posting_columns: Vec<&str> = tables::POSTING_COLUMNS.iter().copied().chain(["request_id"]).collect();
        let mut writer = TextWriter::default();
        writer.insert("ledger_entries", tables::ENTRY_COLUMNS, "");
        writer.insert("ledger_postings", &posting_columns, "");
        writer.insert("ledger_orders", tables::ORDER_COLUMNS, "");
        writer.insert("ledger_quarantine", tables::QUARANTINE_COLUMNS, "");
        writer.upsert("ledger_balances", &["account_id"], tables::BALANCE_COLUMNS);
        writer.upsert("ledger_key_spend", &["key_id", "day"], tables::KEY_SPEND_COLUMNS);
        writer.upsert("ledger_lots", &["grant_id"], tables::LOT_COLUMNS);
        writer.upsert("ledger_partitions", &["partition"], tables::PARTITION_COLUMNS);
        writer.upsert("ledger_producers", &["node_id", "boot_id", "partition"], tables::PRODUCER_COLUMNS);
        Self(writer.finish().into())
    }

    /// Writes a batch in the caller's transaction. **The compare-and-set**: a batch built on an old position
    /// is an error, and the caller rolls back.
    pub(super) async fn run(&self, connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), LedgerError> {
        let mut values = Values(PgArguments::default());
        let entries: Vec<&Entered> = batch.applied.iter().filter_map(entered).collect();
        entry_values(&mut values, &entries)?;
        posting_values(&mut values, &entries)?;
        order_values(&mut values, &entries)?;
        quarantine_values(&mut values, batch)?;
        balance_values(&mut values, batch)?;
        key_spend_values(&mut values, batch)?;
        lot_values(&mut values, batch)?;
        partition_values(&mut values, batch)?;
        producer_values(&mut values, batch)?;
        values.push(signed(batch.to))?;
        values.push(signed(batch.from))?;
        let done = sqlx::query_with(AssertSqlSafe(Arc::clone(&self.0)), values.0).execute(connection).await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(LedgerError::Overtaken { position: batch.from }) }
    }
}

#[derive(Default)]
struct TextWriter {
    parts: Vec<String>,
    parameters: usize,
}

impl TextWriter {
    fn parameter(&mut self) -> String {
        self.parameters += 1;
        format!("${}", self.parameters)
    }

    /// `tail` follows the rows: an `ON CONFLICT` clause or nothing.
    fn insert(&mut self, table: &str, columns: &[&str], tail: &str) {
        let lists: Vec<String> = columns.iter().map(|_| self.parameter()).collect();
        let (names, lists) = (columns.join(", "), lists.join(", "));
        self.parts.push(format!("{table}_written AS (INSERT INTO {table} ({names}) SELECT * FROM unnest({lists}){tail})"));
    }

    /// Replaces what is there by what is given, key by key.
    fn upsert(&mut self, table: &str, keys: &[&str], columns: &[&str]) {
        let updates = columns.iter().filter(|column| !keys.contains(column));
        let updates: Vec<String> = updates.map(|column| format!("{column} = excluded.{column}")).collect();
        self.insert(table, columns, &format!(" ON CONFLICT ({}) DO UPDATE SET {}", keys.join(", "), updates.join(", ")));
    }

    fn finish(mut self) -> String {
        let (to, from) = (self.parameter(), self.parameter());
        let parts = self.parts.join(",\n");
        format!("WITH {parts}\nUPDATE ledger_position SET position = {to} WHERE singleton = 1 AND position = {from}")
    }
}

/// The statement's parameters, in the order of their numbers.
struct Values(PgArguments);

impl Values {
    fn push<'t, T: Encode<'t, Postgres> + Type<Postgres>>(&mut self, value: T) -> Result<(), LedgerError> {
        self.0.add(value).map_err(|error| LedgerError::Database(sqlx::Error::Encode(error)))
    }

    /// One column of a table's rows.
    fn list<'t, R, T>(&mut self, rows: &[R], column: impl Fn(&R) -> T) -> Result<(), LedgerError>
    where
        Vec<T>: Encode<'t, Postgres> + Type<Postgres>,
    {
        self.push(rows.iter().map(column).collect::<Vec<T>>())
    }
}

fn entered(applied: &Applied) -> Option<&Entered> {
    if let Applied::Entered(entered) = applied { Some(entered) } else { None }
}

fn entry_values(values: &mut Values, rows: &[&Entered]) -> Result<(), LedgerError> {
    values.list(rows, |row| signed(row.position))?;
    values.list(rows, |row| i64::from(row.booking.partition))?;
    values.list(rows, |row| signed(row.ordinal))?;
    values.list(rows, |row| row.booking.event_id.clone())?;
    values.list(rows, |row| row.booking.event_type)?;
    values.list(rows, |row| row.booking.verdict.name())?;
    values.list(rows, |row| row.booking.verdict.rejection().map(|reason| reason.name()))?;
    values.list(rows, |row| row.booking.account.uuid())?;
    values.list(rows, |row| row.booking.request_id.map(|id| id.uuid()))?;
    values.list(rows, |row| row.booking.key_id.map(|id| id.uuid()))?;
    values.list(rows, |row| row.booking.admission_day.map(|day| day.number()))?;
    values.list(rows, |row| row.booking.amount.nanos())?;
    values.list(rows, |row| row.booking.balance_after.nanos())?;
    values.list(rows, |row| row.booking.provider_cost.map(NanoUsd::nanos))?;
    values.list(rows, |row| row.booking.provisional)?;
    values.list(rows, |row| row.booking.time.micros())?;
    values.list(rows, |row| row.event_sha256)?;
    values.list(rows, |row| row.head)
}

fn posting_values(values: &mut Values, entries: &[&Entered]) -> Result<(), LedgerError> {
    let legs =
        entries.iter().flat_map(|entered| entered.booking.postings.iter().enumerate().map(|(leg, posting)| (*entered, leg, posting)));
    let rows: Vec<(&Entered, usize, &Posting)> = legs.collect();
    let customer = |posting: &Posting| if let LedgerAccount::Customer(account) = posting.account { Some(account.uuid()) } else { None };
    values.list(&rows, |(entered, _, _)| signed(entered.position))?;
    values.list(&rows, |(_, leg, _)| i64::try_from(*leg).unwrap_or(i64::MAX))?;
    values.list(&rows, |(_, _, posting)| posting.account.code())?;
    values.list(&rows, |(_, _, posting)| customer(posting))?;
    values.list(&rows, |(entered, _, _)| i64::from(entered.booking.partition))?;
    values.list(&rows, |(_, _, posting)| posting.amount.nanos())?;
    values.list(&rows, |(entered, _, _)| entered.booking.request_id.map(|id| id.uuid()))
}

fn order_values(values: &mut Values, entries: &[&Entered]) -> Result<(), LedgerError> {
    let orders = entries.iter().filter_map(|entered| Some((entered.position, entered.booking.order.as_ref()?)));
    let rows: Vec<(u64, &CreditOrder)> = orders.collect();
    values.list(&rows, |(position, _)| signed(*position))?;
    values.list(&rows, |(_, order)| order.ordered.nanos())?;
    values.list(&rows, |(_, order)| order.actor.clone())?;
    values.list(&rows, |(_, order)| order.input_sha256.clone())?;
    values.list(&rows, |(_, order)| order.reason.clone())?;
    values.list(&rows, |(_, order)| order.reference.clone())?;
    values.list(&rows, |(_, order)| order.request_id.map(|id| id.uuid()))?;
    values.list(&rows, |(_, order)| order.expires_at.map(|at| at.micros()))?;
    values.list(&rows, |(_, order)| order.grant_id.clone())
}

fn quarantine_values(values: &mut Values, batch: &Batch<'_>) -> Result<(), LedgerError> {
    let poisoned = batch.entries.iter().zip(batch.applied).filter_map(|(prepared, applied)| {
        if let Applied::Quarantined(poison) = applied { Some((prepared, poison.to_string())) } else { None }
    });
    let rows: Vec<(&Prepared, String)> = poisoned.collect();
    values.list(&rows, |(prepared, _)| signed(prepared.position))?;
    values.list(&rows, |(_, reason)| reason.clone())?;
    values.list(&rows, |(prepared, _)| prepared.payload.to_vec())
}

fn balance_values(values: &mut Values, batch: &Batch<'_>) -> Result<(), LedgerError> {
    let rows: Vec<_> = batch.touched.accounts.iter().filter_map(|id| Some((id, batch.state.accounts.get(id)?))).collect();
    values.list(&rows, |(id, _)| id.uuid())?;
    values.list(&rows, |(_, account)| account.balance.nanos())?;
    values.list(&rows, |(_, account)| account.credits.nanos())?;
    values.list(&rows, |(_, account)| account.usage.nanos())?;
    values.list(&rows, |(_, account)| signed(account.position))
}

fn key_spend_values(values: &mut Values, batch: &Batch<'_>) -> Result<(), LedgerError> {
    let rows: Vec<_> = batch.touched.keys.iter().filter_map(|key| Some((key, batch.state.key_spend.get(key)?))).collect();
    values.list(&rows, |((key, _), _)| key.uuid())?;
    values.list(&rows, |((_, day), _)| day.number())?;
    values.list(&rows, |(_, spend)| spend.account.uuid())?;
    values.list(&rows, |(_, spend)| spend.spent.nanos())?;
    values.list(&rows, |(_, spend)| signed(spend.position))
}

fn lot_values(values: &mut Values, batch: &Batch<'_>) -> Result<(), LedgerError> {
    let rows: Vec<_> = batch.touched.lots.iter().filter_map(|id| batch.state.lots.get(id)).collect();
    values.list(&rows, |lot| lot.grant_id.clone())?;
    values.list(&rows, |lot| lot.account.uuid())?;
    values.list(&rows, |lot| lot.granted.nanos())?;
    values.list(&rows, |lot| lot.remaining.nanos())?;
    values.list(&rows, |lot| lot.expires_at.map(|at| at.micros()))?;
    values.list(&rows, |lot| signed(lot.granted_position))?;
    values.list(&rows, |lot| signed(lot.position))
}

fn partition_values(values: &mut Values, batch: &Batch<'_>) -> Result<(), LedgerError> {
    let rows: Vec<_> = batch.touched.partitions.iter().filter_map(|id| Some((id, batch.state.partitions.get(id)?))).collect();
    values.list(&rows, |(partition, _)| i64::from(**partition))?;
    values.list(&rows, |(_, chain)| signed(chain.ordinal))?;
    values.list(&rows, |(_, chain)| chain.head)?;
    values.list(&rows, |(_, chain)| chain.day.map(|day| day.number()))?;
    values.list(&rows, |(_, chain)| signed(chain.position))
}

fn producer_values(values: &mut Values, batch: &Batch<'_>) -> Result<(), LedgerError> {
    let rows: Vec<_> = batch.touched.sources().filter_map(|source| Some((source, batch.state.sequences.get(&source)?))).collect();
    values.list(&rows, |((producer, _), _)| producer.node.uuid())?;
    values.list(&rows, |((producer, _), _)| producer.boot.uuid())?;
    values.list(&rows, |((_, partition), _)| i64::from(*partition))?;
    values.list(&rows, |(_, known)| signed(known.sequence.contiguous))?;
    values.list(&rows, |(_, known)| ahead_json(&known.sequence.ahead))?;
    values.list(&rows, |(_, known)| signed(known.position))
}
