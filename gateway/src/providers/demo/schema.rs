//! Makes a value that satisfies a JSON Schema, with words from the question where they fit.
//!
//! Covers what structured outputs and tool parameters use: types, enums, constants, objects with
//! references, arrays, unions, bounds and the common formats. `pattern` is not understood.

use std::cell::Cell;

use serde_json::{Map, Value, json};

/// Values made for one schema; what would be more is null.
const VALUES_MAX: u32 = 10_000;
/// Deeper schemas (recursive ones) are cut short with the smallest value there is.
const DEPTH_MAX: u32 = 12;
/// Elements made for an array that asks for more.
const ITEMS_MAX: u64 = 64;
const TEXT_CHARS_MAX: usize = 4_096;

/// What the question offers to fill values with.
#[derive(Debug, Clone)]
pub struct Hints {
    question: String,
    place: Option<String>,
    number: Option<f64>,
}

impl Hints {
    pub fn of(question: &str) -> Self {
        let words: Vec<&str> = question.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '-')).collect();
        let is_capitalised = |word: &&str| word.chars().next().is_some_and(char::is_uppercase) && word.len() > 2;
        let after_preposition = words.windows(2).filter(|pair| matches!(pair[0], "in" | "to" | "for" | "at" | "from")).map(|pair| pair[1]);
        let place = after_preposition.into_iter().find(is_capitalised).or_else(|| words.iter().skip(1).copied().find(is_capitalised));
        let number = question.split(|c: char| !(c.is_ascii_digit() || c == '.')).find_map(|word| word.parse().ok());
        Self { question: question.trim().chars().take(200).collect(), place: place.map(str::to_owned), number }
    }

    /// A value for a text of this name.
    fn text(&self, name: &str) -> String {
        let name = name.to_ascii_lowercase();
        let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
        if is(&["city", "location", "place", "country", "town"]) {
            return self.place.clone().unwrap_or_else(|| "Paris".to_owned());
        }
        if is(&["query", "question", "prompt", "search", "keyword"]) && !self.question.is_empty() {
            return self.question.clone();
        }
        if is(&["date", "day"]) {
            return "2026-01-15".to_owned();
        }
        if is(&["email"]) {
            return "ada@example.com".to_owned();
        }
        if is(&["name", "author", "person"]) {
            return self.place.clone().unwrap_or_else(|| "Ada Lovelace".to_owned());
        }
        "a demo value".to_owned()
    }
}

/// A value that satisfies `schema`.
pub fn instance(schema: &Value, hints: &Hints) -> Value {
    Maker { root: schema, hints, made: Cell::new(0) }.value(schema, "", 0)
}

struct Maker<'a> {
    root: &'a Value,
    hints: &'a Hints,
    made: Cell<u32>,
}

impl Maker<'_> {
    fn value(&self, schema: &Value, name: &str, depth: u32) -> Value {
        if depth > DEPTH_MAX || self.made.get() == VALUES_MAX {
            return Value::Null;
        }
        self.made.set(self.made.get() + 1);
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let pointer = target.strip_prefix('#').unwrap_or_default();
            return self.root.pointer(pointer).map_or(Value::Null, |target| self.value(target, name, depth + 1));
        }
        if let Some(fixed) = schema.get("const").or_else(|| schema.get("default")) {
            return fixed.clone();
        }
        if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|list| list.first()) {
            return first.clone();
        }
        for union in ["anyOf", "oneOf"] {
            if let Some(options) = schema.get(union).and_then(Value::as_array) {
                return self.value(self.simplest(options, depth), name, depth + 1);
            }
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            return self.value(&merged(schema, parts), name, depth + 1);
        }
        match kind(schema, depth) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, name, depth),
            "integer" => integer(schema, self.hints.number),
            "number" => number(schema, self.hints.number),
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => Value::String(self.text(schema, name)),
        }
    }

    /// Of several options one that is not null; deep down, null, so that recursion ends.
    fn simplest<'s>(&self, options: &'s [Value], depth: u32) -> &'s Value {
        let is_null = |option: &&Value| option.get("type").and_then(Value::as_str) == Some("null");
        let wanted = if depth < DEPTH_MAX / 2 { options.iter().find(|option| !is_null(option)) } else { options.iter().find(is_null) };
        wanted.or(options.first()).unwrap_or(&Value::Null)
    }

    fn object(&self, schema: &Value, depth: u32) -> Value {
        let mut object = Map::new();
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            // Deep down only what must be there.
            if depth < DEPTH_MAX / 2 || required.contains(&name.as_str()) {
                object.insert(name.clone(), self.value(property, name, depth + 1));
            }
        }
        for name in required {
            object.entry(name).or_insert_with(|| Value::String(self.hints.text(name)));
        }
        Value::Object(object)
    }

    fn array(&self, schema: &Value, name: &str, depth: u32) -> Value {
        let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
        let least = bound("minItems").unwrap_or(0);
        let wanted = if depth < DEPTH_MAX / 2 { least.max(2) } else { least };
        let count = wanted.min(bound("maxItems").unwrap_or(u64::MAX)).min(ITEMS_MAX);
        let any = json!({ "type": "string" });
        let items = schema.get("items").unwrap_or(&any);
        Value::Array((0..count).map(|_| self.value(items, name, depth + 1)).collect())
    }

    fn text(&self, schema: &Value, name: &str) -> String {
        let fixed = match schema.get("format").and_then(Value::as_str) {
            Some("date") => Some("2026-01-15"),
            Some("date-time") => Some("2026-01-15T09:30:00Z"),
            Some("time") => Some("09:30:00Z"),
            Some("duration") => Some("PT15M"),
            Some("email") => Some("ada@example.com"),
            Some("uri" | "url") => Some("https://example.com/"),
            Some("uuid") => Some("0191d1f0-0000-7000-8000-000000000000"),
            Some("ipv4") => Some("192.0.2.1"),
            Some("ipv6") => Some("2001:db8::1"),
            Some("hostname") => Some("example.com"),
            _ => None,
        };
        let text = fixed.map_or_else(|| self.hints.text(name), str::to_owned);
        let bound = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|chars| usize::try_from(chars).ok());
        let most = bound("maxLength").unwrap_or(TEXT_CHARS_MAX);
        let mut text: String = text.chars().take(most).collect();
        let missing = bound("minLength").unwrap_or(0).min(TEXT_CHARS_MAX).saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n('x', missing));
        text
    }
}

/// The type, guessed where it is not said. Of several the first that is not null, deep down null.
fn kind(schema: &Value, depth: u32) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            if depth >= DEPTH_MAX / 2 && kinds.clone().any(|kind| kind == "null") {
                "null"
            } else {
                kinds.find(|kind| *kind != "null").unwrap_or("null")
            }
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

/// `allOf` as one schema: properties and requirements together, other keywords from the last that has them.
fn merged(schema: &Value, parts: &[Value]) -> Value {
    let mut whole = Map::new();
    let own = schema.as_object().into_iter().flatten().filter(|(key, _)| *key != "allOf");
    for (key, value) in parts.iter().filter_map(Value::as_object).flatten().chain(own) {
        match (whole.get_mut(key), value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
            (Some(Value::Array(known)), Value::Array(more)) => known.extend(more.iter().cloned()),
            _ => {
                whole.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(whole)
}

fn integer(schema: &Value, hint: Option<f64>) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let step = bound("multipleOf").unwrap_or(1.0).max(1.0);
    let least = bound("minimum").map(f64::ceil).or(bound("exclusiveMinimum").map(|least| least.floor() + 1.0));
    let most = bound("maximum").map(f64::floor).or(bound("exclusiveMaximum").map(|most| most.ceil() - 1.0));
    let wanted = hint.filter(|hint| hint.fract() == 0.0 && hint.abs() < 1e9).unwrap_or(7.0);
    let within = wanted.max(least.unwrap_or(f64::MIN)).min(most.unwrap_or(f64::MAX));
    // Upwards from the least, so that a multiple stays within it.
    let value = (within / step).floor() * step;
    let value = if least.is_some_and(|least| value < least) { value + step } else { value };
    json!(value as i64)
}

/// Whole numbers below this are exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

fn number(schema: &Value, hint: Option<f64>) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    if let Some(step) = bound("multipleOf").filter(|step| *step > 0.0) {
        let least = bound("minimum").or(bound("exclusiveMinimum").map(|least| least + step)).unwrap_or(step);
        return written((least / step).ceil() * step);
    }
    let (least, most) = (bound("minimum").or(bound("exclusiveMinimum")), bound("maximum").or(bound("exclusiveMaximum")));
    let wanted = hint.unwrap_or(3.5);
    let value = match (least, most) {
        // The middle is inside whichever of the bounds is exclusive.
        (Some(least), Some(most)) if wanted <= least || wanted >= most => f64::midpoint(least, most),
        (Some(least), _) if wanted <= least => least + 1.0,
        (_, Some(most)) if wanted >= most => most - 1.0,
        _ => wanted,
    };
    written(value)
}

/// A whole number as one, as models write it: clients often mean integers where their schema says numbers.
fn written(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < WHOLE_MAX { json!(value as i64) } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(schema: Value) -> Value {
        instance(&schema, &Hints::of("How many trains go to Lyon on 3 May?"))
    }

    #[test]
    fn structured_output_schemas_are_satisfied() {
        let schema = json!({
            "type": "object",
            "properties": {
                "steps": { "type": "array", "minItems": 3, "maxItems": 4, "items": { "$ref": "#/$defs/step" } },
                "city": { "type": ["string", "null"] },
                "score": { "type": "number", "minimum": 0, "maximum": 1 },
                "kind": { "const": "trip" },
                "when": { "type": "string", "format": "date-time" },
                "either": { "anyOf": [{ "type": "null" }, { "type": "boolean" }] },
                "code": { "type": "string", "minLength": 20, "maxLength": 22 },
            },
            "required": ["steps", "city", "score", "kind", "when", "either", "code"],
            "$defs": { "step": { "type": "object", "properties": { "n": { "type": "integer", "exclusiveMinimum": 10 } }, "required": ["n"] } },
        });
        let made = make(schema);
        assert_eq!(made["steps"], json!([{ "n": 11 }, { "n": 11 }, { "n": 11 }]));
        assert_eq!((&made["city"], &made["kind"], &made["either"]), (&json!("Lyon"), &json!("trip"), &json!(true)));
        assert_eq!(made["when"], "2026-01-15T09:30:00Z");
        assert!((0.0..=1.0).contains(&made["score"].as_f64().unwrap_or(-1.0)));
        assert!((20..=22).contains(&made["code"].as_str().unwrap_or_default().chars().count()));
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        assert_eq!(make(json!({ "type": "integer", "minimum": 5, "multipleOf": 4 })), json!(8));
        assert_eq!(make(json!({ "type": "integer", "maximum": -2 })), json!(-2));
        assert_eq!(make(json!({ "type": "number", "exclusiveMinimum": 3.0, "exclusiveMaximum": 3.5 })), json!(3.25));
        assert_eq!(make(json!({ "type": "number", "multipleOf": 0.5, "minimum": 1.2 })), json!(1.5));
        assert_eq!(make(json!({ "type": "number", "minimum": 4 })).to_string(), "5");
    }

    #[test]
    fn recursive_and_hostile_schemas_end() {
        let tree = json!({ "type": "object", "properties": { "child": { "anyOf": [{ "$ref": "#" }, { "type": "null" }] } }, "required": ["child"] });
        assert!(make(tree).is_object());
        assert!(make(json!({ "$ref": "#" })).is_null());
        assert_eq!(
            make(json!({ "type": "array", "minItems": 1_000_000_000_u64, "items": { "type": "null" } })).as_array().map(Vec::len),
            Some(64)
        );
        for odd in
            [json!(null), json!(true), json!({ "enum": [] }), json!({ "type": 3 }), json!({ "allOf": [{ "properties": { "a": {} } }, 1] })]
        {
            make(odd);
        }
    }
}
