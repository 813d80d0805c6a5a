//! Whole tables, in key order, at one log position: for the audit and for digests.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Sqlite, Transaction};

use crate::store::lines::{self, TableDigest};
use crate::store::queries::{POSITION, position_of};
use crate::store::rows::{
    BalanceRow, EntryRow, KeySpendRow, LotRow, OrderRow, PartitionRow, PostingRow, ProducerRow, QuarantineRow, Row, signed,
};
use crate::store::{Digests, LedgerError};

use super::SqliteLedger;

/// A table that can be read back as rows, which travel as JSON lines.
pub(super) trait Scan: Row {
    /// All rows in key order, a line each.
    const ALL: &'static str;
}

/// A table that is written in log order.
pub(super) trait ScanRange: Scan {
    /// The lines with `$1 < position <= $2`, in key order, in one value.
    const RANGE: &'static str;
}

/// The books at one log position, whatever a live worker does meanwhile.
pub struct SqliteSnapshot {
    transaction: Transaction<'static, Sqlite>,
    position: u64,
}

impl SqliteLedger {
    /// Opens a read transaction: it sees one position for as long as it lives.
    pub async fn snapshot(&self) -> Result<SqliteSnapshot, LedgerError> {
        let mut transaction = self.reading_transaction().await?;
        let position = position_of(&sqlx::query(POSITION).fetch_one(&mut *transaction).await?)?;
        Ok(SqliteSnapshot { transaction, position })
    }

    pub async fn snapshot_digests(&self) -> Result<Digests, LedgerError> {
        let mut snapshot = self.snapshot().await?;
        let connection = &mut *snapshot.transaction;
        let mut digests = BTreeMap::new();
        digest::<EntryRow>(connection, snapshot.position, &mut digests).await?;
        digest::<PostingRow>(connection, snapshot.position, &mut digests).await?;
        digest::<OrderRow>(connection, snapshot.position, &mut digests).await?;
        digest::<QuarantineRow>(connection, snapshot.position, &mut digests).await?;
        digest_all::<BalanceRow>(connection, &mut digests).await?;
        digest_all::<KeySpendRow>(connection, &mut digests).await?;
        digest_all::<LotRow>(connection, &mut digests).await?;
        digest_all::<PartitionRow>(connection, &mut digests).await?;
        digest_all::<ProducerRow>(connection, &mut digests).await?;
        Ok(Digests { position: snapshot.position, tables: digests })
    }

    pub(in crate::store) async fn reading_transaction(&self) -> Result<Transaction<'static, Sqlite>, LedgerError> {
        Ok(self.readers.begin().await?)
    }
}

impl SqliteSnapshot {
    pub fn position(&self) -> u64 {
        self.position
    }

    pub async fn entries(&mut self, after: u64, to: u64) -> Result<Vec<EntryRow>, LedgerError> {
        range(&mut self.transaction, after, to).await
    }

    pub async fn postings(&mut self, after: u64, to: u64) -> Result<Vec<PostingRow>, LedgerError> {
        range(&mut self.transaction, after, to).await
    }

    pub async fn orders(&mut self, after: u64, to: u64) -> Result<Vec<OrderRow>, LedgerError> {
        range(&mut self.transaction, after, to).await
    }

    pub async fn quarantine(&mut self, after: u64, to: u64) -> Result<Vec<QuarantineRow>, LedgerError> {
        range(&mut self.transaction, after, to).await
    }

    pub async fn balances(&mut self) -> Result<Vec<BalanceRow>, LedgerError> {
        all(&mut self.transaction).await
    }

    pub async fn key_spend(&mut self) -> Result<Vec<KeySpendRow>, LedgerError> {
        all(&mut self.transaction).await
    }

    pub async fn lots(&mut self) -> Result<Vec<LotRow>, LedgerError> {
        all(&mut self.transaction).await
    }

    pub async fn partitions(&mut self) -> Result<Vec<PartitionRow>, LedgerError> {
        all(&mut self.transaction).await
    }

    pub async fn producers(&mut self) -> Result<Vec<ProducerRow>, LedgerError> {
        all(&mut self.transaction).await
    }
}

async fn range<R: ScanRange>(connection: &mut SqliteConnection, after: u64, to: u64) -> Result<Vec<R>, LedgerError> {
    let text = range_lines::<R>(connection, after, to).await?;
    text.lines().map(lines::read).collect()
}

async fn range_lines<R: ScanRange>(connection: &mut SqliteConnection, after: u64, to: u64) -> Result<String, LedgerError> {
    let lines: Option<String> = sqlx::query_scalar(R::RANGE).bind(signed(after)).bind(signed(to)).fetch_one(connection).await?;
    Ok(lines.unwrap_or_default())
}

async fn all<R: Scan>(connection: &mut SqliteConnection) -> Result<Vec<R>, LedgerError> {
    let rows: Vec<String> = sqlx::query_scalar(R::ALL).fetch_all(connection).await?;
    rows.iter().map(|line| lines::read(line)).collect()
}

async fn digest_all<R: Scan>(connection: &mut SqliteConnection, into: &mut BTreeMap<String, String>) -> Result<(), LedgerError> {
    let mut digest = TableDigest::default();
    let mut rows = sqlx::query_scalar::<_, String>(R::ALL).fetch(connection);
    while let Some(line) = rows.try_next().await? {
        digest.add(&line);
    }
    into.insert(R::TABLE.to_owned(), digest.finish());
    Ok(())
}

/// [`digest_all`] for the long tables.
async fn digest<R: ScanRange>(
    connection: &mut SqliteConnection,
    position: u64,
    into: &mut BTreeMap<String, String>,
) -> Result<(), LedgerError> {
    let mut digest = TableDigest::default();
    for (after, to) in lines::ranges(position) {
        digest.add(&range_lines::<R>(connection, after, to).await?);
    }
    into.insert(R::TABLE.to_owned(), digest.finish());
    Ok(())
}

macro_rules! scan {
    ($row:ty, $table:literal, $key:literal, [$first:expr $(, $column:expr)* $(,)?]) => {
        impl Scan for $row {
            const ALL: &'static str = concat!("SELECT json_array(", $first, $(", ", $column,)* ") FROM ", $table, " ORDER BY ", $key);
        }
    };
    (ranged $row:ty, $table:literal, $key:literal, [$first:expr $(, $column:expr)* $(,)?]) => {
        scan!($row, $table, $key, [$first $(, $column)*]);

        impl ScanRange for $row {
            const RANGE: &'static str = concat!(
                "SELECT group_concat(json_array(", $first, $(", ", $column,)* "), char(10) ORDER BY ", $key, ") FROM ", $table,
                " WHERE position > $1 AND position <= $2"
            );
        }
    };
}

macro_rules! hex {
    ($column:literal) => {
        concat!("lower(hex(", $column, "))")
    };
    (optional $column:literal) => {
        concat!("iif(", $column, " IS NULL, NULL, lower(hex(", $column, ")))")
    };
}

scan!(ranged EntryRow, "ledger_entries", "position", [
    "position",
    "partition",
    "ordinal",
    "event_id",
    "event_type",
    "verdict",
    "rejection",
    hex!("account_id"),
    hex!(optional "request_id"),
    hex!(optional "key_id"),
    "admission_day",
    "amount_nanos",
    "balance_after_nanos",
    "provider_cost_nanos",
    "provisional",
    "occurred_at_micros",
    hex!("event_sha256"),
    hex!("head"),
]);

scan!(ranged PostingRow, "ledger_postings", "position, leg", [
    "position",
    "leg",
    "account_code",
    hex!(optional "account_id"),
    "partition",
    "amount_nanos",
]);

scan!(ranged OrderRow, "ledger_orders", "position", [
    "position",
    "ordered_nanos",
    "actor",
    "input_sha256",
    "reason",
    "reference",
    hex!(optional "request_id"),
    "expires_at_micros",
    "grant_id",
]);

scan!(ranged QuarantineRow, "ledger_quarantine", "position", [
    "position",
    "reason",
    hex!("payload"),
]);

scan!(BalanceRow, "ledger_balances", "account_id", [hex!("account_id"), "balance_nanos", "credits_nanos", "usage_nanos", "position",]);

scan!(KeySpendRow, "ledger_key_spend", "key_id, day", [hex!("key_id"), "day", hex!("account_id"), "spent_nanos", "position",]);

scan!(
    LotRow,
    "ledger_lots",
    "grant_id",
    ["grant_id", hex!("account_id"), "granted_nanos", "remaining_nanos", "expires_at_micros", "granted_position", "position",]
);

scan!(PartitionRow, "ledger_partitions", "partition", ["partition", "ordinal", hex!("head"), "latest_day", "position",]);

scan!(
    ProducerRow,
    "ledger_producers",
    "node_id, boot_id, partition",
    [hex!("node_id"), hex!("boot_id"), "partition", "contiguous", "ahead", "position",]
);
