//! A Messages request as a chat request.
//!
//! Reads what both dialects can say; what only Anthropic can (server tools and their blocks) is noted, so that no other
//! provider is asked for it. Raw values are copied as they stand.

mod convert;
mod part;
mod tool_result;

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::value::RawValue;

use self::convert::ChatBody;
use crate::http::chat::nesting_exceeds;
use crate::http::error::ApiError;
use crate::providers::anthropic::native::NativeRequest;

/// `fallbacks` of one request.
const FALLBACKS_MAX: usize = 3;

/// A Messages request, borrowing from its body.
#[derive(Debug, Deserialize)]
pub(super) struct MessagesRequest<'a> {
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    max_tokens: Option<u64>,
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    #[serde(borrow)]
    system: Option<&'a RawValue>,
    #[serde(default)]
    stream: bool,
    #[serde(borrow)]
    tools: Option<Vec<Tool<'a>>>,
    #[serde(borrow)]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(borrow)]
    thinking: Option<Thinking<'a>>,
    #[serde(borrow)]
    output_config: Option<OutputConfig<'a>>,
    /// The older place of `output_config.format`.
    #[serde(borrow)]
    output_format: Option<OutputFormat<'a>>,
    /// Caching that finds its own breakpoints.
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
    #[serde(borrow)]
    mcp_servers: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    container: Option<&'a RawValue>,
    /// A conversation that Anthropic keeps.
    #[serde(borrow)]
    thread: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_sequences: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    temperature: Option<&'a RawValue>,
    #[serde(borrow)]
    top_p: Option<&'a RawValue>,
    #[serde(borrow)]
    top_k: Option<&'a RawValue>,
    // OpenRouter's.
    #[serde(borrow)]
    models: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    fallbacks: Option<Vec<Fallback<'a>>>,
    #[serde(borrow)]
    provider: Option<&'a RawValue>,
    #[serde(borrow)]
    session_id: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// One block, of whatever kind: members it has not are absent.
#[derive(Debug, Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    /// A [`Source`], or of a search result the text of an address.
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    title: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_use_id: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    is_error: Option<bool>,
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Source<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    media_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

impl<'a> Block<'a> {
    fn source(&self) -> Option<Source<'a>> {
        serde_json::from_str(self.source?.get()).ok()
    }

    /// The blocks of a result, or of anything else whose content is not text.
    fn inner(&self) -> Vec<Block<'a>> {
        self.content.and_then(|content| serde_json::from_str(content.get()).ok()).unwrap_or_default()
    }
}

#[derive(Debug, Deserialize)]
struct Tool<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    /// A set of tools at a server has none.
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    description: Option<&'a RawValue>,
    #[serde(borrow)]
    input_schema: Option<&'a RawValue>,
    #[serde(borrow)]
    strict: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
}

impl Tool<'_> {
    /// Whether it is the client's own, and not one that Anthropic knows or runs.
    fn is_of_the_client(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == "custom")
    }
}

#[derive(Debug, Deserialize)]
struct ToolChoice<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Thinking<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    budget_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct OutputConfig<'a> {
    #[serde(borrow)]
    effort: Option<&'a RawValue>,
    #[serde(borrow)]
    format: Option<OutputFormat<'a>>,
}

#[derive(Debug, Deserialize)]
struct OutputFormat<'a> {
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    user_id: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fallback<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
}

/// Parses and checks a body. What is wrong is told with its place.
pub(super) fn read(body: &[u8], depth_max: usize) -> Result<MessagesRequest<'_>, ApiError> {
    if let Some(offset) = nesting_exceeds(body, depth_max) {
        return Err(ApiError::invalid(format!("request body is nested deeper than {depth_max} levels (byte {offset})")));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let request: MessagesRequest<'_> = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| crate::http::envelope::field_error(&error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| ApiError::invalid(format!("the body goes on after its JSON: {error}")))?;
    if request.thread.is_some() {
        return Err(no_threads());
    }
    if request.messages.is_empty() {
        return Err(ApiError::bad_request("messages", "messages must not be empty"));
    }
    if request.max_tokens == Some(0) {
        return Err(ApiError::bad_request("max_tokens", "max_tokens must be at least 1"));
    }
    if let Some(index) = request.tools.iter().flatten().position(|tool| tool.is_of_the_client() && tool.name.is_none()) {
        let place = format!("tools[{index}].name");
        let message = format!("{place} is required");
        return Err(ApiError::bad_request(place, message));
    }
    if let Some(fallbacks) = &request.fallbacks {
        if request.models.is_some() {
            return Err(ApiError::bad_request("fallbacks", "fallbacks and models cannot be used together"));
        }
        if fallbacks.len() > FALLBACKS_MAX {
            return Err(ApiError::bad_request("fallbacks", format!("at most {FALLBACKS_MAX} fallbacks are tried")));
        }
    }
    Ok(request)
}

/// Nothing is kept between requests, and a thread that one provider kept would be none to the others. Anthropic's SDKs begin one by
/// themselves; told in these words that there are none, they go on with the whole conversation.
fn no_threads() -> ApiError {
    let message = "thread is not supported: nothing is kept between requests; send the whole conversation in messages";
    let details = serde_json::json!({ "error_code": "thread_unsupported_request", "unsupported": ["thread"] });
    ApiError::bad_request("thread", message).with_metadata("details", details)
}

/// The chat request. `full_name` gives the public name of a model.
pub(super) fn chat_body(request: &MessagesRequest<'_>, full_name: &dyn Fn(&str) -> String) -> Result<Bytes, ApiError> {
    ChatBody::write(request, full_name)
}

/// The request as it came, for a provider of the same dialect.
pub(super) fn native(body: Bytes, request: &MessagesRequest<'_>, beta: Option<HeaderValue>) -> NativeRequest {
    NativeRequest { body, beta, only_anthropic: only_anthropic(request) }
}

/// What of a request no other provider could do. `context_management` is not among it: an answer stays right without.
fn only_anthropic(request: &MessagesRequest<'_>) -> Option<&'static str> {
    if !request.tools.iter().flatten().all(Tool::is_of_the_client) {
        return Some("a server tool of Anthropic's");
    }
    if request.mcp_servers.as_ref().is_some_and(|servers| !servers.is_empty()) {
        return Some("an MCP server that Anthropic connects to");
    }
    if request.container.is_some_and(|container| container.get() != "null") {
        return Some("a container of Anthropic's");
    }
    request.messages.iter().filter(|message| message.content.get().starts_with('[')).find_map(|message| {
        let blocks: Vec<Block<'_>> = serde_json::from_str(message.content.get()).unwrap_or_default();
        blocks.iter().find_map(only_anthropics)
    })
}

/// What of a block, or of those within it, no other provider could read.
fn only_anthropics(block: &Block<'_>) -> Option<&'static str> {
    if !convert::is_common(&block.kind) {
        return Some("a content block that only Anthropic knows");
    }
    if block.source.is_some() && !block.source().is_some_and(|source| part::is_readable(&source)) {
        return Some("a file that is kept at Anthropic");
    }
    let inner = if block.kind == "tool_result" { block.inner() } else { Vec::new() };
    inner.iter().find_map(only_anthropics)
}

#[cfg(test)]
mod tests;
