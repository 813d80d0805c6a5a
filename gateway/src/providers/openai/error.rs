//! From what an upstream says went wrong to what the client is told and whether to try elsewhere.
//!
//! Reads the error bodies of OpenAI, Anthropic, vLLM and FastAPI, plain text and HTML; classifies by
//! status first and by the provider's words where a status means several things. It must never pass on
//! more than a bounded, printable message, and never a caller's mistake as the provider's. Start at
//! [`UpstreamError::from_response`].

mod words;

use std::time::UNIX_EPOCH;

use http::{HeaderMap, StatusCode};
use schemas::Timestamp;

use self::words::Words;
use crate::http::error::ErrorType;

/// Bytes of an error body that are read; callers need not fetch more.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the upstream's own words kept for `metadata.raw`.
pub const RAW_BYTES_MAX: usize = 4 * 1024;
/// Characters of the short message.
const MESSAGE_CHARS_MAX: usize = 300;
/// A longer `Retry-After` is a mistake or no use to anyone.
const RETRY_AFTER_SECONDS_MAX: u64 = 24 * 60 * 60;

/// An upstream's refusal, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamError {
    pub error_type: ErrorType,
    /// What to answer when no other endpoint helps.
    pub status: StatusCode,
    /// What the upstream answered.
    pub upstream_status: StatusCode,
    /// Whether another endpoint may do better. A caller's own mistake is refused everywhere.
    pub is_retryable: bool,
    pub retry_after_seconds: Option<u64>,
    /// Short, printable, in the upstream's words where it has any.
    pub message: String,
    /// The upstream's own word or number for it.
    pub provider_code: Option<String>,
    /// The beginning of the body, for `metadata.raw`.
    pub raw: String,
    /// It is about our key or our bill there: the operator's business, not the customer's.
    pub is_about_us: bool,
}

impl UpstreamError {
    /// From a response whose status is no success. `body` may be cut at [`BODY_BYTES_MAX`].
    pub fn from_response(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let body = &body[..body.len().min(BODY_BYTES_MAX)];
        let mut error = Self::classified(status, Words::read(body), body);
        error.retry_after_seconds = retry_after(headers).or(error.retry_after_seconds);
        error
    }

    /// From the raw `error` of a frame or of a body whose status was a success: see
    /// [`crate::wire::ChatAnswer::error`].
    pub fn from_answer(raw: &str) -> Self {
        let words = Words::read(raw.as_bytes());
        let status = words.status().unwrap_or(StatusCode::BAD_GATEWAY);
        Self::classified(status, words, raw.as_bytes())
    }

    fn classified(upstream_status: StatusCode, words: Words, body: &[u8]) -> Self {
        let class = classify(upstream_status, &words);
        let message = words.message.as_deref().map(|message| printable(message, MESSAGE_CHARS_MAX)).filter(|message| !message.is_empty());
        Self {
            error_type: class.error_type,
            status: class.status,
            upstream_status,
            is_retryable: class.is_retryable,
            retry_after_seconds: words.retry_after_seconds,
            message: message.unwrap_or_else(|| format!("the provider answered {upstream_status}")),
            provider_code: words.code.or(words.kind).map(|code| printable(&code, 64)),
            raw: beginning(body),
            is_about_us: class.is_about_us,
        }
    }
}

struct Class {
    error_type: ErrorType,
    status: StatusCode,
    is_retryable: bool,
    is_about_us: bool,
}

impl Class {
    /// The caller's mistake: every endpoint would refuse it.
    const fn callers(error_type: ErrorType) -> Self {
        Self { error_type, status: error_type.status(), is_retryable: false, is_about_us: false }
    }

    /// The provider's trouble, or ours with the provider: another endpoint may do better.
    const fn providers(error_type: ErrorType) -> Self {
        Self { error_type, status: error_type.status(), is_retryable: true, is_about_us: false }
    }

    /// Our key there, or our bill.
    const fn ours() -> Self {
        Self { is_about_us: true, ..Self::providers(ErrorType::ProviderUnavailable) }
    }
}

fn classify(status: StatusCode, words: &Words) -> Class {
    match status.as_u16() {
        400 | 422 => callers_mistake(status, words),
        413 => Class::callers(ErrorType::PayloadTooLarge),
        // What one provider's moderation refuses another may answer.
        403 if words.has(&["moderation", "flagged", "content_policy", "content policy"]) => {
            Class { is_retryable: true, ..Class::callers(ErrorType::ContentPolicyViolation) }
        }
        408 | 504 | 524 => Class::providers(ErrorType::Timeout),
        // OpenAI says 429 where its account has no money left.
        429 if words.are_about_our_account() => Class::ours(),
        401..=403 => Class::ours(),
        429 => Class::providers(ErrorType::RateLimitExceeded),
        503 | 529 => Class::providers(ErrorType::ProviderOverloaded),
        _ if words.has(&["overloaded"]) => Class::providers(ErrorType::ProviderOverloaded),
        // The rest is between the provider and us: a model it does not have, its own trouble.
        _ => Class::providers(ErrorType::ProviderUnavailable),
    }
}

/// 400 and 422, told apart by the words providers use.
fn callers_mistake(status: StatusCode, words: &Words) -> Class {
    if words.are_about_our_account() {
        return Class::ours();
    }
    let known: [(&[&str], ErrorType); 9] = [
        (
            &["context_length", "context length", "context window", "prompt is too long", "maximum context", "input token count"],
            ErrorType::ContextLengthExceeded,
        ),
        (
            &["content_policy", "content policy", "content_filter", "responsibleaipolicy", "safety system", "flagged"],
            ErrorType::ContentPolicyViolation,
        ),
        (&["string_above_max_length", "string too long"], ErrorType::StringTooLong),
        (&["max_tokens", "max_completion_tokens", "max_output_tokens"], ErrorType::MaxTokensExceeded),
        (&["image_too_large", "image too large", "image exceeds"], ErrorType::ImageTooLarge),
        (&["image_too_small", "image too small"], ErrorType::ImageTooSmall),
        (&["unsupported_image", "unsupported image", "image format"], ErrorType::UnsupportedImageFormat),
        (&["download image", "downloading image", "fetch image", "image_url", "invalid_image_url"], ErrorType::ImageDownloadFailed),
        (&["invalid_image", "invalid image", "could not process image"], ErrorType::InvalidImage),
    ];
    for (signs, error_type) in known {
        if words.has(signs) {
            return Class::callers(error_type);
        }
    }
    let error_type = if status == StatusCode::UNPROCESSABLE_ENTITY { ErrorType::Unprocessable } else { ErrorType::InvalidRequest };
    Class::callers(error_type)
}

/// Seconds to wait: of `Retry-After`, a number or a date, or `retry-after-ms` where given.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let millis = text("retry-after-ms").and_then(|millis| millis.trim().parse::<u64>().ok()).map(|millis| millis.div_ceil(1_000));
    let seconds = || text("retry-after").and_then(|text| whole_seconds(text).or_else(|| seconds_until(text, Timestamp::now())));
    millis.or_else(seconds).map(|seconds| seconds.min(RETRY_AFTER_SECONDS_MAX))
}

/// From now to an HTTP date; 0 where it is past.
fn seconds_until(date: &str, now: Timestamp) -> Option<u64> {
    let at = httpdate::parse_http_date(date.trim()).ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(at.saturating_sub(u64::try_from(now.unix_seconds()).unwrap_or(0)))
}

/// Seconds, a fraction rounded up.
fn whole_seconds(text: &str) -> Option<u64> {
    let seconds: f64 = text.trim().trim_end_matches('s').parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds.ceil() as u64).min(RETRY_AFTER_SECONDS_MAX))
}

/// One line of printable characters.
fn printable(text: &str, chars_max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(chars_max * 4));
    let mut chars = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    out.extend(chars.by_ref().take(chars_max));
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(RAW_BYTES_MAX)]);
    let mut raw = text.into_owned();
    // A character that was cut becomes a longer replacement character.
    while raw.len() > RAW_BYTES_MAX {
        raw.pop();
    }
    raw
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(status: u16, body: &str) -> UpstreamError {
        UpstreamError::from_response(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn every_familys_body_is_understood() {
        for (status, body, message, code) in [
            (
                400,
                r#"{"error":{"message":"bad n","type":"invalid_request_error","param":"n","code":"invalid_value"}}"#,
                "bad n",
                Some("invalid_value"),
            ),
            (401, r#"{"error":{"message":"no key","type":"invalid_request_error","code":null}}"#, "no key", Some("invalid_request_error")),
            (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, "Overloaded", Some("overloaded_error")),
            (400, r#"{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}"#, "too long", Some("400")),
            (
                422,
                r#"{"detail":[{"loc":["body","messages",0,"role"],"msg":"field required","type":"missing"}]}"#,
                "body.messages.0.role: field required",
                None,
            ),
            (404, r#"{"detail":"Not Found"}"#, "Not Found", None),
            (500, r#"{"error":"something broke"}"#, "something broke", None),
            (500, r#"{"message":"plain"}"#, "plain", None),
            (429, r#"[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}]"#, "Quota", Some("429")),
            (502, "<html>\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>", "502 Bad Gateway", None),
            (503, "no healthy upstream\n", "no healthy upstream", None),
            (500, "", "the provider answered 500 Internal Server Error", None),
            (500, "<html>no title", "the provider answered 500 Internal Server Error", None),
            (500, r#"{"error":{"message":null}}"#, "the provider answered 500 Internal Server Error", None),
            (500, r#"{"error":"#, "the provider answered 500 Internal Server Error", None),
        ] {
            let error = read(status, body);
            assert_eq!((error.message.as_str(), error.provider_code.as_deref()), (message, code), "{body}");
            assert_eq!(error.raw, body);
        }
    }

    #[test]
    fn only_a_callers_mistake_is_not_tried_elsewhere() {
        use ErrorType::*;
        for (status, body, error_type, answered, is_retryable) in [
            (400, r#"{"error":{"message":"bad n"}}"#, InvalidRequest, 400, false),
            (
                400,
                r#"{"error":{"code":"context_length_exceeded","message":"This model's maximum context length is 8192 tokens."}}"#,
                ContextLengthExceeded,
                400,
                false,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 215000 tokens > 200000 maximum"}}"#,
                ContextLengthExceeded,
                400,
                false,
            ),
            (400, r#"{"error":{"code":"content_filter","message":"The response was filtered"}}"#, ContentPolicyViolation, 400, false),
            (400, r#"{"error":{"message":"max_tokens is too large: 999999"}}"#, MaxTokensExceeded, 400, false),
            (400, r#"{"error":{"message":"API key not valid. Please pass a valid API key."}}"#, ProviderUnavailable, 502, true),
            (400, r#"{"error":{"message":"Your credit balance is too low to access the API"}}"#, ProviderUnavailable, 502, true),
            (401, "", ProviderUnavailable, 502, true),
            (402, "", ProviderUnavailable, 502, true),
            (403, "", ProviderUnavailable, 502, true),
            (403, r#"{"error":{"message":"flagged by moderation"}}"#, ContentPolicyViolation, 400, true),
            (404, r#"{"error":{"code":"model_not_found"}}"#, ProviderUnavailable, 502, true),
            (408, "", Timeout, 504, true),
            (413, "", PayloadTooLarge, 413, false),
            (422, "", Unprocessable, 422, false),
            (429, "", RateLimitExceeded, 429, true),
            (429, r#"{"error":{"code":"insufficient_quota"}}"#, ProviderUnavailable, 502, true),
            (500, "", ProviderUnavailable, 502, true),
            (500, r#"{"error":{"message":"The server is overloaded"}}"#, ProviderOverloaded, 503, true),
            (503, "", ProviderOverloaded, 503, true),
            (504, "", Timeout, 504, true),
            (524, "", Timeout, 504, true),
            (529, "", ProviderOverloaded, 503, true),
        ] {
            let error = read(status, body);
            let found = (error.error_type, error.status.as_u16(), error.is_retryable, error.upstream_status.as_u16());
            assert_eq!(found, (error_type, answered, is_retryable, status), "{status} {body}");
        }
    }

    #[test]
    fn an_error_within_an_answer_gets_the_status_it_speaks_of() {
        for (raw, error_type, status) in [
            (r#"{"code":429,"message":"slow down"}"#, ErrorType::RateLimitExceeded, 429),
            (r#"{"message":"Overloaded","type":"overloaded_error"}"#, ErrorType::ProviderOverloaded, 503),
            (r#"{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}"#, ErrorType::RateLimitExceeded, 429),
            (r#"{"message":"The server had an error","type":"server_error"}"#, ErrorType::ProviderUnavailable, 502),
            (r#"{"object":"error","message":"cache full","type":"BadRequestError","code":400}"#, ErrorType::InvalidRequest, 400),
            (r#""boom""#, ErrorType::ProviderUnavailable, 502),
            ("true", ErrorType::ProviderUnavailable, 502),
        ] {
            let error = UpstreamError::from_answer(raw);
            assert_eq!((error.error_type, error.status.as_u16()), (error_type, status), "{raw}");
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        let with = |name: &'static str, value: &str| {
            let headers = HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())]);
            UpstreamError::from_response(StatusCode::TOO_MANY_REQUESTS, &headers, b"").retry_after_seconds
        };
        assert_eq!(with("retry-after", "7"), Some(7));
        assert_eq!(with("retry-after", "1.2"), Some(2));
        assert_eq!(with("retry-after-ms", "1500"), Some(2));
        assert_eq!(with("retry-after", "99999999"), Some(RETRY_AFTER_SECONDS_MAX));
        assert_eq!(with("retry-after", "-1"), None);
        assert_eq!(with("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), Some(0), "it is past");
        assert_eq!(with("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"), Some(RETRY_AFTER_SECONDS_MAX));
        assert_eq!(with("retry-after", "soon"), None);
        let now = Timestamp::from_micros(1_792_567_640_000_000);
        assert_eq!(seconds_until("Wed, 21 Oct 2026 07:28:00 GMT", now), Some(40));
        let told =
            read(429, r#"{"error":{"code":429,"message":"x","metadata":{"error_type":"rate_limit_exceeded","retry_after_seconds":30}}}"#);
        assert_eq!((told.retry_after_seconds, told.provider_code.as_deref()), (Some(30), Some("429")));
    }

    #[test]
    fn what_is_passed_on_is_bounded_and_printable() {
        let error = read(500, &format!(r#"{{"error":{{"message":"a\n\u0007b{}"}}}}"#, "é".repeat(20_000)));
        assert!(error.message.starts_with("a  b") && error.message.ends_with('…'));
        assert_eq!(error.message.chars().count(), MESSAGE_CHARS_MAX + 1);
        assert!(error.raw.len() <= RAW_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200), status in 100..1_000_u16) {
            let status = StatusCode::from_u16(status).unwrap();
            let error = UpstreamError::from_response(status, &HeaderMap::new(), &body);
            prop_assert!(error.raw.len() <= RAW_BYTES_MAX && !error.message.is_empty());
            let _ = UpstreamError::from_answer(&String::from_utf8_lossy(&body));
        }

        #[test]
        fn arbitrary_json_never_panics(text in r#"[\[{]"(error|message|detail|code|type|metadata)":[\[{"0-9a-z:,\]}\\]{0,40}"#) {
            let _ = UpstreamError::from_answer(&text);
        }
    }
}
