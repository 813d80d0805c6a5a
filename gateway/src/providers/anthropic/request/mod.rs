//! A chat request as a Messages request.
//!
//! Raw values (schemas, tool inputs, texts) are copied as they stand: the order of a schema's properties means
//! something to a model. What Anthropic has no word for is left out where it only steers sampling, and refused
//! where leaving it out would change what was asked. Start at [`messages_body`].

mod chat;
mod conversation;
mod options;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use self::chat::ChatBody;
use self::conversation::{Conversation, Turn};
use self::options::{OutputConfig, Thinking, Tool, ToolChoice};
use super::OutputLimits;
use crate::http::error::ErrorType;
use crate::providers::attempt_error::AttemptError;

/// Why a request cannot be put to Anthropic.
#[derive(Debug, thiserror::Error)]
pub enum TranslationError {
    #[error("{0} cannot be expressed in Anthropic's API")]
    Unsupported(&'static str),
    #[error("{place} could not be read: {problem}")]
    Unreadable { place: String, problem: String },
}

/// Another endpoint may understand what this one cannot.
impl From<TranslationError> for AttemptError {
    fn from(error: TranslationError) -> Self {
        Self { is_ours: true, ..Self::of(ErrorType::InvalidRequest, error.to_string()) }
    }
}

#[derive(Debug, Serialize)]
struct MessagesBody<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<conversation::Block<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    stream: bool,
}

#[derive(Debug, Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

/// The body for Anthropic. `body` is a chat request whose model and cap are already the endpoint's.
pub fn messages_body(body: &[u8], limits: OutputLimits) -> Result<Bytes, TranslationError> {
    let chat: ChatBody<'_> = serde_json::from_slice(body)
        .map_err(|error| TranslationError::Unreadable { place: "the request".to_owned(), problem: error.to_string() })?;
    if chat.n.is_some_and(|choices| choices > 1) {
        return Err(TranslationError::Unsupported("n above 1"));
    }
    if chat.functions.is_some_and(|functions| !matches!(functions.get(), "null" | "[]")) {
        return Err(TranslationError::Unsupported("`functions`, the old form of `tools`,"));
    }
    let max_tokens = limits.cap(chat.max_completion_tokens.or(chat.max_tokens));
    let Conversation { system, turns } = Conversation::read(&chat.messages)?;
    let tools = options::tools(&chat)?;
    let tool_choice = options::tool_choice(&chat, !tools.is_empty())?;
    let thinking = options::thinking(&chat, max_tokens).filter(|_| !tool_choice.as_ref().is_some_and(ToolChoice::is_forced));
    let sampling = options::Sampling::of(&chat, thinking.is_some());
    let messages = MessagesBody {
        model: &chat.model,
        max_tokens,
        system,
        messages: turns,
        tools,
        tool_choice,
        thinking,
        output_config: options::output_config(&chat)?,
        stop_sequences: options::stop_sequences(chat.stop)?,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        metadata: chat.user.as_deref().filter(|user| !user.is_empty()).map(|user_id| Metadata { user_id }),
        service_tier: match chat.service_tier.as_deref() {
            Some("auto") => Some("auto"),
            Some("default") => Some("standard_only"),
            _ => None,
        },
        stream: chat.stream,
    };
    let text = serde_json::to_vec(&messages)
        .map_err(|error| TranslationError::Unreadable { place: "the request".to_owned(), problem: error.to_string() })?;
    Ok(Bytes::from(text))
}

#[cfg(test)]
mod tests;
