//! What is read of a chat request, borrowed from its body. Members that Anthropic has no word for are not here.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Debug, Deserialize)]
pub(super) struct ChatBody<'a> {
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    #[serde(borrow)]
    pub messages: Vec<Message<'a>>,
    pub stream: Option<bool>,
    pub n: Option<u64>,
    pub max_tokens: Option<u64>,
    pub max_completion_tokens: Option<u64>,
    #[serde(borrow)]
    pub temperature: Option<&'a RawValue>,
    #[serde(borrow)]
    pub top_p: Option<&'a RawValue>,
    #[serde(borrow)]
    pub top_k: Option<&'a RawValue>,
    #[serde(borrow)]
    pub stop: Option<&'a RawValue>,
    #[serde(borrow)]
    pub tools: Option<Vec<ChatTool<'a>>>,
    #[serde(borrow)]
    pub tool_choice: Option<&'a RawValue>,
    /// The old form of tools, whose answers have a form of their own as well.
    #[serde(borrow)]
    pub functions: Option<&'a RawValue>,
    pub parallel_tool_calls: Option<bool>,
    #[serde(borrow)]
    pub response_format: Option<ResponseFormat<'a>>,
    #[serde(borrow)]
    pub reasoning: Option<Reasoning<'a>>,
    #[serde(borrow)]
    pub reasoning_effort: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub user: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub service_tier: Option<Cow<'a, str>>,
    /// Automatic caching, the same in both dialects.
    #[serde(borrow)]
    pub cache_control: Option<&'a RawValue>,
    /// What the answer is to be made of.
    #[serde(borrow)]
    pub modalities: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub role: Cow<'a, str>,
    #[serde(borrow)]
    pub content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub refusal: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(borrow)]
    pub tool_call_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub reasoning_details: Option<Vec<ReasoningDetail<'a>>>,
    #[serde(borrow)]
    pub cache_control: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Part<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub refusal: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub image_url: Option<ImageUrl<'a>>,
    #[serde(borrow)]
    pub file: Option<FilePart<'a>>,
    #[serde(borrow)]
    pub cache_control: Option<&'a RawValue>,
}

/// `{"url": …}`, or the address itself.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ImageUrl<'a> {
    Object {
        #[serde(borrow)]
        url: Cow<'a, str>,
    },
    Text(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Debug, Deserialize)]
pub(super) struct FilePart<'a> {
    #[serde(borrow)]
    pub filename: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub file_data: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolCall<'a> {
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub function: CalledFunction<'a>,
    #[serde(borrow)]
    pub cache_control: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CalledFunction<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub arguments: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReasoningDetail<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub signature: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub data: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub format: Option<Cow<'a, str>>,
    pub index: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ChatTool<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub function: Option<Function<'a>>,
    #[serde(borrow)]
    pub cache_control: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub description: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub parameters: Option<&'a RawValue>,
    pub strict: Option<bool>,
    #[serde(borrow)]
    pub cache_control: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ResponseFormat<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub json_schema: Option<JsonSchema<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct JsonSchema<'a> {
    #[serde(borrow)]
    pub schema: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reasoning<'a> {
    #[serde(borrow)]
    pub effort: Option<Cow<'a, str>>,
    pub max_tokens: Option<u64>,
    pub enabled: Option<bool>,
}
