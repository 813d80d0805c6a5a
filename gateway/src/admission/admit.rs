//! Admission of one request: its estimate, and the one atomic call that reserves it.

use ledger::gate::{Refusal, ReserveCommand, Reserved, RestoredHold};
use schemas::{AccountId, NanoUsd, RequestId, Timestamp};
use tokio::time::Instant;

use super::estimate::{Estimate, EstimateLimits, Grant};
use super::free_tier::FreeAllowance;
use super::refusal::{gate_error, refusal_error};
use crate::app::App;
use crate::control::catalog::{Endpoint, Key};
use crate::http::chat::ChatRequest;
use crate::http::error::ApiError;
use crate::metering::{PromptTokens, TEXT_BYTES_PER_TOKEN, TEXT_BYTES_PER_TOKEN_MOST, prompt_tokens_max};
use crate::metrics::REFUSALS_TOTAL;
use crate::routing::{Plan, PromptSize};

/// A request that may start.
#[derive(Debug, Clone, Copy)]
pub struct Admitted {
    pub request_id: RequestId,
    pub admitted_at: Timestamp,
    pub epoch: u64,
    /// What the gate holds for it.
    pub hold: RestoredHold,
    /// A moment before the gate held it.
    pub reserved_at: Instant,
    pub grant: Grant,
    /// Upper bound, for holds.
    pub prompt_tokens_max: PromptTokens,
    /// About what it is, for a recovered charge.
    pub prompt_tokens_expected: u64,
    /// It counts as a request to a free model.
    pub is_free: bool,
}

/// Reserves what a request can cost at the first planned endpoint. Where the account's free requests are used up, free
/// endpoints leave the plan, and what is left of it is tried.
pub async fn admit(
    app: &App,
    request_id: RequestId,
    key: &Key,
    request: &ChatRequest<'_>,
    prompt: PromptSize,
    plan: &mut Plan,
) -> Result<Admitted, ApiError> {
    let mut free = allowance(app, key, request, plan).await;
    let outcome = match reserve(app, request_id, key, request, prompt, (&*plan, free)).await? {
        Err(refusal) if refusal.is_of_free_requests() && plan.leave_out(|endpoint| app.free_tier.covers(endpoint, &request.models)) => {
            free = None;
            reserve(app, request_id, key, request, prompt, (&*plan, free)).await?
        }
        answer => answer,
    };
    outcome.map_err(|refusal| {
        count_refusal(&refusal);
        let estimate = estimate(app, plan.first(), prompt.tokens_max, request);
        refusal_error(&refusal, &estimate, &app.options.public_url, free.and_then(|free| free.unlock))
    })
}

/// Counts a request in flight as one to a free model, where those are limited, before it goes on to one. **A paid model that fails
/// is no way around the limits of free ones.** False where they are used up.
pub async fn count_free(app: &App, account: AccountId, request_id: RequestId) -> bool {
    let Some(free) = app.free_tier.allowance(&app.ledger, account).await else { return true };
    match app.settlement.gate.count_free(Timestamp::now(), request_id, account, free.limits).await {
        Ok(Reserved::Held { .. }) => true,
        Ok(Reserved::Refused(refusal)) => {
            count_refusal(&refusal);
            false
        }
        Err(error) => {
            tracing::warn!(error = %error, request.id = %request_id, "a request to a free model could not be counted; it is not made");
            false
        }
    }
}

fn count_refusal(refusal: &Refusal) {
    metrics::counter!(REFUSALS_TOTAL, "cause" => refusal.cause.as_str(), "level" => refusal.level.as_str()).increment(1);
}

/// What the account may ask of free models, where the first planned endpoint is one.
async fn allowance(app: &App, key: &Key, request: &ChatRequest<'_>, plan: &Plan) -> Option<FreeAllowance> {
    if app.free_tier.covers(plan.first(), &request.models) { app.free_tier.allowance(&app.ledger, key.account_id()).await } else { None }
}

/// The one call to the gate.
async fn reserve(
    app: &App,
    request_id: RequestId,
    key: &Key,
    request: &ChatRequest<'_>,
    prompt: PromptSize,
    (plan, free): (&Plan, Option<FreeAllowance>),
) -> Result<Result<Admitted, Refusal>, ApiError> {
    let (prompt_tokens_max, prompt_tokens_expected) = (prompt.tokens_max, prompt.expected);
    let estimate = estimate(app, plan.first(), prompt_tokens_max, request);
    let worst_case = unstoppable(plan.first(), request, &estimate);
    let admitted_at = Timestamp::now();
    let command = ReserveCommand {
        request_id,
        account_id: key.account_id(),
        key: Some(key.policy),
        account_rates: key.account_rates,
        free: free.map(|free| free.limits),
        hold: estimate.hold,
        minimum: estimate.minimum,
        worst_case,
        overdraft_max: app.options.overdraft_max,
        tokens: estimate.tokens,
        admitted_at,
        owner: app.node(),
    };
    let reserved_at = Instant::now();
    match app.settlement.gate.reserve(admitted_at, command).await.map_err(gate_error)? {
        Reserved::Held { hold, worst_case: granted, epoch, .. } => {
            let grant = estimate.grant(hold, granted, worst_case);
            let hold = RestoredHold {
                request_id,
                account_id: key.account_id(),
                key_id: Some(key.policy.key_id),
                limit: key.policy.limit,
                hold,
                worst_case: granted,
                tokens: estimate.tokens,
                admitted_at,
                owner: app.node(),
            };
            let is_free = free.is_some();
            Ok(Ok(Admitted {
                request_id,
                admitted_at,
                epoch,
                hold,
                reserved_at,
                grant,
                prompt_tokens_max,
                prompt_tokens_expected,
                is_free,
            }))
        }
        Reserved::Refused(refusal) => Ok(Err(refusal)),
    }
}

/// What an answer can cost before anybody can stop it. A stream is stopped where its hold ends; a whole answer is told at once, and
/// a model that thinks unseen tells how much it thought at its end.
pub fn unstoppable(endpoint: &Endpoint, request: &ChatRequest<'_>, estimate: &Estimate) -> NanoUsd {
    if request.stream && !endpoint.thinks_unseen() { estimate.hold } else { estimate.worst_case }
}

/// How long a request's prompt is, by its bytes.
pub fn prompt_size(request: &ChatRequest<'_>) -> PromptSize {
    if let Some(input) = &request.embeddings {
        let (tokens_max, expected) = (input.tokens_max, input.tokens_expected);
        return PromptSize { tokens_max, expected, tokens_least: input.longest_tokens_least };
    }
    let read_too = request.read_by_the_model();
    let messages = request.messages.get();
    let tokens_max = prompt_tokens_max(messages, &read_too);
    let text_bytes = (messages.len() + read_too.iter().map(|raw| raw.len()).sum::<usize>()) as u64;
    let expected = (text_bytes / TEXT_BYTES_PER_TOKEN).min(tokens_max.total());
    let bytes_least = text_bytes.min(tokens_max.text.saturating_mul(TEXT_BYTES_PER_TOKEN));
    PromptSize { tokens_max, expected, tokens_least: bytes_least / TEXT_BYTES_PER_TOKEN_MOST }
}

/// What a request can cost at an endpoint.
pub fn estimate(app: &App, endpoint: &Endpoint, prompt: PromptTokens, request: &ChatRequest<'_>) -> Estimate {
    let limits = EstimateLimits {
        output_tokens_max: app.options.hold_output_tokens_max,
        endpoint_output_tokens_max: endpoint.max_completion_tokens.or(endpoint.context_length),
    };
    let context = endpoint.context_length.unwrap_or(u64::MAX).saturating_mul(request.inputs());
    let prompt = PromptTokens { text: prompt.text.min(context), ..prompt };
    Estimate::new(&endpoint.price.table, prompt, request.output_tokens_cap, request.choices, limits)
}
