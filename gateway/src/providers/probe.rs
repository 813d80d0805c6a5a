//! One tiny real request to an endpoint: for operators who test a channel, and for health checks.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use schemas::{NanoUsd, Usage};

use super::openai::error::UpstreamError;
use super::{AttemptError, AttemptLimits, ChannelClients, UpstreamAnswer};
use crate::control::catalog::Endpoint;
use crate::control::channel::ProviderKind;
use crate::metering::reported_cost::reported_cost;
use crate::metering::{StreamMeter, embeddings_usage};
use crate::wire::chat_answer::PieceKind;
use crate::wire::{ChatAnswer, EmbeddingsAnswer, Scanned};

const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Enough for a word; reasoning models think within it and say nothing, which is an answer as well.
const OUTPUT_TOKENS: u64 = 64;
const QUESTION: &str = "Answer with the single word: ready";

/// What came back.
#[derive(Debug)]
pub struct Probed {
    /// What the model said, or what its vector is like.
    pub said: String,
    /// As the provider reports it.
    pub usage: Option<Usage>,
    pub reported_cost: Option<NanoUsd>,
    pub upstream_id: Option<String>,
    pub finish_reason: Option<&'static str>,
    pub native_finish_reason: Option<String>,
}

/// The endpoint of several that is asked: one that answers before one that embeds, the cheapest first.
pub fn cheapest<'a>(endpoints: impl Iterator<Item = &'a Arc<Endpoint>>) -> Option<&'a Arc<Endpoint>> {
    endpoints.min_by_key(|endpoint| (endpoint.embeds, endpoint.price.table.completion, endpoint.price.table.prompt))
}

/// Asks, with the channel's key at a place; a model that embeds for an embedding. The caller bounds the whole of it in time.
pub async fn ask(
    clients: &ChannelClients,
    endpoint: &Arc<Endpoint>,
    key: usize,
    first_byte_timeout: Duration,
) -> Result<Probed, AttemptError> {
    let client = clients.of(&endpoint.channel, key)?;
    let limits = AttemptLimits { first_byte_timeout };
    if endpoint.embeds {
        let body = serde_json::json!({ "model": &*endpoint.upstream, "input": QUESTION });
        let upstream = client.embed(Bytes::from(body.to_string()), limits).await?;
        return embedded(read(upstream).await?);
    }
    let usual = if endpoint.channel.provider == ProviderKind::OpenAi { "max_completion_tokens" } else { "max_tokens" };
    let cap = endpoint.channel.quirks.cap_name.unwrap_or(usual);
    let body = serde_json::json!({
        "model": &*endpoint.upstream, "messages": [{ "role": "user", "content": QUESTION }], cap: OUTPUT_TOKENS,
    });
    let upstream = client.chat(Bytes::from(body.to_string()), false, limits).await?;
    answered(read(upstream).await?)
}

async fn read(mut upstream: UpstreamAnswer) -> Result<Bytes, AttemptError> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = upstream.body.chunk().await.map_err(|_| AttemptError::broken("the provider's answer broke off"))? {
        if whole.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(AttemptError::broken("the provider's answer is too large"));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

fn unreadable() -> AttemptError {
    AttemptError::broken("the provider's answer could not be read")
}

fn answered(body: Bytes) -> Result<Probed, AttemptError> {
    let mut answer = ChatAnswer::default();
    let is_object = matches!(answer.scan(body), Ok(Scanned::Object));
    if let Some(error) = answer.error() {
        return Err(UpstreamError::from_answer(error).into());
    }
    if !is_object || !answer.has_choices() {
        return Err(unreadable());
    }
    let mut meter = StreamMeter::for_body();
    meter.observe(&answer);
    meter.done();
    let said = answer.pieces().iter().filter(|piece| piece.kind == PieceKind::Content);
    let unescaped = |raw: &str| serde_json::from_str::<String>(&format!("\"{raw}\"")).unwrap_or_default();
    Ok(Probed {
        said: said.map(|piece| unescaped(answer.text_of(piece.span))).collect(),
        usage: meter.measure().map(|(usage, _)| usage),
        reported_cost: meter.reported_cost(),
        upstream_id: meter.upstream_id().map(str::to_owned),
        finish_reason: meter.finish_reason().map(|finish| finish.as_str()),
        native_finish_reason: meter.native_finish_reason().map(str::to_owned),
    })
}

fn embedded(body: Bytes) -> Result<Probed, AttemptError> {
    let answer = EmbeddingsAnswer::scan(body).map_err(|_| unreadable())?;
    if let Some(error) = answer.error() {
        return Err(UpstreamError::from_answer(error).into());
    }
    if answer.count() != 1 {
        return Err(unreadable());
    }
    Ok(Probed {
        said: format!("an embedding of {} dimensions", answer.dimensions().unwrap_or_default()),
        usage: answer.usage().and_then(|usage| embeddings_usage(usage).0),
        reported_cost: answer.usage().and_then(reported_cost),
        upstream_id: answer.upstream_id(),
        finish_reason: None,
        native_finish_reason: None,
    })
}
