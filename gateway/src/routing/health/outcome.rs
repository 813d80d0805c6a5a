//! What an attempt's end says, and of whom: the channel, one of its endpoints, its key, or nobody there.

use crate::http::error::ErrorType;
use crate::providers::AttemptError;

/// Whose failure an attempt was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The caller's, or a thing the provider has no word for: says nothing about health.
    Nobody,
    /// The provider asks to wait. Kept apart from failures.
    RateLimited,
    /// The provider does not take the channel's key, or its account there has no money.
    Key,
    /// It does not have the model.
    Endpoint,
    Channel,
}

/// How an attempt that began to answer, or failed before, ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending {
    Succeeded {
        latency_ms: u64,
        output_tokens: u64,
        /// From sending to the last byte, where that says something about speed.
        generation_ms: u64,
    },
    Failed(Blame),
}

/// Reads a failure. What counts as an error is what OpenRouter counts: 401, 402, 404, 5xx, breaks and errors in an
/// answer; not the caller's 400 and 413, and apart from them 403 and 429.
pub fn blame(error: &AttemptError) -> Blame {
    match error.upstream_status {
        Some(401 | 402) => Blame::Key,
        Some(404) => Blame::Endpoint,
        Some(403) => Blame::Nobody,
        // Some providers say 400 or 429 where their account has no money, or does not take the key.
        Some(400 | 429) if error.error_type == ErrorType::ProviderUnavailable => Blame::Key,
        Some(429) => Blame::RateLimited,
        _ if error.error_type == ErrorType::RateLimitExceeded => Blame::RateLimited,
        _ if !error.is_retryable || error.error_type.status().as_u16() < 404 => Blame::Nobody,
        _ => Blame::Channel,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::providers::openai::error::UpstreamError;

    #[test]
    fn a_callers_mistake_is_nobodys_failure_and_a_refused_key_is_the_keys() {
        let of = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            blame(&UpstreamError::from_response(status, &HeaderMap::new(), body.as_bytes()).into())
        };
        for (status, body, expected) in [
            (400, r#"{"error":{"message":"bad n"}}"#, Blame::Nobody),
            (413, "", Blame::Nobody),
            (422, "", Blame::Nobody),
            (403, "", Blame::Nobody),
            (401, "", Blame::Key),
            (402, "", Blame::Key),
            (400, r#"{"error":{"message":"API key not valid. Please pass a valid API key."}}"#, Blame::Key),
            (429, r#"{"error":{"code":"insufficient_quota"}}"#, Blame::Key),
            (429, "", Blame::RateLimited),
            (404, "", Blame::Endpoint),
            (500, "", Blame::Channel),
            (503, "", Blame::Channel),
            (529, "", Blame::Channel),
        ] {
            assert_eq!(of(status, body), expected, "{status} {body}");
        }
        assert_eq!(blame(&AttemptError::broken("x")), Blame::Channel);
        assert_eq!(blame(&AttemptError::timeout("x")), Blame::Channel);
        assert_eq!(blame(&AttemptError::not_possible("x")), Blame::Nobody);
    }
}
