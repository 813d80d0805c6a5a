//! Everything of a request that is not the conversation: tools, thinking, sampling, structured output.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::TranslationError;
use super::chat::{ChatBody, ChatTool};
use crate::providers::anthropic::native::THINKING_TOKENS_MIN;

/// The longest budget that is asked for by effort.
const THINKING_TOKENS_MAX: u64 = 128_000;

#[derive(Debug, Serialize)]
pub(super) struct Tool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: InputSchema<'a>,
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
pub(super) struct ToolChoice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

impl ToolChoice<'_> {
    /// Anthropic refuses to think where a tool is forced.
    pub(super) fn is_forced(&self) -> bool {
        matches!(self.kind, "any" | "tool")
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Thinking {
    #[serde(rename = "type")]
    kind: &'static str,
    budget_tokens: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct OutputConfig<'a> {
    format: OutputFormat<'a>,
}

#[derive(Debug, Serialize)]
struct OutputFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: &'a RawValue,
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
        cache_control: tool.cache_control.or(function.cache_control),
    })
}

pub(super) fn tool_choice<'a>(chat: &'a ChatBody<'_>, has_tools: bool) -> Result<Option<ToolChoice<'a>>, TranslationError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Choice<'a> {
        Word(#[serde(borrow)] Cow<'a, str>),
        Named {
            #[serde(borrow)]
            function: Name<'a>,
        },
    }
    #[derive(Deserialize)]
    struct Name<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }
    if !has_tools {
        return Ok(None);
    }
    let parallel = (chat.parallel_tool_calls == Some(false)).then_some(true);
    let of_kind = |kind| ToolChoice { kind, name: None, disable_parallel_tool_use: parallel };
    let Some(raw) = chat.tool_choice.filter(|choice| choice.get() != "null") else {
        return Ok(parallel.map(|_| of_kind("auto")));
    };
    let choice: Choice<'_> = serde_json::from_str(raw.get())
        .map_err(|error| TranslationError::Unreadable { place: "tool_choice".to_owned(), problem: error.to_string() })?;
    Ok(Some(match choice {
        Choice::Word(word) => match &*word {
            "none" => ToolChoice { disable_parallel_tool_use: None, ..of_kind("none") },
            "required" => of_kind("any"),
            _ => of_kind("auto"),
        },
        Choice::Named { function } => ToolChoice { name: Some(Cow::Owned(function.name.into_owned())), ..of_kind("tool") },
    }))
}

/// The budget: the client's own, or a share of the output by effort. It stays below the output's cap; where there is
/// no room for the least budget, there is no thinking.
pub(super) fn thinking(chat: &ChatBody<'_>, max_tokens: u64) -> Option<Thinking> {
    let reasoning = chat.reasoning.as_ref();
    let effort = reasoning.and_then(|reasoning| reasoning.effort.as_deref()).or(chat.reasoning_effort.as_deref());
    let given = reasoning.and_then(|reasoning| reasoning.max_tokens);
    let is_enabled = reasoning.and_then(|reasoning| reasoning.enabled);
    if is_enabled == Some(false) || effort == Some("none") {
        return None;
    }
    let percent = match effort {
        Some("max" | "xhigh") => 95,
        Some("high") => 80,
        Some("low") => 20,
        Some("minimal") => 10,
        Some(_) => 50,
        None if given.is_some() || is_enabled == Some(true) => 50,
        None => return None,
    };
    let wanted = given.unwrap_or_else(|| (max_tokens.saturating_mul(percent) / 100).min(THINKING_TOKENS_MAX));
    let budget_tokens = wanted.max(THINKING_TOKENS_MIN).min(max_tokens.saturating_sub(1));
    (budget_tokens >= THINKING_TOKENS_MIN).then_some(Thinking { kind: "enabled", budget_tokens })
}

/// A schema is given to Anthropic's structured output. `json_object` has no counterpart: the prompt, which has to ask
/// for JSON with OpenAI as well, is left to say it.
pub(super) fn output_config<'a>(chat: &'a ChatBody<'_>) -> Result<Option<OutputConfig<'a>>, TranslationError> {
    let Some(format) = &chat.response_format else { return Ok(None) };
    match &*format.kind {
        "json_schema" => {
            let schema = format.json_schema.as_ref().and_then(|named| named.schema);
            let schema = schema.ok_or(TranslationError::Unsupported("a response_format without a schema"))?;
            Ok(Some(OutputConfig { format: OutputFormat { kind: "json_schema", schema } }))
        }
        "text" | "json_object" => Ok(None),
        _ => Err(TranslationError::Unsupported("this kind of response_format")),
    }
}

/// Blank sequences are refused by Anthropic and mean nothing to others.
pub(super) fn stop_sequences(stop: Option<&RawValue>) -> Result<Vec<String>, TranslationError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stop {
        One(String),
        Many(Vec<String>),
        None,
    }
    let Some(raw) = stop else { return Ok(Vec::new()) };
    let stop: Stop = serde_json::from_str(raw.get())
        .map_err(|error| TranslationError::Unreadable { place: "stop".to_owned(), problem: error.to_string() })?;
    let sequences = match stop {
        Stop::One(one) => vec![one],
        Stop::Many(many) => many,
        Stop::None => Vec::new(),
    };
    Ok(sequences.into_iter().filter(|sequence| !sequence.trim().is_empty()).collect())
}

/// What is left of the sampling parameters.
#[derive(Debug, Default)]
pub(super) struct Sampling<'a> {
    pub temperature: Option<&'a RawValue>,
    pub top_p: Option<&'a RawValue>,
    pub top_k: Option<&'a RawValue>,
}

impl<'a> Sampling<'a> {
    /// A thinking model takes none of them, recent models not both of temperature and `top_p`. OpenAI's temperatures
    /// above 1 are beyond Anthropic's scale and left out: 1 is what it takes then anyway.
    pub(super) fn of(chat: &ChatBody<'a>, is_thinking: bool) -> Self {
        if is_thinking {
            return Self::default();
        }
        let given = |value: Option<&'a RawValue>| value.filter(|value| value.get() != "null");
        let is_within_scale = |value: &&RawValue| value.get().parse::<f64>().is_ok_and(|number| number <= 1.0);
        let temperature = given(chat.temperature).filter(is_within_scale);
        let top_p = given(chat.top_p).filter(|_| temperature.is_none());
        Self { temperature, top_p, top_k: given(chat.top_k) }
    }
}
