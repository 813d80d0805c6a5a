//! The books at one log position: what the audit reads while a worker goes on writing.

use super::LedgerError;
use super::postgres::PostgresSnapshot;
use super::rows::{BalanceRow, EntryRow, KeySpendRow, LotRow, OrderRow, PartitionRow, PostingRow, ProducerRow, QuarantineRow};
use super::sqlite::SqliteSnapshot;

/// A read transaction, in any backend. Rows come in key order.
pub enum Snapshot {
    Sqlite(SqliteSnapshot),
    Postgres(PostgresSnapshot),
}

macro_rules! reads {
    ($($(#[$doc:meta])* $name:ident($($argument:ident),*) -> $row:ty;)+) => {
        impl Snapshot {
            $($(#[$doc])*
            pub async fn $name(&mut self, $($argument: u64),*) -> Result<Vec<$row>, LedgerError> {
                match self {
                    Self::Sqlite(snapshot) => snapshot.$name($($argument),*).await,
                    Self::Postgres(snapshot) => snapshot.$name($($argument),*).await,
                }
            })+
        }
    };
}

reads! {
    /// With `after < position <= to`.
    entries(after, to) -> EntryRow;
    postings(after, to) -> PostingRow;
    orders(after, to) -> OrderRow;
    quarantine(after, to) -> QuarantineRow;
    balances() -> BalanceRow;
    key_spend() -> KeySpendRow;
    lots() -> LotRow;
    partitions() -> PartitionRow;
    producers() -> ProducerRow;
}

impl Snapshot {
    /// The log position the snapshot shows.
    pub fn position(&self) -> u64 {
        match self {
            Self::Sqlite(snapshot) => snapshot.position(),
            Self::Postgres(snapshot) => snapshot.position(),
        }
    }
}
