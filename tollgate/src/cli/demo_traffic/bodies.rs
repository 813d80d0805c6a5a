//! A request of the script as HTTP has it.

use serde_json::{Value, json};

use super::script::{Ask, Manner};

/// Path and body.
pub fn request(ask: &Ask, model: &str) -> (&'static str, Value) {
    if ask.manner == Manner::Messages {
        let body = json!({ "model": model, "max_tokens": ask.max_tokens, "stream": true, "messages": conversation(ask) });
        return ("/api/v1/messages", body);
    }
    let mut body = json!({ "model": model, "max_tokens": ask.max_tokens, "messages": conversation(ask) });
    let more = match ask.manner {
        Manner::Whole | Manner::Messages => json!({}),
        Manner::Stream | Manner::Left => json!({ "stream": true }),
        Manner::Cut => json!({ "stream": ask.number.is_multiple_of(2) }),
        Manner::Tool => json!({ "stream": ask.number.is_multiple_of(2), "tools": [ticket_tool()], "tool_choice": "required" }),
        Manner::Object => json!({ "response_format": { "type": "json_schema", "json_schema": verdict_schema() } }),
        Manner::Mistake => json!({ "temperature": "warm" }),
    };
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    ("/api/v1/chat/completions", body)
}

fn conversation(ask: &Ask) -> Vec<Value> {
    let turn = |number: u32| {
        let (asked, answered) = (format!("Question {} of case {}.", number + 1, ask.number), "Noted. Please go on with the next point.");
        [json!({ "role": "user", "content": asked }), json!({ "role": "assistant", "content": answered })]
    };
    let last = json!({ "role": "user", "content": format!("{} (case {})", ask.question, ask.number) });
    (0..ask.turns).flat_map(turn).chain([last]).collect()
}

fn ticket_tool() -> Value {
    let properties = json!({ "title": { "type": "string" }, "priority": { "type": "string", "enum": ["low", "normal", "high"] } });
    let parameters = json!({ "type": "object", "properties": properties, "required": ["title", "priority"] });
    json!({ "type": "function", "function": { "name": "create_ticket", "description": "Files a ticket", "parameters": parameters } })
}

fn verdict_schema() -> Value {
    let properties = json!({ "verdict": { "type": "string", "enum": ["yes", "no"] }, "confidence": { "type": "integer" } });
    let schema =
        json!({ "type": "object", "properties": properties, "required": ["verdict", "confidence"], "additionalProperties": false });
    json!({ "name": "verdict", "schema": schema })
}
