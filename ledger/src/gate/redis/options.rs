//! The named bounds and times of the gate in Redis or Valkey.

use std::time::Duration;

use crate::gate::options::GateOptions;

/// Everything that shares a prefix shares one gate and must be given the same `gate.shards`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisGateOptions {
    /// Before every key's name.
    pub key_prefix: String,
    /// `gate.shards` is the number of slots that accounts are spread over; the bounds of generations in
    /// there are not used: records live by time here.
    pub gate: GateOptions,
    /// One answer; a call is repeated once, so that it fails within twice this.
    pub response_timeout: Duration,
    /// The same for the calls that nobody waits for: look at all holds, rebuild, snapshot.
    pub slow_response_timeout: Duration,
    pub connect_timeout: Duration,
    /// How long a generation record is kept.
    pub generation_keep: Duration,
    /// A larger record is not kept.
    pub generation_bytes_max: usize,
    pub clock: GateClock,
}

/// Whose clock decides deadlines and rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GateClock {
    /// The server's, the same for every gateway.
    #[default]
    Server,
    /// The caller's: reproducible histories in tests.
    Caller,
}

impl Default for RedisGateOptions {
    fn default() -> Self {
        Self {
            key_prefix: "tollgate".to_owned(),
            gate: GateOptions::default(),
            response_timeout: Duration::from_millis(500),
            slow_response_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            generation_keep: Duration::from_secs(600),
            generation_bytes_max: 64 << 10,
            clock: GateClock::default(),
        }
    }
}
