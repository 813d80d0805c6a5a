//! A browser that signed in.

use schemas::{Timestamp, UserId};
use serde::Serialize;
use uuid::Uuid;

/// One session as the store keeps it: the token itself is in the browser only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionRecord {
    pub id: Uuid,
    pub user_id: UserId,
    #[serde(skip)]
    pub refresh_sha256: String,
    pub user_agent: String,
    pub address: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

impl SessionRecord {
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}
