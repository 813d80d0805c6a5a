//! Every metric of the gateway: names, help and bounded labels in one place.

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};

/// Requests that ended, by route and outcome. Those that were refused before are in [`REFUSALS_TOTAL`].
pub const REQUESTS_TOTAL: &str = "tollgate_requests_total";
/// The route of every request that is answered in words: the dialects are one.
pub const CHAT_ROUTE: &str = "completions";
/// That of requests for embeddings.
pub const EMBEDDINGS_ROUTE: &str = "embeddings";
/// Attempts at endpoints, by channel and outcome.
pub const ATTEMPTS_TOTAL: &str = "tollgate_attempts_total";
/// From admission to the first token.
pub const TIME_TO_FIRST_TOKEN_SECONDS: &str = "tollgate_time_to_first_token_seconds";
/// From admission to the end of the answer.
pub const REQUEST_DURATION_SECONDS: &str = "tollgate_request_duration_seconds";
/// Charged to customers.
pub const CHARGED_NANOS_TOTAL: &str = "tollgate_charged_nano_usd_total";
/// Tokens, by direction.
pub const TOKENS_TOTAL: &str = "tollgate_tokens_total";
/// Refusals before any upstream was called, by cause.
pub const REFUSALS_TOTAL: &str = "tollgate_refusals_total";
/// Requests being answered now.
pub const IN_FLIGHT: &str = "tollgate_requests_in_flight";
/// Usage reports of providers that had to be clamped, by anomaly.
pub const USAGE_ANOMALIES_TOTAL: &str = "tollgate_usage_anomalies_total";
/// Answers whose usage was counted here, because the provider sent none.
pub const USAGE_ESTIMATED_TOTAL: &str = "tollgate_usage_estimated_total";
/// Streams whose client left.
pub const CLIENTS_LEFT_TOTAL: &str = "tollgate_clients_left_total";
/// Answers that cost more than was held.
pub const OVER_HOLD_NANOS_TOTAL: &str = "tollgate_over_hold_nano_usd_total";

/// Clients of the live feed now.
pub const LIVE_CLIENTS: &str = "tollgate_live_clients";
/// Clients of the live feed that were closed, by reason.
pub const LIVE_CLOSED_TOTAL: &str = "tollgate_live_closed_total";

/// Attempts that were not made, because the channel takes none now, by channel and reason.
pub const ATTEMPTS_SKIPPED_TOTAL: &str = "tollgate_attempts_skipped_total";
/// Second attempts begun beside slow ones, by how it ended: the second was faster (`won`) or not (`lost`), one of the two failed.
pub const HEDGES_TOTAL: &str = "tollgate_hedges_total";
/// Breakers that opened, by channel.
pub const BREAKERS_OPENED_TOTAL: &str = "tollgate_channel_breakers_opened_total";
/// Keys of channels that their provider began to refuse, by channel. Each needs an operator.
pub const KEYS_REFUSED_TOTAL: &str = "tollgate_channel_keys_refused_total";
/// 0 healthy, 1 degraded, 2 unhealthy, by channel.
pub const CHANNEL_STATUS: &str = "tollgate_channel_status";
/// Health checks, by channel and outcome.
pub const CHECKS_TOTAL: &str = "tollgate_channel_checks_total";

/// Balances that fell below their accounts' thresholds.
pub const BALANCE_ALERTS_TOTAL: &str = "tollgate_balance_alerts_total";
/// Attempts to deliver a message to a receiver outside, by outcome.
pub const WEBHOOK_ATTEMPTS_TOTAL: &str = "tollgate_webhook_attempts_total";

/// What requests count into when they end: looked up once, not for each.
pub struct RequestCounts {
    /// Requests that ended well, in words or in embeddings.
    pub answered: Counter,
    pub embedded: Counter,
    pub duration_seconds: Histogram,
    pub first_token_seconds: Histogram,
    pub charged_nanos: Counter,
    pub prompt_tokens: Counter,
    pub completion_tokens: Counter,
}

impl RequestCounts {
    /// At the recorder there is now.
    pub fn register() -> Self {
        Self {
            answered: counter!(REQUESTS_TOTAL, "route" => CHAT_ROUTE, "outcome" => "ok"),
            embedded: counter!(REQUESTS_TOTAL, "route" => EMBEDDINGS_ROUTE, "outcome" => "ok"),
            duration_seconds: histogram!(REQUEST_DURATION_SECONDS),
            first_token_seconds: histogram!(TIME_TO_FIRST_TOKEN_SECONDS),
            charged_nanos: counter!(CHARGED_NANOS_TOTAL),
            prompt_tokens: counter!(TOKENS_TOTAL, "direction" => "prompt"),
            completion_tokens: counter!(TOKENS_TOTAL, "direction" => "completion"),
        }
    }
}

/// Tells the recorder what each name means. Called once at start.
pub fn describe() {
    describe_counter!(REQUESTS_TOTAL, Unit::Count, "Requests that ended, by route and outcome: ok, error, client_left, unanswered");
    describe_counter!(ATTEMPTS_TOTAL, Unit::Count, "Attempts at endpoints, by channel and outcome");
    describe_counter!(ATTEMPTS_SKIPPED_TOTAL, Unit::Count, "Attempts not made because the channel takes none now, by channel and reason");
    describe_counter!(HEDGES_TOTAL, Unit::Count, "Second attempts begun beside slow ones, by how it ended: won, lost, one_failed");
    describe_counter!(BREAKERS_OPENED_TOTAL, Unit::Count, "Breakers of channels that opened");
    describe_counter!(KEYS_REFUSED_TOTAL, Unit::Count, "Keys of channels that their provider began to refuse");
    describe_gauge!(CHANNEL_STATUS, Unit::Count, "How a channel does: 0 healthy, 1 degraded, 2 unhealthy");
    describe_counter!(CHECKS_TOTAL, Unit::Count, "Health checks of channels, by outcome");
    describe_counter!(BALANCE_ALERTS_TOTAL, Unit::Count, "Balances that fell below their accounts' thresholds");
    describe_counter!(WEBHOOK_ATTEMPTS_TOTAL, Unit::Count, "Attempts to deliver webhooks, by outcome");
    describe_histogram!(TIME_TO_FIRST_TOKEN_SECONDS, Unit::Seconds, "From admission to the first token");
    describe_histogram!(REQUEST_DURATION_SECONDS, Unit::Seconds, "From admission to the end of the answer");
    describe_counter!(CHARGED_NANOS_TOTAL, Unit::Count, "Nano-dollars charged to customers");
    describe_counter!(TOKENS_TOTAL, Unit::Count, "Tokens, by direction");
    describe_counter!(REFUSALS_TOTAL, Unit::Count, "Requests refused before any upstream was called, by cause");
    describe_gauge!(IN_FLIGHT, Unit::Count, "Requests being answered now");
    describe_counter!(USAGE_ANOMALIES_TOTAL, Unit::Count, "Usage reports of providers that had to be clamped");
    describe_counter!(USAGE_ESTIMATED_TOTAL, Unit::Count, "Answers whose usage was counted here");
    describe_counter!(CLIENTS_LEFT_TOTAL, Unit::Count, "Streams whose client left before the end");
    describe_gauge!(LIVE_CLIENTS, Unit::Count, "Clients of the live feed");
    describe_counter!(LIVE_CLOSED_TOTAL, Unit::Count, "Clients of the live feed that were closed, by reason");
    describe_counter!(OVER_HOLD_NANOS_TOTAL, Unit::Count, "Nano-dollars charged above what was held");
}
