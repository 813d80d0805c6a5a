//! How an answer became a charge: usage in, terminal out.

use bytes::BytesMut;
use schemas::{Charge, NanoUsd, PriceTable, Usage, UsageSource, charge};
use tokio::time::Instant;

use super::attempts::Attempts;
use super::metered::Metered;
use super::run::note_duration;
use crate::control::catalog::Endpoint;
use crate::control::channel::ProviderKind;
use crate::http::error::{ApiError, ErrorType};
use crate::metering::{UsageAnomalies, embeddings_usage_json, usage_json};
use crate::metrics::{self, RequestCounts};
use crate::options::UsageChunkChoices;
use crate::routing::health::Ending;
use crate::settlement::{OpenRequest, SettleError};
use crate::wire::chat_chunk::Finish;
use crate::wire::{ChunkRewriter, FinishReason};

/// A report beyond so many times the prompt's own upper bound, and what a provider may add by itself (instructions for tools,
/// what it searched for), is a mistake of whoever counted.
const BEYOND_PROMPT: u64 = 4;
const PROMPT_TOKENS_ADDED_MAX: u64 = 200_000;
/// Likewise beyond so many times the output that was allowed. A provider that counts thinking beside its cap has room.
const BEYOND_CAP: u64 = 2;
const ANSWER_TOKENS_ADDED_MAX: u64 = 32_768;
/// Longest id and finish reason kept of a provider.
const PROVIDER_WORD_BYTES_MAX: usize = 256;
/// What is on record for a request whose client left before it was answered, as web servers write it.
const CLIENT_LEFT_STATUS: u16 = 499;

/// How the upstream's answer came to its end.
#[derive(Debug)]
pub enum Outcome {
    /// As it should.
    Completed,
    /// It broke after the first byte, or its provider reported an error in it.
    Broken(ApiError),
    /// The client left.
    ClientLeft,
    /// The balance ran out under it.
    BalanceSpent,
}

/// A request that has ended, and what its client is told of it.
pub struct Ended {
    outcome: Outcome,
    finish: Option<FinishReason>,
    native_finish: Option<String>,
    charge: Charge,
    usage: Usage,
    route: Option<String>,
}

/// The attempt that answered.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub endpoint: &'a Endpoint,
    pub started: Instant,
    /// Until its first token, where it streamed.
    pub ttft_ms: Option<u64>,
    /// What was sent upstream, where the balance covered less than was asked for.
    pub output_tokens_cap: Option<u64>,
}

/// Ends an answered request: computes the charge, makes the terminal durable and tells the gate.
pub async fn end(
    mut open: OpenRequest,
    attempts: &mut Attempts<'_>,
    asked: Asked<'_>,
    outcome: Outcome,
    metered: Metered,
) -> Result<Ended, SettleError> {
    let Asked { endpoint, started, .. } = asked;
    let reported = within_reason((metered.usage, metered.steps), asked, attempts, &open);
    let mut usage = reported;
    let mut cost = charge_or_nothing(&endpoint.price.table, &usage, &open);
    if usage.source != UsageSource::Provider && cost.total > open.record.hold_nanos {
        // **An estimate never charges more than was held.**
        usage = within_hold(&endpoint.price.table, usage, open.record.hold_nanos);
        cost = charge_or_nothing(&endpoint.price.table, &usage, &open);
    }
    let computed = || charge(&endpoint.cost, &reported).ok().map(|cost| cost.total);
    let provider_cost = metered.reported_cost.filter(|_| endpoint.channel.provider == ProviderKind::OpenRouter).or_else(computed);
    let (error_type, finish) = match &outcome {
        Outcome::Broken(error) => (Some(error.error_type()), Some(FinishReason::Error)),
        Outcome::BalanceSpent => (None, Some(FinishReason::Length)),
        Outcome::Completed | Outcome::ClientLeft => (None, metered.finish),
    };
    observe(attempts, asked, &outcome, &metered);
    let outrun_cost = attempts.cost_of_outrun(&reported);
    attempts.note(endpoint, started, error_type.map_or("ok", ErrorType::as_str), Some(200), provider_cost);
    let route = attempts.route_json(Some(endpoint));
    attempts.write_into(&mut open);
    note_duration(&mut open, attempts.caller.received);
    let record = &mut open.record;
    record.usage = usage;
    record.cancelled = matches!(outcome, Outcome::ClientLeft);
    record.channel = endpoint.channel.name.to_string();
    record.provider = endpoint.channel.provider_name.to_string();
    record.model = endpoint.model.to_string();
    record.price_version = Some(endpoint.price.id.to_string());
    // An attempt that was outrun may be billed as well.
    record.provider_cost_nanos = provider_cost.map(|cost| cost.saturating_add(outrun_cost.unwrap_or(NanoUsd::ZERO)));
    record.error_type = error_type.map(|kind| kind.as_str().to_owned());
    record.finish_reason = finish.map(|finish| finish.as_str().to_owned());
    // A provider's words are as long as it likes; an event is not.
    record.native_finish_reason = metered.native_finish.as_deref().map(bounded);
    record.upstream_id = metered.upstream_id.as_deref().map(bounded);
    let counts = &attempts.caller.app.settlement.counts;
    count_end(
        counts,
        &open,
        match &outcome {
            Outcome::Completed | Outcome::BalanceSpent => "ok",
            Outcome::Broken(_) => "error",
            Outcome::ClientLeft => "client_left",
        },
    );
    if metered.is_zero_completion {
        open.release("zero_completion").await?;
        cost = Charge::default();
    } else {
        count(counts, &open, &usage, metered.anomalies, cost.total);
        open.settle(cost.clone(), false).await?;
    }
    Ok(Ended { outcome, finish, native_finish: metered.native_finish, charge: cost, usage, route })
}

impl Ended {
    /// The `usage` object for the client, followed by how the request was routed where that was asked for.
    pub fn usage_json(&self) -> String {
        self.with_route(usage_json(&self.usage, &self.charge))
    }

    /// The same of embeddings.
    pub fn embeddings_usage_json(&self) -> String {
        self.with_route(embeddings_usage_json(&self.usage, &self.charge))
    }

    fn with_route(&self, json: String) -> String {
        match &self.route {
            Some(route) => format!("{json},\"openrouter_metadata\":{route}"),
            None => json,
        }
    }

    /// Appends the frames that tell a stream's client how it ended and what it cost.
    pub fn write_last_frames(&self, rewriter: &ChunkRewriter, form: UsageChunkChoices, out: &mut BytesMut) {
        // A provider that answered and gave no reason has stopped: every answer ends with one.
        let is_untold = matches!(self.outcome, Outcome::Completed) && self.finish.is_none() && self.usage.completion_tokens() > 0;
        let reason = if is_untold { Some(FinishReason::Stop) } else { self.finish };
        let finish = Finish { reason, native: self.native_finish.as_deref() };
        match &self.outcome {
            Outcome::Broken(error) => {
                error.log();
                // A client of Anthropic's dialect hears nothing after it.
                rewriter.error_chunk(&self.with_route(error.error_json()), out);
            }
            Outcome::BalanceSpent => rewriter.finish_chunk(finish, out),
            Outcome::Completed if is_untold => rewriter.finish_chunk(finish, out),
            // One of several choices that ended without a word.
            Outcome::Completed if rewriter.has_open_choice() => {
                rewriter.finish_chunk(Finish { reason: Some(FinishReason::Stop), native: None }, out);
            }
            Outcome::Completed | Outcome::ClientLeft => {}
        }
        let repeats = (form == UsageChunkChoices::Repeat).then_some(finish);
        rewriter.usage_chunk(repeats, &self.usage_json(), out);
    }
}

/// Tells routing how the endpoint did. A client that left and a gateway that stops are no failure of its.
fn observe(attempts: &Attempts<'_>, asked: Asked<'_>, outcome: &Outcome, metered: &Metered) {
    let Asked { endpoint, started, ttft_ms, .. } = asked;
    let failed = match outcome {
        Outcome::Broken(error) if error.error_type() == ErrorType::Unavailable => return attempts.observe_end(endpoint, None, None),
        Outcome::ClientLeft => return attempts.observe_end(endpoint, None, None),
        Outcome::Broken(_) => true,
        Outcome::Completed | Outcome::BalanceSpent => metered.finish == Some(FinishReason::Error),
    };
    if failed {
        return attempts.observe_break(endpoint);
    }
    if metered.usage.cache_read > 0 || metered.usage.cache_write_5m > 0 || metered.usage.cache_write_1h > 0 {
        attempts.remember_cache(endpoint);
    }
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let ending = Ending::Succeeded { latency_ms, output_tokens: metered.usage.completion_tokens(), generation_ms: latency_ms };
    attempts.observe_end(endpoint, Some(ending), ttft_ms);
}

/// Ends a request that no endpoint answered.
pub async fn end_unanswered(mut open: OpenRequest, attempts: &mut Attempts<'_>, error: ApiError) -> ApiError {
    let error = error.with_route(attempts.route_json(None));
    describe_unanswered(&mut open, attempts);
    open.record.error_type = Some(error.error_type().as_str().to_owned());
    open.record.http_status = error.status().as_u16();
    count_end(&attempts.caller.app.settlement.counts, &open, "unanswered");
    match open.release("upstream_error").await {
        Ok(_) => error,
        Err(failure) => spool_failed(failure),
    }
}

/// Ends a request whose client left before an answer began: its attempts were called off, and it costs nothing.
pub async fn end_left(mut open: OpenRequest, attempts: &mut Attempts<'_>) {
    attempts.call_off();
    describe_unanswered(&mut open, attempts);
    open.record.cancelled = true;
    open.record.http_status = CLIENT_LEFT_STATUS;
    let id = open.id();
    ::metrics::counter!(metrics::CLIENTS_LEFT_TOTAL).increment(1);
    count_end(&attempts.caller.app.settlement.counts, &open, "client_left");
    if let Err(error) = open.release("client_left").await {
        tracing::error!(error = &error as &dyn std::error::Error, request.id = %id, "a request whose client left could not be ended");
    }
}

/// What is known of a request that was not answered.
fn describe_unanswered(open: &mut OpenRequest, attempts: &mut Attempts<'_>) {
    open.record.provider_cost_nanos = attempts.cost_of_outrun(&Usage::default());
    if let Some(endpoint) = attempts.last_asked() {
        open.record.channel = endpoint.channel.name.to_string();
        open.record.provider = endpoint.channel.provider_name.to_string();
        open.record.model = endpoint.model.to_string();
    }
    attempts.write_into(open);
    note_duration(open, attempts.caller.received);
}

/// The end could not be made durable: the client must not get the rest of its answer.
pub fn spool_failed(error: SettleError) -> ApiError {
    ApiError::unavailable("The gateway could not record the request; please retry.", 1).with_source(error)
}

fn charge_or_nothing(table: &PriceTable, usage: &Usage, open: &OpenRequest) -> Charge {
    charge(table, usage).unwrap_or_else(|error| {
        // Usage is clamped, so only an absurd price table comes here.
        tracing::error!(error = %error, request.id = %open.id(), "cost does not fit an amount; nothing is charged");
        Charge::default()
    })
}

/// The most tokens a request can have used with any reason, by its prompt's upper bound and its cap a choice.
fn reasonable(prompt_tokens_max: u64, cap: Option<u64>, choices: u64) -> (u64, u64) {
    let prompt = prompt_tokens_max.saturating_mul(BEYOND_PROMPT).saturating_add(PROMPT_TOKENS_ADDED_MAX);
    let answer = |cap: u64| cap.saturating_mul(choices).saturating_mul(BEYOND_CAP).saturating_add(ANSWER_TOKENS_ADDED_MAX);
    (prompt, cap.map_or(u64::MAX, answer))
}

/// No report is believed beyond what the model can take and give, nor far beyond what this request can have used.
fn within_reason((usage, steps): (Usage, u64), asked: Asked<'_>, attempts: &Attempts<'_>, open: &OpenRequest) -> Usage {
    let endpoint = asked.endpoint;
    let (caller, choices) = (attempts.caller, attempts.caller.request.choices);
    let context = endpoint.context_length.unwrap_or(u64::MAX);
    let output = endpoint.max_completion_tokens.or(endpoint.context_length).unwrap_or(u64::MAX).saturating_mul(choices);
    // Each text that is embedded has the whole context.
    let of_model = usage.bounded(context.saturating_mul(steps).saturating_mul(caller.request.inputs()), output.saturating_mul(steps));
    let cap = caller.request.output_tokens_cap.into_iter().chain(asked.output_tokens_cap).min();
    let (prompt, answer) = reasonable(attempts.prompt_tokens_max().total(), cap, choices);
    let bounded = of_model.bounded(prompt.saturating_mul(steps), answer.saturating_mul(steps));
    if bounded != usage {
        let anomaly = if of_model == usage { "above_request" } else { "above_model_limits" };
        ::metrics::counter!(metrics::USAGE_ANOMALIES_TOTAL, "anomaly" => anomaly).increment(1);
        tracing::warn!(
            request.id = %open.id(), channel.name = %endpoint.channel.name, model.id = %endpoint.model, usage.anomaly = anomaly,
            usage.prompt_tokens = usage.prompt_tokens(), usage.completion_tokens = usage.completion_tokens(),
            "provider reported more tokens than the model can take and give, or this request can have used; the report is cut there"
        );
    }
    bounded
}

/// Takes output tokens away, of one kind after the other, until the charge fits the hold.
fn within_hold(table: &PriceTable, mut usage: Usage, hold: NanoUsd) -> Usage {
    let kinds: [fn(&mut Usage) -> &mut u64; 4] =
        [|usage| &mut usage.text_output, |usage| &mut usage.reasoning, |usage| &mut usage.image_output, |usage| &mut usage.audio_output];
    for kind in kinds {
        let mut tried = usage;
        let mut fits = |tokens| {
            *kind(&mut tried) = tokens;
            charge(table, &tried).is_ok_and(|cost| cost.total <= hold)
        };
        let (mut low, mut high) = (0, *kind(&mut usage));
        if fits(high) {
            return usage;
        }
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if fits(middle) { low = middle } else { high = middle - 1 }
        }
        *kind(&mut usage) = low;
    }
    usage
}

/// The beginning of a word that is kept of a provider.
fn bounded(word: &str) -> String {
    word[..word.floor_char_boundary(PROVIDER_WORD_BYTES_MAX)].to_owned()
}

/// Counts a request that ended, answered or not.
fn count_end(counts: &RequestCounts, open: &OpenRequest, outcome: &'static str) {
    let record = &open.record;
    let is_chat = record.api_type == metrics::CHAT_ROUTE;
    match outcome {
        "ok" if is_chat => counts.answered.increment(1),
        "ok" => counts.embedded.increment(1),
        outcome => {
            let route = if is_chat { metrics::CHAT_ROUTE } else { metrics::EMBEDDINGS_ROUTE };
            ::metrics::counter!(metrics::REQUESTS_TOTAL, "route" => route, "outcome" => outcome).increment(1);
        }
    }
    counts.duration_seconds.record(record.duration_ms as f64 / 1e3);
    if let Some(ttft_ms) = record.ttft_ms {
        counts.first_token_seconds.record(ttft_ms as f64 / 1e3);
    }
}

fn count(counts: &RequestCounts, open: &OpenRequest, usage: &Usage, anomalies: UsageAnomalies, charged: NanoUsd) {
    counts.charged_nanos.increment(u64::try_from(charged.nanos()).unwrap_or(0));
    counts.prompt_tokens.increment(usage.prompt_tokens());
    counts.completion_tokens.increment(usage.completion_tokens());
    if usage.source != UsageSource::Provider {
        ::metrics::counter!(metrics::USAGE_ESTIMATED_TOTAL).increment(1);
    }
    if charged > open.record.hold_nanos {
        let over = charged.saturating_sub(open.record.hold_nanos).nanos();
        ::metrics::counter!(metrics::OVER_HOLD_NANOS_TOTAL).increment(u64::try_from(over).unwrap_or(0));
    }
    for anomaly in anomalies.names() {
        ::metrics::counter!(metrics::USAGE_ANOMALIES_TOTAL, "anomaly" => anomaly).increment(1);
        tracing::warn!(request.id = %open.id(), usage.anomaly = anomaly, channel.name = %open.record.channel, "provider reported impossible usage");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_reason_up_to_a_multiple_of_what_was_asked() {
        let limits = |cap| reasonable(10, cap, 2);
        assert_eq!(limits(Some(5)), (200_040, 32_788));
        assert_eq!(limits(None), (200_040, u64::MAX), "nobody capped the answer");
        let absurd = Usage { uncached_input: 1 << 32, text_output: 1_000_000, ..Usage::default() };
        let (prompt, answer) = limits(Some(5));
        let cut = absurd.bounded(prompt, answer);
        assert_eq!((cut.prompt_tokens(), cut.completion_tokens()), (200_040, 32_788));
        assert_eq!(reasonable(u64::MAX, Some(u64::MAX), 128), (u64::MAX, u64::MAX));
    }
}
