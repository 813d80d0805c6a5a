//! Writes the chat body, member by member.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Block, MessagesRequest, Source, Tool};
use crate::http::error::ApiError;
use crate::providers::anthropic::stream::REASONING_FORMAT;

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
    pub(super) fn write(request: &MessagesRequest<'_>, model: &str) -> Result<Bytes, ApiError> {
        let mut body = Self { out: format!("{{\"model\":{}", Value::from(model)), messages: Vec::new() };
        if let Some(system) = request.system.filter(|system| system.get() != "null") {
            let content = if system.get().starts_with('[') { parts(&blocks(system, "system")?).join(",") } else { String::new() };
            let content = if system.get().starts_with('[') { format!("[{content}]") } else { system.get().to_owned() };
            body.messages.push(format!(r#"{{"role":"system","content":{content}}}"#));
        }
        for (index, message) in request.messages.iter().enumerate() {
            body.message(&message.role, message.content, index)?;
        }
        let messages = body.messages.join(",");
        // Writing to a string cannot fail.
        let _ = write!(body.out, ",\"messages\":[{messages}]");
        body.options(request);
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

    fn options(&mut self, request: &MessagesRequest<'_>) {
        let fallbacks = request.fallbacks.iter().flatten().map(|fallback| &fallback.model);
        let models: Vec<Value> = request.models.iter().flatten().chain(fallbacks).map(|name| Value::from(&**name)).collect();
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
        self.raw_member("user", request.metadata.as_ref().and_then(|metadata| metadata.user_id));
        self.tools(request);
        self.thinking(request);
        let format = request.output_config.as_ref().and_then(|config| config.format.as_ref());
        if let Some(schema) = format.and_then(|format| format.schema) {
            let format = format!(r#"{{"type":"json_schema","json_schema":{{"name":"answer","strict":true,"schema":{schema}}}}}"#);
            self.member("response_format", &format);
        }
    }

    fn tools(&mut self, request: &MessagesRequest<'_>) {
        let tools: Vec<String> = request.tools.iter().flatten().map(function).collect();
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

    fn thinking(&mut self, request: &MessagesRequest<'_>) {
        let effort = request.output_config.as_ref().and_then(|config| config.effort);
        let Some(thinking) = &request.thinking else { return };
        match (&*thinking.kind, thinking.budget_tokens, effort) {
            ("enabled", Some(budget), _) => self.member("reasoning", &format!(r#"{{"max_tokens":{budget}}}"#)),
            ("enabled" | "adaptive", _, Some(effort)) => self.member("reasoning", &format!(r#"{{"effort":{effort}}}"#)),
            ("enabled" | "adaptive", ..) => self.member("reasoning", r#"{"enabled":true}"#),
            _ => {}
        }
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
    fn user(&mut self, role: &str, blocks_given: &[Block<'_>], place: &str) -> Result<(), ApiError> {
        for block in blocks_given.iter().filter(|block| block.kind == "tool_result") {
            let id = block.tool_use_id.map_or("\"\"", RawValue::get);
            let content = match block.content {
                None => "\"\"".to_owned(),
                Some(content) if content.get().starts_with('[') => {
                    let inner = parts(&blocks(content, place)?);
                    // A result without text is an empty one.
                    if inner.is_empty() { "\"\"".to_owned() } else { format!("[{}]", inner.join(",")) }
                }
                Some(content) => content.get().to_owned(),
            };
            self.messages.push(format!(r#"{{"role":"tool","tool_call_id":{id},"content":{content}}}"#));
        }
        let said = parts(blocks_given);
        if !said.is_empty() {
            self.messages.push(format!(r#"{{"role":"{role}","content":[{}]}}"#, said.join(",")));
        } else if !blocks_given.iter().any(|block| block.kind == "tool_result") {
            // Only what Anthropic alone can read, which is sent there as it came: a message it stays.
            self.messages.push(format!(r#"{{"role":"{role}","content":""}}"#));
        }
        Ok(())
    }

    fn assistant(&mut self, blocks: &[Block<'_>]) {
        let said = parts(blocks);
        let content = if said.is_empty() { "null".to_owned() } else { format!("[{}]", said.join(",")) };
        let mut message = format!(r#"{{"role":"assistant","content":{content}"#);
        let thoughts: Vec<String> = blocks.iter().enumerate().filter_map(|(index, block)| thought(block, index)).collect();
        if !thoughts.is_empty() {
            let _ = write!(message, ",\"reasoning_details\":[{}]", thoughts.join(","));
        }
        let calls: Vec<String> = blocks.iter().filter(|block| block.kind == "tool_use").map(call).collect();
        if !calls.is_empty() {
            let _ = write!(message, ",\"tool_calls\":[{}]", calls.join(","));
        }
        message.push('}');
        self.messages.push(message);
    }
}

fn blocks<'a>(content: &'a RawValue, place: &str) -> Result<Vec<Block<'a>>, ApiError> {
    serde_json::from_str(content.get())
        .map_err(|error| ApiError::bad_request(place, format!("the content of {place} must be a string or an array of blocks: {error}")))
}

/// The blocks that are content parts. A document whose text is in the request is that text.
fn parts(blocks: &[Block<'_>]) -> Vec<String> {
    let of_block = |block: &Block<'_>| match block.source().filter(|_| block.kind == "document") {
        Some(source) if source.kind == "text" => text_part(source.data.as_deref()).into_iter().collect(),
        Some(Source { content: Some(content), .. }) if content.get().starts_with('[') => {
            parts(&serde_json::from_str::<Vec<Block<'_>>>(content.get()).unwrap_or_default())
        }
        Some(Source { content: Some(content), .. }) => {
            text_part(serde_json::from_str::<String>(content.get()).ok().as_deref()).into_iter().collect()
        }
        _ => part(block).into_iter().collect::<Vec<String>>(),
    };
    blocks.iter().flat_map(of_block).collect()
}

fn text_part(text: Option<&str>) -> Option<String> {
    Some(format!(r#"{{"type":"text","text":{}}}"#, Value::from(text?)))
}

/// Whether what a block names is in the request, or at an address that anyone can read.
pub(super) fn is_readable(source: &Source<'_>) -> bool {
    matches!(&*source.kind, "url" | "base64" | "text" | "content")
}

fn part(block: &Block<'_>) -> Option<String> {
    let cache = block.cache_control.map(|cache| format!(",\"cache_control\":{cache}")).unwrap_or_default();
    Some(match &*block.kind {
        "text" => format!(r#"{{"type":"text","text":{}{cache}}}"#, block.text?),
        "image" => format!(r#"{{"type":"image_url","image_url":{{"url":{}}}{cache}}}"#, Value::from(address(&block.source()?)?)),
        "document" => {
            let name = block.title.map_or("\"document\"", RawValue::get);
            let data = Value::from(address(&block.source()?)?);
            format!(r#"{{"type":"file","file":{{"filename":{name},"file_data":{data}}}{cache}}}"#)
        }
        _ => return None,
    })
}

/// An address, or the data as one.
fn address(source: &Source<'_>) -> Option<String> {
    match &*source.kind {
        "url" => source.url.as_deref().map(str::to_owned),
        "base64" => Some(format!("data:{};base64,{}", source.media_type.as_deref()?, source.data.as_deref()?)),
        _ => None,
    }
}

fn thought(block: &Block<'_>, index: usize) -> Option<String> {
    match &*block.kind {
        "thinking" => {
            let signature = block.signature.map_or("null", RawValue::get);
            let text = block.thinking?;
            Some(format!(
                r#"{{"type":"reasoning.text","text":{text},"signature":{signature},"format":"{REASONING_FORMAT}","index":{index}}}"#
            ))
        }
        "redacted_thinking" => {
            Some(format!(r#"{{"type":"reasoning.encrypted","data":{},"format":"{REASONING_FORMAT}","index":{index}}}"#, block.data?))
        }
        _ => None,
    }
}

fn call(block: &Block<'_>) -> String {
    let text = |raw: Option<&RawValue>| raw.map_or("\"\"", RawValue::get).to_owned();
    let arguments = Value::from(block.input.map_or("{}", RawValue::get));
    format!(r#"{{"id":{},"type":"function","function":{{"name":{},"arguments":{arguments}}}}}"#, text(block.id), text(block.name))
}

/// A tool of the client's own. Server tools are left out: a request with one goes to Anthropic only, as it came.
fn function(tool: &Tool<'_>) -> String {
    let description = tool.description.map(|text| format!(",\"description\":{text}")).unwrap_or_default();
    let parameters = tool.input_schema.map(|schema| format!(",\"parameters\":{schema}")).unwrap_or_default();
    let cache = tool.cache_control.map(|cache| format!(",\"cache_control\":{cache}")).unwrap_or_default();
    format!(r#"{{"type":"function","function":{{"name":{}{description}{parameters}}}{cache}}}"#, tool.name)
}
