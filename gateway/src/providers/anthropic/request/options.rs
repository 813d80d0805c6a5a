//! What else is asked of the answer: its form, where it stops, and how it is sampled.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::TranslationError;
use super::chat::ChatBody;
use super::thinking;

#[derive(Debug, Serialize)]
pub(super) struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutputFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct OutputFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: &'a RawValue,
}

pub(super) fn output_config<'a>(chat: &'a ChatBody<'_>) -> Result<Option<OutputConfig<'a>>, TranslationError> {
    let (format, effort) = (output_format(chat)?, thinking::effort(chat));
    Ok((format.is_some() || effort.is_some()).then_some(OutputConfig { format, effort }))
}

/// A schema is given to Anthropic's structured output. `json_object` has no counterpart: the prompt, which has to ask
/// for JSON with OpenAI as well, is left to say it.
fn output_format<'a>(chat: &'a ChatBody<'_>) -> Result<Option<OutputFormat<'a>>, TranslationError> {
    let Some(format) = &chat.response_format else { return Ok(None) };
    match &*format.kind {
        "json_schema" => {
            let schema = format.json_schema.as_ref().and_then(|named| named.schema);
            let schema = schema.ok_or(TranslationError::Unsupported("a response_format without a schema"))?;
            Ok(Some(OutputFormat { kind: "json_schema", schema }))
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
    let problem = || "it must be a string or an array of strings".to_owned();
    let stop: Stop =
        serde_json::from_str(raw.get()).map_err(|_| TranslationError::Unreadable { place: "stop".to_owned(), problem: problem() })?;
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
    /// A thinking model takes none of them, nor does one that decides itself whether to think; recent models take not both
    /// of temperature and `top_p`. OpenAI's temperatures above 1 are beyond Anthropic's scale and left out: 1 is what it
    /// takes then anyway.
    pub(super) fn of(chat: &ChatBody<'a>, is_thinking: bool) -> Self {
        if is_thinking || thinking::is_adaptive_only(&chat.model) {
            return Self::default();
        }
        let given = |value: Option<&'a RawValue>| value.filter(|value| value.get() != "null");
        let is_within_scale = |value: &&RawValue| value.get().parse::<f64>().is_ok_and(|number| number <= 1.0);
        let temperature = given(chat.temperature).filter(is_within_scale);
        let top_p = given(chat.top_p).filter(|_| temperature.is_none());
        Self { temperature, top_p, top_k: given(chat.top_k) }
    }
}
