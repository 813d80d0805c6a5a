//! What the spool keeps of a request that has not ended: enough to end it after a crash.

use schemas::{AccountId, KeyId, NanoUsd, RequestId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// Payload of an `accepted` record: who asked for what, at which price, under which hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedRecord {
    pub account: AccountId,
    pub admitted_at: Timestamp,
    pub api_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_url: Option<String>,
    pub epoch: u64,
    pub hold: NanoUsd,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// The first planned model.
    pub model: String,
    pub model_requested: String,
    /// Upper bound of the prompt, for a recovered charge where the provider's count was never seen.
    pub prompt_tokens: u64,
    pub request: RequestId,
    pub streamed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}

/// Payload of a `progress` record: which endpoint is answering and what has reached the client so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressRecord {
    pub channel: String,
    pub completion_tokens: u64,
    pub model: String,
    pub price_version: String,
    pub prompt_tokens: u64,
    pub provider: String,
}
