//! Reads the request as an OpenAI-compatible upstream would: leniently, with OpenAI's error bodies.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalog::{self, DemoModel};
use super::seed::Seed;

/// More choices are refused.
const CHOICES_MAX: u32 = 16;

/// What governs the answer. Media in messages are noted, not read.
#[derive(Debug, Deserialize)]
pub struct DemoRequest {
    #[serde(skip, default = "quick")]
    pub model: &'static DemoModel,
    #[serde(rename = "model")]
    model_name: String,
    pub messages: Vec<Message>,
    #[serde(default)]
    pub stream: Option<bool>,
    pub stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    pub n: Option<u32>,
    pub stop: Option<Stop>,
    #[serde(default)]
    pub tools: Option<Vec<Tool>>,
    pub tool_choice: Option<Value>,
    pub response_format: Option<ResponseFormat>,
    pub logprobs: Option<bool>,
    pub top_logprobs: Option<usize>,
    pub reasoning_effort: Option<String>,
    pub reasoning: Option<ReasoningOptions>,
}

#[derive(Debug, Deserialize)]
pub struct StreamOptions {
    #[serde(default)]
    pub include_usage: bool,
}

#[derive(Debug, Deserialize)]
pub struct ReasoningOptions {
    pub effort: Option<String>,
    pub enabled: Option<bool>,
    #[serde(default)]
    pub exclude: bool,
}

#[derive(Debug, Deserialize)]
pub struct Message {
    pub role: String,
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type", default)]
    kind: String,
    text: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Stop {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
pub struct Tool {
    pub function: Option<Function>,
}

#[derive(Debug, Deserialize)]
pub struct Function {
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub parameters: Value,
}

#[derive(Debug, Deserialize)]
pub struct ResponseFormat {
    #[serde(rename = "type")]
    pub kind: String,
    pub json_schema: Option<JsonSchema>,
}

#[derive(Debug, Deserialize)]
pub struct JsonSchema {
    #[serde(default)]
    pub schema: Value,
}

/// A refusal in OpenAI's shape.
#[derive(Debug)]
pub struct Refused {
    pub status: StatusCode,
    pub body: Value,
}

impl DemoRequest {
    pub fn parse(body: &[u8], seed: &mut Seed) -> Result<Self, Refused> {
        let mut request: Self =
            serde_json::from_slice(body).map_err(|error| bad_request(&format!("could not read the request: {error}"), None))?;
        request.model = catalog::find(&request.model_name);
        if request.messages.is_empty() {
            return Err(bad_request("messages must not be empty", Some("messages")));
        }
        if !(1..=CHOICES_MAX).contains(&request.choices()) {
            return Err(bad_request(&format!("n must be between 1 and {CHOICES_MAX}"), Some("n")));
        }
        if request.output_tokens_max() == 0 {
            return Err(bad_request("max_tokens must be at least 1", Some("max_tokens")));
        }
        match seed.next() % 100 {
            draw if draw >= request.model.fails_in_hundred => Ok(request),
            draw if draw.is_multiple_of(3) => Err(overloaded()),
            _ => Err(broken()),
        }
    }

    pub fn choices(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    pub fn output_tokens_max(&self) -> u64 {
        let asked = self.max_completion_tokens.or(self.max_tokens).unwrap_or(self.model.max_completion_tokens);
        asked.min(self.model.max_completion_tokens)
    }

    /// The last message: whom the answer is for.
    pub fn last(&self) -> Option<&Message> {
        self.messages.last()
    }

    /// What the user said last.
    pub fn question(&self) -> String {
        self.messages.iter().rev().find(|message| message.role == "user").map(Message::text).unwrap_or_default()
    }

    pub fn image_count(&self) -> usize {
        self.messages.iter().rev().find(|message| message.role == "user").map_or(0, Message::image_count)
    }

    pub fn stops(&self) -> &[String] {
        match &self.stop {
            None => &[],
            Some(Stop::One(stop)) => std::slice::from_ref(stop),
            Some(Stop::Many(stops)) => stops,
        }
    }

    /// Whether reasoning is wanted, and whether it is to be shown.
    pub fn reasoning(&self) -> (bool, bool) {
        let options = self.reasoning.as_ref();
        let effort = options.and_then(|options| options.effort.as_deref()).or(self.reasoning_effort.as_deref());
        let is_off = effort == Some("none") || options.and_then(|options| options.enabled) == Some(false);
        (self.model.thinks && !is_off, !options.is_some_and(|options| options.exclude))
    }
}

impl Message {
    pub fn text(&self) -> String {
        match &self.content {
            None => String::new(),
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => parts.iter().filter_map(|part| part.text.as_deref()).collect::<Vec<_>>().join("\n"),
        }
    }

    fn image_count(&self) -> usize {
        match &self.content {
            Some(Content::Parts(parts)) => parts.iter().filter(|part| part.kind.contains("image")).count(),
            _ => 0,
        }
    }
}

fn quick() -> &'static DemoModel {
    &catalog::MODELS[0]
}

pub(super) fn bad_request(message: &str, param: Option<&str>) -> Refused {
    Refused { status: StatusCode::BAD_REQUEST, body: error_body("invalid_request_error", message, param) }
}

fn overloaded() -> Refused {
    let message = "the demo is overloaded, as providers are now and then";
    Refused { status: StatusCode::SERVICE_UNAVAILABLE, body: error_body("overloaded_error", message, None) }
}

fn broken() -> Refused {
    let message = "the demo broke, as providers do now and then";
    Refused { status: StatusCode::INTERNAL_SERVER_ERROR, body: error_body("server_error", message, None) }
}

fn error_body(kind: &str, message: &str, param: Option<&str>) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": param, "code": null } })
}
