//! The messages: system texts apart, and turns of content blocks.
//!
//! Tool results belong to the user's turn that follows the call, so neighbouring messages of one side are joined.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::TranslationError;
use super::chat::{FilePart, ImageUrl, Message, Part, ReasoningDetail, ToolCall};
use super::source::Source;
use crate::providers::ToolIds;
use crate::providers::anthropic::call_loop::{Said, calls_without_a_thought};
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
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Vec<Self>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
}

impl Turn<'_> {
    fn said(&self) -> Said {
        Said {
            is_of_the_model: self.role == "assistant",
            has_result: self.content.iter().any(is_result),
            has_only_results: self.content.iter().all(is_result),
            has_call: self.content.iter().any(|block| matches!(block, Block::ToolUse { .. })),
            begins_with_a_thought: matches!(self.content.first(), Some(Block::Thinking { .. } | Block::RedactedThinking { .. })),
        }
    }
}

impl<'a> Block<'a> {
    fn take_cache_control(&mut self) -> Option<&'a RawValue> {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => cache_control.take(),
            Self::Thinking { .. } | Self::RedactedThinking { .. } => None,
        }
    }
}

impl<'a> Conversation<'a> {
    pub(super) fn read(messages: &[Message<'a>]) -> Result<Self, TranslationError> {
        let mut conversation = Self { system: Vec::new(), turns: Vec::new() };
        for (index, message) in messages.iter().enumerate() {
            let place = || format!("messages[{index}]");
            let mut content = blocks(message.content, message.cache_control, &place)?;
            match &*message.role {
                "system" | "developer" => conversation.system.append(&mut content),
                "tool" | "function" => conversation.add("user", vec![tool_result(message, content, &place)?]),
                "assistant" => {
                    let mut said = reasoning(message.reasoning_details.as_deref().unwrap_or_default());
                    said.append(&mut content);
                    if let Some(refusal) = message.refusal.clone().filter(|refusal| !refusal.is_empty()) {
                        said.push(Block::Text { text: refusal, cache_control: None });
                    }
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

    /// Whether the calls of tools at the end of the conversation go back without a thought.
    pub(super) fn calls_without_a_thought(&self) -> bool {
        calls_without_a_thought(self.turns.iter().map(Turn::said))
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

pub(super) fn unreadable(place: &dyn Fn() -> String, problem: impl ToString) -> TranslationError {
    TranslationError::Unreadable { place: place(), problem: problem.to_string() }
}

/// The contents of a message. Blank texts are refused by Anthropic and left out.
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

fn is_result(block: &Block<'_>) -> bool {
    matches!(block, Block::ToolResult { .. })
}

fn is_blank(block: &Block<'_>) -> bool {
    matches!(block, Block::Text { text, .. } if text.trim().is_empty())
}

fn block<'a>(part: Part<'a>, place: &dyn Fn() -> String) -> Result<Block<'a>, TranslationError> {
    let cache_control = part.cache_control;
    match &*part.kind {
        "text" | "refusal" => Ok(Block::Text { text: part.text.or(part.refusal).unwrap_or_default(), cache_control }),
        "image_url" => {
            let (ImageUrl::Object { url } | ImageUrl::Text(url)) =
                part.image_url.ok_or_else(|| unreadable(place, "an image has no image_url"))?;
            Ok(Block::Image { source: Source::of_image(url, place)?, cache_control })
        }
        "file" => {
            let FilePart { filename, file_data } = part.file.ok_or_else(|| unreadable(place, "a file has no contents"))?;
            let data = file_data.ok_or(TranslationError::Unsupported("a file given by its id"))?;
            Ok(Block::Document { source: Source::of_file(data, place)?, title: filename.filter(|name| !name.is_empty()), cache_control })
        }
        "input_audio" => Err(TranslationError::Unsupported("audio input")),
        "video_url" | "input_video" => Err(TranslationError::Unsupported("video input")),
        _ => Err(TranslationError::Unsupported("a content part of this type")),
    }
}

/// What the model thought, for it to go on from. Pieces of a stream that carry one index are one block; what has no
/// signature, or another family's, would be refused and is left out.
fn reasoning<'a>(details: &[ReasoningDetail<'a>]) -> Vec<Block<'a>> {
    let mut blocks: Vec<Block<'a>> = Vec::new();
    let mut open: Option<u64> = None;
    let ours = details.iter().filter(|detail| detail.format.as_deref().is_none_or(is_our_format));
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

/// Every piece of a stream names its format; a client that joins pieces member by member (OpenAI's `stream` helper) has it several times.
fn is_our_format(format: &str) -> bool {
    let mut names = format.as_bytes().chunks(REASONING_FORMAT.len()).peekable();
    names.peek().is_some() && names.all(|name| name == REASONING_FORMAT.as_bytes())
}

fn tool_use<'a>(call: &ToolCall<'a>, place: &dyn Fn() -> String) -> Result<Block<'a>, TranslationError> {
    let arguments = call.function.arguments.trim();
    let arguments = if arguments.is_empty() { "{}" } else { arguments };
    let wrong = || unreadable(place, "the arguments of a tool call are no JSON object");
    let input = RawValue::from_string(arguments.to_owned()).ok().filter(|raw| raw.get().starts_with('{')).ok_or_else(wrong)?;
    Ok(Block::ToolUse {
        id: ToolIds::Plain.sent(call.id.clone()),
        name: call.function.name.clone(),
        input,
        cache_control: call.cache_control,
    })
}

/// What a tool gave back. A mark of the cache stands on the result itself: Anthropic takes none inside of one.
fn tool_result<'a>(message: &Message<'a>, mut content: Vec<Block<'a>>, place: &dyn Fn() -> String) -> Result<Block<'a>, TranslationError> {
    let id = message.tool_call_id.clone().ok_or_else(|| unreadable(place, "it has no tool_call_id"))?;
    let mut cache_control = message.cache_control;
    for block in &mut content {
        cache_control = block.take_cache_control().or(cache_control);
    }
    Ok(Block::ToolResult { tool_use_id: ToolIds::Plain.sent(id), content, cache_control })
}
