//! Anthropic's envelope: another rendering of the same error.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// An error object of ours in Anthropic's envelope, with how the request was routed beside it, where that is wanted.
pub fn anthropic_error_json(error: &str, request_id: Option<&str>, route: Option<&str>) -> String {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Ours<'a> {
        #[serde(borrow)]
        message: Option<&'a RawValue>,
        #[serde(borrow)]
        metadata: Option<&'a RawValue>,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Word<'a> {
        #[serde(borrow)]
        error_type: Cow<'a, str>,
        /// By which Anthropic's SDKs know how to go on.
        #[serde(borrow)]
        details: Option<&'a RawValue>,
    }
    let ours: Ours<'_> = serde_json::from_str(error).unwrap_or_default();
    let word: Word<'_> = ours.metadata.and_then(|metadata| serde_json::from_str(metadata.get()).ok()).unwrap_or_default();
    format!(
        r#"{{"type":"error","error":{{"type":"{}","message":{}{},"error_type":{},"metadata":{}}},"request_id":{}{}}}"#,
        anthropic_type(&word.error_type),
        ours.message.map_or("\"internal server error\"", RawValue::get),
        word.details.map_or_else(String::new, |details| format!(",\"details\":{details}")),
        serde_json::Value::from(&*word.error_type),
        ours.metadata.map_or("{}", RawValue::get),
        request_id.map_or(serde_json::Value::Null, serde_json::Value::from),
        route.map_or_else(String::new, |route| format!(",\"openrouter_metadata\":{route}")),
    )
}

/// Anthropic's word for one of ours.
fn anthropic_type(error_type: &str) -> &'static str {
    match error_type {
        "authentication" => "authentication_error",
        "permission_denied" => "permission_error",
        "payment_required" => "billing_error",
        "not_found" | "image_not_found" => "not_found_error",
        "rate_limit_exceeded" => "rate_limit_error",
        "provider_overloaded" | "unavailable" => "overloaded_error",
        "timeout" => "timeout_error",
        "payload_too_large" => "request_too_large",
        "provider_unavailable" | "server" | "unmapped" | "" => "api_error",
        _ => "invalid_request_error",
    }
}
