//! What the relay writes, as far as this dialect looks into it: a frame of a stream and a whole answer alike. What a
//! provider wrote oddly counts as absent.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::messages::lenient::{or_default, readable};

#[derive(Debug, Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    pub created: i64,
    #[serde(borrow)]
    pub model: &'a RawValue,
    #[serde(borrow)]
    pub provider: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "readable")]
    pub choices: Vec<Choice<'a>>,
    #[serde(borrow)]
    pub usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    pub openrouter_metadata: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice<'a> {
    /// What a stream adds.
    #[serde(borrow, default, deserialize_with = "or_default")]
    delta: Delta<'a>,
    /// All that an answer says.
    #[serde(borrow, default, deserialize_with = "or_default")]
    message: Option<Delta<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub logprobs: Option<Logprobs<'a>>,
}

impl<'a> Choice<'a> {
    pub(super) fn said(&self) -> &Delta<'a> {
        self.message.as_ref().unwrap_or(&self.delta)
    }
}

/// Members of a delta and of a message: they have the same names.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta<'a> {
    #[serde(borrow)]
    pub content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    pub reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    pub reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "readable")]
    pub reasoning_details: Vec<&'a RawValue>,
    #[serde(borrow, deserialize_with = "readable")]
    pub tool_calls: Vec<ToolCall<'a>>,
    #[serde(borrow, deserialize_with = "readable")]
    pub annotations: Vec<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Logprobs<'a> {
    /// A list of tokens. Both of OpenAI's dialects write them alike.
    #[serde(borrow)]
    pub content: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolCall<'a> {
    /// Its place among the calls of a stream. A whole message has none.
    #[serde(default, deserialize_with = "or_default")]
    pub index: Option<u32>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub function: Option<Function<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub custom: Option<Custom<'a>>,
    /// What its provider wants back with it.
    #[serde(borrow)]
    pub extra_content: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub arguments: Option<&'a RawValue>,
}

/// A call of a tool that takes a text instead of arguments.
#[derive(Debug, Deserialize)]
pub(super) struct Custom<'a> {
    #[serde(borrow)]
    pub name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub input: Option<&'a RawValue>,
}
