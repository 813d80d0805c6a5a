//! Accounts: who is charged. Only the name and whether requests are taken; balances are the ledger's.

use schemas::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

/// Longest name of an account.
pub const ACCOUNT_NAME_CHARS_MAX: usize = 200;

/// A wallet as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub status: AccountStatus,
    pub created_at: Timestamp,
}

impl Account {
    pub fn new(name: String, now: Timestamp) -> Self {
        Self { id: AccountId::mint(), name, status: AccountStatus::Active, created_at: now }
    }

    /// Whether a text can be an account's name.
    pub fn is_name(text: &str) -> bool {
        let name = text.trim();
        !name.is_empty() && name.chars().count() <= ACCOUNT_NAME_CHARS_MAX && !name.chars().any(char::is_control)
    }
}

/// Whether an account's keys are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    Active,
    /// Refused for now; its balance stays.
    Suspended,
    /// Refused for good.
    Closed,
}

impl AccountStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Closed].into_iter().find(|status| status.as_str() == text)
    }
}
