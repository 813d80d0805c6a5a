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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_user: Option<String>,
    pub hold: NanoUsd,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// The first planned model.
    pub model: String,
    pub model_requested: String,
    /// Upper bound of the prompt, for a recovered charge where the provider's count was never seen.
    pub prompt_tokens: u64,
    pub request: RequestId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    pub streamed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    /// As spools have it that were written before clients' words were kept.
    const EARLIER: &str = r#"{"account":"00000000-0000-0000-0000-000000000000","admitted_at":"2026-11-23T01:40:09.000000Z","api_type":"completions","epoch":7,"hold":"5200000","model":"a/b","model_requested":"a/b","prompt_tokens":3,"request":"0198f3c2-7d11-7000-8000-000000000005","streamed":true}"#;

    #[test]
    fn a_spool_of_an_earlier_version_is_read_and_one_without_clients_words_is_written_as_then() {
        let earlier: AcceptedRecord = serde_json::from_str(EARLIER).unwrap();
        assert_eq!((&earlier.external_user, &earlier.session_id, &earlier.user_agent), (&None, &None, &None));
        assert_eq!(serde_json::to_string(&earlier).unwrap(), EARLIER);
    }

    #[test]
    fn an_earlier_version_reads_a_spool_with_members_it_does_not_know() {
        let newer = EARLIER.replace(r#","epoch""#, r#","added_since":{"x":[1]},"epoch""#);
        assert_eq!(serde_json::from_str::<AcceptedRecord>(&newer).unwrap(), serde_json::from_str(EARLIER).unwrap());
    }
}
