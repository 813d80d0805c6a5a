//! A Responses request, as a chat request.
//!
//! Read as far as it has to change; every other member is copied as the client wrote it, and means to chat what it means
//! there. What cannot be done for every provider alike (what is kept between requests, tools that OpenAI runs itself) is
//! **refused by its name, never left out**.

mod conversation;
mod item;
mod part;
mod thought;
mod tool;

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use self::conversation::{ChatMessage, messages};
pub(super) use self::tool::EchoedTool;
use self::tool::{ChatTool, Tool, chat_tools, tool_choice};
use super::echo::Echo;
use super::namespaces::Namespaces;
use crate::http::chat::nesting_exceeds;
use crate::http::envelope::field_error;
use crate::http::error::ApiError;
use crate::wire::members::members;

/// A request, borrowing from its body.
#[derive(Debug, Deserialize)]
pub(super) struct ResponsesRequest<'a> {
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    pub instructions: Option<&'a RawValue>,
    pub max_output_tokens: Option<u64>,
    #[serde(borrow)]
    pub max_tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    pub tools: Option<Vec<Tool<'a>>>,
    #[serde(borrow)]
    pub tool_choice: Option<&'a RawValue>,
    pub parallel_tool_calls: Option<bool>,
    #[serde(borrow)]
    pub text: Option<Text<'a>>,
    #[serde(borrow)]
    pub reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    include: Option<Vec<Cow<'a, str>>>,
    pub top_logprobs: Option<u64>,
    #[serde(borrow)]
    pub metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    truncation: Option<Cow<'a, str>>,
    // What only a server that keeps responses can do.
    background: Option<bool>,
    #[serde(borrow)]
    previous_response_id: Option<&'a RawValue>,
    #[serde(borrow)]
    conversation: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(rename = "store")]
    _store: Option<bool>,
    // Copied as they are, and repeated in the response.
    #[serde(borrow)]
    pub temperature: Option<&'a RawValue>,
    #[serde(borrow)]
    pub top_p: Option<&'a RawValue>,
    #[serde(borrow)]
    pub frequency_penalty: Option<&'a RawValue>,
    #[serde(borrow)]
    pub presence_penalty: Option<&'a RawValue>,
    #[serde(borrow)]
    pub user: Option<&'a RawValue>,
    #[serde(borrow)]
    pub safety_identifier: Option<&'a RawValue>,
    #[serde(borrow)]
    pub prompt_cache_key: Option<&'a RawValue>,
    #[serde(borrow)]
    pub service_tier: Option<&'a RawValue>,
}

/// Members that are translated, or that are no provider's business. `metadata` is the client's own note on a response:
/// OpenAI's chat takes it only with answers that it stores.
const NOT_COPIED: [&str; 20] = [
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "include",
    "top_logprobs",
    "metadata",
    "truncation",
    "background",
    "previous_response_id",
    "conversation",
    "prompt",
    "store",
    "stream_options",
    "context_management",
    "client_metadata",
];

/// Chat's members that go by another name here: with both, nobody could say which is obeyed.
const CHATS_OWN: [(&str, &str); 11] = [
    ("messages", "input"),
    ("response_format", "text.format"),
    ("verbosity", "text.verbosity"),
    ("max_tokens", "max_output_tokens"),
    ("max_completion_tokens", "max_output_tokens"),
    ("reasoning_effort", "reasoning.effort"),
    ("include_reasoning", "reasoning.exclude"),
    ("logprobs", "include"),
    ("functions", "tools"),
    ("function_call", "tool_choice"),
    ("n", "several requests"),
];

const TOP_LOGPROBS_MAX: u64 = 20;

/// How the text of an answer is to be.
#[derive(Debug, Deserialize)]
pub(super) struct Text<'a> {
    #[serde(borrow)]
    pub format: Option<&'a RawValue>,
    #[serde(borrow)]
    pub verbosity: Option<&'a RawValue>,
}

/// A request, read.
#[derive(Debug)]
pub(super) struct Translated {
    /// A chat request.
    pub chat: Bytes,
    pub echo: Echo,
}

/// The members of a chat request that are made from others.
#[derive(Serialize)]
struct ChatMembers<'a> {
    messages: Vec<ChatMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ChatTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: Format<'a> },
}

/// `text.format`, where a schema's members stand beside its type.
#[derive(Debug, Serialize, Deserialize)]
struct Format<'a> {
    #[serde(rename = "type", borrow, skip_serializing)]
    kind: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    name: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    description: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    schema: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    strict: Option<&'a RawValue>,
}

/// Reads, checks and translates a body. What is wrong is told with its place.
pub(super) fn translate(body: &[u8], depth_max: usize) -> Result<Translated, ApiError> {
    if let Some(offset) = nesting_exceeds(body, depth_max) {
        return Err(ApiError::invalid(format!("request body is nested deeper than {depth_max} levels (byte {offset})")));
    }
    let text = std::str::from_utf8(body).map_err(|error| ApiError::invalid(format!("request body is not valid UTF-8: {error}")))?;
    if text.trim_ascii_start().starts_with('[') {
        // It would be taken for the members in the order of their declaration.
        return Err(ApiError::invalid("request body: a JSON object is needed, not an array"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let request: ResponsesRequest<'_> =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| field_error(&error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| ApiError::invalid(format!("the body goes on after its JSON: {error}")))?;
    request.refuse_what_needs_a_memory()?;
    let copied = copied_members(text)?;
    let mut namespaces = Namespaces::default();
    let members = serde_json::to_string(&request.chat_members(&mut namespaces)?).map_err(ApiError::internal)?;
    let chat = format!("{}{copied}}}", members.strip_suffix('}').unwrap_or_default());
    Ok(Translated { chat: Bytes::from(chat), echo: Echo::of(&request, namespaces) })
}

impl<'a> ResponsesRequest<'a> {
    pub(super) fn includes(&self, what: &str) -> bool {
        self.include.iter().flatten().any(|included| included == what)
    }

    fn refuse_what_needs_a_memory(&self) -> Result<(), ApiError> {
        let given = [
            ("background", self.background == Some(true)),
            ("previous_response_id", self.previous_response_id.is_some()),
            ("conversation", self.conversation.is_some()),
            ("prompt", self.prompt.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => {
                let message = format!("{name} is not supported: nothing is kept between requests; send the whole conversation in input");
                Err(ApiError::bad_request(*name, message))
            }
            None => Ok(()),
        }
    }

    fn chat_members(&self, namespaces: &mut Namespaces) -> Result<ChatMembers<'a>, ApiError> {
        let input = self.input.ok_or_else(|| ApiError::bad_request("input", "input is required: a text or a list of items"))?;
        if self.max_output_tokens == Some(0) {
            return Err(ApiError::bad_request("max_output_tokens", "max_output_tokens must be at least 1"));
        }
        if self.top_logprobs.is_some_and(|count| count > TOP_LOGPROBS_MAX) {
            return Err(ApiError::bad_request("top_logprobs", format!("top_logprobs must be at most {TOP_LOGPROBS_MAX}")));
        }
        if !self.truncation.as_deref().is_none_or(|way| matches!(way, "auto" | "disabled")) {
            return Err(ApiError::bad_request("truncation", "truncation must be auto or disabled"));
        }
        if self.metadata.is_some_and(|metadata| !metadata.get().starts_with('{')) {
            return Err(ApiError::bad_request("metadata", "metadata must be an object"));
        }
        let tools = chat_tools(self.tools.as_deref().unwrap_or_default(), namespaces)?;
        let choice = self.tool_choice.map(tool_choice).transpose()?;
        // Without tools OpenAI's chat wants to hear of neither.
        let has_tools = !tools.is_empty();
        let top_logprobs = self.top_logprobs.filter(|count| *count > 0);
        let wants_logprobs = top_logprobs.is_some() || self.includes("message.output_text.logprobs");
        Ok(ChatMembers {
            messages: messages(self.instructions, input)?,
            max_tokens: self.max_output_tokens,
            tools,
            tool_choice: choice.filter(|_| has_tools),
            parallel_tool_calls: self.parallel_tool_calls.filter(|_| has_tools),
            response_format: self.text.as_ref().and_then(|text| text.format).map(response_format).transpose()?.flatten(),
            verbosity: self.text.as_ref().and_then(|text| text.verbosity),
            logprobs: wants_logprobs.then_some(true),
            top_logprobs,
        })
    }
}

fn response_format(raw: &RawValue) -> Result<Option<ResponseFormat<'_>>, ApiError> {
    let wrong = |message: String| ApiError::bad_request("text.format", message);
    let format: Format<'_> = serde_json::from_str(raw.get()).map_err(|error| wrong(format!("text.format: {error}")))?;
    match &*format.kind {
        "text" => Ok(None),
        "json_object" => Ok(Some(ResponseFormat::JsonObject)),
        "json_schema" if format.schema.is_none() || format.name.is_none() => {
            Err(wrong("text.format of type json_schema needs a name and a schema".to_owned()))
        }
        "json_schema" => Ok(Some(ResponseFormat::JsonSchema { json_schema: format })),
        _ => Err(wrong("text.format.type must be text, json_object or json_schema".to_owned())),
    }
}

/// `,"name":value` for every member that chat reads, or passes on, by the same name.
fn copied_members(text: &str) -> Result<String, ApiError> {
    let mut copied = String::new();
    for member in members(text) {
        let member = member.map_err(|error| ApiError::invalid(format!("request body: {error}")))?;
        let (name, value) = (member.key.resolve(text.as_bytes()), member.value.of_str(text));
        if let Some((_, here)) = CHATS_OWN.iter().find(|(own, _)| *own == name) {
            if value != "null" {
                return Err(ApiError::bad_request(&*name, format!("{name} is not a parameter of this endpoint; use {here}")));
            }
            // As good as absent: chat would take it for the last word on what stands here by another name.
            continue;
        }
        if !NOT_COPIED.contains(&&*name) {
            copied.push_str(&format!(",{}:{value}", member.key.quoted().of_str(text)));
        }
    }
    Ok(copied)
}

#[cfg(test)]
mod tests;
