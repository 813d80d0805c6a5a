//! A chat request as a Messages request.
//!
//! Raw values (schemas, tool inputs, texts) are copied as they stand: the order of a schema's properties means
//! something to a model. What Anthropic has no word for is left out where it only steers sampling, and refused
//! where leaving it out would change what was asked. Start at [`messages_body`].

mod chat;
mod conversation;
mod options;
mod source;
mod thinking;
mod tools;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use self::chat::ChatBody;
use self::conversation::{Conversation, Turn};
use self::options::OutputConfig;
use self::thinking::Thinking;
use self::tools::{Tool, ToolChoice};
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
    #[error("messages: this provider needs a user message")]
    NoUserMessage,
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
    tool_choice: Option<ToolChoice>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
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
    check(&chat)?;
    let max_tokens = limits.cap(chat.max_completion_tokens.or(chat.max_tokens));
    let conversation = Conversation::read(&chat.messages)?;
    if conversation.turns.is_empty() {
        return Err(TranslationError::NoUserMessage);
    }
    let mut tools = tools::tools(&chat)?;
    let tool_choice = tools::tool_choice(&chat, &mut tools)?;
    let may_think = |thinking: &Thinking| {
        let is_forced = tool_choice.as_ref().is_some_and(ToolChoice::is_forced);
        let would_be_refused = thinking.has_budget() && conversation.calls_without_a_thought();
        !is_forced && !would_be_refused
    };
    let thinking = Thinking::of(&chat, max_tokens).filter(may_think);
    let Conversation { system, turns } = conversation;
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
        cache_control: chat.cache_control,
        stream: chat.stream.unwrap_or_default(),
    };
    let text = serde_json::to_vec(&messages)
        .map_err(|error| TranslationError::Unreadable { place: "the request".to_owned(), problem: error.to_string() })?;
    Ok(Bytes::from(text))
}

/// Refuses what would be answered otherwise than it was asked.
fn check(chat: &ChatBody<'_>) -> Result<(), TranslationError> {
    if chat.n.is_some_and(|choices| choices > 1) {
        return Err(TranslationError::Unsupported("n above 1"));
    }
    if chat.functions.is_some_and(|functions| !matches!(functions.get(), "null" | "[]")) {
        return Err(TranslationError::Unsupported("`functions`, the old form of `tools`,"));
    }
    let modalities: Vec<String> = chat.modalities.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    if modalities.iter().any(|modality| modality == "audio") {
        return Err(TranslationError::Unsupported("audio output"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
