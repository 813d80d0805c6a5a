//! Why the gate could not decide. A refusal is a decision, not an error.

use schemas::{MoneyError, RequestId};

/// Every error leaves the gate as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// Closed: it lost its state, or has not been given any yet.
    #[error("balance gate is being rebuilt")]
    NotReady {
        retry_after_ms: u64,
        /// The epoch it is learning: a gateway announces what it has in flight.
        learning: Option<u64>,
    },
    /// It did not answer in time. What was asked may have happened; repeating it is safe.
    #[error("balance gate did not answer")]
    Unavailable,
    /// It answered what this build does not understand, or its state does not fit together.
    #[error("balance gate is not to be trusted: {reason}")]
    Corrupt { reason: String },
    /// Another rebuild began after this one.
    #[error("balance gate is being rebuilt by another")]
    Superseded,
    #[error("amount is out of range")]
    Overflow,
    /// An amount that must not be negative is.
    #[error("`{name}` is negative")]
    Negative { name: &'static str },
    /// The request holds nothing that could be raised: it ended, was expired or was never admitted.
    #[error("request {request_id} holds nothing")]
    NoHold { request_id: RequestId },
    /// The request was ended by the reaper; its id cannot be admitted again.
    #[error("request {request_id} has ended")]
    Ended { request_id: RequestId },
    /// A named bound is reached.
    #[error("balance gate is full: `{bound}` is {max}")]
    Full { bound: &'static str, max: usize },
}

impl GateError {
    /// Whether it says something of the gate, and not of the account it was asked about: others would be answered the same.
    pub const fn is_of_the_gate(&self) -> bool {
        matches!(self, Self::NotReady { .. } | Self::Unavailable | Self::Superseded)
    }
}

impl From<MoneyError> for GateError {
    fn from(_: MoneyError) -> Self {
        Self::Overflow
    }
}
