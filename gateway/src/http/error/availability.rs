//! `error.availability`: for programs, why no model could be asked. `OpenRouter`'s addition to the envelope of `OpenAI`'s dialects.
//!
//! It stands only where the cause is known to be one of its codes, and says only what is known of it; whatever else fails has
//! none. Each code is explained on the page its `docs_url` leads to, `openapi/errors.html`. Two of `OpenRouter`'s codes
//! have no cause here: models have no day on which they end, and requests are bound to no region.

use serde::Serialize;

use super::{ApiError, ErrorType};

/// Where the codes are explained, on this gateway.
pub const DOCS_PATH: &str = "/docs/errors";

/// Why no model could be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AvailabilityCode {
    /// No model has this name.
    ModelNotFound,
    /// The model is asked at another address.
    WrongEndpoint,
    /// No endpoint does what is asked for.
    NoEndpoints,
    /// Every provider says that it does not have the model.
    ModelUnavailableUpstream,
    /// Every provider, or the limit of its channel, says to come again later.
    CapacityExhausted,
    /// Nothing works right now.
    TemporarilyUnavailable,
    /// What must not be collected or kept leaves no endpoint.
    PrivacyRestricted,
    /// A wish of the request leaves no endpoint.
    ConstraintFiltered,
    /// The model costs something now.
    FreeVariantEnded,
}

impl AvailabilityCode {
    pub const ALL: [Self; 9] = [
        Self::ModelNotFound,
        Self::WrongEndpoint,
        Self::NoEndpoints,
        Self::ModelUnavailableUpstream,
        Self::CapacityExhausted,
        Self::TemporarilyUnavailable,
        Self::PrivacyRestricted,
        Self::ConstraintFiltered,
        Self::FreeVariantEnded,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ModelNotFound => "model_not_found",
            Self::WrongEndpoint => "wrong_endpoint",
            Self::NoEndpoints => "no_endpoints",
            Self::ModelUnavailableUpstream => "model_unavailable_upstream",
            Self::CapacityExhausted => "capacity_exhausted",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::PrivacyRestricted => "privacy_restricted",
            Self::ConstraintFiltered => "constraint_filtered",
            Self::FreeVariantEnded => "free_variant_ended",
        }
    }

    /// The type, and with it the status, of an error of this code.
    pub const fn error_type(self) -> ErrorType {
        match self {
            Self::ModelNotFound | Self::WrongEndpoint => ErrorType::InvalidRequest,
            Self::CapacityExhausted => ErrorType::RateLimitExceeded,
            Self::TemporarilyUnavailable => ErrorType::ProviderOverloaded,
            _ => ErrorType::NotFound,
        }
    }

    /// Whether the same request may be answered later.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::CapacityExhausted | Self::TemporarilyUnavailable)
    }
}

/// What is known of it.
#[derive(Debug)]
pub struct Availability {
    pub(super) code: AvailabilityCode,
    requested_models: Vec<String>,
    affected_providers: Vec<String>,
    excluded_by: Vec<&'static str>,
    fallback_models: Vec<String>,
    constraint: Option<Constraint>,
}

/// The setting that removed the last endpoint.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Constraint {
    /// As it is named in a request (`provider.max_price.prompt`) or in preferences (`privacy.zdr`).
    pub field: String,
    pub detail: String,
}

impl Availability {
    /// The models as the client named them.
    pub const fn new(code: AvailabilityCode, requested_models: Vec<String>) -> Self {
        Self {
            code,
            requested_models,
            affected_providers: Vec::new(),
            excluded_by: Vec::new(),
            fallback_models: Vec::new(),
            constraint: None,
        }
    }

    /// Who cannot be asked, as clients know them.
    pub fn of_providers(self, affected_providers: Vec<String>) -> Self {
        Self { affected_providers, ..self }
    }

    /// The filters that removed endpoints, in `OpenRouter`'s words.
    pub fn excluded_by(self, excluded_by: Vec<&'static str>) -> Self {
        Self { excluded_by, ..self }
    }

    /// Models that may be what was meant.
    pub fn with_fallback_models(self, fallback_models: Vec<String>) -> Self {
        Self { fallback_models, ..self }
    }

    pub fn with_constraint(self, constraint: Option<Constraint>) -> Self {
        Self { constraint, ..self }
    }

    pub fn into_error(self, message: String) -> ApiError {
        ApiError::new(self.code.error_type(), message).with_availability(self)
    }

    pub(super) fn member(&self, retry_after_seconds: Option<u64>) -> AvailabilityMember<'_> {
        AvailabilityMember {
            code: self.code.as_str(),
            retryable: self.code.is_retryable(),
            retry_after: retry_after_seconds,
            requested_models: &self.requested_models,
            affected_providers: &self.affected_providers,
            excluded_by: &self.excluded_by,
            fallback_models: &self.fallback_models,
            constraint: self.constraint.as_ref(),
            docs_url: format!("{DOCS_PATH}#{}", self.code.as_str()),
        }
    }
}

/// As it is written: what is not known is left out.
#[derive(Serialize)]
pub(super) struct AvailabilityMember<'a> {
    code: &'static str,
    retryable: bool,
    /// Seconds, the same as in `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    requested_models: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    affected_providers: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    excluded_by: &'a [&'static str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fallback_models: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    constraint: Option<&'a Constraint>,
    docs_url: String,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::error::Dialect;

    fn error(error: &ApiError) -> Value {
        serde_json::from_str::<Value>(&error.body_json(Dialect::OpenAi)).unwrap()["error"].clone()
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let plain = Availability::new(AvailabilityCode::ModelNotFound, vec!["a/b".to_owned()]).into_error("no".to_owned());
        let expected = json!({
            "code": "model_not_found", "retryable": false, "requested_models": ["a/b"], "docs_url": "/docs/errors#model_not_found",
        });
        assert_eq!(error(&plain)["availability"], expected);
        assert_eq!(error(&ApiError::not_found("x")).get("availability"), None);
    }

    #[test]
    fn what_is_known_is_told_and_the_wait_is_that_of_the_header() {
        let availability = Availability::new(AvailabilityCode::CapacityExhausted, vec!["a/b".to_owned(), "c/d".to_owned()])
            .of_providers(vec!["Acme".to_owned()])
            .excluded_by(vec!["max_price"])
            .with_fallback_models(vec!["a/c".to_owned()])
            .with_constraint(Some(Constraint { field: "provider.max_price.prompt".to_owned(), detail: "too dear".to_owned() }));
        let full = availability.into_error("no".to_owned()).with_retry_after(7);
        let expected = json!({
            "code": "capacity_exhausted", "retryable": true, "retry_after": 7, "requested_models": ["a/b", "c/d"],
            "affected_providers": ["Acme"], "excluded_by": ["max_price"], "fallback_models": ["a/c"],
            "constraint": { "field": "provider.max_price.prompt", "detail": "too dear" }, "docs_url": "/docs/errors#capacity_exhausted",
        });
        assert_eq!(error(&full)["availability"], expected);
    }

    #[test]
    fn a_code_decides_the_status_whatever_the_error_was() {
        let statuses: Vec<(&str, u16, bool)> = AvailabilityCode::ALL
            .into_iter()
            .map(|code| {
                let failed = ApiError::new(ErrorType::ProviderUnavailable, "x").with_availability(Availability::new(code, Vec::new()));
                (code.as_str(), failed.status().as_u16(), code.is_retryable())
            })
            .collect();
        let expected = [
            ("model_not_found", 400, false),
            ("wrong_endpoint", 400, false),
            ("no_endpoints", 404, false),
            ("model_unavailable_upstream", 404, false),
            ("capacity_exhausted", 429, true),
            ("temporarily_unavailable", 503, true),
            ("privacy_restricted", 404, false),
            ("constraint_filtered", 404, false),
            ("free_variant_ended", 404, false),
        ];
        assert_eq!(statuses, expected);
    }

    #[test]
    fn anthropics_envelope_has_none() {
        let refused = Availability::new(AvailabilityCode::NoEndpoints, Vec::new()).into_error("no".to_owned());
        assert!(!refused.body_json(Dialect::Anthropic).contains("availability"));
    }
}
