//! The messages: system texts apart, and turns of content blocks.
//!
//! Tool results belong to the user's turn that follows the call, so neighbouring messages of one side are joined.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::TranslationError;
use super::chat::{FilePart, ImageUrl, Message, Part, ReasoningDetail, ToolCall};
use crate::providers::anthropic::stream::REASONING_FORMAT;

pub(super) struct Conversation<'a> {
    pub system: Vec<Block<'a>>,
    pub turns: Vec<Turn<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    Thinking {
        thinking: String,
        signature: String,
    },
    RedactedThinking {
        data: Cow<'a, str>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: Box<RawValue>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Vec<Self>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 { media_type: Cow<'a, str>, data: Cow<'a, str> },
    Url { url: Cow<'a, str> },
}

impl<'a> Conversation<'a> {
    pub(super) fn read(messages: &[Message<'a>]) -> Result<Self, TranslationError> {
        let mut conversation = Self { system: Vec::new(), turns: Vec::new() };
        for (index, message) in messages.iter().enumerate() {
            let place = || format!("messages[{index}]");
            let mut content = blocks(message.content, message.cache_control, &place)?;
            match &*message.role {
                "system" | "developer" => conversation.system.append(&mut content),
                "tool" | "function" => {
                    let tool_use_id = message.tool_call_id.clone().ok_or_else(|| unreadable(&place, "it has no tool_call_id"))?;
                    conversation.add("user", vec![Block::ToolResult { tool_use_id, content, cache_control: None }]);
                }
                "assistant" => {
                    let mut said = reasoning(message.reasoning_details.as_deref().unwrap_or_default());
                    said.append(&mut content);
                    for call in message.tool_calls.iter().flatten() {
                        said.push(tool_use(call, &place)?);
                    }
                    conversation.add("assistant", said);
                }
                _ => conversation.add("user", content),
            }
        }
        conversation.trim_prefill();
        Ok(conversation)
    }

    fn add(&mut self, role: &'static str, mut content: Vec<Block<'a>>) {
        match self.turns.last_mut() {
            Some(last) if last.role == role => last.content.append(&mut content),
            _ if content.is_empty() => {}
            _ => self.turns.push(Turn { role, content }),
        }
    }

    /// The beginning of an answer that the model is to go on with may not end in a blank.
    fn trim_prefill(&mut self) {
        if let Some(Turn { role: "assistant", content }) = self.turns.last_mut()
            && let Some(Block::Text { text, .. }) = content.last_mut()
        {
            let length = text.trim_end().len();
            text.to_mut().truncate(length);
        }
    }
}

fn unreadable(place: &dyn Fn() -> String, problem: impl ToString) -> TranslationError {
    TranslationError::Unreadable { place: place(), problem: problem.to_string() }
}

/// The contents of a message. Empty texts are refused by Anthropic and left out.
fn blocks<'a>(
    content: Option<&'a RawValue>,
    cache_control: Option<&'a RawValue>,
    place: &dyn Fn() -> String,
) -> Result<Vec<Block<'a>>, TranslationError> {
    let Some(raw) = content.filter(|content| content.get() != "null") else { return Ok(Vec::new()) };
    if raw.get().starts_with('"') {
        let text: String = serde_json::from_str(raw.get()).map_err(|error| unreadable(place, error))?;
        let block = Block::Text { text: Cow::Owned(text), cache_control };
        return Ok(Vec::from_iter(Some(block).filter(|block| !is_blank(block))));
    }
    let parts: Vec<Part<'a>> = serde_json::from_str(raw.get()).map_err(|error| unreadable(place, error))?;
    let mut blocks = Vec::with_capacity(parts.len());
    for part in parts {
        let block = block(part, place)?;
        if !is_blank(&block) {
            blocks.push(block);
        }
    }
    Ok(blocks)
}

fn is_blank(block: &Block<'_>) -> bool {
    matches!(block, Block::Text { text, .. } if text.is_empty())
}

fn block<'a>(part: Part<'a>, place: &dyn Fn() -> String) -> Result<Block<'a>, TranslationError> {
    let cache_control = part.cache_control;
    match &*part.kind {
        "text" | "refusal" => Ok(Block::Text { text: part.text.unwrap_or_default(), cache_control }),
        "image_url" => {
            let (ImageUrl::Object { url } | ImageUrl::Text(url)) =
                part.image_url.ok_or_else(|| unreadable(place, "an image has no image_url"))?;
            Ok(Block::Image { source: source(url, place)?, cache_control })
        }
        "file" => {
            let FilePart { filename, file_data } = part.file.ok_or_else(|| unreadable(place, "a file has no contents"))?;
            let data = file_data.ok_or(TranslationError::Unsupported("a file given by its id"))?;
            Ok(Block::Document { source: source(data, place)?, title: filename, cache_control })
        }
        "input_audio" => Err(TranslationError::Unsupported("audio input")),
        "video_url" | "input_video" => Err(TranslationError::Unsupported("video input")),
        _ => Err(TranslationError::Unsupported("a content part of this type")),
    }
}

/// `data:image/png;base64,…` or an address.
fn source<'a>(url: Cow<'a, str>, place: &dyn Fn() -> String) -> Result<Source<'a>, TranslationError> {
    let Some(rest) = url.strip_prefix("data:") else { return Ok(Source::Url { url }) };
    let (head, data) = rest.split_once(',').ok_or_else(|| unreadable(place, "a data URL has no comma"))?;
    let media_type = head.strip_suffix(";base64").ok_or_else(|| unreadable(place, "a data URL must be base64"))?;
    let media_type = media_type.split(';').next().unwrap_or(media_type);
    Ok(Source::Base64 { media_type: Cow::Owned(media_type.to_owned()), data: Cow::Owned(data.to_owned()) })
}

/// What the model thought, for it to go on from. Pieces of a stream that carry one index are one block; what has no
/// signature, or another family's, would be refused and is left out.
fn reasoning<'a>(details: &[ReasoningDetail<'a>]) -> Vec<Block<'a>> {
    let mut blocks: Vec<Block<'a>> = Vec::new();
    let mut open: Option<u64> = None;
    let ours = details.iter().filter(|detail| detail.format.as_deref().is_none_or(|format| format == REASONING_FORMAT));
    for detail in ours {
        match (&*detail.kind, &detail.data) {
            ("reasoning.encrypted", Some(data)) => {
                blocks.push(Block::RedactedThinking { data: data.clone() });
                open = None;
            }
            ("reasoning.text", _) => {
                let text = detail.text.as_deref().unwrap_or_default();
                let signed = detail.signature.as_deref().unwrap_or_default();
                match blocks.last_mut() {
                    Some(Block::Thinking { thinking, signature }) if open.is_some() && open == detail.index && signature.is_empty() => {
                        thinking.push_str(text);
                        signature.push_str(signed);
                    }
                    _ => blocks.push(Block::Thinking { thinking: text.to_owned(), signature: signed.to_owned() }),
                }
                open = detail.index;
            }
            _ => {}
        }
    }
    blocks.retain(|block| !matches!(block, Block::Thinking { signature, .. } if signature.is_empty()));
    blocks
}

fn tool_use<'a>(call: &ToolCall<'a>, place: &dyn Fn() -> String) -> Result<Block<'a>, TranslationError> {
    let arguments = call.function.arguments.trim();
    let arguments = if arguments.is_empty() { "{}" } else { arguments };
    let wrong = || unreadable(place, "the arguments of a tool call are no JSON object");
    let input = RawValue::from_string(arguments.to_owned()).ok().filter(|raw| raw.get().starts_with('{')).ok_or_else(wrong)?;
    Ok(Block::ToolUse { id: call.id.clone(), name: call.function.name.clone(), input })
}
