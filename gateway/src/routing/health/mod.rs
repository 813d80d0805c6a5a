//! How channels and their endpoints do, as every attempt and every check tells.
//!
//! Owns the live state that the catalog's channels and endpoints point at: breakers, cooling down, refused keys, load,
//! counts and speed. Readers on a request's way take atomics only; a lock is taken once an attempt, at its end.
//! It calls nobody and knows no store: [`super::board`] shares it between gateways. Start at [`ChannelState`].

pub mod breaker;
pub mod channel;
pub mod endpoint;
pub mod keys;
pub mod observe;
pub mod outcome;
pub mod rate;
pub mod windows;

pub use breaker::{Breaker, BreakerState};
pub use channel::{ChannelState, Pass, PassRefusal};
pub use endpoint::{EndpointState, Speeds};
pub use keys::{ChannelKey, KeyState};
pub use outcome::{Blame, Ending, blame};
pub use windows::{Counts, Window, Windows};

use serde::{Deserialize, Serialize};

/// How a channel or an endpoint does, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum HealthStatus {
    #[default]
    Healthy = 0,
    /// It fails now and then: others go first.
    Degraded = 1,
    /// It fails most of the time, or its breaker is open: the last resort.
    Unhealthy = 2,
}

impl HealthStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Healthy,
            1 => Self::Degraded,
            _ => Self::Unhealthy,
        }
    }
}
