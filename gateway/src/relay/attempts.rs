//! Endpoints in order until one answers: before the first byte, a failure is not the client's problem.
//!
//! One hold covers all attempts; a dearer endpoint raises it first and is skipped where that is refused.
//! Every attempt is recorded with its own outcome.

mod unanswered;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng;
use schemas::event::Attempt;
use schemas::{AccountId, ChannelId, NanoUsd, RequestId, Timestamp};
use tokio::time::Instant;

use super::calling::{Begun, Caller, Failed};
use super::hedging::Outrun;
use super::route_told::route_json;
use crate::admission::{Admitted, Estimate, count_free, estimate, unstoppable};
use crate::app::AppState;
use crate::control::catalog::Endpoint;
use crate::http::chat::ChatRequest;
use crate::http::error::{ApiError, ErrorType};
use crate::metering::PromptTokens;
use crate::metrics::{ATTEMPTS_SKIPPED_TOTAL, ATTEMPTS_TOTAL};
use crate::providers::{AttemptError, stops_on_disconnect};
use crate::routing::Plan;
use crate::routing::health::{Blame, Ending, PassRefusal, observe};
use crate::settlement::OpenRequest;

/// The way through the plan.
pub struct Attempts<'a> {
    pub caller: Caller<'a>,
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
    /// Models whose provider found fault with the request itself: another endpoint of theirs would, too; another model may not.
    failed_models: Vec<Arc<str>>,
    /// To be asked next, whatever the plan says: with another key, or once more.
    again: Option<Arc<Endpoint>>,
    last_failed: Option<Arc<Endpoint>>,
    /// What could not be tried, and why not.
    skipped: Option<PassRefusal>,
    /// Where the balance covers less than was asked for at the first endpoint.
    first_cap: Option<u64>,
    /// What is held, and what the request may cost at most by what the gate granted.
    held: NanoUsd,
    worst_case: NanoUsd,
    /// Whether free models may be asked; `None` where that was not asked yet.
    may_ask_free: Option<bool>,
    /// Attempts that did not fail, and since when: one, or two while one is hedged.
    under_way: Vec<(Arc<Endpoint>, Instant)>,
    pub(super) listener: Arc<Listener>,
    made: Vec<Attempt>,
    /// A second attempt was begun beside another one: once a request.
    pub(super) is_hedged: bool,
    /// The attempt that another one was faster than.
    outrun: Option<Outrun>,
    /// What the client is told if nothing answers: the last failure.
    last_error: Option<AttemptError>,
    /// Whose it is.
    last_blamed: Option<Arc<Endpoint>>,
    retry_after_seconds: Option<u64>,
}

/// What an attempt may cost is held.
struct Secured {
    /// Sent upstream, where the balance covers less than was asked for.
    output_tokens_cap: Option<u64>,
}

impl Secured {
    const WHOLLY: Self = Self { output_tokens_cap: None };
}

/// Outcome of an endpoint that was not asked: the balance does not cover it.
const HOLD_REFUSED: &str = "hold_refused";
/// The same: the account's requests to free models are used up.
const FREE_REFUSED: &str = "free_refused";

/// Whether anybody still waits for the answer, and whether the attempts under way may be called off when nobody does.
#[derive(Debug, Default)]
pub(super) struct Listener {
    left: AtomicBool,
    /// An attempt under way is at a provider that generates on without a listener.
    generates_on: AtomicBool,
}

impl Listener {
    fn attempts(&self, under_way: &[(Arc<Endpoint>, Instant)]) {
        let generates_on = under_way.iter().any(|(endpoint, _)| !stops_on_disconnect(&endpoint.channel));
        self.generates_on.store(generates_on, Ordering::Relaxed);
    }

    /// The client has left. True where the attempts under way end with their calls.
    pub fn leave(&self) -> bool {
        self.left.store(true, Ordering::Relaxed);
        !self.generates_on.load(Ordering::Relaxed)
    }

    pub fn has_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }
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
            caller: Caller { app, request, received },
            wants_route,
            prompt_tokens_expected: admitted.prompt_tokens_expected,
            prompt_tokens_max: admitted.prompt_tokens_max,
            plan,
            next: 0,
            tried: 0,
            retries: 0,
            failed_channels: Vec::new(),
            failed_models: Vec::new(),
            again: None,
            last_failed: None,
            skipped: None,
            first_cap: admitted.grant.output_tokens_cap,
            held: admitted.grant.hold,
            worst_case: admitted.hold.worst_case,
            may_ask_free: admitted.is_free.then_some(true),
            under_way: Vec::with_capacity(1),
            listener: Arc::default(),
            made: Vec::with_capacity(1),
            is_hedged: false,
            outrun: None,
            last_error: None,
            last_blamed: None,
            retry_after_seconds: None,
        }
    }

    /// The next endpoint to be asked. When none is left, the error for the client.
    pub async fn next(&mut self, open: &mut OpenRequest) -> Result<Begun, ApiError> {
        if self.listener.has_left() {
            return Err(client_left());
        }
        match self.next_endpoint(open).await {
            Some(begun) => Ok(begun),
            None => Err(self.nothing_answered()),
        }
    }

    /// Records a failed attempt; `Err` when no other endpoint may be tried.
    pub fn fail(&mut self, failed: Failed) -> Result<(), ApiError> {
        let now = Timestamp::now();
        let Failed { endpoint, pass, started, error } = failed;
        self.is_over(&endpoint);
        let blame = observe::failed(&endpoint, pass.key, &error, now);
        let channel = &endpoint.channel;
        match blame {
            // Another key of the same channel may be taken.
            Blame::Key | Blame::RateLimited if channel.keys.iter().any(|key| key.state.is_usable(now)) && channel.keys.len() > 1 => {
                self.again = Some(Arc::clone(&endpoint));
            }
            // Another model of a channel that answers may do better; one that cannot be reached, or is silent, is not asked again.
            Blame::Channel if is_silent(&error) => self.failed_channels.push(channel.id),
            Blame::Key | Blame::RateLimited => self.failed_channels.push(channel.id),
            Blame::Channel | Blame::Endpoint | Blame::Nobody => {}
        }
        if blame == Blame::Channel {
            self.last_failed = Some(Arc::clone(&endpoint));
        }
        self.note(&endpoint, started, error.error_type.as_str(), error.upstream_status, None);
        if let Some(seconds) = error.retry_after_seconds {
            self.retry_after_seconds = Some(self.retry_after_seconds.map_or(seconds, |least| least.min(seconds)));
        }
        let is_retryable = error.is_retryable;
        self.last_error = Some(error);
        self.last_blamed = Some(Arc::clone(&endpoint));
        if is_retryable {
            return Ok(());
        }
        self.failed_models.push(Arc::clone(&endpoint.model));
        let has_other_model =
            (self.next..).map_while(|place| self.plan.endpoint(place)).any(|next| !self.failed_models.contains(&next.model));
        if has_other_model { Ok(()) } else { Err(self.nothing_answered()) }
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

    /// The attempt that another one was faster than, or that is not wanted any more. Its connection is closed already.
    pub(super) fn outrun(&mut self, outrun: Outrun) {
        outrun.observe();
        self.is_over(&outrun.endpoint);
        self.note(&outrun.endpoint, outrun.started, Outrun::OUTCOME, None, None);
        self.outrun = Some(Outrun { place: self.made.len() - 1, ..outrun });
    }

    /// What the attempt that was outrun may cost, told what the answer used that was faster; put down beside it.
    pub(super) fn cost_of_outrun(&mut self, answered: &schemas::Usage) -> Option<NanoUsd> {
        let outrun = self.outrun.take()?;
        let cost = outrun.possible_cost(answered, self.prompt_tokens_expected);
        if let Some(attempt) = self.made.get_mut(outrun.place) {
            attempt.provider_cost_nanos = cost;
        }
        cost
    }

    /// The next endpoint that takes an attempt and whose hold is granted.
    async fn next_endpoint(&mut self, open: &mut OpenRequest) -> Option<Begun> {
        while self.may_try() {
            let endpoint = match self.again.take().or_else(|| self.next_planned()) {
                Some(endpoint) => endpoint,
                None => self.once_more().await?,
            };
            if let Some(begun) = self.begin(endpoint, open).await {
                return Some(begun);
            }
        }
        None
    }

    fn may_try(&self) -> bool {
        self.tried < self.caller.app.options.attempts_max && Instant::now() < self.caller.deadline()
    }

    /// The prompt's upper bound.
    pub(super) const fn prompt_tokens_max(&self) -> PromptTokens {
        self.prompt_tokens_max
    }

    /// Takes an attempt's place at the endpoint's channel and sees to its hold.
    async fn begin(&mut self, endpoint: Arc<Endpoint>, open: &mut OpenRequest) -> Option<Begun> {
        let estimate = estimate(self.caller.app, &endpoint, self.prompt_tokens_max, self.caller.request);
        let channel = &endpoint.channel;
        let pass = match channel.state.enter(&channel.keys, &channel.limits, estimate.tokens, Timestamp::now()) {
            Ok(pass) => pass,
            Err(refusal) => {
                self.skip(&endpoint, refusal);
                return None;
            }
        };
        if !self.may_ask(&endpoint, open.account, open.id()).await {
            self.note(&endpoint, Instant::now(), FREE_REFUSED, None, None);
            return None;
        }
        // The first one's hold was granted as it is, if less with a lower cap.
        let secured = if Arc::ptr_eq(&endpoint, self.plan.first()) {
            Some(Secured { output_tokens_cap: self.first_cap })
        } else {
            self.secure(&endpoint, &estimate, open).await
        };
        let Some(Secured { output_tokens_cap }) = secured else {
            self.note(&endpoint, Instant::now(), HOLD_REFUSED, None, None);
            return None;
        };
        self.tried += 1;
        let started = Instant::now();
        self.under_way.push((Arc::clone(&endpoint), started));
        self.listener.attempts(&self.under_way);
        Some(Begun { endpoint, estimate: estimate.capped(output_tokens_cap), output_tokens_cap, pass, started })
    }

    /// An endpoint of a free model counts before it is asked, once a request; what admission counted is counted.
    async fn may_ask(&mut self, endpoint: &Endpoint, account: AccountId, id: RequestId) -> bool {
        let Caller { app, request, .. } = self.caller;
        if !app.free_tier.covers(endpoint, &request.models) {
            return true;
        }
        if self.may_ask_free.is_none() {
            self.may_ask_free = Some(count_free(app, account, id).await);
        }
        self.may_ask_free.unwrap_or(false)
    }

    /// Sees to it that what an attempt may cost is held; where the balance does not cover all of it, the output is capped at what
    /// it covers, of this attempt alone: a cheaper one gives more. `None` where that is not worth an attempt. **A fallback that is dearer is no way around the balance.**
    async fn secure(&mut self, endpoint: &Endpoint, estimate: &Estimate, open: &mut OpenRequest) -> Option<Secured> {
        let worst_case = unstoppable(endpoint, self.caller.request, estimate);
        if estimate.hold <= self.held && worst_case <= self.worst_case {
            return Some(Secured::WHOLLY);
        }
        let less = Some(estimate.hold).filter(|hold| *hold < worst_case);
        for wanted in std::iter::once(worst_case).chain(less) {
            if wanted > self.held && open.resize(wanted).await {
                self.held = wanted;
                self.worst_case = self.worst_case.max(wanted);
            }
            if worst_case <= self.held {
                return Some(Secured::WHOLLY);
            }
        }
        let output_tokens_cap = estimate.affordable_output_tokens(self.held);
        (self.held >= estimate.minimum).then_some(Secured { output_tokens_cap })
    }

    fn is_over(&mut self, endpoint: &Arc<Endpoint>) {
        self.under_way.retain(|(other, _)| !Arc::ptr_eq(other, endpoint));
        self.listener.attempts(&self.under_way);
    }

    /// What is under way is called off: its client has left. It is nobody's failure.
    pub(super) fn call_off(&mut self) {
        for (endpoint, started) in std::mem::take(&mut self.under_way) {
            observe::abandoned(&endpoint, Timestamp::now());
            self.note(&endpoint, started, "client_left", None, None);
        }
    }

    /// When a second attempt is begun beside this one, if it has not begun to answer by then.
    pub(super) fn hedge_at(&self, begun: &Begun) -> Option<Instant> {
        let rules = &self.caller.app.routing.rules.hedging;
        if !rules.enabled || self.is_hedged || self.tried >= self.caller.app.options.attempts_max {
            return None;
        }
        self.plan.endpoint(self.next).filter(|next| next.model == begun.endpoint.model)?;
        self.caller.app.routing.hedges.earn(rules.share_percent);
        Some(begun.started + rules.delay(&begun.endpoint.state.speeds))
    }

    /// The endpoint that would be asked after this one, for the same model at another channel: where a second attempt
    /// beside it may go.
    pub(super) async fn next_beside(&mut self, endpoint: &Endpoint, open: &mut OpenRequest) -> Option<Begun> {
        while self.may_try() {
            let next = self.plan.endpoint(self.next)?;
            if next.model != endpoint.model {
                return None;
            }
            let next = Arc::clone(next);
            self.next += 1;
            let is_other = next.channel.id != endpoint.channel.id && !self.failed_channels.contains(&next.channel.id);
            if is_other && let Some(begun) = self.begin(next, open).await {
                self.is_hedged = true;
                return Some(begun);
            }
        }
        None
    }

    /// The plan's next endpoint whose channel did not fail yet.
    fn next_planned(&mut self) -> Option<Arc<Endpoint>> {
        loop {
            let endpoint = Arc::clone(self.plan.endpoint(self.next)?);
            self.next += 1;
            if !self.failed_channels.contains(&endpoint.channel.id) && !self.failed_models.contains(&endpoint.model) {
                return Some(endpoint);
            }
        }
    }

    /// Where nothing else is left, the last one that failed, after a pause: its trouble may have passed.
    async fn once_more(&mut self) -> Option<Arc<Endpoint>> {
        let endpoint = self.last_failed.take()?;
        let options = &self.caller.app.options;
        let error = self.last_error.as_ref()?;
        let is_passing = matches!(error.upstream_status, None | Some(502 | 503 | 529)) && error.error_type != ErrorType::Timeout;
        if self.retries >= options.retries_max || !is_passing {
            return None;
        }
        let backoff = options.retry_backoff * (1 << self.retries.min(8));
        let backoff = backoff / 2 + rand::rng().random_range(Duration::ZERO..=backoff / 2);
        let wait = error.retry_after_seconds.map_or(backoff, Duration::from_secs).max(backoff);
        if wait > options.retry_wait_max || Instant::now() + wait >= self.caller.deadline() {
            return None;
        }
        self.retries += 1;
        tokio::time::sleep(wait).await;
        Some(endpoint)
    }

    fn skip(&mut self, endpoint: &Endpoint, refusal: PassRefusal) {
        let reason = match refusal {
            PassRefusal::BreakerOpen { .. } => "breaker",
            PassRefusal::CoolingDown { .. } | PassRefusal::Pausing { .. } => "cooling",
            PassRefusal::KeysRefused { .. } => "keys",
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
            self.caller.app.routing.sticky.remember(conversation, &endpoint.model, endpoint.channel.id, Timestamp::now());
        }
    }

    /// How the request was routed, for those who asked.
    pub fn route_json(&self, selected: Option<&Endpoint>) -> Option<String> {
        self.wants_route.then(|| route_json(&self.plan, self.caller.request, (&self.made, self.is_hedged), selected))
    }

    /// The endpoint whose failure the client is told of.
    pub const fn last_blamed(&self) -> Option<&Arc<Endpoint>> {
        self.last_blamed.as_ref()
    }

    /// The endpoint that was asked last.
    pub fn last_asked(&self) -> Option<&Arc<Endpoint>> {
        let last = self.made.iter().rfind(|attempt| was_asked(attempt))?;
        self.plan.endpoints().find(|endpoint| *endpoint.channel.name == *last.channel && *endpoint.model == *last.model)
    }
}

fn was_asked(attempt: &Attempt) -> bool {
    ![HOLD_REFUSED, FREE_REFUSED].contains(&attempt.outcome.as_str())
}

/// It could not be reached, or began to answer and said nothing more: other than one that says itself that it took too long.
fn is_silent(error: &AttemptError) -> bool {
    error.upstream_status.is_none_or(|status| status < 400 && error.error_type == ErrorType::Timeout)
}

/// Why a request was given up whose client is gone; nobody reads it.
pub(super) fn client_left() -> ApiError {
    ApiError::new(ErrorType::Unmapped, "The client left before the answer began.")
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
