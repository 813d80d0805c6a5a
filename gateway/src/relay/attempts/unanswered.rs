//! What a client is told where no endpoint answered: the last failure, or why nothing could be tried.

use std::collections::BTreeSet;

use schemas::Timestamp;
use schemas::event::Attempt;

use super::{Attempts, HOLD_REFUSED, was_asked};
use crate::admission::ask_for_less;
use crate::http::error::availability::{Availability, AvailabilityCode};
use crate::http::error::{ApiError, ErrorType};
use crate::providers::AttemptError;
use crate::relay::route_told::provider_name;
use crate::routing::health::PassRefusal;

impl Attempts<'_> {
    pub(super) fn nothing_answered(&self) -> ApiError {
        let Some(error) = &self.last_error else {
            if self.made.iter().any(|attempt| attempt.outcome == HOLD_REFUSED) {
                let is_prompt_only = self.caller.request.embeddings.is_some();
                let message = "The balance, or the limit of the key, does not cover this request at the providers that can be asked now.";
                return ApiError::payment_required(message)
                    .with_metadata("limit_source", "openrouter_credits")
                    .with_metadata("reason", "weight_exceeds_budget")
                    .with_metadata("remedy_hint", format!("Add credits to the account, or {}.", ask_for_less(!is_prompt_only)));
            }
            if let Some(refusal) = self.skipped {
                return self.nothing_tried(refusal);
            }
            return ApiError::new(ErrorType::ProviderUnavailable, "No provider could be tried in time; nothing was charged.");
        };
        let provider = self.last_blamed.as_ref().map(|endpoint| endpoint.channel.provider_name.to_string()).unwrap_or_default();
        let asked: Vec<&Attempt> = self.made.iter().filter(|attempt| was_asked(attempt)).collect();
        let previous: Vec<serde_json::Value> = asked[..asked.len().saturating_sub(1)]
            .iter()
            .map(|attempt| serde_json::json!({ "provider": provider_name(&self.plan, attempt), "code": attempt.status, "error_type": attempt.outcome }))
            .collect();
        let mut answer = error.to_api_error().with_metadata("provider_name", provider);
        if let Some(code) = code_of_all(error, &asked) {
            let providers: BTreeSet<String> = asked.iter().map(|attempt| provider_name(&self.plan, attempt)).collect();
            answer = answer.with_availability(self.availability(code, providers));
        }
        if !previous.is_empty() {
            answer = answer.with_metadata("previous_errors", previous);
        }
        match self.retry_after_seconds.or_else(|| self.rests_for(error)) {
            Some(seconds) => answer.with_retry_after(seconds),
            None => answer,
        }
    }

    /// A provider that is at its limit and does not say how long is left alone for a moment all the same.
    fn rests_for(&self, last: &AttemptError) -> Option<u64> {
        let (now, endpoint) = (Timestamp::now(), self.last_blamed.as_ref()?);
        let channel = &endpoint.channel;
        let refusal =
            channel.state.refusal(&channel.keys, &channel.limits, now).filter(|_| last.error_type == ErrorType::RateLimitExceeded)?;
        Some(seconds_until(refusal.until(now), now))
    }

    /// Every planned channel was full, or stopped taking attempts after the request was planned.
    fn nothing_tried(&self, refusal: PassRefusal) -> ApiError {
        let (code, message) = if refusal.is_about_rates() {
            (AvailabilityCode::CapacityExhausted, "Every provider of this model is at its limit; nothing was charged.")
        } else {
            (AvailabilityCode::TemporarilyUnavailable, "No provider of this model works right now; nothing was charged.")
        };
        let now = Timestamp::now();
        let providers = self.plan.endpoints().map(|endpoint| endpoint.channel.provider_name.to_string()).collect();
        self.availability(code, providers).into_error(message.to_owned()).with_retry_after(seconds_until(refusal.until(now), now))
    }

    fn availability(&self, code: AvailabilityCode, providers: BTreeSet<String>) -> Availability {
        let named = &self.caller.request.models;
        let default = named.is_empty().then(|| self.plan.first().model.to_string());
        let requested = named.iter().map(|name| name.to_string()).chain(default).collect();
        Availability::new(code, requested).of_providers(providers.into_iter().collect())
    }
}

/// At least one: nobody is asked to come again at once.
fn seconds_until(until: Timestamp, now: Timestamp) -> u64 {
    u64::try_from((until.micros() - now.micros()).max(1)).unwrap_or(1).div_ceil(1_000_000)
}

/// What all that were asked have in common, where there is a word for it. Of several troubles only the last one is told.
fn code_of_all(last: &AttemptError, asked: &[&Attempt]) -> Option<AvailabilityCode> {
    let all = |is_so: fn(&Attempt) -> bool| asked.iter().all(|attempt| is_so(attempt));
    let is_limited = |attempt: &Attempt| attempt.outcome == ErrorType::RateLimitExceeded.as_str();
    let is_busy = |attempt: &Attempt| {
        [ErrorType::ProviderOverloaded, ErrorType::RateLimitExceeded].iter().any(|busy| attempt.outcome == busy.as_str())
    };
    match last.error_type {
        _ if all(|attempt| attempt.status == Some(404)) => Some(AvailabilityCode::ModelUnavailableUpstream),
        ErrorType::RateLimitExceeded if all(is_limited) => Some(AvailabilityCode::CapacityExhausted),
        ErrorType::ProviderOverloaded if all(is_busy) => Some(AvailabilityCode::TemporarilyUnavailable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(outcome: ErrorType, status: u16) -> Attempt {
        Attempt {
            channel: String::new(),
            duration_ms: 1,
            model: String::new(),
            outcome: outcome.as_str().to_owned(),
            provider_cost_nanos: None,
            status: Some(status),
        }
    }

    #[test]
    fn a_word_is_said_only_where_it_is_true_of_every_attempt() {
        use ErrorType::{ProviderOverloaded, ProviderUnavailable, RateLimitExceeded};
        let (limited, busy) = ((RateLimitExceeded, 429), (ProviderOverloaded, 503));
        let (missing, broken) = ((ProviderUnavailable, 404), (ProviderUnavailable, 500));
        for (asked, expected) in [
            (vec![limited], Some(AvailabilityCode::CapacityExhausted)),
            (vec![limited, limited], Some(AvailabilityCode::CapacityExhausted)),
            (vec![busy, limited], None),
            (vec![limited, busy], Some(AvailabilityCode::TemporarilyUnavailable)),
            (vec![broken, limited], None),
            (vec![broken, busy], None),
            (vec![missing, missing], Some(AvailabilityCode::ModelUnavailableUpstream)),
            (vec![broken, missing], None),
            (vec![missing, broken], None),
            (vec![missing, limited], None),
            (vec![broken], None),
        ] {
            let made: Vec<Attempt> = asked.iter().map(|(outcome, status)| attempt(*outcome, *status)).collect();
            let last = AttemptError::of(asked[asked.len() - 1].0, "no");
            assert_eq!(code_of_all(&last, &made.iter().collect::<Vec<_>>()), expected, "{asked:?}");
        }
    }
}
