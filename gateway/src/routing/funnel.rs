//! Why nothing is left, or why what was left was taken: each endpoint with what became of it.
//!
//! Made only for those who ask and for requests that fail: it walks all endpoints again and allocates freely.

use std::collections::BTreeSet;

use schemas::Timestamp;
use serde::Serialize;

use super::order::{Ordering, expected_picos, expected_wait_ms};
use super::plan::Question;
use super::removal::{Removal, STEPS, removal};
use crate::control::catalog::Endpoint;
use crate::http::error::availability::{Availability, AvailabilityCode, Constraint};
use crate::http::error::{ApiError, ErrorType};

/// Endpoints told of in one answer.
const TOLD_MAX: usize = 100;
/// Endpoints whose part in it one sentence tells.
const DETAILS_MAX: usize = 3;
/// A client is never asked to wait for less.
const RETRY_AFTER_SECONDS_MIN: u64 = 1;

/// One endpoint of a request's models, and what became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Told {
    pub provider: String,
    pub channel: String,
    pub model: String,
    #[serde(flatten)]
    pub removed: Option<ToldRemoval>,
}

/// What removed an endpoint.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ToldRemoval {
    pub step: &'static str,
    /// As whoever set it wrote it.
    pub setting: String,
    /// `request`, `key`, `creator`, `account`, `channel`, `endpoint`.
    pub level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    #[serde(skip)]
    kind: Option<Removal>,
    #[serde(skip)]
    place: usize,
}

/// How many endpoints were left after a step.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FunnelStep {
    pub step: &'static str,
    pub endpoint_count: usize,
}

/// Everything about one request's endpoints.
#[derive(Debug)]
pub struct Funnel {
    pub told: Vec<Told>,
    pub steps: Vec<FunnelStep>,
}

/// Before the filters: the key's models, and what the operator took out of use.
const ENABLED: &str = "enabled";
const ALLOWED_MODELS: &str = "allowed_models";

impl Funnel {
    pub fn of(question: &Question<'_>) -> Self {
        let mut told = Vec::new();
        for wanted in &question.wanted {
            let is_allowed = question.key.allows_model(&wanted.model.id);
            for endpoint in &wanted.model.endpoints {
                let removed = if is_allowed {
                    removal(endpoint, wanted.variant, &question.asked).map(|kind| ToldRemoval::of(endpoint, kind, question))
                } else {
                    Some(ToldRemoval::before(ALLOWED_MODELS, "allowed_models", "key", 1))
                };
                told.push(Told::of(endpoint, removed));
            }
            for disabled in question.catalog.disabled_endpoints(&wanted.model.id) {
                let level = if disabled.is_channel_disabled { "channel" } else { "endpoint" };
                let removed = Some(ToldRemoval::before(ENABLED, "status = disabled", level, 0));
                let (channel, model) = (disabled.channel.to_string(), disabled.model.to_string());
                told.push(Told { provider: channel.clone(), channel, model, removed });
            }
        }
        let names = [ENABLED, ALLOWED_MODELS].into_iter().chain(STEPS);
        let left = |place: usize| told.iter().filter(|told| told.removed.as_ref().is_none_or(|removed| removed.place > place)).count();
        let steps = names.enumerate().map(|(place, step)| FunnelStep { step, endpoint_count: left(place) }).collect();
        Self { told, steps }
    }

    /// The step after which nothing was left.
    fn failed_step(&self) -> &'static str {
        self.steps.iter().find(|step| step.endpoint_count == 0).map_or("health", |step| step.step)
    }
}

impl Told {
    fn of(endpoint: &Endpoint, removed: Option<ToldRemoval>) -> Self {
        let channel = &endpoint.channel;
        Self { provider: channel.provider_name.to_string(), channel: channel.name.to_string(), model: endpoint.model.to_string(), removed }
    }
}

impl ToldRemoval {
    fn of(endpoint: &Endpoint, kind: Removal, question: &Question<'_>) -> Self {
        let detail = match &kind {
            Removal::Parameters(missing) => Some(format!("does not support {}", missing.names().collect::<Vec<_>>().join(", "))),
            Removal::Context { context_length } => Some(format!("takes at most {context_length} tokens")),
            Removal::Quantization => Some(endpoint.quantization.clone().unwrap_or_else(|| "unknown".to_owned())),
            Removal::MaxPrice(_) => {
                let (prompt, completion) = (endpoint.price.table.prompt, endpoint.price.table.completion);
                Some(format!("prompt {}, completion {} USD per million", prompt.per_million_text(), completion.per_million_text()))
            }
            _ => None,
        };
        Self {
            step: STEPS[kind.step()],
            setting: kind.setting(),
            level: kind.level(),
            detail,
            until: kind.until(question.asked.now),
            place: kind.step() + 2,
            kind: Some(kind),
        }
    }

    fn before(step: &'static str, setting: &str, level: &'static str, place: usize) -> Self {
        Self { step, setting: setting.to_owned(), level, detail: None, until: None, kind: None, place }
    }
}

/// The answer when no endpoint may be asked: the status that fits, and what removed each of them.
pub fn nothing_left(question: &Question<'_>) -> ApiError {
    let funnel = Funnel::of(question);
    let model = question.wanted.first().map(|wanted| wanted.model.id.to_string()).unwrap_or_default();
    let step = funnel.failed_step();
    let removed = || funnel.told.iter().filter_map(|told| told.removed.as_ref().map(|removed| (told, removed)));
    let last = removed().map(|(_, removed)| removed.place).max().unwrap_or_default();
    // Those that got furthest decide: the others would not have answered anyway.
    let decisive: Vec<(&Told, &ToldRemoval)> = removed().filter(|(_, removed)| removed.place == last).collect();
    let causes: BTreeSet<String> = decisive.iter().map(|(_, removed)| format!("{} ({})", removed.setting, removed.level)).collect();
    let causes = causes.into_iter().collect::<Vec<_>>().join(", ");
    let availability = |code| {
        let filters: BTreeSet<&'static str> =
            removed().filter_map(|(_, removed)| removed.kind.as_ref().and_then(Removal::excluded_by)).collect();
        let requested = question.names.iter().map(|name| (*name).to_owned()).collect();
        Availability::new(code, requested).excluded_by(filters.into_iter().collect())
    };
    let error = match step {
        "health" => momentary(&model, &decisive, &causes, question.asked.now, availability),
        ALLOWED_MODELS => {
            ApiError::permission_denied(format!("This API key may not use the model {model}.")).with_metadata("model", &model)
        }
        "context_length" => ApiError::new(
            ErrorType::ContextLengthExceeded,
            format!("The messages are longer than any endpoint of {model} takes; nothing was charged."),
        )
        .with_param("messages"),
        "modality" => ApiError::not_found(format!("No endpoints found for {model} that take {causes}.")).with_param("messages"),
        _ => ApiError::not_found(format!("No endpoints found for {model}: none is left after {causes}.")).with_param("provider"),
    };
    let code = decisive.iter().find_map(|(_, removed)| removed.kind.as_ref()?.availability_code());
    let error = match code {
        Some(code) => error.with_availability(availability(code).with_constraint(constraint(&decisive))),
        None => error,
    };
    let excluded_by: BTreeSet<&str> = removed().map(|(_, removed)| removed.step).collect();
    let providers: BTreeSet<&str> = funnel.told.iter().map(|told| told.provider.as_str()).collect();
    let told: Vec<&Told> = funnel.told.iter().take(TOLD_MAX).collect();
    error
        .with_metadata("routing_funnel", &funnel.steps)
        .with_metadata("failed_routing_step", step)
        .with_metadata("excluded_by", excluded_by)
        .with_metadata("removed_endpoints", told)
        .with_metadata("available_providers", providers)
}

/// The setting that removed the last endpoints, and what it found there.
fn constraint(decisive: &[(&Told, &ToldRemoval)]) -> Option<Constraint> {
    let field = decisive.iter().find_map(|(_, removed)| removed.kind.as_ref()?.field())?;
    let found = |told: &Told, removed: &ToldRemoval| format!("{}: {}", told.provider, removed.detail.as_ref().unwrap_or(&removed.setting));
    let details: BTreeSet<String> = decisive.iter().map(|(told, removed)| found(told, removed)).collect();
    Some(Constraint { field, detail: details.into_iter().take(DETAILS_MAX).collect::<Vec<_>>().join("; ") })
}

/// Only the moment forbids it: told with when to come again.
fn momentary(
    model: &str,
    decisive: &[(&Told, &ToldRemoval)],
    causes: &str,
    now: Timestamp,
    availability: impl Fn(AvailabilityCode) -> Availability,
) -> ApiError {
    let waits = decisive.iter().filter_map(|(_, removed)| removed.until).map(|until| until.micros() - now.micros());
    let seconds =
        waits.min().map(|micros| u64::try_from(micros.max(0)).unwrap_or_default().div_ceil(1_000_000).max(RETRY_AFTER_SECONDS_MIN));
    let kinds = || decisive.iter().filter_map(|(_, removed)| removed.kind.as_ref());
    let (code, message) = if kinds().all(Removal::is_about_rates) {
        (AvailabilityCode::CapacityExhausted, format!("Every provider of {model} is at its limit: {causes}. Nothing was charged."))
    } else if kinds().all(|kind| matches!(kind, Removal::ModelMissing { .. })) {
        (AvailabilityCode::ModelUnavailableUpstream, format!("No provider of {model} has it: {causes}. Nothing was charged."))
    } else {
        (AvailabilityCode::TemporarilyUnavailable, format!("No provider of {model} works right now: {causes}. Nothing was charged."))
    };
    let providers: BTreeSet<&str> = decisive.iter().map(|(told, _)| told.provider.as_str()).collect();
    let providers = providers.into_iter().map(str::to_owned).collect();
    let error = availability(code).of_providers(providers).into_error(message);
    match seconds.filter(|_| code.is_retryable()) {
        Some(seconds) => error.with_retry_after(seconds),
        None => error,
    }
}

/// What is told of an endpoint that may be asked.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ToldFigures {
    /// What the request is expected to cost there, in USD.
    pub expected_cost: String,
    pub expected_wait_ms: Option<f64>,
    pub priority: i32,
    pub weight: u32,
    pub draw_weight: f64,
    pub status: super::health::HealthStatus,
    pub strategy: &'static str,
}

impl ToldFigures {
    pub fn of(endpoint: &Endpoint, ordering: Ordering, question: &Question<'_>) -> Self {
        let picos = expected_picos(endpoint, &question.asked, false);
        let wait = expected_wait_ms(endpoint, &question.asked);
        Self {
            expected_cost: format!("{:.9}", picos / 1e12),
            expected_wait_ms: (wait > 0.0).then_some(wait),
            priority: endpoint.channel.priority,
            weight: endpoint.channel.weight,
            draw_weight: endpoint.draw_weight,
            status: endpoint.state.status(),
            strategy: ordering.as_str(),
        }
    }
}
