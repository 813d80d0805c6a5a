//! The items of `input` as the messages of a chat.
//!
//! A model's turn is several items here (what it thought, said and called) and one message there; what its tools gave back
//! follows it at once, and then what they showed, which only the user can. The items may stand in any order, as OpenAI takes them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::item::{Item, ItemKind};
use super::part::{ChatPart, Content, json_text, lines, parts};
use super::thought::Thoughts;
use crate::http::error::ApiError;

#[derive(Debug, Default, Serialize)]
pub(super) struct ChatMessage<'a> {
    role: &'static str,
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a RawValue>,
    /// The same by both names: models that go on from their thoughts want the one or the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall<'a>>,
}

#[derive(Debug, Serialize)]
struct ToolCall<'a> {
    id: &'a RawValue,
    #[serde(flatten)]
    called: Called<'a>,
    /// What its provider wants back with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Box<RawValue>>,
}

impl ToolCall<'_> {
    fn id(&self) -> String {
        serde_json::from_str(self.id.get()).unwrap_or_default()
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Called<'a> {
    Function { function: Function<'a> },
    Custom { custom: Custom<'a> },
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: Cow<'a, RawValue>,
    arguments: &'a RawValue,
}

#[derive(Debug, Serialize)]
struct Custom<'a> {
    name: Cow<'a, RawValue>,
    input: &'a RawValue,
}

/// The messages of a request, its instructions first.
pub(super) fn messages<'a>(instructions: Option<&'a RawValue>, input: &'a RawValue) -> Result<Vec<ChatMessage<'a>>, ApiError> {
    let mut conversation = Conversation::default();
    if let Some(instructions) = instructions {
        if !instructions.get().starts_with('"') {
            return Err(ApiError::bad_request("instructions", "instructions must be a string"));
        }
        conversation.push("system", Content::Text(Cow::Borrowed(instructions)));
    }
    if input.get().starts_with('"') {
        conversation.push("user", Content::Text(Cow::Borrowed(input)));
        return Ok(conversation.messages);
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(input.get()).map_err(|_| ApiError::bad_request("input", "input must be a string or an array of items"))?;
    if items.is_empty() {
        return Err(ApiError::bad_request("input", "input must not be empty"));
    }
    for (index, item) in items.into_iter().enumerate() {
        let place = format!("input[{index}]");
        let item = serde_json::from_str(item.get()).map_err(|error| ApiError::bad_request(&*place, format!("{place}: {error}")))?;
        conversation.add(&item, &place)?;
    }
    conversation.end_turn();
    Ok(conversation.messages)
}

#[derive(Default)]
struct Conversation<'a> {
    messages: Vec<ChatMessage<'a>>,
    /// The model's turn that has begun.
    turn: Option<Turn<'a>>,
    /// The ids of its calls whose outputs have not come.
    unanswered: Vec<String>,
    /// What tools showed since it ended.
    shown: Vec<ChatPart<'a>>,
    /// What others said before all outputs had come. Chat wants those right behind the calls.
    waiting: Vec<ChatMessage<'a>>,
}

#[derive(Default)]
struct Turn<'a> {
    thoughts: Thoughts,
    said: Vec<ChatPart<'a>>,
    calls: Vec<ToolCall<'a>>,
}

impl<'a> Conversation<'a> {
    fn add(&mut self, item: &Item<'a>, place: &str) -> Result<(), ApiError> {
        match item.kind(place)? {
            ItemKind::Message => self.message(item, place),
            ItemKind::Reasoning => self.turn().thoughts.add(item, place),
            ItemKind::FunctionCall => {
                let name = item.called(place)?;
                let arguments = item.text("arguments", item.arguments, place)?;
                self.call(item, Called::Function { function: Function { name, arguments } }, place)
            }
            ItemKind::CustomToolCall => {
                let (name, input) = (item.called(place)?, item.text("input", item.input, place)?);
                self.call(item, Called::Custom { custom: Custom { name, input } }, place)
            }
            ItemKind::ToolOutput => self.output(item, place),
        }
    }

    fn message(&mut self, item: &Item<'a>, place: &str) -> Result<(), ApiError> {
        let role = item.role.as_deref().unwrap_or_default();
        let given = parts(item.needed("content", item.content, place)?, &format!("{place}.content"))?;
        match role {
            "assistant" => self.turn().said.extend(given),
            "user" => self.others("user", given),
            // The one is OpenAI's newer word for the other, and other providers know only the older.
            "system" | "developer" => self.others("system", given),
            _ => {
                let message = format!("{place}.role must be one of user, assistant, system, developer");
                return Err(ApiError::bad_request(format!("{place}.role"), message));
            }
        }
        Ok(())
    }

    /// What the user or the system says.
    fn others(&mut self, role: &'static str, given: Vec<ChatPart<'a>>) {
        self.end_said();
        if self.unanswered.is_empty() {
            self.end_shown();
            self.push(role, Content::of(given));
        } else {
            self.waiting.push(ChatMessage { role, content: Some(Content::of(given)), ..ChatMessage::default() });
        }
    }

    fn call(&mut self, item: &Item<'a>, called: Called<'a>, place: &str) -> Result<(), ApiError> {
        let id = item.text("call_id", item.call_id, place)?;
        self.turn().calls.push(ToolCall { id, called, extra_content: None });
        Ok(())
    }

    /// A tool's message is its text, which is all that OpenAI takes in one; what else it gave is shown by the user.
    fn output(&mut self, item: &Item<'a>, place: &str) -> Result<(), ApiError> {
        let id = item.text("call_id", item.call_id, place)?;
        let given = parts(item.needed("output", item.output, place)?, &format!("{place}.output"))?;
        self.end_said();
        let (mut texts, seen): (Vec<ChatPart<'a>>, Vec<ChatPart<'a>>) = given.into_iter().partition(ChatPart::is_text);
        let content =
            if texts.len() == 1 { Content::of(std::mem::take(&mut texts)) } else { Content::Text(lines(texts.iter().filter_map(words))) };
        self.messages.push(ChatMessage { role: "tool", content: Some(content), tool_call_id: Some(id), ..ChatMessage::default() });
        let whose = serde_json::from_str::<String>(id.get()).unwrap_or_default();
        self.unanswered.retain(|id| *id != whose);
        for part in seen {
            self.shown.push(ChatPart::text(json_text(&format!("{} from tool call {whose}:", part.noun()))));
            self.shown.push(part);
        }
        Ok(())
    }

    fn push(&mut self, role: &'static str, content: Content<'a>) {
        self.messages.push(ChatMessage { role, content: Some(content), ..ChatMessage::default() });
    }

    /// The model's turn, begun where there is none.
    fn turn(&mut self) -> &mut Turn<'a> {
        self.end_shown();
        self.turn.get_or_insert_default()
    }

    fn end_turn(&mut self) {
        self.end_said();
        self.end_shown();
    }

    fn end_said(&mut self) {
        let Some(Turn { thoughts, said, mut calls }) = self.turn.take() else { return };
        let plain = thoughts.plain();
        if said.is_empty() && calls.is_empty() && thoughts.details.is_empty() {
            return;
        }
        for (id, extra_content) in thoughts.calls {
            if let Some(call) = calls.iter_mut().find(|call| call.id() == id) {
                call.extra_content = Some(extra_content);
            }
        }
        self.unanswered = calls.iter().map(ToolCall::id).collect();
        self.messages.push(ChatMessage {
            role: "assistant",
            content: if said.is_empty() && !calls.is_empty() { None } else { Some(Content::of(said)) },
            reasoning: plain.clone(),
            reasoning_content: plain,
            reasoning_details: thoughts.details,
            tool_calls: calls,
            ..ChatMessage::default()
        });
    }

    /// After the outputs comes what they showed, and then what was said before they had come.
    fn end_shown(&mut self) {
        if !self.shown.is_empty() {
            let shown = Content::Parts(std::mem::take(&mut self.shown));
            self.push("user", shown);
        }
        self.messages.append(&mut self.waiting);
        self.unanswered.clear();
    }
}

fn words<'p>(part: &'p ChatPart<'_>) -> Option<&'p RawValue> {
    match part {
        ChatPart::Text { text, .. } => Some(text),
        ChatPart::ImageUrl { .. } | ChatPart::File { .. } | ChatPart::InputAudio { .. } => None,
    }
}
