//! Writes the frames of a chat stream as clients of OpenRouter expect them.
//!
//! An upstream frame keeps its own bytes but for a prefix that says who we are, its `usage` (we send our
//! own, with the cost), the finish reasons (normalised, the provider's word beside) and the name its reasoning goes by. Frames that are
//! ours altogether (usage, error, `[DONE]`, keep-alive) are written here too. All go into one output
//! buffer, which the caller reuses: nothing is allocated per frame.

use bytes::BytesMut;
use schemas::RequestId;

use super::chat_answer::{ChatAnswer, Name, PieceKind};
use super::choices::{EMPTY_DELTAS, Told, bit, write_choices, write_quoted};
use super::finish_reason::FinishReason;

/// The frame that ends every stream.
pub const DONE: &[u8] = b"data: [DONE]\n\n";
/// Sent while there is nothing else to send. Clients match on these words.
pub const KEEP_ALIVE: &[u8] = b": OPENROUTER PROCESSING\n\n";

/// Choices that say nothing, for frames whose choices are empty: clients index `choices[0]`. With the role, and without.
const EMPTY_CHOICES: [&[u8]; 2] = [
    br#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,"native_finish_reason":null}]"#,
    br#"[{"index":0,"delta":{"content":""},"finish_reason":null,"native_finish_reason":null}]"#,
];

/// Who answers, as the client is told.
#[derive(Debug, Clone, Copy)]
pub struct AnswerIdentity<'a> {
    pub id: RequestId,
    /// Seconds since 1970.
    pub created: i64,
    /// The public id of the model that serves.
    pub model: &'a str,
    /// The display name of the provider.
    pub provider: &'a str,
}

impl AnswerIdentity<'_> {
    /// `{"id":…,"object":…,"created":…,"model":…,"provider":…`, open for more members.
    pub(super) fn write(&self, object: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(
            format!("{{\"id\":\"{}\",\"object\":\"{object}\",\"created\":{},\"model\":", self.id, self.created).as_bytes(),
        );
        out.extend_from_slice(serde_json::Value::from(self.model).to_string().as_bytes());
        out.extend_from_slice(b",\"provider\":");
        out.extend_from_slice(serde_json::Value::from(self.provider).to_string().as_bytes());
    }
}

/// What became of an upstream frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewritten {
    Written,
    /// The frame carried usage and nothing new: the client gets ours at the end.
    Nothing,
}

/// Rewrites the frames of one stream.
#[derive(Debug)]
pub struct ChunkRewriter {
    /// `data: ` and the members that are ours.
    prefix: Vec<u8>,
    /// One bit for every choice that began.
    begun: u128,
    /// One bit for every choice whose finish reason was written.
    finished: u128,
    told: Told,
    /// The client does not want to see what the model thought.
    hides_reasoning: bool,
}

impl ChunkRewriter {
    pub fn new(identity: &AnswerIdentity<'_>) -> Self {
        let mut prefix = b"data: ".to_vec();
        identity.write("chat.completion.chunk", &mut prefix);
        Self { prefix, begun: 0, finished: 0, told: Told::new(identity.id, true), hides_reasoning: false }
    }

    /// Leaves out what the model thought, if `hides`.
    #[must_use]
    pub fn hiding_reasoning(self, hides: bool) -> Self {
        Self { hides_reasoning: hides, ..self }
    }

    /// Appends the client's form of an upstream frame. An upstream error is not for here: check
    /// [`ChatAnswer::error`] first and write [`Self::error_chunk`].
    pub fn rewrite(&mut self, answer: &ChatAnswer, out: &mut BytesMut) -> Rewritten {
        let choices = answer.choices();
        for choice in choices {
            self.begun |= bit(choice.index);
        }
        let carries_usage = answer.members.iter().any(|known| known.name == Name::Usage && known.member.value.len() > "null".len());
        // Some providers send usage with no choices, others with choices that repeat what was said.
        let says_nothing = answer.pieces().is_empty() && choices.iter().all(|choice| self.finished & bit(choice.index) != 0);
        let is_all_thought = || {
            let mut pieces = answer.pieces().iter();
            !answer.pieces().is_empty() && pieces.all(|piece| piece.kind == PieceKind::Reasoning)
        };
        let is_hidden = self.hides_reasoning && choices.iter().all(|choice| choice.finish.is_none()) && is_all_thought();
        if (carries_usage && says_nothing) || is_hidden {
            return Rewritten::Nothing;
        }
        for choice in choices.iter().filter(|choice| choice.finish.is_some()) {
            self.finished |= bit(choice.index);
        }
        out.extend_from_slice(&self.prefix);
        let substitute = choices.is_empty().then(|| EMPTY_CHOICES[usize::from(!self.told.tells_role(0))]);
        write_members(answer, substitute, self.hides_reasoning, &mut self.told, out);
        out.extend_from_slice(b"}\n\n");
        Rewritten::Written
    }

    /// Whether a choice that began was not ended.
    pub const fn has_open_choice(&self) -> bool {
        self.begun & !self.finished != 0
    }

    /// Appends the chunk that carries the usage. With `repeats`, its one choice repeats how the answer
    /// ended (OpenRouter's form); without, `choices` is empty (OpenAI's).
    pub fn usage_chunk(&self, repeats: Option<Finish<'_>>, usage_json: &str, out: &mut BytesMut) {
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(b",\"choices\":[");
        if let Some(finish) = repeats {
            self.write_last_choice(0, finish, out);
        }
        out.extend_from_slice(b"],\"usage\":");
        out.extend_from_slice(usage_json.as_bytes());
        out.extend_from_slice(b"}\n\n");
    }

    /// Appends a chunk that ends every choice that is open, or else the first, with a finish reason of ours: a stream stopped by
    /// a limit.
    pub fn finish_chunk(&self, finish: Finish<'_>, out: &mut BytesMut) {
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(b",\"choices\":[");
        let open = if self.has_open_choice() { self.begun & !self.finished } else { 1 };
        for (place, index) in (0..u128::BITS).filter(|index| open >> index & 1 == 1).enumerate() {
            if place > 0 {
                out.extend_from_slice(b",");
            }
            self.write_last_choice(index, finish, out);
        }
        out.extend_from_slice(b"]}\n\n");
    }

    /// Appends the chunk of a stream that failed after its first byte. `error_json` is the error object.
    pub fn error_chunk(&self, error_json: &str, out: &mut BytesMut) {
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(b",\"error\":");
        out.extend_from_slice(error_json.as_bytes());
        out.extend_from_slice(br#","choices":[{"index":0,"delta":"#);
        out.extend_from_slice(self.empty_delta(0));
        out.extend_from_slice(br#","finish_reason":"error","native_finish_reason":null}]}"#);
        out.extend_from_slice(b"\n\n");
    }

    const fn empty_delta(&self, index: u32) -> &'static [u8] {
        EMPTY_DELTAS[self.told.has_role(index) as usize]
    }

    fn write_last_choice(&self, index: u32, finish: Finish<'_>, out: &mut BytesMut) {
        out.extend_from_slice(format!("{{\"index\":{index},\"delta\":").as_bytes());
        out.extend_from_slice(self.empty_delta(index));
        out.extend_from_slice(b",\"finish_reason\":");
        match finish.reason {
            Some(reason) => write_quoted(self.told.finish(index, reason).as_str(), out),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"native_finish_reason\":");
        match finish.native {
            Some(native) => out.extend_from_slice(serde_json::Value::from(native).to_string().as_bytes()),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b"}");
    }
}

/// How an answer ended: our word, and the provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Finish<'a> {
    pub reason: Option<FinishReason>,
    pub native: Option<&'a str>,
}

/// Appends `,"name":value` for every member that is the provider's to say. Of a repeated `choices` only
/// the last is kept, which is the one the notes are about.
pub(super) fn write_members(
    answer: &ChatAnswer,
    substitute_choices: Option<&[u8]>,
    hides_reasoning: bool,
    told: &mut Told,
    out: &mut BytesMut,
) {
    let data = answer.bytes();
    let last_choices = answer.members.iter().rposition(|known| known.name == Name::Choices);
    for (index, known) in answer.members.iter().enumerate() {
        match known.name {
            Name::Id | Name::Object | Name::Created | Name::Model | Name::Provider | Name::Usage => {}
            Name::Choices if Some(index) != last_choices => {}
            Name::Choices => {
                out.extend_from_slice(b",\"choices\":");
                match substitute_choices {
                    Some(substitute) => out.extend_from_slice(substitute),
                    None => write_choices(answer, known.member.value, hides_reasoning, told, out),
                }
            }
            Name::Error | Name::XGroq | Name::Other => {
                out.extend_from_slice(b",");
                out.extend_from_slice(known.member.key.quoted().of(data));
                out.extend_from_slice(b":");
                out.extend_from_slice(known.member.value.of(data));
            }
        }
    }
    if let (None, Some(substitute)) = (last_choices, substitute_choices) {
        out.extend_from_slice(b",\"choices\":");
        out.extend_from_slice(substitute);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const IDENTITY: AnswerIdentity<'_> =
        AnswerIdentity { id: RequestId::from_uuid(uuid::Uuid::nil()), created: 1_790_015_143, model: "acme/\"best\"", provider: "Acme" };

    fn rewrite_all(frames: &[&str]) -> Vec<(Rewritten, String)> {
        let (mut rewriter, mut answer) = (ChunkRewriter::new(&IDENTITY), ChatAnswer::default());
        let rewritten = frames.iter().map(|frame| {
            let mut out = BytesMut::new();
            answer.scan(Bytes::copy_from_slice(frame.as_bytes())).unwrap();
            (rewriter.rewrite(&answer, &mut out), String::from_utf8(out.to_vec()).unwrap())
        });
        rewritten.collect()
    }

    fn rewrite(frame: &str) -> String {
        rewrite_all(&[frame]).remove(0).1
    }

    fn value(frame: &str) -> Value {
        let data = frame.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
        assert!(!data.contains('\n'));
        serde_json::from_str(data).unwrap()
    }

    #[test]
    fn only_the_identity_differs_in_an_ordinary_frame() {
        let frame = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"best-0613","provider":"x","system_fingerprint":"fp","choices":[{"index":0, "delta":{"role":"assistant","content":"H\u00e9"},"logprobs":null,"finish_reason":null}],"usage":null,"x":1.50}"#;
        assert_eq!(
            rewrite(frame),
            concat!(
                r#"data: {"id":"gen-0-00000000000000000000","object":"chat.completion.chunk","created":1790015143,"model":"acme/\"best\"","provider":"Acme","#,
                r#""system_fingerprint":"fp","choices":[{"index":0, "delta":{"role":"assistant","content":"H\u00e9"},"logprobs":null,"finish_reason":null}],"x":1.50}"#,
                "\n\n"
            )
        );
    }

    #[test]
    fn a_list_of_parts_is_told_as_the_text_and_the_thoughts_it_holds() {
        let frame = r#"{"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm \"x\""}]},{"type":"text","text":"A\u00e9"},{"type":"text","text":"\"B\""},{"type":"reference","reference_ids":[1]}]},"finish_reason":"stop"}]}"#;
        let delta = |frame: &str| value(&rewrite(frame))["choices"][0]["delta"].clone();
        assert_eq!(delta(frame), json!({ "role": "assistant", "content": "A\u{e9}\"B\"", "reasoning": "Hm \"x\"" }));
        let mut out = BytesMut::new();
        let mut answer = ChatAnswer::default();
        answer.scan(Bytes::copy_from_slice(frame.as_bytes())).unwrap();
        ChunkRewriter::new(&IDENTITY).hiding_reasoning(true).rewrite(&answer, &mut out);
        let hidden = value(std::str::from_utf8(&out).unwrap())["choices"][0]["delta"].clone();
        assert_eq!(hidden, json!({ "role": "assistant", "content": "A\u{e9}\"B\"" }), "whatever the provider makes of it");
        assert_eq!(delta(r#"{"choices":[{"delta":{"content":[]}}]}"#)["content"], "");
        assert_eq!(delta(r#"{"choices":[{"delta":{"content":[{"type":"text","text":"A"},"B"],"reasoning":"a"}}]}"#)["content"], "A");
        let pictured = r#"[{"type":"text","text":"A"},{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]"#;
        let kept = delta(&format!(r#"{{"choices":[{{"delta":{{"content":{pictured}}}}}]}}"#))["content"].clone();
        assert_eq!(kept, serde_json::from_str::<Value>(pictured).unwrap(), "pictures are not lost");
    }

    #[test]
    fn every_choice_that_began_is_ended() {
        let mut rewriter = ChunkRewriter::new(&IDENTITY);
        let mut answer = ChatAnswer::default();
        for frame in [
            r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}},{"index":2,"delta":{"content":"c"}}]}"#,
            r#"{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}"#,
        ] {
            answer.scan(Bytes::copy_from_slice(frame.as_bytes())).unwrap();
            rewriter.rewrite(&answer, &mut BytesMut::new());
        }
        assert!(rewriter.has_open_choice());
        let mut out = BytesMut::new();
        rewriter.finish_chunk(Finish { reason: Some(FinishReason::Length), native: None }, &mut out);
        let choices = value(std::str::from_utf8(&out).unwrap())["choices"].clone();
        let ended: Vec<(&Value, &Value)> =
            choices.as_array().unwrap().iter().map(|choice| (&choice["index"], &choice["finish_reason"])).collect();
        assert_eq!(ended, [(&json!(0), &json!("length")), (&json!(2), &json!("length"))]);
    }

    #[test]
    fn every_delta_names_its_role_and_has_a_content() {
        let choices = |frame: &str| value(&rewrite(frame))["choices"].clone();
        assert_eq!(
            choices(
                r#"{"choices":[{"index":0,"delta":{}},{"finish_reason":"stop","delta":{ "content":"x"},"index":1},{"delta":{"role":"assistant"},"index":2,"finish_reason":"length"},{"index":3,"delta":{"content":null,"tool_calls":[]}},{"index":4}]}"#
            ),
            json!([
                { "index": 0, "delta": { "role": "assistant", "content": "" } },
                { "finish_reason": "stop", "native_finish_reason": "stop", "delta": { "role": "assistant", "content": "x" }, "index": 1 },
                { "delta": { "role": "assistant", "content": "" }, "index": 2, "finish_reason": "length", "native_finish_reason": "length" },
                { "index": 3, "delta": { "role": "assistant", "content": null, "tool_calls": [] } },
                { "index": 4, "delta": { "role": "assistant", "content": "" } },
            ])
        );
        let whole = r#"{"choices":[{"index":0,"message":{"content":"x"}}]}"#;
        assert_eq!(choices(whole), json!([{ "index": 0, "message": { "content": "x" } }]), "a message is not a delta");
    }

    #[test]
    fn reasoning_has_one_name_and_is_left_out_for_who_does_not_want_it() {
        let thinking =
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":"Hm"},"finish_reason":null}]}"#;
        let both = r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","text":"Hm"}],"reasoning":"Hm","content":"x"},"finish_reason":"stop","index":0}]}"#;
        let twice = r#"{"choices":[{"index":0,"delta":{"reasoning":"Hm","reasoning_content":"Hm","content":"x"}}]}"#;
        let delta = |frame: &str| value(&rewrite(frame))["choices"][0]["delta"].clone();
        assert_eq!(delta(thinking), json!({ "role": "assistant", "content": "", "reasoning": "Hm" }));
        assert_eq!(delta(twice), json!({ "role": "assistant", "reasoning": "Hm", "reasoning_content": "Hm", "content": "x" }));
        let mut answer = ChatAnswer::default();
        let mut rewriter = ChunkRewriter::new(&IDENTITY).hiding_reasoning(true);
        let mut hidden = |frame: &str| {
            let mut out = BytesMut::new();
            answer.scan(Bytes::copy_from_slice(frame.as_bytes())).unwrap();
            (rewriter.rewrite(&answer, &mut out), String::from_utf8(out.to_vec()).unwrap())
        };
        assert_eq!(hidden(thinking), (Rewritten::Nothing, String::new()));
        let (_, seen) = hidden(both);
        assert_eq!(
            value(&seen)["choices"][0],
            json!({ "delta": { "role": "assistant", "reasoning_details": [], "reasoning": null, "content": "x" },
                "finish_reason": "stop", "native_finish_reason": "stop", "index": 0 })
        );
        let whole =
            r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"x","reasoning_content":"Hm"},"finish_reason":"stop"}]}"#;
        answer.scan(Bytes::copy_from_slice(whole.as_bytes())).unwrap();
        let message = |hides| -> Value {
            let body = crate::wire::chat_body::rewrite_body(&IDENTITY, &answer, hides, "{}");
            serde_json::from_slice::<Value>(&body).unwrap()["choices"][0]["message"].clone()
        };
        assert_eq!(message(false), json!({ "role": "assistant", "content": "x", "reasoning": "Hm" }));
        assert_eq!(message(true), json!({ "role": "assistant", "content": "x", "reasoning_content": null }));
    }

    #[test]
    fn finish_reasons_are_normalised_with_the_native_one_beside() {
        let choices = |frame: &str| {
            let mut choices = value(&rewrite(frame))["choices"].take();
            choices.as_array_mut().unwrap().iter_mut().for_each(|choice| drop(choice.as_object_mut().unwrap().remove("delta")));
            choices
        };
        assert_eq!(
            choices(
                r#"{"choices":[{"finish_reason":"end_turn","index":0},{"index":1,"finish_reason":null},{"index":2,"finish_reason":""},{"finish_reason":"function_call","index":3}]}"#
            ),
            json!([
                { "finish_reason": "stop", "native_finish_reason": "end_turn", "index": 0 }, { "index": 1, "finish_reason": null },
                { "index": 2, "finish_reason": null }, { "finish_reason": "tool_calls", "native_finish_reason": "function_call", "index": 3 },
            ])
        );
        assert_eq!(
            choices(r#"{"choices":[{"native_finish_reason":"STOP","finish_reason":"stop"}]}"#),
            json!([{ "native_finish_reason": "STOP", "finish_reason": "stop" }]),
            "another gateway's native reason is the native one"
        );
        assert_eq!(choices(r#"{"choices":[{"finish_reason":7}]}"#), json!([{ "finish_reason": "stop", "native_finish_reason": 7 }]));
    }

    #[test]
    fn upstream_usage_never_reaches_the_client() {
        let stop = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        let empty = r#"{"choices":[],"usage":{"prompt_tokens":1}}"#;
        let beside = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":{"prompt_tokens":1}}"#;
        let repeating = r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#;
        let rewritten = rewrite_all(&[empty, beside, repeating, repeating, stop, empty]);
        let kinds: Vec<Rewritten> = rewritten.iter().map(|(rewritten, _)| *rewritten).collect();
        use Rewritten::{Nothing, Written};
        assert_eq!(
            kinds,
            [Nothing, Written, Written, Nothing, Written, Nothing],
            "a finish reason is told once, with its usage or before it"
        );
        for (rewritten, frame) in rewritten {
            assert!(!frame.contains("usage") && (rewritten == Written || frame.is_empty()), "{frame}");
        }
    }

    #[test]
    fn a_frame_without_choices_gets_an_empty_one() {
        let frame = value(&rewrite(r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#));
        assert_eq!(frame["choices"][0]["delta"], json!({ "role": "assistant", "content": "" }));
        assert_eq!(frame["prompt_filter_results"], json!([{ "prompt_index": 0 }]));
        assert_eq!(value(&rewrite("{}"))["choices"].as_array().unwrap().len(), 1);
        assert_eq!(value(&rewrite(r#"{"choices":null}"#))["choices"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_provider_cannot_override_what_is_ours() {
        let frame = rewrite(r#"{"\u0069d":"evil","model":"a","\u006dodel":"evil","choices":[{"index":9}],"choices":[{"index":0}]}"#);
        assert!(!frame.contains("evil") && frame.matches("\"choices\"").count() == 1, "{frame}");
        assert_eq!(value(&frame)["choices"][0]["index"], 0);
    }

    #[test]
    fn repeated_choices_count_as_their_last() {
        let choices = r#""choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"eos"}]"#;
        let frame = value(&rewrite(&format!(r#"{{{choices},"choices":null}}"#)));
        assert_eq!(frame["choices"][0]["finish_reason"], Value::Null);
        let frame = value(&rewrite(&format!(r#"{{"choices":null,{choices}}}"#)));
        assert_eq!(frame["choices"][0]["native_finish_reason"], "eos");
    }

    #[test]
    fn our_own_frames_have_openrouters_shape() {
        let rewriter = ChunkRewriter::new(&IDENTITY);
        let written = |write: &dyn Fn(&mut BytesMut)| {
            let mut out = BytesMut::new();
            write(&mut out);
            value(std::str::from_utf8(&out).unwrap())
        };
        let finish = Finish { reason: Some(FinishReason::Length), native: Some("max\"tokens") };
        let last = json!([{ "index": 0, "delta": { "role": "assistant", "content": "" }, "finish_reason": "length", "native_finish_reason": "max\"tokens" }]);
        let chunk = written(&|out| rewriter.usage_chunk(Some(finish), r#"{"cost":0.1}"#, out));
        assert_eq!((&chunk["choices"], &chunk["usage"], &chunk["provider"]), (&last, &json!({ "cost": 0.1 }), &json!("Acme")));
        assert_eq!(written(&|out| rewriter.usage_chunk(None, "{}", out))["choices"], json!([]));
        assert_eq!(written(&|out| rewriter.finish_chunk(finish, out))["choices"], last);
        let blank = written(&|out| rewriter.finish_chunk(Finish::default(), out));
        assert_eq!((&blank["choices"][0]["finish_reason"], &blank["choices"][0]["native_finish_reason"]), (&Value::Null, &Value::Null));
        let error = written(&|out| rewriter.error_chunk(r#"{"code":502,"message":"m"}"#, out));
        assert_eq!((&error["error"]["code"], &error["choices"][0]["finish_reason"]), (&json!(502), &json!("error")));
    }

    #[test]
    fn a_whole_body_is_rewritten_alike() {
        let mut answer = ChatAnswer::default();
        let body = r#"{"id":"u","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"eos"}],"usage":{"prompt_tokens":9},"service_tier":null}"#;
        answer.scan(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let rewritten: Value =
            serde_json::from_slice(&crate::wire::chat_body::rewrite_body(&IDENTITY, &answer, false, r#"{"cost":1}"#)).unwrap();
        let wanted = json!({
            "id": IDENTITY.id.to_string(), "object": "chat.completion", "created": 1_790_015_143, "model": IDENTITY.model, "provider": "Acme",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop", "native_finish_reason": "eos" }],
            "usage": { "cost": 1 }, "service_tier": null, "system_fingerprint": null,
        });
        assert_eq!(rewritten, wanted);
    }

    fn member() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            Just("null"),
            Just("1.0"),
            Just("\"s\""),
            Just("[]"),
            Just("{\"a\":[1,{}]}"),
            Just("[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"eos\"}]")
        ];
        let key = prop_oneof![
            Just("id"),
            Just("object"),
            Just("model"),
            Just("choices"),
            Just("usage"),
            Just("error"),
            Just("x_groq"),
            Just("other"),
            Just("\\u0069d")
        ];
        (key, value).prop_map(|(key, value)| format!("\"{key}\":{value}"))
    }

    proptest! {
        /// Whatever object comes in, one valid object goes out that differs only where it must.
        #[test]
        fn any_object_becomes_one_valid_frame(members in proptest::collection::vec(member(), 0..8)) {
            let frame = format!("{{{}}}", members.join(","));
            let (rewritten, out) = rewrite_all(&[&frame]).remove(0);
            if rewritten == Rewritten::Written {
                let (before, after): (Value, Value) = (serde_json::from_str(&frame).unwrap(), value(&out));
                prop_assert_eq!(&after["model"], IDENTITY.model);
                prop_assert!(after["choices"].as_array().is_some_and(|choices| !choices.is_empty()));
                prop_assert!(after.get("usage").is_none());
                for kept in ["error", "x_groq", "other"] {
                    prop_assert_eq!(before.get(kept), after.get(kept));
                }
            }
        }
    }
}
