//! Every limit and switch of the gateway, with its default; the configuration file fills it in.

use std::time::Duration;

use schemas::NanoUsd;

use crate::admission::FreeTierRules;
use crate::routing::RoutingRules;

/// What the gateway is told at start. All limits are named here and nowhere else.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where browsers and clients reach us, for links in answers.
    pub public_url: String,
    /// A request body longer than this is refused with 413.
    pub body_bytes_max: usize,
    /// How long a client may take to send its body.
    pub body_timeout: Duration,
    /// Deeper nesting in a request body is refused with 400.
    pub body_depth_max: usize,
    /// The output a hold covers, however much the client asks for.
    pub hold_output_tokens_max: u64,
    /// Σ (worst case − hold) of an account's running non-streaming requests stays below this.
    pub overdraft_max: NanoUsd,
    /// How long an `Idempotency-Key` stands for its request.
    pub idempotency: Duration,
    /// How long the balance gate keeps a hold nobody renews.
    pub hold_ttl: Duration,
    /// Requests running at once in this process; more are refused with 503.
    pub requests_max: usize,
    /// Endpoints tried for one request at most.
    pub attempts_max: usize,
    /// Where no other endpoint is left, one whose trouble may pass is tried so many times more.
    pub retries_max: usize,
    /// The first pause before that; it doubles, and half of it is chance.
    pub retry_backoff: Duration,
    /// A provider that asks to wait longer is not waited for.
    pub retry_wait_max: Duration,
    pub routing: RoutingRules,
    /// Limits of free models; `None` for none.
    pub free_tier: Option<FreeTierRules>,
    /// Channels of the administration API may be at private, link-local and loopback addresses. Channels of the file may
    /// be anywhere: they are the operator's own word.
    pub allow_private_upstreams: bool,
    pub connect_timeout: Duration,
    /// From sending a request upstream to its answer's head, of a stream.
    pub first_byte_timeout: Duration,
    /// Likewise of an answer in one piece: many providers send its head when all of it is there.
    pub whole_answer_timeout: Duration,
    /// Between two pieces of an upstream answer.
    pub idle_timeout: Duration,
    /// From admission to the end of the answer.
    pub total_timeout: Duration,
    /// A non-streaming upstream answer longer than this is an upstream error.
    pub answer_bytes_max: usize,
    /// A stream whose client left is read on for its usage, this long and this far.
    pub drain_timeout: Duration,
    pub drain_bytes_max: usize,
    /// A streaming client that has heard nothing for this long gets a comment.
    pub keep_alive_interval: Duration,
    /// Pieces waiting for a slow client before the upstream is no longer read.
    pub client_queue_pieces_max: usize,
    /// A client that takes nothing for this long counts as gone.
    pub client_stall_timeout: Duration,
    /// Between two checkpoints of a stream.
    pub checkpoint_interval: Duration,
    /// Between two renewals of the running holds.
    pub renewal_interval: Duration,
    /// Whether the final usage chunk repeats the finish reason in `choices` (OpenRouter) or has none (OpenAI).
    pub usage_chunk_choices: UsageChunkChoices,
    /// Running requests are awaited this long at shutdown, then ended and settled for what was delivered.
    pub shutdown_grace: Duration,
}

/// The form of `choices` in the chunk that carries `usage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UsageChunkChoices {
    /// One choice that repeats the finish reason, as OpenRouter sends.
    #[default]
    Repeat,
    /// `[]`, as OpenAI sends.
    Empty,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            body_bytes_max: 32 * 1024 * 1024,
            body_timeout: Duration::from_secs(60),
            body_depth_max: 128,
            hold_output_tokens_max: 4096,
            overdraft_max: NanoUsd::from_usd(1),
            idempotency: Duration::from_secs(24 * 3600),
            hold_ttl: Duration::from_secs(60),
            requests_max: 20_000,
            attempts_max: 5,
            retries_max: 1,
            retry_backoff: Duration::from_millis(100),
            retry_wait_max: Duration::from_secs(2),
            routing: RoutingRules::default(),
            free_tier: None,
            allow_private_upstreams: false,
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(120),
            whole_answer_timeout: Duration::from_secs(10 * 60),
            idle_timeout: Duration::from_secs(120),
            total_timeout: Duration::from_secs(30 * 60),
            answer_bytes_max: 64 * 1024 * 1024,
            drain_timeout: Duration::from_secs(30),
            drain_bytes_max: 4 * 1024 * 1024,
            keep_alive_interval: Duration::from_secs(10),
            client_queue_pieces_max: 32,
            client_stall_timeout: Duration::from_secs(60),
            checkpoint_interval: Duration::from_secs(1),
            renewal_interval: Duration::from_secs(10),
            usage_chunk_choices: UsageChunkChoices::default(),
            shutdown_grace: Duration::from_secs(30),
        }
    }
}
