//! What the feed says, and why it closes.

use axum::extract::ws::CloseFrame;
use ledger::gate::Amounts;
use schemas::{AccountId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::dashboard::generations::GenerationRow;
use crate::dashboard::money::UsdText;
use crate::routing::health::HealthStatus;

/// One message of the live feed, a text frame of JSON. `seq` is a place in the event log, the same on every gateway: whoever
/// comes back with the last one they saw as `resume` misses nothing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LiveMessage {
    /// The first one. What happened after `seq` follows.
    Hello { seq: u64 },
    /// Between the place the client came back with and `seq` something may be missing: what is shown must be asked for anew.
    Reset { seq: u64 },
    /// The connection works. Everything up to `seq` has been said.
    Ping { seq: u64 },
    /// An account's money: at the beginning, and whenever it is another.
    Balance(Balance),
    /// A request of the account ended.
    Activity(Activity),
    /// How channels do, for administrators of the platform: all at the beginning, then those that changed.
    ChannelHealth { seq: u64, channels: Vec<ChannelStatus> },
}

/// Amounts are decimal text in USD.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveBalance)]
pub struct Balance {
    seq: u64,
    account_id: String,
    /// What the ledger booked.
    #[schema(value_type = String)]
    balance: UsdText,
    /// Settled and not booked yet.
    #[schema(value_type = String)]
    pending: UsdText,
    /// Reserved by running requests.
    #[schema(value_type = String)]
    held: UsdText,
    #[schema(value_type = String)]
    available: UsdText,
    /// When it was so.
    at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveActivity)]
pub struct Activity {
    pub seq: u64,
    pub account_id: String,
    /// As the list of requests shows it; null for roles that see sums only.
    pub row: Option<Box<GenerationRow>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LiveChannelStatus)]
pub struct ChannelStatus {
    pub id: String,
    pub name: String,
    pub status: HealthStatus,
}

impl Balance {
    pub fn new(seq: u64, account: AccountId, (amounts, at): (Amounts, Timestamp)) -> Self {
        Self {
            seq,
            account_id: account.to_string(),
            balance: UsdText(amounts.posted),
            pending: UsdText(amounts.pending),
            held: UsdText(amounts.held),
            available: UsdText(amounts.available()),
            at,
        }
    }
}

/// Why a client is closed; the close frame has the code and the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The client closed, or is not there any more.
    Gone,
    /// The gateway ends.
    ShuttingDown,
    /// The feed takes no messages.
    NotAsked,
    /// Signed out, revoked, expired, or the person was disabled.
    SessionEnded,
    /// The person may not see the account any more.
    RoleTaken,
    /// More messages waited than may, or one waited for too long.
    TooSlow,
    /// Log, balances or sessions cannot be read now.
    Unavailable,
}

impl CloseReason {
    /// Codes from 4000 on are the program's own; theirs end like the HTTP status that means the same.
    pub const fn code(self) -> u16 {
        match self {
            Self::Gone => 1000,
            Self::ShuttingDown => 1001,
            Self::NotAsked => 1003,
            Self::SessionEnded => 4401,
            Self::RoleTaken => 4403,
            Self::TooSlow => 4408,
            Self::Unavailable => 4503,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::ShuttingDown => "shutting_down",
            Self::NotAsked => "not_asked",
            Self::SessionEnded => "session_ended",
            Self::RoleTaken => "role_taken",
            Self::TooSlow => "too_slow",
            Self::Unavailable => "unavailable",
        }
    }

    pub fn frame(self) -> CloseFrame {
        CloseFrame { code: self.code(), reason: self.as_str().into() }
    }
}
