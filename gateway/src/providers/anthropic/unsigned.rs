//! Thoughts that nobody signed, in a conversation that is sent to Anthropic as it came.
//!
//! Other providers' models think without signing, and their thoughts go out as Anthropic's clients know them. Such a client sends
//! them back with the conversation, whoever answers next; Anthropic refuses a thought without its own signature. They are left
//! out, everything else is copied as it stands.

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::call_loop::{Said, calls_without_a_thought};
use crate::wire::members::members;

/// A conversation without the thoughts that nobody signed.
pub(super) struct Signed {
    /// The array `messages`.
    pub messages: String,
    /// The calls of tools at its end go back without any thought now, which Anthropic refuses beside a thinking budget.
    pub calls_without_a_thought: bool,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
}

/// The conversation without them; `None` where there are none, and where it cannot be read: Anthropic says so.
pub(super) fn without_unsigned_thoughts(messages: &str) -> Option<Signed> {
    memmem::find(messages.as_bytes(), b"\"thinking\"")?;
    let given: Vec<&RawValue> = serde_json::from_str(messages).ok()?;
    let (mut kept, mut turns, mut has_dropped) = (Vec::with_capacity(given.len()), Vec::with_capacity(given.len()), false);
    for raw in given {
        let message: Message<'_> = serde_json::from_str(raw.get()).ok()?;
        let is_of_the_model = message.role == "assistant";
        if !message.content.get().starts_with('[') {
            kept.push(Cow::Borrowed(raw.get()));
            turns.push(Said { is_of_the_model, ..Said::default() });
            continue;
        }
        let blocks: Vec<&RawValue> = serde_json::from_str(message.content.get()).ok()?;
        let blocks: Vec<(&RawValue, Block<'_>)> =
            blocks.into_iter().map(|raw| serde_json::from_str(raw.get()).map(|block| (raw, block))).collect::<Result<_, _>>().ok()?;
        let signed: Vec<&(&RawValue, Block<'_>)> = blocks.iter().filter(|(_, block)| !block.is_unsigned_thought()).collect();
        if signed.len() < blocks.len() {
            has_dropped = true;
            if signed.is_empty() {
                continue;
            }
            kept.push(Cow::Owned(with_content(raw.get(), signed.iter().map(|(raw, _)| raw.get()))));
        } else {
            kept.push(Cow::Borrowed(raw.get()));
        }
        turns.push(Said {
            is_of_the_model,
            has_result: signed.iter().any(|(_, block)| block.kind == "tool_result"),
            has_only_results: signed.iter().all(|(_, block)| block.kind == "tool_result"),
            has_call: signed.iter().any(|(_, block)| block.kind == "tool_use"),
            begins_with_a_thought: signed.first().is_some_and(|(_, block)| block.is_thought()),
        });
    }
    has_dropped
        .then(|| Signed { messages: format!("[{}]", kept.join(",")), calls_without_a_thought: calls_without_a_thought(turns.into_iter()) })
}

/// The message with these blocks for its content.
fn with_content<'a>(message: &str, blocks: impl Iterator<Item = &'a str>) -> String {
    let content = format!("[{}]", blocks.collect::<Vec<&str>>().join(","));
    let written = members(message).filter_map(Result::ok).map(|member| {
        let is_content = member.key.is(message.as_bytes(), "content");
        let value = if is_content { content.as_str() } else { member.value.of_str(message) };
        format!("{}:{value}", member.key.quoted().of_str(message))
    });
    format!("{{{}}}", written.collect::<Vec<String>>().join(","))
}

impl Block<'_> {
    fn is_thought(&self) -> bool {
        matches!(&*self.kind, "thinking" | "redacted_thinking")
    }

    fn is_unsigned_thought(&self) -> bool {
        self.kind == "thinking" && self.signature.is_none_or(|signature| matches!(signature.get(), "\"\"" | "null"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    const ASKED: &str = r#"{"role":"user","content":"h\u00ef"}"#;
    const RESULT: &str = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}"#;
    const CALL: &str = r#"{"type":"tool_use","id":"a","name":"f","input":{"x":1.50}}"#;

    fn turn(blocks: &str) -> String {
        format!(r#"{{"role":"assistant","content":[{blocks}]}}"#)
    }

    #[test]
    fn only_thoughts_without_a_signature_are_left_out() {
        let signed = r#"{"type":"thinking","thinking":"Hm","signature":"s"}"#;
        let hidden = r#"{"type":"redacted_thinking","data":"x"}"#;
        let whole = format!("[{ASKED},{}]", turn(&format!("{signed},{hidden},{CALL}")));
        assert!(without_unsigned_thoughts(&whole).is_none());
        assert!(without_unsigned_thoughts(&format!("[{ASKED}]")).is_none());
        for unsigned in [
            r#"{"type":"thinking","thinking":"Hm","signature":""}"#,
            r#"{"type":"thinking","thinking":"Hm"}"#,
            r#"{"type":"thinking","thinking":"Hm","signature":null}"#,
        ] {
            let given = format!("[{ASKED},{},{RESULT}]", turn(&format!("{unsigned},{signed}, {CALL}")));
            let left = without_unsigned_thoughts(&given).unwrap();
            assert_eq!(left.messages, format!("[{ASKED},{},{RESULT}]", turn(&format!("{signed},{CALL}"))), "as it was written");
            assert!(!left.calls_without_a_thought);
        }
    }

    #[test]
    fn a_loop_of_calls_that_lost_its_thought_is_told_and_an_empty_turn_goes() {
        let unsigned = r#"{"type":"thinking","thinking":"Hm","signature":""}"#;
        let in_a_loop = format!("[{ASKED},{},{RESULT}]", turn(&format!("{unsigned},{CALL}")));
        assert!(without_unsigned_thoughts(&in_a_loop).unwrap().calls_without_a_thought);
        let and_words =
            r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},{"type":"text","text":"Go on"}]}"#;
        let with_words = format!("[{ASKED},{},{and_words}]", turn(&format!("{unsigned},{CALL}")));
        assert!(without_unsigned_thoughts(&with_words).unwrap().calls_without_a_thought, "the result stands beside words");
        let after_it = format!("[{ASKED},{},{RESULT},{ASKED}]", turn(&format!("{unsigned},{CALL}")));
        assert!(!without_unsigned_thoughts(&after_it).unwrap().calls_without_a_thought, "a new loop begins");
        let alone = format!("[{ASKED},{},{ASKED}]", turn(unsigned));
        assert_eq!(without_unsigned_thoughts(&alone).unwrap().messages, format!("[{ASKED},{ASKED}]"));
    }

    #[test]
    fn what_cannot_be_read_is_anthropics_to_refuse() {
        for odd in [r#"["thinking"]"#, r#"[{"role":"assistant","content":[{"thinking":"thinking"}]}]"#, r#"{"thinking":1}"#] {
            assert!(without_unsigned_thoughts(odd).is_none(), "{odd}");
        }
    }
}
