//! Anthropic's errors in the words of the internal form.
//!
//! Answers with a status are understood by [`crate::providers::openai::error`], which reads every family's
//! envelope; here is what an error looks like in the middle of a stream.

use serde_json::value::RawValue;

/// The data of a frame that reports an error. `error` is the inside of Anthropic's `error`, as it stands.
pub fn error_frame(error: Option<&RawValue>) -> String {
    format!("{{\"error\":{}}}", error.map_or("{\"type\":\"api_error\"}", RawValue::get))
}

/// The same for what could not be read at all.
pub fn unreadable_frame(message: &str) -> String {
    format!("{{\"error\":{{\"type\":\"api_error\",\"message\":{}}}}}", serde_json::Value::from(message))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;
    use crate::http::error::ErrorType;
    use crate::providers::openai::error::UpstreamError;

    fn answered(status: u16, kind: &str, message: &str) -> UpstreamError {
        let body = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_1"}}"#);
        UpstreamError::from_response(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn every_class_keeps_its_words_and_says_whether_another_endpoint_may_help() {
        for (status, kind, error_type, is_retryable) in [
            (400, "invalid_request_error", ErrorType::InvalidRequest, false),
            (401, "authentication_error", ErrorType::ProviderUnavailable, true),
            (402, "billing_error", ErrorType::ProviderUnavailable, true),
            (403, "permission_error", ErrorType::ProviderUnavailable, true),
            (404, "not_found_error", ErrorType::ProviderUnavailable, true),
            (413, "request_too_large", ErrorType::PayloadTooLarge, false),
            (429, "rate_limit_error", ErrorType::RateLimitExceeded, true),
            (500, "api_error", ErrorType::ProviderUnavailable, true),
            (504, "timeout_error", ErrorType::Timeout, true),
            (529, "overloaded_error", ErrorType::ProviderOverloaded, true),
        ] {
            let error = answered(status, kind, "no");
            assert_eq!((error.error_type, error.is_retryable), (error_type, is_retryable), "{kind}");
            assert_eq!((error.message.as_str(), error.provider_code.as_deref()), ("no", Some(kind)), "{kind}");
            assert_eq!(error.upstream_status.as_u16(), status);
        }
        let long = answered(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum");
        assert_eq!(long.error_type, ErrorType::ContextLengthExceeded);
        let poor = answered(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API");
        assert!(poor.is_retryable, "our bill is not the caller's mistake");
    }

    #[test]
    fn a_rate_limit_says_when_to_come_back() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("17"));
        let body = br#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
        assert_eq!(UpstreamError::from_response(StatusCode::TOO_MANY_REQUESTS, &headers, body).retry_after_seconds, Some(17));
    }

    #[test]
    fn an_error_in_mid_stream_is_classified_by_its_words() {
        for (kind, error_type) in [
            ("overloaded_error", ErrorType::ProviderOverloaded),
            ("rate_limit_error", ErrorType::RateLimitExceeded),
            ("timeout_error", ErrorType::Timeout),
            ("invalid_request_error", ErrorType::InvalidRequest),
            ("api_error", ErrorType::ProviderUnavailable),
        ] {
            let raw = RawValue::from_string(format!(r#"{{"type":"{kind}","message":"no"}}"#)).unwrap();
            let frame = error_frame(Some(&raw));
            let raw = frame.strip_prefix("{\"error\":").and_then(|rest| rest.strip_suffix('}')).unwrap();
            let error = UpstreamError::from_answer(raw);
            assert_eq!((error.error_type, error.message.as_str()), (error_type, "no"), "{kind}");
            assert_eq!(error.provider_code.as_deref(), Some(kind));
        }
    }
}
