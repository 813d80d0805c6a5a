//! The named bounds and times of a gate.

use crate::protocol::AccountRules;

/// Every bound that is reached is a typed error and a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateOptions {
    pub rules: AccountRules,
    /// Answered while the gate is closed.
    pub not_ready_retry_ms: u64,
    /// Accounts the gate knows, those of the books aside: beyond it, an account that is first seen is refused.
    pub accounts_max: usize,
    /// Locks; an account's state is under one of them. At least one.
    pub shards: usize,
    /// Generation records kept, by count and by bytes; the oldest leave first.
    pub generations_max: usize,
    pub generation_bytes_max: usize,
}

impl Default for GateOptions {
    fn default() -> Self {
        Self {
            rules: AccountRules {
                hold_ttl_ms: 60_000,
                reap_grace_ms: 5_000,
                tombstone_keep_ms: 3_600_000,
                in_flight_retry_ms: 1_000,
                entries_max: 100_000,
                keys_max: 10_000,
            },
            not_ready_retry_ms: 1_000,
            accounts_max: 1_000_000,
            shards: 64,
            generations_max: 16_384,
            generation_bytes_max: 16 << 20,
        }
    }
}
