//! One tiny real request to an endpoint: for operators who test a channel, and for health checks.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::openai::error::UpstreamError;
use super::{AttemptError, AttemptLimits, ChannelClients};
use crate::control::catalog::Endpoint;
use crate::control::channel::ProviderKind;
use crate::wire::{ChatAnswer, Scanned};

const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Enough for a word; reasoning models think within it and say nothing, which is an answer as well.
const OUTPUT_TOKENS: u64 = 64;
const QUESTION: &str = "Answer with the single word: ready";

/// Asks, with the channel's key at a place. The caller bounds the whole of it in time.
pub async fn ask(
    clients: &ChannelClients,
    endpoint: &Arc<Endpoint>,
    key: usize,
    first_byte_timeout: Duration,
) -> Result<ChatAnswer, AttemptError> {
    let client = clients.of(&endpoint.channel, key)?;
    let usual = if endpoint.channel.provider == ProviderKind::OpenAi { "max_completion_tokens" } else { "max_tokens" };
    let cap = endpoint.channel.quirks.cap_name.unwrap_or(usual);
    let body = serde_json::json!({
        "model": &*endpoint.upstream, "messages": [{ "role": "user", "content": QUESTION }], cap: OUTPUT_TOKENS,
    });
    let limits = AttemptLimits { first_byte_timeout };
    let mut upstream = client.chat(Bytes::from(body.to_string()), false, limits).await?;
    let mut whole = BytesMut::new();
    while let Some(chunk) = upstream.body.chunk().await.map_err(|_| AttemptError::broken("the provider's answer broke off"))? {
        if whole.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(AttemptError::broken("the provider's answer is too large"));
        }
        whole.extend_from_slice(&chunk);
    }
    let mut answer = ChatAnswer::default();
    let is_object = matches!(answer.scan(whole.freeze()), Ok(Scanned::Object));
    if let Some(error) = answer.error() {
        return Err(UpstreamError::from_answer(error).into());
    }
    if is_object && answer.has_choices() { Ok(answer) } else { Err(AttemptError::broken("the provider's answer could not be read")) }
}
