//! An error object of ours in the words of this dialect.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::event_writer::EventWriter;
use crate::http::error::{ApiError, ErrorType};

/// Why an answer failed after it had begun.
#[derive(Debug)]
pub(super) struct Failure {
    /// The whole error, as chat tells it.
    json: String,
    error_type: String,
    /// JSON strings.
    message: String,
    param: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Ours<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    param: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Word<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Word<'a> {
    #[serde(borrow)]
    error_type: Cow<'a, str>,
}

impl Failure {
    /// Reads what `ApiError::error_json` wrote.
    pub(super) fn read(json: &str) -> Self {
        let ours: Ours<'_> = serde_json::from_str(json).unwrap_or_default();
        Self {
            json: json.to_owned(),
            error_type: ours.metadata.error_type.into_owned(),
            message: ours.message.map_or("\"internal server error\"", RawValue::get).to_owned(),
            param: ours.param.map_or("null", RawValue::get).to_owned(),
        }
    }

    /// A whole answer that says it ended in an error, and no more.
    pub(super) fn of_the_provider() -> Self {
        Self::read(&ApiError::new(ErrorType::ProviderUnavailable, "Provider returned error").error_json())
    }

    pub(super) fn is(&self, kind: ErrorType) -> bool {
        self.error_type == kind.as_str()
    }

    /// The `error` of a response.
    pub(super) fn member(&self) -> String {
        format!(r#"{{"code":"{}","message":{}}}"#, code(&self.error_type), self.message)
    }

    /// The stable word to tell errors apart by, as a JSON string.
    pub(super) fn error_type(&self) -> String {
        serde_json::Value::from(self.error_type.as_str()).to_string()
    }

    /// The last event of a stream. OpenAI's documentation has its members beside `type`; the SDKs raise what stands in `error`.
    pub(super) fn push(&self, events: &mut EventWriter) {
        events.push(
            "error",
            format_args!(
                r#""code":"{}","message":{},"param":{},"error_type":{},"error":{}"#,
                code(&self.error_type),
                self.message,
                self.param,
                self.error_type(),
                self.json
            ),
        );
    }
}

/// OpenAI's word for one of ours: the SDKs know no others. OpenRouter's table.
fn code(error_type: &str) -> &'static str {
    match error_type {
        "rate_limit_exceeded" => "rate_limit_exceeded",
        "context_length_exceeded" | "invalid_request" | "invalid_prompt" => "invalid_prompt",
        "content_policy_violation" => "image_content_policy_violation",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_openais_word_and_keeps_ours() {
        let error = ApiError::new(ErrorType::ProviderOverloaded, "too \"busy\"");
        let failure = Failure::read(&error.error_json());
        assert_eq!(failure.member(), r#"{"code":"server_error","message":"too \"busy\""}"#);
        assert_eq!(failure.error_type(), r#""provider_overloaded""#);
        let mut events = EventWriter::default();
        failure.push(&mut events);
        let told = events.take();
        assert!(told.starts_with("event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,\"code\":\"server_error\","), "{told}");
        assert!(told.contains(r#","error_type":"provider_overloaded","#) && told.contains(&error.error_json()), "{told}");
    }

    #[test]
    fn an_unreadable_error_is_a_servers() {
        assert_eq!(Failure::read("7").member(), r#"{"code":"server_error","message":"internal server error"}"#);
    }
}
