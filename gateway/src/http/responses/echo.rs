//! What a response repeats of its request.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::namespaces::Namespaces;
use super::request::ResponsesRequest;

/// Members of every response object of a request, as JSON.
#[derive(Debug, Default)]
pub(super) struct Echo {
    /// Without braces.
    pub members: String,
    /// The tier that was asked for: the provider may say another one.
    pub service_tier: String,
    /// Thoughts are to come back in a form that can be handed in again.
    pub seals_all_thoughts: bool,
    /// Where its functions stand.
    pub namespaces: Namespaces,
}

/// Where a client said nothing there is OpenAI's default, or null where every model has its own.
#[derive(Serialize)]
struct Members<'a> {
    background: bool,
    frequency_penalty: Option<&'a RawValue>,
    instructions: Option<&'a RawValue>,
    max_output_tokens: Option<u64>,
    max_tool_calls: Option<&'a RawValue>,
    metadata: Given<'a>,
    parallel_tool_calls: bool,
    presence_penalty: Option<&'a RawValue>,
    previous_response_id: Option<()>,
    prompt_cache_key: Option<&'a RawValue>,
    reasoning: Given<'a>,
    safety_identifier: Option<&'a RawValue>,
    /// Nothing is.
    store: bool,
    temperature: Option<&'a RawValue>,
    text: Text<'a>,
    tool_choice: Given<'a>,
    tools: Vec<super::request::EchoedTool<'a>>,
    top_logprobs: u64,
    top_p: Option<&'a RawValue>,
    /// Nothing is left out of a conversation here.
    truncation: &'static str,
    user: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Text<'a> {
    format: Given<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a RawValue>,
}

/// What the client wrote, or the default's JSON.
struct Given<'a>(Option<&'a RawValue>, &'static str);

impl Serialize for Given<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(given, default) = self;
        match given {
            Some(given) => given.serialize(serializer),
            None => serde_json::from_str::<&RawValue>(default).map_err(serde::ser::Error::custom)?.serialize(serializer),
        }
    }
}

impl Echo {
    pub(super) fn of(request: &ResponsesRequest<'_>, namespaces: Namespaces) -> Self {
        let text = request.text.as_ref();
        let members = Members {
            background: false,
            frequency_penalty: request.frequency_penalty,
            instructions: request.instructions,
            max_output_tokens: request.max_output_tokens,
            max_tool_calls: request.max_tool_calls,
            metadata: Given(request.metadata, "{}"),
            parallel_tool_calls: request.parallel_tool_calls.unwrap_or(true),
            presence_penalty: request.presence_penalty,
            previous_response_id: None,
            prompt_cache_key: request.prompt_cache_key,
            reasoning: Given(request.reasoning, r#"{"effort":null,"summary":null}"#),
            safety_identifier: request.safety_identifier,
            store: false,
            temperature: request.temperature,
            text: Text {
                format: Given(text.and_then(|text| text.format), r#"{"type":"text"}"#),
                verbosity: text.and_then(|text| text.verbosity),
            },
            tool_choice: Given(request.tool_choice, "\"auto\""),
            tools: request.tools.iter().flatten().map(|tool| tool.echoed()).collect(),
            top_logprobs: request.top_logprobs.unwrap_or(0),
            top_p: request.top_p,
            truncation: "disabled",
            user: request.user,
        };
        // Nothing in it can fail: every value is JSON already.
        let json = serde_json::to_string(&members).unwrap_or_default();
        let members = json.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default().to_owned();
        Self {
            members,
            service_tier: request.service_tier.map_or("null", RawValue::get).to_owned(),
            seals_all_thoughts: request.includes("reasoning.encrypted_content"),
            namespaces,
        }
    }
}
