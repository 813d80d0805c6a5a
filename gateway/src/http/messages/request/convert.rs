//! Writes the chat body, member by member.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::part::{array, as_string, inside, lines, more, parts};
use super::tool_result::ToolResult;
use super::{Block, MessagesRequest, Tool};
use crate::http::error::ApiError;
use crate::providers::anthropic::stream::REASONING_FORMAT;
use crate::wire::sealed::{self, CallDetail, unseal};

/// The longest name of a user that every provider takes.
const USER_CHARS_MAX: usize = 64;
/// Kinds of block that a chat request can say as well.
const COMMON: [&str; 7] = ["text", "image", "document", "thinking", "redacted_thinking", "tool_use", "tool_result"];

pub(super) fn is_common(kind: &str) -> bool {
    COMMON.contains(&kind)
}

/// A chat body in the making.
pub(super) struct ChatBody {
    out: String,
    messages: Vec<String>,
}

impl ChatBody {
    pub(super) fn write(request: &MessagesRequest<'_>, full_name: &dyn Fn(&str) -> String) -> Result<Bytes, ApiError> {
        let mut body = Self { out: format!("{{\"model\":{}", Value::from(full_name(&request.model))), messages: Vec::new() };
        if let Some(system) = request.system.filter(|system| system.get() != "null") {
            let is_array = system.get().starts_with('[');
            let content = if is_array { array(&parts(&blocks(system, "system")?)) } else { system.get().to_owned() };
            body.messages.push(format!(r#"{{"role":"system","content":{content}}}"#));
        }
        for (index, message) in request.messages.iter().enumerate() {
            body.message(&message.role, message.content, index)?;
        }
        let messages = body.messages.join(",");
        // Writing to a string cannot fail.
        let _ = write!(body.out, ",\"messages\":[{messages}]");
        body.options(request, full_name);
        body.out.push('}');
        Ok(Bytes::from(body.out))
    }

    fn member(&mut self, name: &str, raw: &str) {
        let _ = write!(self.out, ",\"{name}\":{raw}");
    }

    fn raw_member(&mut self, name: &str, raw: Option<&RawValue>) {
        if let Some(raw) = raw.filter(|raw| raw.get() != "null") {
            self.member(name, raw.get());
        }
    }

    fn options(&mut self, request: &MessagesRequest<'_>, full_name: &dyn Fn(&str) -> String) {
        let fallbacks = request.fallbacks.iter().flatten().map(|fallback| &fallback.model);
        let models: Vec<Value> = request.models.iter().flatten().chain(fallbacks).map(|name| Value::from(full_name(name))).collect();
        if !models.is_empty() {
            self.member("models", &Value::from(models).to_string());
        }
        self.raw_member("provider", request.provider);
        self.raw_member("session_id", request.session_id);
        if let Some(max_tokens) = request.max_tokens {
            self.member("max_tokens", &max_tokens.to_string());
        }
        if request.stream {
            self.member("stream", "true");
        }
        for (name, raw) in [("temperature", request.temperature), ("top_p", request.top_p), ("top_k", request.top_k)] {
            self.raw_member(name, raw);
        }
        self.raw_member("stop", request.stop_sequences);
        let user = request.user.filter(|user| user.get().starts_with('"'));
        if let Some(user) = user.or_else(|| request.metadata.as_ref().and_then(|metadata| metadata.user_id)) {
            self.member("user", &user_name(user));
        }
        self.raw_member("cache_control", request.cache_control);
        self.tools(request);
        self.thinking(request);
        let format = request.output_config.as_ref().and_then(|config| config.format.as_ref()).or(request.output_format.as_ref());
        if let Some(schema) = format.and_then(|format| format.schema) {
            let format = format!(r#"{{"type":"json_schema","json_schema":{{"name":"answer","strict":true,"schema":{schema}}}}}"#);
            self.member("response_format", &format);
        }
    }

    fn tools(&mut self, request: &MessagesRequest<'_>) {
        let tools: Vec<String> = request.tools.iter().flatten().filter_map(function).collect();
        if tools.is_empty() {
            return;
        }
        self.member("tools", &format!("[{}]", tools.join(",")));
        let Some(choice) = &request.tool_choice else { return };
        match (&*choice.kind, choice.name) {
            ("tool", Some(name)) => self.member("tool_choice", &format!(r#"{{"type":"function","function":{{"name":{name}}}}}"#)),
            ("any", _) => self.member("tool_choice", "\"required\""),
            ("none", _) => self.member("tool_choice", "\"none\""),
            _ => self.member("tool_choice", "\"auto\""),
        }
        if choice.disable_parallel_tool_use == Some(true) {
            self.member("parallel_tool_calls", "false");
        }
    }

    /// `enabled: false` without an effort of `none`, which models that cannot think refuse.
    fn thinking(&mut self, request: &MessagesRequest<'_>) {
        let effort = request.output_config.as_ref().and_then(|config| config.effort);
        let thinking = request.thinking.as_ref();
        let kind = thinking.map(|thinking| &*thinking.kind);
        let reasoning = match (kind, thinking.and_then(|thinking| thinking.budget_tokens), effort) {
            (Some("disabled"), ..) => r#"{"enabled":false}"#.to_owned(),
            (Some("enabled"), Some(budget), _) => format!(r#"{{"max_tokens":{budget}}}"#),
            (.., Some(effort)) => format!(r#"{{"effort":{effort}}}"#),
            (Some("enabled" | "adaptive"), ..) => r#"{"enabled":true}"#.to_owned(),
            _ => return,
        };
        self.member("reasoning", &reasoning);
    }

    fn message(&mut self, role: &str, content: &RawValue, index: usize) -> Result<(), ApiError> {
        let place = format!("messages[{index}]");
        if !matches!(role, "user" | "assistant" | "system") {
            return Err(ApiError::bad_request(format!("{place}.role"), format!("{place}.role must be user or assistant")));
        }
        if content.get().starts_with('"') {
            self.messages.push(format!(r#"{{"role":"{role}","content":{content}}}"#));
            return Ok(());
        }
        let blocks = blocks(content, &place)?;
        if role == "assistant" {
            self.assistant(&blocks)
        } else {
            self.user(role, &blocks, &place)?
        }
        Ok(())
    }

    /// Results of tools are messages of their own, before what the user says beside them.
    fn user(&mut self, role: &str, given: &[Block<'_>], place: &str) -> Result<(), ApiError> {
        let mut said = Vec::new();
        let mut has_results = false;
        for block in given.iter().filter(|block| block.kind == "tool_result") {
            let ToolResult { message, shown } = ToolResult::read(block, place)?;
            self.messages.push(message);
            said.extend(shown);
            has_results = true;
        }
        said.extend(parts(given));
        if !said.is_empty() {
            self.messages.push(format!(r#"{{"role":"{role}","content":{}}}"#, array(&said)));
        } else if !has_results {
            // Only what Anthropic alone can read, which is sent there as it came: a message it stays.
            self.messages.push(format!(r#"{{"role":"{role}","content":""}}"#));
        }
        Ok(())
    }

    fn assistant(&mut self, blocks: &[Block<'_>]) {
        let said = parts(blocks);
        let details: Vec<Box<RawValue>> = blocks.iter().filter_map(sealed_details).flatten().collect();
        let beside_calls: Vec<CallDetail<'_>> = details.iter().filter_map(|detail| CallDetail::read(detail)).collect();
        let calls: Vec<String> = blocks.iter().filter(|block| block.kind == "tool_use").map(|block| call(block, &beside_calls)).collect();
        let thoughts: Vec<String> = blocks.iter().enumerate().filter_map(|(index, block)| thought(block, index)).collect();
        if said.is_empty() && calls.is_empty() && thoughts.is_empty() {
            return;
        }
        // Thoughts alone have an empty text beside them, which is what every provider takes.
        let content = match (said.is_empty(), calls.is_empty()) {
            (false, _) => array(&said),
            (true, false) => "null".to_owned(),
            (true, true) => "\"\"".to_owned(),
        };
        let mut message = format!(r#"{{"role":"assistant","content":{content}"#);
        let unsigned: Vec<Cow<'_, str>> = blocks.iter().filter_map(unsigned_thought).collect();
        if !unsigned.is_empty() {
            // The same by both names: models that go on from their thoughts want the one or the other.
            let text = lines(unsigned.iter().map(|text| inside(text)));
            let _ = write!(message, ",\"reasoning\":{text},\"reasoning_content\":{text}");
        }
        if !thoughts.is_empty() {
            let _ = write!(message, ",\"reasoning_details\":[{}]", thoughts.join(","));
        }
        if !calls.is_empty() {
            let _ = write!(message, ",\"tool_calls\":[{}]", calls.join(","));
        }
        message.push('}');
        self.messages.push(message);
    }
}

pub(super) fn blocks<'a>(content: &'a RawValue, place: &str) -> Result<Vec<Block<'a>>, ApiError> {
    serde_json::from_str(content.get())
        .map_err(|error| ApiError::bad_request(place, format!("the content of {place} must be a string or an array of blocks: {error}")))
}

/// A name as it is written, and a longer one by its digest: it still tells one user from another.
fn user_name(user: &RawValue) -> Cow<'_, str> {
    match serde_json::from_str::<String>(user.get()) {
        Ok(name) if name.chars().count() > USER_CHARS_MAX => Cow::Owned(format!("\"{}\"", hex::encode(Sha256::digest(name.as_bytes())))),
        _ => Cow::Borrowed(user.get()),
    }
}

/// Of the thought's own provider: one that we wrote stands for none.
fn signature<'a>(block: &Block<'a>) -> Option<&'a RawValue> {
    let is_ours = |signature: &str| signature.strip_prefix('"').is_some_and(|text| text.starts_with(sealed::PREFIX));
    block.signature.filter(|signature| !matches!(signature.get(), "\"\"" | "null") && !is_ours(signature.get()))
}

/// The text of a thought that no family signed: it came from a provider that has plain ones.
fn unsigned_thought<'a>(block: &Block<'a>) -> Option<Cow<'a, str>> {
    let text = block.thinking.filter(|_| block.kind == "thinking" && signature(block).is_none())?;
    Some(as_string(text)).filter(|text| text != "\"\"")
}

/// The details that we sealed into a thought which only we can read.
fn sealed_details(block: &Block<'_>) -> Option<Vec<Box<RawValue>>> {
    let data = block.data.filter(|_| block.kind == "redacted_thinking")?;
    unseal(&serde_json::from_str::<Cow<'_, str>>(data.get()).ok()?)
}

fn thought(block: &Block<'_>, index: usize) -> Option<String> {
    if let Some(text) = unsigned_thought(block) {
        return Some(format!(r#"{{"type":"reasoning.text","text":{text},"index":{index}}}"#));
    }
    match &*block.kind {
        "thinking" => {
            let (text, signature) = (block.thinking?, signature(block)?);
            Some(format!(
                r#"{{"type":"reasoning.text","text":{text},"signature":{signature},"format":"{REASONING_FORMAT}","index":{index}}}"#
            ))
        }
        "redacted_thinking" if sealed_details(block).is_none() => {
            Some(format!(r#"{{"type":"reasoning.encrypted","data":{},"format":"{REASONING_FORMAT}","index":{index}}}"#, block.data?))
        }
        _ => None,
    }
}

/// A call, with what its provider wants back with it.
fn call(block: &Block<'_>, beside: &[CallDetail<'_>]) -> String {
    let text = |raw: Option<&RawValue>| raw.map_or("\"\"", RawValue::get).to_owned();
    let arguments = Value::from(block.input.map_or("{}", RawValue::get));
    let (id, name, cache) = (text(block.id), text(block.name), more("cache_control", block.cache_control));
    let told: String = serde_json::from_str(&id).unwrap_or_default();
    let extra = more("extra_content", beside.iter().find(|detail| detail.id == told).map(|detail| detail.extra_content));
    format!(r#"{{"id":{id},"type":"function","function":{{"name":{name},"arguments":{arguments}}}{cache}{extra}}}"#)
}

/// A tool of the client's own, or a server tool that has a name. A request with a server tool goes to Anthropic only, as
/// it came.
fn function(tool: &Tool<'_>) -> Option<String> {
    let name = tool.name?;
    let description = more("description", tool.description);
    let parameters = more("parameters", tool.input_schema);
    let strict = more("strict", tool.strict);
    let cache = more("cache_control", tool.cache_control);
    Some(format!(r#"{{"type":"function","function":{{"name":{name}{description}{parameters}{strict}}}{cache}}}"#))
}
