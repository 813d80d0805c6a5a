//! A call of a client's tool: of a function with arguments, or of a custom tool with a text.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{IN_PROGRESS, Place, inside};
use crate::http::responses::chunk::ToolCall;
use crate::http::responses::event_writer::EventWriter;
use crate::http::responses::namespaces::Namespaces;

#[derive(Debug)]
pub(super) struct Call {
    place: Place,
    status: &'static str,
    /// Its place among the calls, as its provider counts.
    pub index: Option<u32>,
    is_custom: bool,
    pub call_id: String,
    /// JSON strings.
    name: String,
    namespace: Option<String>,
    /// Arguments or input, between the quotes of a JSON string.
    given: String,
}

/// The id of the call that this piece begins at a place of the output. Results are told apart by it: a provider without ids gets one
/// made here.
pub(super) fn call_id(told: &ToolCall<'_>, suffix: &str, index: usize) -> String {
    let id = told.id.as_deref().filter(|id| !id.is_empty());
    id.map_or_else(|| format!("call_{suffix}_{index}"), str::to_owned)
}

impl ToolCall<'_> {
    pub(super) fn name(&self) -> Option<&RawValue> {
        let name = self.function.as_ref().and_then(|function| function.name);
        name.or_else(|| self.custom.as_ref().and_then(|custom| custom.name)).filter(|name| name.get().len() > 2)
    }

    /// What it is called with, as far as this piece says.
    fn given(&self) -> Option<Cow<'_, str>> {
        let given = self.function.as_ref().and_then(|function| function.arguments);
        let given = given.or_else(|| self.custom.as_ref().and_then(|custom| custom.input))?.get();
        match given {
            "" | "\"\"" | "null" => None,
            text if text.starts_with('"') => Some(Cow::Borrowed(text)),
            // A host that writes an object where a text of one should be.
            object => Some(Cow::Owned(Value::from(object).to_string())),
        }
    }

    /// About how much memory it takes to keep.
    pub(super) fn bytes(&self) -> usize {
        self.name().map_or(0, |name| name.get().len()) + self.given().map_or(0, |given| given.len())
    }
}

impl Call {
    pub(super) fn begin(place: Place, (suffix, namespaces): (&str, &Namespaces), told: &ToolCall<'_>, events: &mut EventWriter) -> Self {
        let called = told.name().and_then(|name| serde_json::from_str::<String>(name.get()).ok()).unwrap_or_default();
        let (namespace, name) = namespaces.find(&called).map_or((None, &*called), |(namespace, name)| (Some(namespace), name));
        let call_id = call_id(told, suffix, place.index);
        let mut call = Self {
            place,
            status: IN_PROGRESS,
            index: told.index,
            is_custom: told.custom.is_some(),
            call_id,
            name: Value::from(name).to_string(),
            namespace: namespace.map(|namespace| Value::from(namespace).to_string()),
            given: String::new(),
        };
        call.place.push_added(&call.json(), events);
        call.go_on(told, events);
        call
    }

    pub(super) fn go_on(&mut self, told: &ToolCall<'_>, events: &mut EventWriter) {
        let Some(given) = told.given() else { return };
        let kind = if self.is_custom { "response.custom_tool_call_input.delta" } else { "response.function_call_arguments.delta" };
        events.push(kind, format_args!(r#"{},"delta":{given}"#, self.place));
        self.given.push_str(inside(&given));
    }

    /// Whether a piece with this call's index is of another one: some providers count no further than to the first.
    pub(super) fn is_another(&self, told: &ToolCall<'_>) -> bool {
        told.name().is_some() && told.id.as_deref().is_some_and(|id| !id.is_empty() && id != self.call_id)
    }

    pub(super) fn end(mut self, status: &'static str, events: &mut EventWriter) -> (usize, String) {
        if self.given.is_empty() && !self.is_custom {
            // A function without arguments: what is read as JSON has to be some.
            self.given.push_str("{}");
        }
        self.status = status;
        let (place, name, given) = (&self.place, &self.name, &self.given);
        if self.is_custom {
            events.push("response.custom_tool_call_input.done", format_args!(r#"{place},"input":"{given}""#));
        } else {
            events.push("response.function_call_arguments.done", format_args!(r#"{place},"name":{name},"arguments":"{given}""#));
        }
        self.place.push_done(self.json(), events)
    }

    fn json(&self) -> String {
        let (kind, member) = if self.is_custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
        let namespace = self.namespace.as_ref().map(|namespace| format!(",\"namespace\":{namespace}")).unwrap_or_default();
        format!(
            r#"{{"id":"{}","type":"{kind}","status":"{}","call_id":{},"name":{}{namespace},"{member}":"{}"}}"#,
            self.place.id,
            self.status,
            Value::from(self.call_id.as_str()),
            self.name,
            self.given
        )
    }
}
