//! One call to one endpoint: what is sent, with which budgets, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::ending::Asked;
use crate::admission::Estimate;
use crate::app::AppState;
use crate::control::catalog::Endpoint;
use crate::http::chat::{ChatRequest, UpstreamForm, upstream_body};
use crate::http::embeddings;
use crate::providers::anthropic::{MessagesCall, OutputLimits};
use crate::providers::{AttemptError, AttemptLimits, ChannelClient, UpstreamAnswer};
use crate::routing::health::Pass;

/// What all attempts of a request have in common. A copy goes into each, so that two can be under way at once.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    pub app: &'a AppState,
    pub request: &'a ChatRequest<'a>,
    pub received: Instant,
}

/// An attempt that may be made: its endpoint takes it, its hold is granted.
pub struct Begun {
    pub endpoint: Arc<Endpoint>,
    pub estimate: Estimate,
    /// Sent upstream, where the balance covers less than was asked for.
    pub output_tokens_cap: Option<u64>,
    /// Its place at the channel, kept until it has ended.
    pub pass: Pass,
    pub started: Instant,
}

/// An endpoint that began to answer.
pub struct Answered {
    pub endpoint: Arc<Endpoint>,
    pub answer: UpstreamAnswer,
    pub estimate: Estimate,
    pub output_tokens_cap: Option<u64>,
    pub started: Instant,
    /// Its place at the channel, kept until it has ended.
    pub pass: Pass,
    /// Until its first token, where it streams.
    pub ttft_ms: Option<u64>,
}

/// An attempt that failed before anything of it reached the client.
pub struct Failed {
    pub endpoint: Arc<Endpoint>,
    pub pass: Pass,
    pub started: Instant,
    pub error: AttemptError,
}

impl Begun {
    pub fn failed(self, error: AttemptError) -> Box<Failed> {
        Box::new(Failed { endpoint: self.endpoint, pass: self.pass, started: self.started, error })
    }
}

impl Answered {
    pub fn asked(&self) -> Asked<'_> {
        Asked { endpoint: &self.endpoint, started: self.started, ttft_ms: self.ttft_ms, output_tokens_cap: self.output_tokens_cap }
    }

    pub fn failed(self, error: AttemptError) -> Box<Failed> {
        Box::new(Failed { endpoint: self.endpoint, pass: self.pass, started: self.started, error })
    }
}

impl Caller<'_> {
    /// Sends the request and waits for the answer's head.
    pub async fn call(self, begun: Begun) -> Result<Answered, Box<Failed>> {
        let limits = AttemptLimits { first_byte_timeout: self.first_byte_deadline(&begun.endpoint, begun.started) - begun.started };
        match self.send(&begun, limits).await {
            Ok(answer) => {
                let Begun { endpoint, estimate, output_tokens_cap, pass, started } = begun;
                Ok(Answered { endpoint, answer, estimate, output_tokens_cap, started, pass, ttft_ms: None })
            }
            Err(error) => Err(begun.failed(error)),
        }
    }

    async fn send(self, begun: &Begun, limits: AttemptLimits) -> Result<UpstreamAnswer, AttemptError> {
        let endpoint = &*begun.endpoint;
        let client = self.app.clients.of(&endpoint.channel, begun.pass.key)?;
        if self.request.embeddings.is_some() {
            let body = embeddings::upstream_body(self.request, &endpoint.upstream, endpoint.channel.provider);
            return client.embed(body, limits).await;
        }
        let form = UpstreamForm {
            model: &endpoint.upstream,
            output_tokens_cap: self.output_tokens_cap_at(begun),
            quirks: &endpoint.channel.quirks,
            dropped: endpoint.dropped_parameters,
        };
        let body = upstream_body(self.request, form);
        match &*client {
            ChannelClient::Anthropic(channel) => channel.send(self.messages_call(begun, body), limits).await,
            client => {
                if let Some(what) = self.request.native.and_then(|native| native.only_anthropic) {
                    return Err(AttemptError::not_possible(what));
                }
                client.chat(body, self.request.stream, limits).await
            }
        }
    }

    /// The cap where it is not the client's own: what the balance covers, or the most the endpoint gives.
    fn output_tokens_cap_at(self, begun: &Begun) -> Option<u64> {
        let most = begun.endpoint.max_completion_tokens.filter(|most| self.request.output_tokens_cap.is_some_and(|cap| cap > *most));
        begun.output_tokens_cap.into_iter().chain(most).min()
    }

    fn messages_call<'c>(&'c self, begun: &'c Begun, body: bytes::Bytes) -> MessagesCall<'c> {
        let endpoint = &*begun.endpoint;
        let tokens_default = endpoint.max_completion_tokens.unwrap_or(self.app.options.hold_output_tokens_max);
        MessagesCall {
            body,
            stream: self.request.stream,
            native: self.request.native,
            model: &endpoint.upstream,
            output_tokens_cap: begun.output_tokens_cap,
            limits: OutputLimits { tokens_default, tokens_max: endpoint.max_completion_tokens },
        }
    }

    pub fn deadline(self) -> Instant {
        self.received + self.app.options.total_timeout
    }

    /// How long an attempt may take to begin to answer, and how long it may be silent until then.
    pub fn first_byte_budget(self, endpoint: &Endpoint) -> Duration {
        let options = &self.app.options;
        let usual = if self.request.stream { options.first_byte_timeout } else { options.whole_answer_timeout };
        endpoint.channel.timeouts.first_byte.unwrap_or(usual)
    }

    /// Until when an attempt that says nothing has to begin to answer.
    pub fn first_byte_deadline(self, endpoint: &Endpoint, started: Instant) -> Instant {
        (started + self.first_byte_budget(endpoint)).min(self.attempt_deadline(endpoint, started))
    }

    /// Until when an attempt has to have ended.
    pub fn attempt_deadline(self, endpoint: &Endpoint, started: Instant) -> Instant {
        let own = endpoint.channel.timeouts.total.map(|total| started + total);
        own.map_or(self.deadline(), |own| own.min(self.deadline())).max(started)
    }

    /// Between two pieces of an answer.
    pub fn idle_timeout(self, endpoint: &Endpoint) -> Duration {
        endpoint.channel.timeouts.idle.unwrap_or(self.app.options.idle_timeout)
    }
}
