//! Multi-row inserts: the rows of a batch in a handful of prepared statements.
//!
//! A statement exists per table and chunk size, so that SQLite compiles it once. Placeholders are bare
//! `?`: SQLite looks numbered ones up one by one, which is quadratic in their number.

use std::sync::Arc;

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Sqlite, Type};

use crate::store::{LedgerError, tables};

/// Rows per statement, largest first. SQLite allows 32,766 placeholders.
const CHUNKS: [usize; 4] = [256, 32, 4, 1];

/// The insert statements of one table.
pub(super) struct Insert {
    columns: usize,
    texts: [Arc<str>; CHUNKS.len()],
}

impl Insert {
    /// `tail` follows the values: an `ON CONFLICT` clause or nothing.
    fn new(table: &str, columns: &[&str], tail: &str) -> Self {
        let row = format!("({})", vec!["?"; columns.len()].join(","));
        let text = |rows: usize| {
            let values = vec![row.as_str(); rows].join(",");
            Arc::from(format!("INSERT INTO {table} ({}) VALUES {values} {tail}", columns.join(",")))
        };
        Self { columns: columns.len(), texts: CHUNKS.map(text) }
    }

    /// Replaces what is there by what is given, key by key.
    fn upsert(table: &str, keys: &[&str], columns: &[&str]) -> Self {
        let updates = columns.iter().filter(|column| !keys.contains(column));
        let updates: Vec<String> = updates.map(|column| format!("{column} = excluded.{column}")).collect();
        Self::new(table, columns, &format!("ON CONFLICT ({}) DO UPDATE SET {}", keys.join(","), updates.join(", ")))
    }

    /// Writes all rows; `bind` gives the values of one, in the order of the columns. The values of a chunk
    /// are gathered while the database writes the chunk before.
    pub(super) async fn run<R>(
        &self,
        connection: &mut SqliteConnection,
        rows: &[R],
        bind: impl Fn(&R, &mut Values) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let mut rest = rows;
        let mut next = self.chunk(&mut rest, &bind)?;
        while let Some((text, values)) = next {
            let written = sqlx::query_with(AssertSqlSafe(text), values.0).execute(&mut *connection);
            let (written, gathered) = tokio::join!(written, async { self.chunk(&mut rest, &bind) });
            written?;
            next = gathered?;
        }
        Ok(())
    }

    /// Takes the largest chunk there is a statement for; `None` when no rows are left.
    fn chunk<R>(
        &self,
        rest: &mut &[R],
        bind: &impl Fn(&R, &mut Values) -> Result<(), LedgerError>,
    ) -> Result<Option<(Arc<str>, Values)>, LedgerError> {
        let Some((size, text)) = CHUNKS.into_iter().zip(&self.texts).find(|(size, _)| *size <= rest.len()) else {
            return Ok(None);
        };
        let (chunk, after) = rest.split_at(size);
        let mut values = Values(SqliteArguments::default());
        values.0.reserve(size * self.columns, 0);
        chunk.iter().try_for_each(|row| bind(row, &mut values))?;
        *rest = after;
        Ok(Some((Arc::clone(text), values)))
    }
}

/// The values of a statement's rows.
pub(super) struct Values(SqliteArguments);

impl Values {
    pub(super) fn push<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> Result<(), LedgerError> {
        self.0.add(value).map_err(|error| LedgerError::Database(sqlx::Error::Encode(error)))
    }
}

/// Every table a batch writes.
pub(super) struct Inserts {
    pub(super) entries: Insert,
    pub(super) postings: Insert,
    pub(super) orders: Insert,
    pub(super) quarantine: Insert,
    pub(super) balances: Insert,
    pub(super) key_spend: Insert,
    pub(super) lots: Insert,
    pub(super) partitions: Insert,
    pub(super) producers: Insert,
}

impl Inserts {
    pub(super) fn new() -> Self {
        Self {
            entries: Insert::new("ledger_entries", tables::ENTRY_COLUMNS, ""),
            postings: Insert::new("ledger_postings", tables::POSTING_COLUMNS, ""),
            orders: Insert::new("ledger_orders", tables::ORDER_COLUMNS, ""),
            quarantine: Insert::new("ledger_quarantine", tables::QUARANTINE_COLUMNS, ""),
            balances: Insert::upsert("ledger_balances", &["account_id"], tables::BALANCE_COLUMNS),
            key_spend: Insert::upsert("ledger_key_spend", &["key_id", "day"], tables::KEY_SPEND_COLUMNS),
            lots: Insert::upsert("ledger_lots", &["grant_id"], tables::LOT_COLUMNS),
            partitions: Insert::upsert("ledger_partitions", &["partition"], tables::PARTITION_COLUMNS),
            producers: Insert::upsert("ledger_producers", &["node_id", "boot_id", "partition"], tables::PRODUCER_COLUMNS),
        }
    }
}
