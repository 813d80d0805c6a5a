//! Why one attempt failed: what the client would be told, and whether another endpoint may mend it.

use http::StatusCode;

use super::openai::error::UpstreamError;
use crate::http::error::{ApiError, ErrorType};

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptError {
    pub error_type: ErrorType,
    /// To be answered if no endpoint does better.
    pub status: StatusCode,
    /// What the upstream answered, if it did.
    pub upstream_status: Option<u16>,
    pub is_retryable: bool,
    pub retry_after_seconds: Option<u64>,
    pub message: String,
    pub provider_code: Option<String>,
    pub raw: Option<String>,
    /// The provider was not asked: what to say is said here.
    pub is_ours: bool,
    /// It is about our key or our bill there.
    pub is_about_us: bool,
}

impl AttemptError {
    /// The provider could not be reached, broke off, or sent what cannot be read.
    pub fn broken(message: impl Into<String>) -> Self {
        Self::of(ErrorType::ProviderUnavailable, message)
    }

    /// The provider took too long.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::of(ErrorType::Timeout, message)
    }

    /// The provider has no word for something that was asked: another one may.
    pub fn not_possible(what: &str) -> Self {
        Self { is_ours: true, ..Self::of(ErrorType::InvalidRequest, format!("{what} is not possible with this provider")) }
    }

    /// Of an upstream that did not answer.
    pub fn of(error_type: ErrorType, message: impl Into<String>) -> Self {
        Self {
            error_type,
            status: error_type.status(),
            upstream_status: None,
            is_retryable: true,
            retry_after_seconds: None,
            message: message.into(),
            provider_code: None,
            raw: None,
            is_ours: false,
            is_about_us: false,
        }
    }

    /// The same failure, of an upstream that had answered with this status.
    pub const fn after_status(mut self, status: StatusCode) -> Self {
        self.upstream_status = Some(status.as_u16());
        self
    }

    /// What the client is told: the upstream's own words in front, the rest in metadata.
    pub fn to_api_error(&self) -> ApiError {
        if self.is_ours {
            return ApiError::new(self.error_type, self.message.clone()).with_status(self.status);
        }
        if self.is_about_us {
            // What a provider thinks of our key or our bill is the operator's business, not the customer's.
            return ApiError::new(self.error_type, "Provider returned error: it refused this gateway").with_status(self.status);
        }
        let mut error = ApiError::new(self.error_type, format!("Provider returned error: {}", self.message)).with_status(self.status);
        if let Some(code) = &self.provider_code {
            error = error.with_metadata("provider_code", code);
        }
        if let Some(raw) = &self.raw {
            error = error.with_metadata("raw", raw);
        }
        if let Some(status) = self.upstream_status {
            error = error.with_metadata("upstream_status", status);
        }
        match self.retry_after_seconds {
            Some(seconds) => error.with_retry_after(seconds),
            None => error,
        }
    }
}

impl From<UpstreamError> for AttemptError {
    fn from(error: UpstreamError) -> Self {
        Self {
            error_type: error.error_type,
            status: error.status,
            upstream_status: Some(error.upstream_status.as_u16()),
            is_retryable: error.is_retryable,
            retry_after_seconds: error.retry_after_seconds,
            message: error.message,
            provider_code: error.provider_code,
            raw: Some(error.raw).filter(|raw| !raw.is_empty()),
            is_ours: false,
            is_about_us: error.is_about_us,
        }
    }
}
