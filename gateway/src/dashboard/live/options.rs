//! What the live feed is told at start.

use std::time::Duration;

/// The feed's bounds and paces.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Clients of this gateway at once; more are refused with 503.
    pub clients_max: usize,
    /// Clients of one session at once; more are refused with 429.
    pub clients_per_session_max: usize,
    /// Messages that wait for a client; one that lets more wait is closed as too slow.
    pub queue_messages_max: usize,
    /// Requests that are remembered for clients that come back.
    pub recent_requests_max: usize,
    /// A client hears something at least this often, and has to answer within three times as long.
    pub ping_interval: Duration,
    /// How often session and role of a client are looked at again.
    pub check_interval: Duration,
    /// How often the balances of watched accounts, and the health of channels, are looked at.
    pub look_interval: Duration,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            clients_max: 1_000,
            clients_per_session_max: 16,
            queue_messages_max: 1_024,
            recent_requests_max: 4_096,
            ping_interval: Duration::from_secs(15),
            check_interval: Duration::from_secs(5),
            look_interval: Duration::from_millis(500),
        }
    }
}
