//! The tools a model may call, and which of them it may or must.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::TranslationError;
use super::chat::{ChatBody, ChatTool};

#[derive(Debug, Serialize)]
pub(super) struct Tool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: InputSchema<'a>,
    /// Its arguments keep to the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
}

/// A schema as the client wrote it; a function without one takes an empty object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum InputSchema<'a> {
    Given(&'a RawValue),
    Empty { r#type: &'static str, properties: Nothing },
}

#[derive(Debug, Serialize)]
struct Nothing {}

#[derive(Debug, Serialize)]
pub(super) struct ToolChoice {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

impl ToolChoice {
    /// Anthropic refuses to think where a tool is forced. Of the two, the choice is what the client's code relies on: the
    /// call is made without a thought.
    pub(super) fn is_forced(&self) -> bool {
        matches!(self.kind, "any" | "tool")
    }
}

pub(super) fn tools<'a>(chat: &'a ChatBody<'_>) -> Result<Vec<Tool<'a>>, TranslationError> {
    chat.tools.iter().flatten().map(tool).collect()
}

fn tool<'a>(tool: &'a ChatTool<'_>) -> Result<Tool<'a>, TranslationError> {
    let Some(function) = tool.function.as_ref().filter(|_| tool.kind == "function") else {
        return Err(TranslationError::Unsupported("a tool that is no function"));
    };
    let schema = function.parameters.filter(|schema| schema.get() != "null");
    Ok(Tool {
        name: &function.name,
        description: function.description.as_deref(),
        input_schema: schema.map_or(InputSchema::Empty { r#type: "object", properties: Nothing {} }, InputSchema::Given),
        strict: function.strict.filter(|is_strict| *is_strict),
        cache_control: tool.cache_control.or(function.cache_control),
    })
}

/// A choice that is no word. `allowed_tools` stands in an object of its own, or, as in OpenAI's Responses, beside `type`.
#[derive(Debug, Deserialize)]
struct GivenChoice {
    function: Option<Named>,
    allowed_tools: Option<Allowed>,
    mode: Option<String>,
    tools: Option<Vec<AllowedTool>>,
}

#[derive(Debug, Deserialize)]
struct Allowed {
    mode: String,
    tools: Vec<AllowedTool>,
}

#[derive(Debug, Deserialize)]
struct AllowedTool {
    function: Option<Named>,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

impl GivenChoice {
    fn allowed(self) -> Option<Allowed> {
        self.allowed_tools.or(self.mode.zip(self.tools).map(|(mode, tools)| Allowed { mode, tools }))
    }
}

impl AllowedTool {
    fn name(&self) -> Option<&str> {
        self.function.as_ref().map(|function| &*function.name).or(self.name.as_deref())
    }
}

/// What the client chose. Where it allows some of the tools, the others are taken out of `tools`: Anthropic knows no such
/// choice, and calls none that it is not shown.
pub(super) fn tool_choice(chat: &ChatBody<'_>, tools: &mut Vec<Tool<'_>>) -> Result<Option<ToolChoice>, TranslationError> {
    if tools.is_empty() {
        return Ok(None);
    }
    let parallel = (chat.parallel_tool_calls == Some(false)).then_some(true);
    let of_kind = |kind: &'static str| ToolChoice { kind, name: None, disable_parallel_tool_use: parallel.filter(|_| kind != "none") };
    let Some(raw) = chat.tool_choice.filter(|choice| choice.get() != "null") else {
        return Ok(parallel.map(|_| of_kind("auto")));
    };
    let unknown = || unreadable("it must be none, auto, required, a function or allowed_tools");
    if raw.get().starts_with('"') {
        let word: String = serde_json::from_str(raw.get()).map_err(|_| unknown())?;
        return kind_of(&word).map(|kind| Some(of_kind(kind))).ok_or_else(unknown);
    }
    let mut choice: GivenChoice = serde_json::from_str(raw.get()).map_err(|_| unknown())?;
    if let Some(Named { name }) = choice.function.take() {
        return Ok(Some(ToolChoice { name: Some(name), ..of_kind("tool") }));
    }
    let allowed = choice.allowed().ok_or_else(unknown)?;
    let kind = kind_of(&allowed.mode).ok_or_else(unknown)?;
    tools.retain(|tool| allowed.tools.iter().any(|allowed| allowed.name() == Some(tool.name)));
    if tools.is_empty() {
        return Err(unreadable("it allows none of the tools"));
    }
    Ok(Some(of_kind(kind)))
}

/// Anthropic's word for one of OpenAI's.
fn kind_of(word: &str) -> Option<&'static str> {
    match word {
        "none" => Some("none"),
        "auto" => Some("auto"),
        "required" => Some("any"),
        _ => None,
    }
}

fn unreadable(problem: &str) -> TranslationError {
    TranslationError::Unreadable { place: "tool_choice".to_owned(), problem: problem.to_owned() }
}
