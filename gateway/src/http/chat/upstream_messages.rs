//! The conversation as one provider takes it: [`ConversationForm`] says how.
//!
//! A client hands the model's messages back as it got them, and another provider may have written them: with members this one
//! refuses, its thoughts by another name, ids of another shape. Where nothing has to change, bytes are copied.

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::providers::{ConversationForm, Quirks, THOUGHTS, ThoughtForm, ToolIds};
use crate::wire::members::{Member, elements, members};

/// Stands where the model said nothing and has to have said something.
const BLANK: &str = "\" \"";

/// Members that a provider refuses, wherever it meets them.
pub(super) struct Without<'a> {
    pub names: &'a [&'a str],
    /// In which members of an object there may be more of them. What else is in it is the client's own and is copied.
    pub below: &'a [&'a str],
}

/// Writes `messages`.
pub(super) fn push_messages(body: &mut Vec<u8>, messages: &str, quirks: &Quirks) {
    let form = &quirks.conversation;
    if quirks.left_out.is_empty() && is_copied(form, messages) {
        body.extend_from_slice(messages.as_bytes());
        return;
    }
    let mut writer = Writer { body, form, without: quirks.left_out, members: Vec::new() };
    writer.body.push(b'[');
    let (mut is_first, mut is_after_a_tool) = (true, false);
    for element in elements(messages).filter_map(Result::ok) {
        let start = writer.body.len();
        if !is_first {
            writer.body.push(b',');
        }
        let role = writer.message(element.of_str(messages), is_after_a_tool);
        if role == Role::Unsaid {
            writer.body.truncate(start);
            continue;
        }
        is_first = false;
        is_after_a_tool = role == Role::Tool;
    }
    writer.body.push(b']');
}

/// Whether a conversation can be sent as it is, told without reading it.
fn is_copied(form: &ConversationForm, messages: &str) -> bool {
    match form.thoughts {
        _ if form.is_strict || form.tool_ids != ToolIds::Any || form.has_model_answer_tools => false,
        ThoughtForm::AsWritten => true,
        ThoughtForm::BothNames => memmem::find(messages.as_bytes(), b"\"reasoning").is_none(),
        ThoughtForm::Reasoning | ThoughtForm::ReasoningContent | ThoughtForm::Nothing => {
            memmem::find(messages.as_bytes(), b"\"assistant\"").is_none()
        }
    }
}

/// Whose a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Model,
    Tool,
    User,
    Other,
    /// A turn of the model with nothing in it that this provider takes.
    Unsaid,
}

struct Writer<'b> {
    body: &'b mut Vec<u8>,
    form: &'b ConversationForm,
    /// Left out wherever it stands.
    without: &'b [&'b str],
    /// Of the message that is written; kept from one to the next for its memory alone.
    members: Vec<Member>,
}

impl Writer<'_> {
    /// Writes a message. What is no object is copied.
    fn message(&mut self, text: &str, is_after_a_tool: bool) -> Role {
        let mut found = std::mem::take(&mut self.members);
        found.clear();
        found.extend(members(text).filter_map(Result::ok));
        let message = Message { text, members: &found };
        let role = message.role();
        let written = match role {
            Role::Model => self.of_the_model(&message),
            _ if found.is_empty() => {
                self.body.extend_from_slice(text.as_bytes());
                role
            }
            _ => {
                if role == Role::User && is_after_a_tool && self.form.has_model_answer_tools {
                    self.body.extend_from_slice(format!("{{\"role\":\"assistant\",\"content\":{BLANK}}},").as_bytes());
                }
                self.of_others(&message, role);
                role
            }
        };
        self.members = found;
        written
    }

    /// A message of the user's, the system's or a tool's.
    fn of_others(&mut self, message: &Message<'_>, role: Role) {
        let mut object = Object::open(self.body);
        for (member, name, value) in message.each() {
            let is_refused = self.without.contains(&&*name) || self.is_renamed(&name);
            if is_refused || (self.form.is_strict && name != "content" && value == "null") {
                continue;
            }
            object.name(self.body, member.key.quoted().of_str(message.text));
            match &*name {
                "content" => push_without(self.body, value, &Without { names: self.without, below: &[] }),
                "tool_call_id" if role == Role::Tool => self.id(value),
                _ => self.body.extend_from_slice(value.as_bytes()),
            }
        }
        object.close(self.body);
    }

    fn of_the_model(&mut self, message: &Message<'_>) -> Role {
        let form = self.form;
        let has_calls = message.value("tool_calls").is_some_and(is_said);
        let refuses_refusals = form.left_out.contains(&"refusal");
        let refusal = message.value("refusal").filter(|refusal| refuses_refusals && is_said(refusal));
        let thought = self.thought(message, has_calls);
        let mut object = Object::open(self.body);
        let mut is_said_anything = false;
        for (member, name, value) in message.each() {
            if matches!(&*name, "role") {
                object.name(self.body, "\"role\"");
                self.body.extend_from_slice(value.as_bytes());
                continue;
            }
            let is_refused = self.without.contains(&&*name) || form.left_out.contains(&&*name) || self.is_renamed(&name);
            if is_refused || name == "content" || (form.is_strict && !is_said(value)) {
                continue;
            }
            is_said_anything |= matches!(&*name, "tool_calls" | "function_call" | "audio" | "refusal");
            object.name(self.body, member.key.quoted().of_str(message.text));
            match &*name {
                "tool_calls" => self.calls(value),
                _ => self.body.extend_from_slice(value.as_bytes()),
            }
        }
        for name in self.thought_names().iter().filter(|_| thought.is_some()) {
            object.name(self.body, name);
            self.body.extend_from_slice(thought.as_deref().unwrap_or_default().as_bytes());
        }
        let content = message.value("content");
        let has_content = content.is_some_and(is_said);
        let content = if has_content { content } else { refusal.or(content) };
        match content {
            Some(content) if !form.is_strict || is_said(content) || (is_said_anything && content == "\"\"") => {
                object.name(self.body, "\"content\"");
                push_without(self.body, content, &Without { names: self.without, below: &[] });
            }
            None if !form.is_strict => {}
            // Without words: beside calls it is null, beside thoughts alone an empty text, which every provider takes.
            _ if is_said_anything => {
                object.name(self.body, "\"content\"");
                self.body.extend_from_slice(b"null");
            }
            _ if thought.is_some() => {
                object.name(self.body, "\"content\"");
                self.body.extend_from_slice(b"\"\"");
            }
            _ => return Role::Unsaid,
        }
        object.close(self.body);
        Role::Model
    }

    /// Whether a member tells a thought, by a name that it has not here.
    fn is_renamed(&self, name: &str) -> bool {
        match self.form.thoughts {
            ThoughtForm::AsWritten => false,
            ThoughtForm::BothNames => matches!(name, "reasoning" | "reasoning_content"),
            ThoughtForm::Reasoning | ThoughtForm::ReasoningContent | ThoughtForm::Nothing => THOUGHTS.contains(&name),
        }
    }

    const fn thought_names(&self) -> &'static [&'static str] {
        match self.form.thoughts {
            ThoughtForm::AsWritten | ThoughtForm::Nothing => &[],
            ThoughtForm::BothNames => &["\"reasoning\"", "\"reasoning_content\""],
            ThoughtForm::Reasoning => &["\"reasoning\""],
            ThoughtForm::ReasoningContent => &["\"reasoning_content\""],
        }
    }

    /// What the model thought, as a JSON string.
    fn thought<'m>(&self, message: &Message<'m>, has_calls: bool) -> Option<Cow<'m, str>> {
        if self.thought_names().is_empty() {
            return None;
        }
        let is_text = |value: &&str| value.starts_with('"') && is_said(value);
        let plain = message.value("reasoning_content").filter(is_text).or(message.value("reasoning").filter(is_text)).map(Cow::Borrowed);
        let is_needed = self.form.thoughts == ThoughtForm::ReasoningContent;
        let detailed = || message.value("reasoning_details").filter(|_| is_needed).and_then(words_of_details).map(Cow::Owned);
        plain.or_else(detailed).or((is_needed && has_calls).then_some(Cow::Borrowed(BLANK)))
    }

    /// The calls of a message, each with an id that is taken.
    fn calls(&mut self, calls: &str) {
        if !calls.starts_with('[') {
            self.body.extend_from_slice(calls.as_bytes());
            return;
        }
        self.body.push(b'[');
        for (place, call) in elements(calls).filter_map(Result::ok).enumerate() {
            if place > 0 {
                self.body.push(b',');
            }
            self.call(call.of_str(calls));
        }
        self.body.push(b']');
    }

    fn call(&mut self, call: &str) {
        if !call.starts_with('{') {
            self.body.extend_from_slice(call.as_bytes());
            return;
        }
        let mut object = Object::open(self.body);
        for member in members(call).filter_map(Result::ok) {
            let name = member.key.resolve(call.as_bytes());
            if self.without.contains(&&*name) || self.form.left_out.contains(&&*name) {
                continue;
            }
            object.name(self.body, member.key.quoted().of_str(call));
            let value = member.value.of_str(call);
            match &*name {
                "id" => self.id(value),
                "function" => push_without(self.body, value, &Without { names: self.form.left_out, below: &[] }),
                _ => self.body.extend_from_slice(value.as_bytes()),
            }
        }
        object.close(self.body);
    }

    /// An id, a JSON string; what is none is copied.
    fn id(&mut self, json: &str) {
        let ids = self.form.tool_ids;
        let inside = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        if ids == ToolIds::Any || inside.is_some_and(|inside| !inside.contains('\\') && ids.takes(inside)) {
            self.body.extend_from_slice(json.as_bytes());
            return;
        }
        match serde_json::from_str::<String>(json) {
            Ok(id) => self.body.extend_from_slice(serde_json::Value::from(ids.sent(Cow::Owned(id))).to_string().as_bytes()),
            Err(_) => self.body.extend_from_slice(json.as_bytes()),
        }
    }
}

/// A message, found in the conversation.
struct Message<'m> {
    text: &'m str,
    members: &'m [Member],
}

impl<'m> Message<'m> {
    /// Every member with its name and its value.
    fn each(&self) -> impl Iterator<Item = (&'m Member, Cow<'m, str>, &'m str)> {
        let text = self.text;
        self.members.iter().map(move |member| (member, member.key.resolve(text.as_bytes()), member.value.of_str(text)))
    }

    /// The last member of this name.
    fn value(&self, name: &str) -> Option<&'m str> {
        let found = self.members.iter().rev().find(|member| member.key.is(self.text.as_bytes(), name));
        found.map(|member| member.value.of_str(self.text))
    }

    fn role(&self) -> Role {
        match self.value("role") {
            Some("\"assistant\"") => Role::Model,
            Some("\"tool\"") => Role::Tool,
            Some("\"user\"") => Role::User,
            _ => Role::Other,
        }
    }
}

/// A JSON object in the making.
struct Object {
    is_empty: bool,
}

impl Object {
    fn open(body: &mut Vec<u8>) -> Self {
        body.push(b'{');
        Self { is_empty: true }
    }

    /// A member's name, quotes included; its value follows.
    fn name(&mut self, body: &mut Vec<u8>, quoted: &str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            body.push(b',');
        }
        body.extend_from_slice(quoted.as_bytes());
        body.push(b':');
    }

    fn close(self, body: &mut Vec<u8>) {
        body.push(b'}');
    }
}

/// Whether a value says anything.
fn is_said(value: &str) -> bool {
    match value.as_bytes().first() {
        Some(b'[') => value[1..].trim_ascii_start() != "]",
        _ => !matches!(value, "null" | "\"\""),
    }
}

/// The words of reasoning details, as one JSON string.
fn words_of_details(details: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Detail<'a> {
        #[serde(borrow)]
        text: Option<&'a RawValue>,
        #[serde(borrow)]
        summary: Option<&'a RawValue>,
    }
    let details: Vec<Detail<'_>> = serde_json::from_str(details).ok()?;
    let inside = |raw: &RawValue| raw.get().strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
    let words: String = details.iter().filter_map(|detail| detail.text.or(detail.summary).and_then(inside)).collect();
    if words.is_empty() { None } else { Some(format!("\"{words}\"")) }
}

/// A list, or an object, without those members; any other value as it is.
pub(super) fn push_without(body: &mut Vec<u8>, text: &str, without: &Without<'_>) {
    match text.as_bytes().first() {
        _ if without.names.is_empty() => body.extend_from_slice(text.as_bytes()),
        Some(b'[') => {
            body.push(b'[');
            for (place, element) in elements(text).filter_map(Result::ok).enumerate() {
                if place > 0 {
                    body.push(b',');
                }
                push_without(body, element.of_str(text), without);
            }
            body.push(b']');
        }
        Some(b'{') => {
            let mut object = Object::open(body);
            let kept = members(text).filter_map(Result::ok);
            for member in kept.filter(|member| !without.names.iter().any(|name| member.key.is(text.as_bytes(), name))) {
                object.name(body, member.key.quoted().of_str(text));
                let value = member.value.of_str(text);
                if without.below.iter().any(|name| member.key.is(text.as_bytes(), name)) {
                    push_without(body, value, without);
                } else {
                    body.extend_from_slice(value.as_bytes());
                }
            }
            object.close(body);
        }
        _ => body.extend_from_slice(text.as_bytes()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests;
