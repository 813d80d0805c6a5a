//! Writes the choices of an upstream answer: copied as they stand, with every finish reason normalised, every delta completed, every
//! tool call at a place of its own and reasoning by its one name, or left out.

use bytes::BytesMut;
use schemas::RequestId;
use serde_json::value::RawValue;

use super::chat_answer::{ChatAnswer, Choice, Delta, ToolCall};
use super::content::{Said, has_more_than_words, said};
use super::finish_reason::FinishReason;
use super::scanner::Span;
use super::tool_places::{Id, Piece, Placed, ToolPlaces};

/// What is written in place of some bytes of a choice.
#[derive(Debug, Clone, Copy)]
enum Fix {
    Finish,
    /// Words of ours.
    Words(&'static [u8]),
    /// A list of parts becomes the text that clients expect, and what was thought among it, if `shows_thoughts`.
    Parts {
        shows_thoughts: bool,
    },
    /// The place of a tool call.
    Place(u32),
    /// Likewise, where it has none: the whole member.
    PlaceMember(u32),
    /// An id for the call at this place.
    Id(u32),
    IdMember(u32),
    /// A value that should be a text, as one.
    AsText,
}

/// What a client was told of each choice so far.
#[derive(Debug)]
pub(super) struct Told {
    id: RequestId,
    is_stream: bool,
    /// One bit for every choice whose role was told. Accumulators of OpenAI's SDKs would put a repeated one behind the first.
    roles: u128,
    /// One bit for every choice that called a tool.
    called: u128,
    places: ToolPlaces,
    /// Of the choice that is written, in the order of its bytes; kept for its memory alone.
    fixes: Vec<(Span, Fix)>,
}

/// A delta that says nothing, with the role and without.
pub(super) const EMPTY_DELTAS: [&[u8]; 2] = [br#"{"role":"assistant","content":""}"#, br#"{"content":""}"#];

impl Told {
    /// `id` is the answer's.
    pub(super) fn new(id: RequestId, is_stream: bool) -> Self {
        Self { id, is_stream, roles: 0, called: 0, places: ToolPlaces::default(), fixes: Vec::new() }
    }

    pub(super) const fn has_role(&self, index: u32) -> bool {
        self.roles & bit(index) != 0
    }

    /// Whether the role of this choice is still to be told. It is, from here on.
    pub(super) const fn tells_role(&mut self, index: u32) -> bool {
        let is_first = !self.has_role(index);
        self.roles |= bit(index);
        is_first
    }

    fn note_calls(&mut self, choice: &Choice, calls: &[ToolCall]) {
        if calls.iter().any(|call| call.is_named) {
            self.called |= bit(choice.index);
        }
    }

    /// Some providers call it an end like any other when tools are to be run.
    pub(super) const fn finish(&self, index: u32, reason: FinishReason) -> FinishReason {
        match reason {
            FinishReason::Stop if self.called & bit(index) != 0 => FinishReason::ToolCalls,
            reason => reason,
        }
    }

    /// Notes what is to be fixed in a choice.
    fn find_fixes(&mut self, answer: &ChatAnswer, choice: &Choice, hides_reasoning: bool) {
        self.fixes.clear();
        match choice.delta {
            Some(delta) => self.fix_delta(choice, delta),
            None if self.is_stream && !choice.has_message => self.add_delta(answer, choice),
            None => {}
        }
        for (place, call) in calls(answer, choice).iter().enumerate() {
            self.fix_call(answer, choice, call, place);
        }
        let mut fix = |span: Span, fix: Fix| self.fixes.push((span, fix));
        if let Some(value) = choice.finish.or(choice.blank_finish).or(choice.null_finish.filter(|_| choice.has_message)) {
            fix(value, Fix::Finish);
        }
        if let Some(usage) = choice.usage {
            fix(usage, Fix::Words(b"null"));
        }
        let thought = &choice.reasoning;
        if hides_reasoning {
            for (member, nothing) in [(thought.text, &b"null"[..]), (thought.content, b"null"), (thought.details, b"[]")] {
                if let Some(member) = member {
                    fix(member.value, Fix::Words(nothing));
                }
            }
        } else if let (None, Some(content)) = (thought.text, thought.content) {
            fix(content.key.quoted(), Fix::Words(br#""reasoning""#));
        }
        if let Some(parts) = choice.parts {
            let shows_thoughts = !hides_reasoning && thought.text.is_none() && thought.content.is_none();
            fix(parts, Fix::Parts { shows_thoughts });
        }
        self.fixes.sort_by_key(|(span, _)| (span.start, span.end));
    }

    /// The first delta of a choice names its role, and every one has a content, be it empty: clients rely on both.
    fn fix_delta(&mut self, choice: &Choice, delta: Delta) {
        let tells_role = self.tells_role(choice.index);
        let repeated = delta.role.filter(|_| !tells_role);
        let is_bare = delta.is_empty || (repeated.is_some() && delta.has_only_role);
        let words: &[u8] = match (tells_role && delta.role.is_none(), delta.has_content, is_bare) {
            (false, true, _) => b"",
            (true, true, _) => br#""role":"assistant","#,
            (false, false, false) => br#""content":"","#,
            (false, false, true) => br#""content":"""#,
            (true, false, false) => br#""role":"assistant","content":"","#,
            (true, false, true) => br#""role":"assistant","content":"""#,
        };
        if !words.is_empty() {
            self.fixes.push((Span { start: delta.start, end: delta.start }, Fix::Words(words)));
        }
        if let Some(role) = repeated {
            self.fixes.push((role, Fix::Words(b"")));
        }
    }

    /// Clients look into the delta of every choice: one that has none gets an empty one.
    fn add_delta(&mut self, answer: &ChatAnswer, choice: &Choice) {
        const MEMBERS: [&[u8]; 2] = [br#""delta":{"role":"assistant","content":""},"#, br#""delta":{"content":""},"#];
        let place = usize::from(!self.tells_role(choice.index));
        let start = choice.span.start + 1;
        match choice.odd_delta {
            Some(odd) => self.fixes.push((odd, Fix::Words(EMPTY_DELTAS[place]))),
            None if is_closed(answer, start) => {
                let member = MEMBERS[place];
                self.fixes.push((Span { start, end: start }, Fix::Words(&member[..member.len() - 1])));
            }
            None => self.fixes.push((Span { start, end: start }, Fix::Words(MEMBERS[place]))),
        }
    }

    /// A call has a place in a stream, an id, a type and arguments that are a text, whatever its provider left out.
    fn fix_call(&mut self, answer: &ChatAnswer, choice: &Choice, call: &ToolCall, position: usize) {
        if is_closed(answer, call.start) {
            return;
        }
        let before = Span { start: call.start, end: call.start };
        let (id, is_named) = (call.id.of(answer.bytes()), call.is_named);
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        let Placed { place, id } = if self.is_stream {
            let told: Option<u32> = call.index.and_then(|index| answer.text_of(index).parse().ok());
            let placed = self.places.of(Piece { choice: choice.index, told, id, is_named });
            match call.index {
                Some(_) if told == Some(placed.place) => {}
                Some(index) => self.fixes.push((index, Fix::Place(placed.place))),
                None => self.fixes.push((before, Fix::PlaceMember(placed.place))),
            }
            placed
        } else {
            Placed { place: position, id: if id.is_empty() && is_named { Id::Made } else { Id::AsTold } }
        };
        match (id, call.id_value) {
            (Id::AsTold, _) | (Id::Nothing, None) => {}
            (Id::Nothing, Some(value)) => self.fixes.push((value, Fix::Words(br#""""#))),
            (Id::Made, Some(value)) => self.fixes.push((value, Fix::Id(place))),
            (Id::Made, None) => self.fixes.push((before, Fix::IdMember(place))),
        }
        if is_named && !call.has_type {
            self.fixes.push((before, Fix::Words(br#""type":"function","#)));
        }
        if let Some(odd) = call.odd_arguments {
            self.fixes.push((odd, Fix::AsText));
        }
    }

    /// The id of a call that its provider gave none.
    fn write_id(&self, choice: u32, place: u32, out: &mut BytesMut) {
        let id = self.id.to_string();
        let suffix = id.strip_prefix("gen-").unwrap_or(&id);
        let of_choice = if choice == 0 { String::new() } else { format!("{choice}_") };
        out.extend_from_slice(format!("\"call_{suffix}_{of_choice}{place}\"").as_bytes());
    }

    /// What should be a text. Nothing becomes an empty one, or in a whole answer no arguments.
    fn write_as_text(&self, value: &str, out: &mut BytesMut) {
        let nothing = if self.is_stream { "" } else { "{}" };
        let text = if value == "null" { nothing } else { value };
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

/// Whether an object ends here, just behind its opening brace.
fn is_closed(answer: &ChatAnswer, start: u32) -> bool {
    answer.bytes().get(start as usize..).unwrap_or_default().trim_ascii_start().first() == Some(&b'}')
}

fn calls<'a>(answer: &'a ChatAnswer, choice: &Choice) -> &'a [ToolCall] {
    answer.calls.get(choice.calls.0..choice.calls.1).unwrap_or_default()
}

/// No bit for an index beyond [`super::chat_answer::CHOICES_MAX`]: of such a choice nothing is remembered.
pub(super) const fn bit(index: u32) -> u128 {
    if index < u128::BITS { 1 << index } else { 0 }
}

/// Copies `choices` with what has to be fixed in them replaced; everything between is copied as it stands.
pub(super) fn write_choices(answer: &ChatAnswer, choices: Span, hides_reasoning: bool, told: &mut Told, out: &mut BytesMut) {
    let data = answer.bytes();
    let mut copied = choices.start as usize;
    for choice in answer.choices() {
        told.note_calls(choice, calls(answer, choice));
        told.find_fixes(answer, choice, hides_reasoning);
        for (span, fix) in &told.fixes {
            out.extend_from_slice(&data[copied..span.start as usize]);
            copied = span.end as usize;
            match fix {
                Fix::Words(words) => out.extend_from_slice(words),
                Fix::Finish => write_finish(answer, choice, told, out),
                Fix::Parts { shows_thoughts } => write_parts(answer.text_of(*span), *shows_thoughts, out),
                Fix::Place(place) => out.extend_from_slice(place.to_string().as_bytes()),
                Fix::PlaceMember(place) => out.extend_from_slice(format!("\"index\":{place},").as_bytes()),
                Fix::Id(place) => told.write_id(choice.index, *place, out),
                Fix::IdMember(place) => {
                    out.extend_from_slice(b"\"id\":");
                    told.write_id(choice.index, *place, out);
                    out.extend_from_slice(b",");
                }
                Fix::AsText => told.write_as_text(answer.text_of(*span), out),
            }
        }
    }
    out.extend_from_slice(&data[copied..choices.end as usize]);
}

/// The value of `content`, and what was thought as a member of its own. A list that has more than words stays one.
fn write_parts(list: &str, shows_thoughts: bool, out: &mut BytesMut) {
    let parts = serde_json::from_str::<&RawValue>(list).ok().filter(|parts| !has_more_than_words(parts));
    let Some(parts) = parts else {
        out.extend_from_slice(list.as_bytes());
        return;
    };
    let said = said(parts);
    let write = |is_thought: bool, out: &mut BytesMut| {
        let words = said.iter().filter_map(|said| match said {
            Said::Text(words) if !is_thought => Some(words),
            Said::Thought(words) if is_thought => Some(words),
            _ => None,
        });
        out.extend_from_slice(b"\"");
        // Insides of JSON strings, escapes as written.
        words.for_each(|words| out.extend_from_slice(inside(words.get()).as_bytes()));
        out.extend_from_slice(b"\"");
    };
    write(false, out);
    if shows_thoughts && said.iter().any(|said| matches!(said, Said::Thought(_))) {
        out.extend_from_slice(b",\"reasoning\":");
        write(true, out);
    }
}

fn write_finish(answer: &ChatAnswer, choice: &Choice, told: &Told, out: &mut BytesMut) {
    let Some(finish) = choice.finish else {
        // A whole answer that gives no reason has stopped, as a stream has.
        let has_stopped = choice.has_message && !answer.pieces().is_empty();
        out.extend_from_slice(if has_stopped { b"\"stop\"" } else { b"null" });
        if choice.has_message && !choice.has_native {
            out.extend_from_slice(b",\"native_finish_reason\":null");
        }
        return;
    };
    write_quoted(told.finish(choice.index, answer.finish_reason(finish)).as_str(), out);
    if !choice.has_native {
        out.extend_from_slice(b",\"native_finish_reason\":");
        out.extend_from_slice(finish.of(answer.bytes()));
    }
}

/// What is between a JSON string's quotes.
fn inside(json: &str) -> &str {
    json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json)
}

/// For words that need no escapes.
pub(super) fn write_quoted(word: &str, out: &mut BytesMut) {
    out.extend_from_slice(b"\"");
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\"");
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use bytes::Bytes;
    use schemas::RequestId;
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::chat_chunk::Finish;
    use crate::wire::{AnswerIdentity, ChunkRewriter};

    const IDENTITY: AnswerIdentity<'_> =
        AnswerIdentity { id: RequestId::from_uuid(uuid::Uuid::nil()), created: 0, model: "m", provider: "p" };

    fn value(frame: &[u8]) -> Value {
        let frame = std::str::from_utf8(frame).unwrap();
        serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap()
    }

    /// The choices of every frame of a stream, and of the one with the usage.
    fn choices(frames: &[&str]) -> Vec<Value> {
        let (mut rewriter, mut answer) = (ChunkRewriter::new(&IDENTITY), ChatAnswer::default());
        let mut told: Vec<Value> = frames
            .iter()
            .map(|frame| {
                let mut out = BytesMut::new();
                answer.scan(Bytes::copy_from_slice(frame.as_bytes())).unwrap();
                rewriter.rewrite(&answer, &mut out);
                value(&out)["choices"].clone()
            })
            .collect();
        let mut out = BytesMut::new();
        rewriter.usage_chunk(Some(Finish { reason: Some(FinishReason::Stop), native: Some("stop") }), "{}", &mut out);
        told.push(value(&out)["choices"].clone());
        told
    }

    /// OpenAI's SDKs put the texts of all deltas together, and the role is one of them.
    #[test]
    fn the_role_is_told_once_wherever_a_provider_repeats_it() {
        let deltas = [
            (r#"{"role":"assistant","content":"a"}"#, json!({ "role": "assistant", "content": "a" })),
            (r#"{"role":"assistant","content":"b"}"#, json!({ "content": "b" })),
            (r#"{"content":"c" , "role" : "assistant"}"#, json!({ "content": "c" })),
            (r#"{ "reasoning":"d", "role":"assistant", "content":"e"}"#, json!({ "reasoning": "d", "content": "e" })),
            (r#"{ "role":"assistant" }"#, json!({ "content": "" })),
            (r#"{"role":"assistant","tool_calls":[]}"#, json!({ "content": "", "tool_calls": [] })),
            (r#"{}"#, json!({ "content": "" })),
            (r#"{"content":"f"}"#, json!({ "content": "f" })),
        ];
        let frames = deltas.clone().map(|(delta, _)| format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#));
        let told = choices(&frames.each_ref().map(String::as_str));
        for ((delta, wanted), choices) in deltas.iter().zip(&told) {
            assert_eq!(choices[0]["delta"], *wanted, "{delta}");
        }
        assert_eq!(told.last().unwrap()[0]["delta"], json!({ "content": "" }));
    }

    #[test]
    fn every_choice_has_a_role_of_its_own_and_an_unnamed_one_is_named() {
        let told = choices(&[
            r#"{"choices":[],"prompt_filter_results":[]}"#,
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"a"}},{"index":1,"delta":{"content":"b"}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"role":"assistant","content":"b"}}]}"#,
        ]);
        let roles: Vec<&Value> =
            told.iter().flat_map(|choices| choices.as_array().unwrap()).map(|choice| &choice["delta"]["role"]).collect();
        assert_eq!(roles, [&json!("assistant"), &Value::Null, &json!("assistant"), &Value::Null, &Value::Null]);
    }

    #[test]
    fn parallel_calls_of_one_place_reach_clients_apart() {
        let call = |id: &str, city: &str| {
            format!(
                r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"id":"{id}","index":0,"type":"function","function":{{"name":"weather","arguments":"{city}"}}}}]}}}}]}}"#
            )
        };
        let told = choices(&[
            &call("call_A", "Paris"),
            &call("call_B", "London"),
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"!"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        ]);
        let places: Vec<&Value> = told[..3].iter().map(|choices| &choices[0]["delta"]["tool_calls"][0]["index"]).collect();
        assert_eq!(places, [&json!(0), &json!(1), &json!(1)], "a call without a place gets one");
        for last in &told[3..] {
            assert_eq!((&last[0]["finish_reason"], &last[0]["native_finish_reason"]), (&json!("tool_calls"), &json!("stop")));
        }
    }

    #[test]
    fn a_provider_that_counts_its_calls_is_copied() {
        let frame = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index" : 0,"id":"a","type":"function","function":{"name":"f","arguments":""}},{"index":1,"id":"b","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}"#;
        let (mut rewriter, mut answer, mut out) = (ChunkRewriter::new(&IDENTITY), ChatAnswer::default(), BytesMut::new());
        answer.scan(Bytes::copy_from_slice(frame.as_bytes())).unwrap();
        rewriter.rewrite(&answer, &mut out);
        assert!(std::str::from_utf8(&out).unwrap().contains(&frame[1..frame.len() - 1]));
    }

    #[test]
    fn a_call_is_whole_whatever_its_provider_left_out() {
        let calls = r#""tool_calls":[{"id":"","function":{"name":"now","arguments":{"a":1.50}}},{"function":{"name":"now","arguments":null}},{},{"index":2,"id":"c","type":"function","function":{"name":"now","arguments":"{}"}}]"#;
        let made = |place: usize| json!(format!("call_0-00000000000000000000_{place}"));
        let told = choices(&[
            &format!(r#"{{"choices":[{{"index":0,"delta":{{{calls}}}}}]}}"#),
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"late","function":{"arguments":"x"}}]}}]}"#,
        ]);
        let streamed = &told[0][0]["delta"]["tool_calls"];
        assert_eq!(
            streamed[0],
            json!({ "index": 0, "id": made(0), "type": "function", "function": { "name": "now", "arguments": "{\"a\":1.50}" } })
        );
        assert_eq!((&streamed[2], &streamed[3]["index"], &streamed[3]["id"]), (&json!({}), &json!(2), &json!("c")));
        assert_eq!(told[1][0]["delta"]["tool_calls"][0]["id"], "", "the client knows it by another");
        let mut answer = ChatAnswer::default();
        answer.scan(Bytes::from(format!(r#"{{"choices":[{{"message":{{{calls}}},"finish_reason":"stop"}}]}}"#))).unwrap();
        let body: Value = serde_json::from_slice(&crate::wire::chat_body::rewrite_body(&IDENTITY, &answer, false, "{}")).unwrap();
        let whole = &body["choices"][0]["message"]["tool_calls"];
        assert_eq!(whole[0], json!({ "id": made(0), "type": "function", "function": { "name": "now", "arguments": "{\"a\":1.50}" } }));
        assert_eq!(whole[1], json!({ "id": made(1), "type": "function", "function": { "name": "now", "arguments": "{}" } }));
        assert_eq!((&whole[3]["id"], &body["choices"][0]["finish_reason"]), (&json!("c"), &json!("tool_calls")));
    }

    #[test]
    fn a_choice_without_a_delta_gets_an_empty_one() {
        let told = choices(&[
            r#"{"choices":[{}]}"#,
            r#"{"choices":[{"index":0,"content_filter_results":{},"finish_reason":null}]}"#,
            r#"{"choices":[{"index":0,"delta":null}]}"#,
        ]);
        let deltas: Vec<&Value> = told.iter().map(|choices| &choices[0]["delta"]).collect();
        let (first, later) = (json!({ "role": "assistant", "content": "" }), json!({ "content": "" }));
        assert_eq!(deltas, [&first, &later, &later, &later]);
        assert_eq!(told[1][0]["content_filter_results"], json!({}));
    }

    #[test]
    fn usage_in_a_choice_is_read_and_not_shown() {
        let frame = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":1337,"completion_tokens":211}}]}"#;
        let mut answer = ChatAnswer::default();
        answer.scan(Bytes::copy_from_slice(frame.as_bytes())).unwrap();
        assert_eq!(answer.usage(), Some(r#"{"prompt_tokens":1337,"completion_tokens":211}"#));
        assert_eq!(choices(&[frame])[0][0]["usage"], Value::Null);
    }
}
