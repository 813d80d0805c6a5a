//! Every error a client can see: one [`ApiError`], one JSON envelope.
//!
//! Owns the stable `error_type` words, the status each stands for, `Retry-After` and the shape of the
//! body. It must never show what went wrong inside: [`ApiError::internal`] keeps its source for the log
//! and tells the client nothing. An error is logged once, when it is rendered. Other dialects
//! (Anthropic's) are other renderings of the same error: see [`Dialect`]. What a program is told where no
//! model could be asked stands in [`availability`].

mod anthropic;
pub mod availability;
mod error_type;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use schemas::{NanoUsd, UsdNumber};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

pub use self::anthropic::anthropic_error_json;
use self::availability::{Availability, AvailabilityMember};
pub use self::error_type::ErrorType;

/// Whose envelope an error is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// OpenRouter's envelope, with the fields OpenAI's SDKs read (`message`, `type`, `param`, `code`).
    #[default]
    OpenAi,
    /// Anthropic's, with our stable word beside its own.
    Anthropic,
}

/// An error on its way to a client.
#[derive(Debug)]
pub struct ApiError(Box<Details>);

#[derive(Debug)]
struct Details {
    status: StatusCode,
    error_type: ErrorType,
    message: Cow<'static, str>,
    param: Option<String>,
    /// Raw JSON, so that amounts keep every digit.
    metadata: BTreeMap<String, Box<RawValue>>,
    availability: Option<Availability>,
    retry_after_seconds: Option<u64>,
    headers: HeaderMap,
    user_id: Option<String>,
    request_id: Option<String>,
    /// `openrouter_metadata`, for those who ask for it.
    route_json: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    pub fn new(error_type: ErrorType, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Details {
            status: error_type.status(),
            error_type,
            message: message.into(),
            param: None,
            metadata: BTreeMap::new(),
            availability: None,
            retry_after_seconds: None,
            headers: HeaderMap::new(),
            user_id: None,
            request_id: None,
            route_json: None,
            source: None,
        }))
    }

    /// 400 about one parameter, named as the client wrote it (`messages[0].role`).
    pub fn bad_request(param: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::InvalidRequest, message).with_param(param)
    }

    /// 400 about the request as a whole.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::InvalidRequest, message)
    }

    pub fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        let error = Self::new(ErrorType::Authentication, message);
        error.with_header(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub fn payment_required(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::PaymentRequired, message)
    }

    pub fn permission_denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::PermissionDenied, message)
    }

    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::NotFound, message)
    }

    /// 405, with the methods that are there.
    pub fn method_not_allowed() -> Self {
        Self::invalid("this address does not answer to this method").with_status(StatusCode::METHOD_NOT_ALLOWED)
    }

    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::Conflict, message)
    }

    /// 413: a body longer than `bytes_max`.
    pub fn too_large(bytes_max: usize) -> Self {
        let message = format!("the request body is larger than {bytes_max} bytes");
        Self::new(ErrorType::PayloadTooLarge, message).with_metadata("bytes_max", bytes_max)
    }

    pub fn rate_limited(message: impl Into<Cow<'static, str>>, retry_after_seconds: u64) -> Self {
        Self::new(ErrorType::RateLimitExceeded, message).with_retry_after(retry_after_seconds)
    }

    /// 503 of this gateway itself (starting, rebuilding, spool full): nothing was charged.
    pub fn unavailable(message: impl Into<Cow<'static, str>>, retry_after_seconds: u64) -> Self {
        Self::new(ErrorType::Unavailable, message).with_retry_after(retry_after_seconds)
    }

    /// 500. The source goes to the log; the client is told nothing of it.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut error = Self::new(ErrorType::Server, "internal server error");
        error.0.source = Some(source.into());
        error
    }

    /// Keeps the cause for the log; it is never shown.
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    pub fn with_metadata(mut self, name: &str, value: impl Serialize) -> Self {
        // Only a map with keys that are not text fails to serialize; then the member is left out.
        if let Ok(value) = to_raw_value(&value) {
            self.0.metadata.insert(name.to_owned(), value);
        }
        self
    }

    /// Why no model could be asked. **Its code has one status**, which the error then has.
    pub fn with_availability(mut self, availability: Availability) -> Self {
        self.0.error_type = availability.code.error_type();
        self.0.status = self.0.error_type.status();
        self.0.availability = Some(availability);
        self
    }

    /// An amount in dollars, as a JSON number written from its integer.
    pub fn with_amount(self, name: &str, amount: NanoUsd) -> Self {
        self.with_metadata(name, UsdNumber(amount))
    }

    /// `Retry-After`, in the header and (browsers cannot read the header across origins) in the body.
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The `user_id` beside the error, as OpenRouter answers it.
    pub fn with_user_id(mut self, user_id: impl Into<String>) -> Self {
        self.0.user_id = Some(user_id.into());
        self
    }

    /// The generation the error ended; Anthropic's envelope names it.
    pub fn with_request_id(mut self, request_id: Option<String>) -> Self {
        self.0.request_id = request_id;
        self
    }

    /// How the request was routed, as JSON: `openrouter_metadata` beside the error.
    pub fn with_route(mut self, json: Option<String>) -> Self {
        self.0.route_json = json.or(self.0.route_json);
        self
    }

    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    pub fn error_type(&self) -> ErrorType {
        self.0.error_type
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.0.retry_after_seconds
    }

    /// The `error` member alone, as JSON: what a stream that has already begun carries in its last frame. The doors of
    /// other dialects translate it.
    pub fn error_json(&self) -> String {
        let member = ErrorMember {
            code: self.0.status.as_u16(),
            message: &self.0.message,
            metadata: Metadata {
                error_type: self.0.error_type.as_str(),
                retry_after_seconds: self.0.retry_after_seconds,
                more: &self.0.metadata,
            },
            availability: self.0.availability.as_ref().map(|availability| availability.member(self.0.retry_after_seconds)),
            param: self.0.param.as_deref(),
            kind: self.0.error_type.as_str(),
        };
        serde_json::to_string(&member).unwrap_or_default()
    }

    /// The same with how the request was routed as the next member, where that is known and wanted.
    pub fn error_and_route_json(&self) -> String {
        let mut json = self.error_json();
        if let Some(route) = &self.0.route_json {
            json.push_str(",\"openrouter_metadata\":");
            json.push_str(route);
        }
        json
    }

    /// The whole body, as JSON.
    pub fn body_json(&self, dialect: Dialect) -> String {
        if dialect == Dialect::Anthropic {
            return anthropic_error_json(&self.error_json(), self.0.request_id.as_deref(), self.0.route_json.as_deref());
        }
        let mut body = format!("{{\"error\":{}", self.error_and_route_json());
        if let Some(user_id) = &self.0.user_id {
            body.push_str(",\"user_id\":");
            body.push_str(&serde_json::Value::from(user_id.as_str()).to_string());
        }
        body.push('}');
        body
    }

    /// Writes the response and, once, the log line.
    pub fn render(self, dialect: Dialect) -> Response {
        self.log();
        let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let status = match self.0.error_type {
            ErrorType::ProviderOverloaded if dialect == Dialect::Anthropic => StatusCode::from_u16(529).unwrap_or(self.0.status),
            _ => self.0.status,
        };
        let mut response = (status, json, self.body_json(dialect)).into_response();
        if let Some(seconds) = self.0.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.headers_mut().extend(self.0.headers);
        response
    }

    /// One line where the error is handled. Call it instead of [`Self::render`] only when the error is
    /// sent inside a stream.
    pub fn log(&self) {
        let status = self.0.status.as_u16();
        let error_type = self.0.error_type.as_str();
        if self.0.status.is_server_error() {
            tracing::error!(http.status = status, error.kind = error_type, error.chain = %self.chain(), "request failed");
        } else {
            tracing::debug!(http.status = status, error.kind = error_type, error.chain = %self.chain(), "request refused");
        }
    }

    /// The message and every cause behind it, outermost first.
    fn chain(&self) -> String {
        let mut text = self.0.message.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

#[derive(Serialize)]
struct ErrorMember<'a> {
    code: u16,
    message: &'a str,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability: Option<AvailabilityMember<'a>>,
    param: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// The error's own metadata, with what every error has in front.
struct Metadata<'a> {
    error_type: &'static str,
    retry_after_seconds: Option<u64>,
    more: &'a BTreeMap<String, Box<RawValue>>,
}

impl Serialize for Metadata<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("error_type", self.error_type)?;
        if let Some(seconds) = self.retry_after_seconds {
            map.serialize_entry("retry_after_seconds", &seconds)?;
        }
        self.more.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.0.status.as_u16(), self.0.error_type, self.0.message)
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.render(Dialect::OpenAi)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body(error: &ApiError) -> Value {
        serde_json::from_str(&error.body_json(Dialect::OpenAi)).unwrap()
    }

    #[test]
    fn the_envelope_has_code_message_type_and_error_type() {
        let body = body(&ApiError::bad_request("messages[0].role", "unknown role `robot`"));
        let expected = json!({ "error": {
            "code": 400, "message": "unknown role `robot`", "type": "invalid_request", "param": "messages[0].role",
            "metadata": { "error_type": "invalid_request" },
        } });
        assert_eq!(body, expected);
    }

    #[test]
    fn retry_after_is_in_the_header_and_in_the_body() {
        let error = ApiError::rate_limited("too many requests", 7).with_user_id("user_1");
        assert_eq!(body(&error)["error"]["metadata"]["retry_after_seconds"], 7);
        assert_eq!(body(&error)["user_id"], "user_1");
        let response = error.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "7");
    }

    #[test]
    fn an_internal_error_keeps_its_cause_from_the_client() {
        let error = ApiError::internal("password of the database is hunter2");
        assert!(!error.body_json(Dialect::OpenAi).contains("hunter2"));
        assert!(error.chain().contains("hunter2"));
    }

    #[test]
    fn amounts_keep_every_digit() {
        let error = ApiError::payment_required("x").with_amount("available", NanoUsd::from_nanos(9_007_199_254_740_993));
        assert!(error.body_json(Dialect::OpenAi).contains("\"available\":9007199.254740993"));
    }
}
