//! What other providers left in a conversation that is sent to Anthropic as it came.
//!
//! Their models think without signing, and number their calls as they like; both go out as Anthropic's clients know them. Such a
//! client sends them back with the conversation, whoever answers next. Anthropic refuses a thought without its own signature, and an
//! id it has no letters for: the ones are left out, the others are mapped, and everything else is copied as it stands. **A
//! conversation that has nothing of the kind is never parsed.**

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::call_loop::{Said, calls_without_a_thought};
use crate::providers::ToolIds;
use crate::wire::members::members;
use crate::wire::sealed;

/// What is to be done about a conversation.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Repairs {
    /// The array `messages` without what is foreign, where there was such.
    pub messages: Option<String>,
    /// The calls of tools at its end go back without any thought, which Anthropic refuses beside a thinking budget.
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
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Looks a conversation over. Nothing is done where it cannot be read: Anthropic says so. With `has_budget` the model is to think
/// within one.
pub(super) fn repairs(messages: &str, has_budget: bool) -> Repairs {
    let has_foreign_ids = has_foreign_ids(messages);
    let finds = |needle: &[u8]| memmem::find(messages.as_bytes(), needle).is_some();
    let is_read = has_foreign_ids || finds(b"\"thinking\"") || finds(sealed::PREFIX.as_bytes()) || (has_budget && finds(b"\"tool_use\""));
    if is_read { read(messages, has_foreign_ids).unwrap_or_default() } else { Repairs::default() }
}

/// Whether a result names a call by an id that Anthropic does not take: without looking at anything but the ids. Text has its quotes
/// escaped, so what is found is a member.
fn has_foreign_ids(messages: &str) -> bool {
    const MEMBER: &[u8] = b"\"tool_use_id\"";
    memmem::find_iter(messages.as_bytes(), MEMBER).any(|at| {
        let rest = messages.get(at + MEMBER.len()..).unwrap_or_default();
        let value = rest.trim_ascii_start().strip_prefix(':').map(str::trim_ascii_start).and_then(|value| value.strip_prefix('"'));
        value.and_then(|value| value.split('"').next()).is_some_and(|id| !ToolIds::Plain.takes(id))
    })
}

fn read(messages: &str, has_foreign_ids: bool) -> Option<Repairs> {
    let given: Vec<&RawValue> = serde_json::from_str(messages).ok()?;
    let (mut kept, mut turns, mut has_changed) = (Vec::with_capacity(given.len()), Vec::with_capacity(given.len()), false);
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
        let ours: Vec<&(&RawValue, Block<'_>)> = blocks.iter().filter(|(_, block)| !block.is_foreign_thought()).collect();
        if ours.is_empty() && !blocks.is_empty() {
            has_changed = true;
            continue;
        }
        let written: Vec<Cow<'_, str>> = ours
            .iter()
            .map(|(raw, block)| match block.id_member().filter(|_| has_foreign_ids) {
                Some(member) => with_plain_id(raw.get(), member),
                None => Cow::Borrowed(raw.get()),
            })
            .collect();
        if ours.len() < blocks.len() || written.iter().any(|block| matches!(block, Cow::Owned(_))) {
            has_changed = true;
            kept.push(Cow::Owned(with_content(raw.get(), &written)));
        } else {
            kept.push(Cow::Borrowed(raw.get()));
        }
        turns.push(Said {
            is_of_the_model,
            has_result: ours.iter().any(|(_, block)| block.kind == "tool_result"),
            has_only_results: ours.iter().all(|(_, block)| block.kind == "tool_result"),
            has_call: ours.iter().any(|(_, block)| block.kind == "tool_use"),
            begins_with_a_thought: ours.first().is_some_and(|(_, block)| block.is_thought()),
        });
    }
    Some(Repairs {
        messages: has_changed.then(|| format!("[{}]", kept.join(","))),
        calls_without_a_thought: calls_without_a_thought(turns.into_iter()),
    })
}

/// The message with these blocks for its content.
fn with_content(message: &str, blocks: &[Cow<'_, str>]) -> String {
    let content = format!("[{}]", blocks.join(","));
    let written = members(message).filter_map(Result::ok).map(|member| {
        let is_content = member.key.is(message.as_bytes(), "content");
        let value = if is_content { content.as_str() } else { member.value.of_str(message) };
        format!("{}:{value}", member.key.quoted().of_str(message))
    });
    format!("{{{}}}", written.collect::<Vec<String>>().join(","))
}

/// A block with an id that Anthropic takes.
fn with_plain_id<'b>(block: &'b str, name: &str) -> Cow<'b, str> {
    let found = members(block).filter_map(Result::ok).find(|member| member.key.is(block.as_bytes(), name));
    let Some(value) = found.map(|member| member.value) else { return Cow::Borrowed(block) };
    let id: String = serde_json::from_str(value.of_str(block)).unwrap_or_default();
    if id.is_empty() || ToolIds::Plain.takes(&id) {
        return Cow::Borrowed(block);
    }
    let (before, after) = (&block[..value.start as usize], &block[value.end as usize..]);
    Cow::Owned(format!("{before}\"{}\"{after}", ToolIds::Plain.sent(Cow::Owned(id))))
}

impl Block<'_> {
    /// The member that holds the id of a call.
    fn id_member(&self) -> Option<&'static str> {
        match &*self.kind {
            "tool_use" => Some("id"),
            "tool_result" => Some("tool_use_id"),
            _ => None,
        }
    }

    fn is_thought(&self) -> bool {
        matches!(&*self.kind, "thinking" | "redacted_thinking")
    }

    /// A thought that nobody signed, or one that we sealed.
    fn is_foreign_thought(&self) -> bool {
        let is_ours = |raw: &RawValue| raw.get().get(1..).is_some_and(|text| text.starts_with(sealed::PREFIX));
        match &*self.kind {
            "thinking" => self.signature.is_none_or(|signature| matches!(signature.get(), "\"\"" | "null") || is_ours(signature)),
            "redacted_thinking" => self.data.is_some_and(is_ours),
            _ => false,
        }
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

    fn changed(messages: &str) -> Option<String> {
        repairs(messages, false).messages
    }

    #[test]
    fn only_thoughts_without_a_signature_are_left_out() {
        let signed = r#"{"type":"thinking","thinking":"Hm","signature":"s"}"#;
        let hidden = r#"{"type":"redacted_thinking","data":"x"}"#;
        let whole = format!("[{ASKED},{}]", turn(&format!("{signed},{hidden},{CALL}")));
        assert_eq!((changed(&whole), changed(&format!("[{ASKED}]"))), (None, None));
        for unsigned in [
            r#"{"type":"thinking","thinking":"Hm","signature":""}"#,
            r#"{"type":"thinking","thinking":"Hm"}"#,
            r#"{"type":"thinking","thinking":"Hm","signature":null}"#,
            r#"{"type":"thinking","thinking":"Hm","signature":"tollgate-1.W10"}"#,
            r#"{"type":"redacted_thinking","data":"tollgate-1.W10"}"#,
        ] {
            let given = format!("[{ASKED},{},{RESULT}]", turn(&format!("{unsigned},{signed}, {CALL}")));
            let left = repairs(&given, true);
            let wanted = format!("[{ASKED},{},{RESULT}]", turn(&format!("{signed},{CALL}")));
            assert_eq!(left, Repairs { messages: Some(wanted), calls_without_a_thought: false }, "as it was written");
        }
    }

    #[test]
    fn a_loop_of_calls_that_lost_its_thought_is_told_and_an_empty_turn_goes() {
        let unsigned = r#"{"type":"thinking","thinking":"Hm","signature":""}"#;
        let lost = |messages: &str| repairs(messages, true).calls_without_a_thought;
        let in_a_loop = format!("[{ASKED},{},{RESULT}]", turn(&format!("{unsigned},{CALL}")));
        assert!(lost(&in_a_loop));
        let and_words =
            r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},{"type":"text","text":"Go on"}]}"#;
        let with_words = format!("[{ASKED},{},{and_words}]", turn(&format!("{unsigned},{CALL}")));
        assert!(lost(&with_words), "the result stands beside words");
        let after_it = format!("[{ASKED},{},{RESULT},{ASKED}]", turn(&format!("{unsigned},{CALL}")));
        assert!(!lost(&after_it), "a new loop begins");
        let alone = format!("[{ASKED},{},{ASKED}]", turn(unsigned));
        assert_eq!(changed(&alone).unwrap(), format!("[{ASKED},{ASKED}]"));
    }

    #[test]
    fn a_loop_of_calls_that_never_had_a_thought_is_told_where_there_is_to_be_one() {
        let never = format!("[{ASKED},{},{RESULT}]", turn(CALL));
        assert_eq!(repairs(&never, true), Repairs { messages: None, calls_without_a_thought: true });
        assert_eq!(repairs(&never, false), Repairs::default());
        let signed = r#"{"type":"thinking","thinking":"Hm","signature":"s"}"#;
        let earlier = format!("[{ASKED},{},{ASKED},{},{RESULT}]", turn(signed), turn(CALL));
        assert!(repairs(&earlier, true).calls_without_a_thought, "an earlier thought is none of this loop");
    }

    #[test]
    fn ids_that_anthropic_has_no_letters_for_are_mapped_in_a_call_and_its_result_alike() {
        let foreign = |text: &str| text.replace(r#"id":"a""#, r#"id": "functions.f:0""#);
        let (call, result) = (foreign(CALL), foreign(RESULT));
        let given = format!("[{ASKED},{},{result}]", turn(&format!(r#"{{"type":"text","text":"\"tool_use_id\": \"x.y\""}}, {call}"#)));
        let plain = ToolIds::Plain.sent(Cow::Borrowed("functions.f:0")).into_owned();
        let sent = changed(&given).unwrap();
        assert_eq!((sent.matches(&plain).count(), sent.contains("functions.f:0")), (2, false), "{sent}");
        assert_eq!(sent.replace(&format!(r#""{plain}""#), r#""functions.f:0""#), given.replace(", {", ",{"), "nothing else has changed");
        let text = format!(r#"[{ASKED},{}]"#, turn(r#"{"type":"text","text":"{\"tool_use_id\": \"x.y\"}"}"#));
        assert_eq!(changed(&text), None);
    }

    #[test]
    fn what_cannot_be_read_is_anthropics_to_refuse() {
        for odd in [r#"["thinking"]"#, r#"[{"role":"assistant","content":[{"thinking":"thinking"}]}]"#, r#"{"thinking":1}"#] {
            assert_eq!(repairs(odd, true), Repairs::default(), "{odd}");
        }
    }
}
