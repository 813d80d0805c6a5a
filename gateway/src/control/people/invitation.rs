//! Asking somebody into an account.

use std::time::Duration;

use schemas::{AccountId, Timestamp, UserId};
use serde::Serialize;
use uuid::Uuid;

use super::Role;

/// How long a link can be used.
pub const INVITATION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// One invitation as the store keeps it: its link is with whoever was given it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invitation {
    pub id: Uuid,
    pub account_id: AccountId,
    pub email: String,
    pub role: Role,
    #[serde(skip)]
    pub token_sha256: String,
    pub invited_by: UserId,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub accepted_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl Invitation {
    /// Whether it can still be accepted.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.accepted_at.is_none() && self.revoked_at.is_none() && now < self.expires_at
    }
}
