//! An item of `input`, of whatever type.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::part::json_text;
use crate::http::error::ApiError;
use crate::http::responses::namespaces::one_name;

/// Members it has not are absent.
#[derive(Debug, Deserialize)]
pub(super) struct Item<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub input: Option<&'a RawValue>,
    #[serde(borrow)]
    pub output: Option<&'a RawValue>,
    #[serde(borrow)]
    pub summary: Option<&'a RawValue>,
    #[serde(borrow)]
    pub encrypted_content: Option<Cow<'a, str>>,
    // OpenRouter's.
    #[serde(borrow)]
    pub signature: Option<&'a RawValue>,
    #[serde(borrow)]
    pub format: Option<&'a RawValue>,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    Message,
    FunctionCall,
    CustomToolCall,
    ToolOutput,
    Reasoning,
}

impl<'a> Item<'a> {
    /// Its kind; `place` is where it stands.
    pub(super) fn kind(&self, place: &str) -> Result<ItemKind, ApiError> {
        match self.kind.as_deref() {
            None | Some("message") => Ok(ItemKind::Message),
            Some("function_call") => Ok(ItemKind::FunctionCall),
            Some("custom_tool_call") => Ok(ItemKind::CustomToolCall),
            Some("function_call_output" | "custom_tool_call_output") => Ok(ItemKind::ToolOutput),
            Some("reasoning") => Ok(ItemKind::Reasoning),
            Some("item_reference") => {
                let message = format!(
                    "{place}: an item_reference is not supported: nothing is kept between requests; send the item itself (clients do with `store: false`)"
                );
                Err(ApiError::bad_request(format!("{place}.type"), message))
            }
            Some(kind) => Err(ApiError::bad_request(format!("{place}.type"), format!("{place}: items of type {kind} are not supported"))),
        }
    }

    /// The name that is called, as chat has it.
    pub(super) fn called(&self, place: &str) -> Result<Cow<'a, RawValue>, ApiError> {
        let name = self.text("name", self.name, place)?;
        match &self.namespace {
            None => Ok(Cow::Borrowed(name)),
            Some(namespace) => Ok(json_text(&one_name(namespace, &serde_json::from_str::<String>(name.get()).unwrap_or_default()))),
        }
    }

    pub(super) fn needed(&self, name: &str, value: Option<&'a RawValue>, place: &str) -> Result<&'a RawValue, ApiError> {
        value.ok_or_else(|| ApiError::bad_request(format!("{place}.{name}"), format!("{place}.{name} is required")))
    }

    /// The same, and a string.
    pub(super) fn text(&self, name: &str, value: Option<&'a RawValue>, place: &str) -> Result<&'a RawValue, ApiError> {
        let text = self.needed(name, value, place)?;
        if text.get().starts_with('"') {
            return Ok(text);
        }
        Err(ApiError::bad_request(format!("{place}.{name}"), format!("{place}.{name} must be a string")))
    }
}
