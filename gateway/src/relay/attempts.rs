//! Endpoints in order until one answers: before the first byte, a failure is not the client's problem.
//!
//! One hold covers all attempts; a dearer endpoint raises it first and is skipped where that is refused.
//! Every attempt is recorded with its own outcome.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use schemas::event::Attempt;
use schemas::{ChannelId, NanoUsd, Timestamp};
use tokio::time::Instant;

use crate::admission::{Admitted, Estimate, Grant, estimate};
use crate::app::AppState;
use crate::control::catalog::Endpoint;
use crate::http::chat::{ChatRequest, upstream_body};
use crate::http::error::{ApiError, ErrorType};
use crate::metering::PromptTokens;
use crate::metrics::{ATTEMPTS_SKIPPED_TOTAL, ATTEMPTS_TOTAL};
use crate::providers::anthropic::{MessagesCall, OutputLimits};
use crate::providers::{AttemptError, AttemptLimits, ChannelClient, UpstreamAnswer};
use crate::routing::health::{Blame, Ending, Pass, PassRefusal, observe};
use crate::routing::{Ordering, Plan};
use crate::settlement::OpenRequest;

/// The way through the plan.
pub struct Attempts<'a> {
    pub app: &'a AppState,
    pub request: &'a ChatRequest<'a>,
    pub received: Instant,
    /// `X-OpenRouter-Metadata: enabled`.
    wants_route: bool,
    pub prompt_tokens_expected: u64,
    prompt_tokens_max: PromptTokens,
    plan: Plan,
    next: usize,
    tried: usize,
    retries: usize,
    /// Channels that cannot be reached or are not to be asked: their other endpoints are passed over.
    failed_channels: Vec<ChannelId>,
    /// To be asked next, whatever the plan says: with another key, or once more.
    again: Option<Arc<Endpoint>>,
    last_failed: Option<Arc<Endpoint>>,
    /// What could not be tried, and why not.
    skipped: Option<PassRefusal>,
    grant: Grant,
    made: Vec<Attempt>,
    /// What the client is told if nothing answers: the last failure.
    last_error: Option<AttemptError>,
    retry_after_seconds: Option<u64>,
}

/// An endpoint that began to answer.
pub struct Answered {
    pub endpoint: Arc<Endpoint>,
    pub answer: UpstreamAnswer,
    pub estimate: Estimate,
    pub started: Instant,
    /// Its place at the channel, kept until it has ended.
    pub pass: Pass,
    /// Until its first token, where it streams.
    pub ttft_ms: Option<u64>,
}

impl<'a> Attempts<'a> {
    pub fn new(
        app: &'a AppState,
        request: &'a ChatRequest<'a>,
        plan: Plan,
        admitted: Admitted,
        (received, wants_route): (Instant, bool),
    ) -> Self {
        Self {
            app,
            request,
            received,
            wants_route,
            prompt_tokens_expected: admitted.prompt_tokens_expected,
            prompt_tokens_max: admitted.prompt_tokens_max,
            plan,
            next: 0,
            tried: 0,
            retries: 0,
            failed_channels: Vec::new(),
            again: None,
            last_failed: None,
            skipped: None,
            grant: admitted.grant,
            made: Vec::with_capacity(1),
            last_error: None,
            retry_after_seconds: None,
        }
    }

    /// The next endpoint's answer, its head arrived. After a failure that another endpoint cannot mend, or
    /// when none is left, the error for the client.
    pub async fn next_answer(&mut self, open: &mut OpenRequest) -> Result<Answered, ApiError> {
        while let Some((endpoint, estimate, pass)) = self.next_endpoint(open).await {
            let started = Instant::now();
            let limits = AttemptLimits { first_byte_timeout: self.first_byte_deadline(&endpoint, started) - started };
            match self.call(&endpoint, pass.key, limits).await {
                Ok(answer) => {
                    let estimate = estimate.capped(self.grant.output_tokens_cap);
                    return Ok(Answered { endpoint, answer, estimate, started, pass, ttft_ms: None });
                }
                Err(error) => self.fail(&endpoint, pass.key, started, error)?,
            }
        }
        Err(self.nothing_answered())
    }

    async fn call(&self, endpoint: &Endpoint, key: usize, limits: AttemptLimits) -> Result<UpstreamAnswer, AttemptError> {
        let client = self.app.clients.of(&endpoint.channel, key)?;
        let cap = self.grant.output_tokens_cap;
        let body = upstream_body(self.request, &endpoint.upstream, cap, &endpoint.channel.quirks);
        match &*client {
            ChannelClient::Anthropic(channel) => channel.send(self.messages_call(endpoint, body), limits).await,
            client => {
                if let Some(what) = self.request.native.and_then(|native| native.only_anthropic) {
                    return Err(AttemptError::not_possible(what));
                }
                client.chat(body, self.request.stream, limits).await
            }
        }
    }

    fn messages_call<'c>(&'c self, endpoint: &'c Endpoint, body: bytes::Bytes) -> MessagesCall<'c> {
        let tokens_default = endpoint.max_completion_tokens.unwrap_or(self.app.options.hold_output_tokens_max);
        MessagesCall {
            body,
            stream: self.request.stream,
            native: self.request.native,
            model: &endpoint.upstream,
            output_tokens_cap: self.grant.output_tokens_cap,
            limits: OutputLimits { tokens_default, tokens_max: endpoint.max_completion_tokens },
        }
    }

    /// Records a failed attempt; `Err` when no other endpoint may be tried.
    pub fn fail(&mut self, endpoint: &Arc<Endpoint>, key: usize, started: Instant, error: AttemptError) -> Result<(), ApiError> {
        let now = Timestamp::now();
        let blame = observe::failed(endpoint, key, &error, now);
        let channel = &endpoint.channel;
        match blame {
            // Another key of the same channel may be taken.
            Blame::Key | Blame::RateLimited if channel.keys.iter().any(|key| key.state.is_usable(now)) && channel.keys.len() > 1 => {
                self.again = Some(Arc::clone(endpoint));
            }
            // Another model of a channel that answers may do better; one that cannot be reached is not asked again.
            Blame::Channel if error.upstream_status.is_none() => self.failed_channels.push(channel.id),
            Blame::Key | Blame::RateLimited => self.failed_channels.push(channel.id),
            Blame::Channel | Blame::Endpoint | Blame::Nobody => {}
        }
        if blame == Blame::Channel {
            self.last_failed = Some(Arc::clone(endpoint));
        }
        self.note(endpoint, started, error.error_type.as_str(), error.upstream_status, None);
        if let Some(seconds) = error.retry_after_seconds {
            self.retry_after_seconds = Some(self.retry_after_seconds.map_or(seconds, |least| least.min(seconds)));
        }
        let is_retryable = error.is_retryable;
        self.last_error = Some(error);
        if is_retryable { Ok(()) } else { Err(self.nothing_answered()) }
    }

    /// Records an attempt's outcome.
    pub fn note(&mut self, endpoint: &Endpoint, started: Instant, outcome: &str, status: Option<u16>, cost: Option<NanoUsd>) {
        metrics::counter!(ATTEMPTS_TOTAL, "channel" => endpoint.channel.name.to_string(), "outcome" => outcome.to_owned()).increment(1);
        self.made.push(Attempt {
            channel: endpoint.channel.name.to_string(),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            model: endpoint.model.to_string(),
            outcome: outcome.to_owned(),
            provider_cost_nanos: cost,
            status,
        });
    }

    /// Moves what was tried into the record.
    pub fn write_into(&mut self, open: &mut OpenRequest) {
        open.record.attempts.append(&mut self.made);
    }

    pub fn deadline(&self) -> Instant {
        self.received + self.app.options.total_timeout
    }

    /// Until when an attempt has to begin to answer.
    pub fn first_byte_deadline(&self, endpoint: &Endpoint, started: Instant) -> Instant {
        let budget = endpoint.channel.timeouts.first_byte.unwrap_or(self.app.options.first_byte_timeout);
        (started + budget).min(self.attempt_deadline(endpoint, started))
    }

    /// Until when an attempt has to have ended.
    pub fn attempt_deadline(&self, endpoint: &Endpoint, started: Instant) -> Instant {
        let own = endpoint.channel.timeouts.total.map(|total| started + total);
        own.map_or(self.deadline(), |own| own.min(self.deadline())).max(started)
    }

    /// Between two pieces of an answer.
    pub fn idle_timeout(&self, endpoint: &Endpoint) -> Duration {
        endpoint.channel.timeouts.idle.unwrap_or(self.app.options.idle_timeout)
    }

    /// The next endpoint that takes an attempt and whose hold is granted.
    async fn next_endpoint(&mut self, open: &mut OpenRequest) -> Option<(Arc<Endpoint>, Estimate, Pass)> {
        while self.tried < self.app.options.attempts_max && Instant::now() < self.deadline() {
            let endpoint = match self.again.take().or_else(|| self.next_planned()) {
                Some(endpoint) => endpoint,
                None => self.once_more().await?,
            };
            let estimate = estimate(self.app, &endpoint, self.prompt_tokens_max, self.request);
            let channel = &endpoint.channel;
            let pass = match channel.state.enter(&channel.keys, &channel.limits, estimate.tokens, Timestamp::now()) {
                Ok(pass) => pass,
                Err(refusal) => {
                    self.skip(&endpoint, refusal);
                    continue;
                }
            };
            // The first one's hold was granted as it is, if less with a lower cap.
            if estimate.hold > self.grant.hold && !Arc::ptr_eq(&endpoint, self.plan.first()) {
                if !open.resize(estimate.hold).await {
                    self.note(&endpoint, Instant::now(), "hold_refused", None, None);
                    continue;
                }
                self.grant = Grant { hold: estimate.hold, output_tokens_cap: self.grant.output_tokens_cap };
            }
            self.tried += 1;
            return Some((endpoint, estimate, pass));
        }
        None
    }

    /// The plan's next endpoint whose channel did not fail yet.
    fn next_planned(&mut self) -> Option<Arc<Endpoint>> {
        loop {
            let endpoint = Arc::clone(self.plan.endpoint(self.next)?);
            self.next += 1;
            if !self.failed_channels.contains(&endpoint.channel.id) {
                return Some(endpoint);
            }
        }
    }

    /// Where nothing else is left, the last one that failed, after a pause: its trouble may have passed.
    async fn once_more(&mut self) -> Option<Arc<Endpoint>> {
        let endpoint = self.last_failed.take()?;
        let options = &self.app.options;
        let error = self.last_error.as_ref()?;
        let is_passing = matches!(error.upstream_status, None | Some(502 | 503 | 529)) && error.error_type != ErrorType::Timeout;
        if self.retries >= options.retries_max || !is_passing {
            return None;
        }
        let backoff = options.retry_backoff * (1 << self.retries.min(8));
        let backoff = backoff / 2 + rand::rng().random_range(Duration::ZERO..=backoff / 2);
        let wait = error.retry_after_seconds.map_or(backoff, Duration::from_secs).max(backoff);
        if wait > options.retry_wait_max || Instant::now() + wait >= self.deadline() {
            return None;
        }
        self.retries += 1;
        tokio::time::sleep(wait).await;
        Some(endpoint)
    }

    fn skip(&mut self, endpoint: &Endpoint, refusal: PassRefusal) {
        let reason = match refusal {
            PassRefusal::BreakerOpen { .. } => "breaker",
            PassRefusal::CoolingDown { .. } => "cooling",
            PassRefusal::KeysRefused => "keys",
            PassRefusal::Concurrency => "concurrency",
            PassRefusal::RequestRate { .. } => "requests",
            PassRefusal::TokenRate { .. } => "tokens",
        };
        metrics::counter!(ATTEMPTS_SKIPPED_TOTAL, "channel" => endpoint.channel.name.to_string(), "reason" => reason).increment(1);
        self.skipped = Some(refusal);
    }

    /// Tells routing how an answered attempt ended.
    pub fn observe_end(&self, endpoint: &Endpoint, ending: Option<Ending>, ttft_ms: Option<u64>) {
        let now = Timestamp::now();
        match ending {
            Some(ending) => observe::succeeded(endpoint, ending, ttft_ms, now),
            None => observe::abandoned(endpoint, now),
        }
    }

    /// An answer broke off, or said itself that it failed.
    pub fn observe_break(&self, endpoint: &Endpoint) {
        observe::failed(endpoint, 0, &AttemptError::broken("the answer broke off"), Timestamp::now());
    }

    /// That the answer came from a prompt cache, or was written to one, counts for the conversation's next turn.
    pub fn remember_cache(&self, endpoint: &Endpoint) {
        if let Some(conversation) = self.plan.conversation {
            self.app.routing.sticky.remember(conversation, &endpoint.model, endpoint.channel.id, Timestamp::now());
        }
    }

    /// How the request was routed, for those who asked.
    pub fn route_json(&self, selected: Option<&Endpoint>) -> Option<String> {
        self.wants_route.then(|| route_json(&self.plan, self.request, &self.made, selected))
    }

    fn nothing_answered(&self) -> ApiError {
        let Some(error) = &self.last_error else {
            if let Some(refusal) = self.skipped {
                return nothing_tried(refusal);
            }
            return ApiError::new(ErrorType::ProviderUnavailable, "No provider could be tried in time; nothing was charged.");
        };
        let provider = self.made.last().map(|attempt| attempt.channel.clone()).unwrap_or_default();
        let previous: Vec<serde_json::Value> = self
            .made
            .iter()
            .rev()
            .skip(1)
            .rev()
            .map(|attempt| serde_json::json!({ "provider": attempt.channel, "code": attempt.status, "error_type": attempt.outcome }))
            .collect();
        let mut answer = error.to_api_error().with_metadata("provider_name", provider);
        if !previous.is_empty() {
            answer = answer.with_metadata("previous_errors", previous);
        }
        match self.retry_after_seconds {
            Some(seconds) => answer.with_retry_after(seconds),
            None => answer,
        }
    }
}

/// Every planned channel was full, or stopped taking attempts after the request was planned.
fn nothing_tried(refusal: PassRefusal) -> ApiError {
    let now = Timestamp::now();
    let wait_micros = match refusal {
        PassRefusal::BreakerOpen { until } | PassRefusal::CoolingDown { until } => until.micros() - now.micros(),
        PassRefusal::RequestRate { wait_micros } | PassRefusal::TokenRate { wait_micros } => wait_micros,
        PassRefusal::KeysRefused | PassRefusal::Concurrency => 1,
    };
    let seconds = u64::try_from(wait_micros.max(1)).unwrap_or(1).div_ceil(1_000_000);
    match refusal {
        PassRefusal::BreakerOpen { .. } | PassRefusal::KeysRefused => {
            ApiError::new(ErrorType::ProviderOverloaded, "No provider of this model works right now; nothing was charged.")
                .with_retry_after(seconds)
        }
        _ => ApiError::rate_limited("Every provider of this model is at its limit; nothing was charged.", seconds),
    }
}

/// `openrouter_metadata`.
fn route_json(plan: &Plan, request: &ChatRequest<'_>, made: &[Attempt], selected: Option<&Endpoint>) -> String {
    let is_selected = |endpoint: &Endpoint| selected.is_some_and(|selected| std::ptr::eq(selected, endpoint));
    let available: Vec<serde_json::Value> = plan
        .endpoints()
        .map(|endpoint| {
            serde_json::json!({
                "provider": &*endpoint.channel.provider_name, "channel": &*endpoint.channel.name, "model": &*endpoint.model,
                "selected": is_selected(endpoint),
            })
        })
        .collect();
    let attempts: Vec<serde_json::Value> = made
        .iter()
        .map(|attempt| {
            serde_json::json!({
                "provider": attempt.channel, "model": attempt.model, "status": attempt.status, "outcome": attempt.outcome,
                "duration_ms": attempt.duration_ms,
            })
        })
        .collect();
    let is_fallback = selected.is_some_and(|selected| selected.model != plan.first().model);
    let strategy = if is_fallback { "fallback" } else { plan.naming.as_str() };
    let how = match plan.ordering {
        Ordering::Strategy(_) if plan.is_sticky => "the endpoint with the conversation's prompt in its cache first".to_owned(),
        ordering => format!("by {} ({})", ordering.as_str(), plan.level.as_str()),
    };
    serde_json::json!({
        "requested": request.models.first(), "strategy": strategy, "routing_strategy": plan.ordering.as_str(),
        "routing_strategy_level": plan.level.as_str(), "sticky": plan.is_sticky,
        "region": selected.and_then(|selected| selected.channel.region.as_deref()),
        "summary": format!("{} of {} endpoints could be asked, {how}", plan.endpoints_left, plan.endpoints_total),
        "attempt": made.len(), "is_byok": false,
        "endpoints": { "total": plan.endpoints_total, "available": available },
        "attempts": attempts, "params": {}, "pipeline": [],
    })
    .to_string()
}

/// When the client's first token came, counted from the arrival of its request.
pub(super) fn note_first_token(open: &mut OpenRequest, received: Instant) {
    if open.record.ttft_ms.is_none() {
        open.record.ttft_ms = Some(u64::try_from(received.elapsed().as_millis()).unwrap_or(u64::MAX));
    }
}

/// Seconds since 1970, as `created` says it.
pub(super) fn created(open: &OpenRequest) -> i64 {
    let admitted: Timestamp = open.record.admitted_at;
    admitted.unix_seconds()
}
