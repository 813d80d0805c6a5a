//! Which partition of the ledger an account lives in.
//!
//! The number is part of every event and of every hash chain, so it is the same in both shapes and can
//! never change for the life of a ledger.

use xxhash_rust::xxh3::xxh3_64;

use crate::ids::AccountId;

/// How many partitions a ledger has. **Fixed at creation**: heads and producer sequences count per partition.
pub const PARTITION_COUNT: u16 = 16;

/// A ledger partition, `0..PARTITION_COUNT`.
pub type Partition = u16;

/// The partition an account's events are ordered and chained in.
pub fn partition_of(account: AccountId) -> Partition {
    (xxh3_64(account.uuid().as_bytes()) % u64::from(PARTITION_COUNT)) as Partition
}
