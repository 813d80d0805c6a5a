//! The tools a model may call, and which of them it may or must.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::part::json_text;
use crate::http::error::ApiError;
use crate::http::responses::namespaces::{Namespaces, one_name};

/// OpenRouter's own tools go by its name: they are passed on to it.
const OPENROUTERS: &str = "openrouter:";

/// A tool as the client wrote it.
#[derive(Debug)]
pub(in crate::http::responses) struct Tool<'a> {
    raw: &'a RawValue,
    members: Members<'a>,
}

/// What it is stands beside its type. Members it has not are absent.
#[derive(Debug, Deserialize)]
struct Members<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    description: Option<&'a RawValue>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    strict: Option<bool>,
    /// What a custom tool's input is to be.
    #[serde(borrow)]
    format: Option<&'a RawValue>,
    /// What a namespace holds.
    #[serde(borrow)]
    tools: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Tool<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let members = serde_json::from_str(raw.get()).map_err(de::Error::custom)?;
        Ok(Self { raw, members })
    }
}

/// The same in chat: its members stand in an object named as its type.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ChatTool<'a> {
    Function {
        function: Function<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    Custom {
        custom: Custom<'a>,
    },
    #[serde(untagged)]
    AsItCame(&'a RawValue),
}

#[derive(Debug, Serialize)]
pub(super) struct Function<'a> {
    name: Cow<'a, RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Debug, Serialize)]
pub(super) struct Custom<'a> {
    name: Cow<'a, RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Value>,
}

/// A tool in a response: clients' types want every member.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::http::responses) enum EchoedTool<'a> {
    Function {
        name: Option<&'a RawValue>,
        description: Option<&'a RawValue>,
        parameters: Option<&'a RawValue>,
        strict: Option<bool>,
    },
    #[serde(untagged)]
    AsItCame(&'a RawValue),
}

/// The tools of a request as chat has them. What stands in a namespace is noted in `namespaces`.
pub(super) fn chat_tools<'a>(tools: &[Tool<'a>], namespaces: &mut Namespaces) -> Result<Vec<ChatTool<'a>>, ApiError> {
    let mut chat = Vec::with_capacity(tools.len());
    for (index, tool) in tools.iter().enumerate() {
        let place = format!("tools[{index}]");
        if tool.members.kind == "namespace" {
            tool.push_namespace(&place, namespaces, &mut chat)?;
        } else {
            chat.push(tool.chat(&place, Cow::Borrowed)?);
        }
    }
    Ok(chat)
}

impl<'a> Tool<'a> {
    /// `place` is where it stands, `in_chat` gives the name it goes by there.
    fn chat(&self, place: &str, in_chat: impl FnOnce(&'a RawValue) -> Cow<'a, RawValue>) -> Result<ChatTool<'a>, ApiError> {
        let Members { kind, description, parameters, strict, format, cache_control, .. } = &self.members;
        let (description, parameters, strict, cache_control) = (*description, *parameters, *strict, *cache_control);
        match &**kind {
            "function" => {
                let function = Function { name: in_chat(self.name(place)?), description, parameters, strict };
                Ok(ChatTool::Function { function, cache_control })
            }
            "custom" => {
                let custom = Custom { name: in_chat(self.name(place)?), description, format: format.map(grammar) };
                Ok(ChatTool::Custom { custom })
            }
            kind if kind.starts_with(OPENROUTERS) => Ok(ChatTool::AsItCame(self.raw)),
            kind => {
                let message =
                    format!("{place}: tools of type {kind} are not supported: a tool is a function or custom, and the client runs it");
                Err(ApiError::bad_request(format!("{place}.type"), message))
            }
        }
    }

    fn push_namespace(&self, place: &str, namespaces: &mut Namespaces, chat: &mut Vec<ChatTool<'a>>) -> Result<(), ApiError> {
        let namespace: String = text(self.name(place)?);
        for (index, raw) in self.members.tools.iter().flatten().enumerate() {
            let place = format!("{place}.tools[{index}]");
            let tool: Tool<'a> =
                serde_json::from_str(raw.get()).map_err(|error| ApiError::bad_request(&*place, format!("{place}: {error}")))?;
            chat.push(tool.chat(&place, |name| json_text(&namespaces.add(&namespace, &text(name))))?);
        }
        Ok(())
    }

    fn name(&self, place: &str) -> Result<&'a RawValue, ApiError> {
        let name = self.members.name.filter(|name| name.get().starts_with('"'));
        name.ok_or_else(|| ApiError::bad_request(format!("{place}.name"), format!("{place}.name is required")))
    }

    pub(in crate::http::responses) fn echoed(&self) -> EchoedTool<'a> {
        let Members { kind, name, description, parameters, strict, .. } = &self.members;
        match &**kind {
            "function" => EchoedTool::Function { name: *name, description: *description, parameters: *parameters, strict: *strict },
            _ => EchoedTool::AsItCame(self.raw),
        }
    }
}

/// A custom tool's format. Chat has the members of a grammar in an object of their own.
fn grammar(format: &RawValue) -> Value {
    let mut format: Value = serde_json::from_str(format.get()).unwrap_or_default();
    match format["type"].as_str() {
        Some("grammar") if format.get("grammar").is_none() => {
            json!({ "type": "grammar", "grammar": { "syntax": format["syntax"].take(), "definition": format["definition"].take() } })
        }
        _ => format,
    }
}

/// The contents of a JSON string.
fn text(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// `tool_choice` as chat has it.
pub(super) fn tool_choice(raw: &RawValue) -> Result<Value, ApiError> {
    let wrong = || {
        let message = "tool_choice must be none, auto, required, or name a tool of type function or custom, or allowed_tools";
        ApiError::bad_request("tool_choice", message)
    };
    match serde_json::from_str(raw.get()).map_err(|_| wrong())? {
        Value::String(word) if matches!(&*word, "none" | "auto" | "required") => Ok(Value::String(word)),
        choice => named_tool(&choice).or_else(|| allowed_tools(&choice)).ok_or_else(wrong),
    }
}

fn named_tool(choice: &Value) -> Option<Value> {
    let (kind, name) = (choice["type"].as_str()?, choice["name"].as_str()?);
    let name = choice["namespace"].as_str().map_or_else(|| name.to_owned(), |namespace| one_name(namespace, name));
    match kind {
        "function" | "custom" => Some(json!({ "type": kind, kind: { "name": name } })),
        _ => None,
    }
}

fn allowed_tools(choice: &Value) -> Option<Value> {
    if choice["type"] != "allowed_tools" {
        return None;
    }
    let tools = choice["tools"].as_array()?.iter().map(named_tool).collect::<Option<Vec<Value>>>()?;
    Some(json!({ "type": "allowed_tools", "allowed_tools": { "mode": choice["mode"].as_str()?, "tools": tools } }))
}
