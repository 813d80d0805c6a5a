//! One walk over an OpenAI chat answer: a `chat.completion.chunk` frame or a whole `chat.completion` body.
//!
//! [`ChatAnswer::scan`] notes where everything stands that must be replaced (ids, usage, finish reasons)
//! or counted (delivered text), as spans into the answer's own bytes. The rewriters and the meter read
//! the same notes, so a frame is walked once. The notes are reused from frame to frame: after the first
//! few frames nothing is allocated. Unknown members are kept and mean nothing here.

mod walk;

use bytes::Bytes;

use super::finish_reason::FinishReason;
use super::members::Member;
use super::scanner::{JsonError, Span};

/// Members at the top level; providers send about ten.
pub const MEMBERS_MAX: usize = 64;
/// Choices in one answer; `n` is at most this.
pub const CHOICES_MAX: usize = 128;
/// Pieces of text in one answer: contents, reasonings and tool calls of all choices.
pub const PIECES_MAX: usize = 4_096;

/// Why bytes are no chat answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("upstream answer is not UTF-8")]
    NotUtf8,
    #[error("upstream answer is not valid JSON")]
    Json(#[from] JsonError),
    #[error("upstream answer has more than {max} {what}")]
    TooMany { what: &'static str, max: usize },
}

/// What a frame's data turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanned {
    /// A JSON object: read the answer's notes.
    Object,
    /// `[DONE]`.
    Done,
}

/// The notes about one answer.
#[derive(Debug, Default)]
pub struct ChatAnswer {
    data: Bytes,
    pub(super) members: Vec<KnownMember>,
    choices: Vec<Choice>,
    pieces: Vec<Piece>,
    /// The tool calls of all choices.
    pub(super) calls: Vec<ToolCall>,
}

/// A top-level member and what its name means here.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownMember {
    pub member: Member,
    pub name: Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Id,
    Object,
    Created,
    Model,
    Provider,
    Choices,
    Usage,
    Error,
    /// Groq reports usage in here as well.
    XGroq,
    Other,
}

/// One element of `choices`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice {
    pub span: Span,
    pub index: u32,
    /// The value of `finish_reason`, quotes included, where it is neither null nor blank.
    pub finish: Option<Span>,
    /// A blank `finish_reason`, which means null.
    pub blank_finish: Option<Span>,
    /// Likewise, where it is null: in a stream it is so until the end.
    pub null_finish: Option<Span>,
    /// The value of the provider's own `native_finish_reason`, where it is not null.
    pub native: Option<Span>,
    /// Whether there is such a member, null or not.
    pub has_native: bool,
    /// The value of the choice's own `error`, where it is not null.
    pub error: Option<Span>,
    /// Its `delta`, in a stream.
    pub delta: Option<Delta>,
    /// The value of a `delta` that is no object.
    pub(super) odd_delta: Option<Span>,
    pub(super) has_message: bool,
    /// Where its delta or message tells what the model thought.
    pub(super) reasoning: Reasoning,
    /// The value of its `content`, where that is a list of parts and not a text.
    pub(super) parts: Option<Span>,
    /// Its tool calls, by their places in the answer's.
    pub(super) calls: (usize, usize),
    /// The usage, which Moonshot tells in here.
    pub(super) usage: Option<Span>,
}

/// A tool call of a delta or a message, as far as its place among the others goes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ToolCall {
    /// Just behind its opening brace.
    pub start: u32,
    /// The value of its `index`.
    pub index: Option<Span>,
    /// The value of its `id`, whatever that is.
    pub id_value: Option<Span>,
    /// Its id between the quotes.
    pub id: Span,
    /// Whether it says what is called.
    pub is_named: bool,
    pub has_type: bool,
    /// Its arguments, where they are no text.
    pub odd_arguments: Option<Span>,
}

/// The members that tell what a model thought, where they are there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reasoning {
    /// `reasoning`.
    pub text: Option<Member>,
    /// `reasoning_content`, the same in the words of other providers.
    pub content: Option<Member>,
    /// `reasoning_details`.
    pub details: Option<Member>,
}

/// What the `delta` of a streamed choice says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Delta {
    /// Just behind its opening brace.
    pub start: u32,
    pub is_empty: bool,
    /// What has to go for its role to be gone: the member and a comma.
    pub role: Option<Span>,
    pub has_only_role: bool,
    pub has_content: bool,
}

/// A piece of delivered output: a string's contents, or a structured value as it stands.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    pub kind: PieceKind,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    Content,
    Reasoning,
    Refusal,
    /// The name in a tool call's first piece: one of these per call.
    ToolName,
    ToolArguments,
    /// Images the model made.
    Media,
    /// Sound the model made, as it stands: base64.
    Audio,
}

impl ChatAnswer {
    /// Walks a frame's data or a body. After an error the notes are empty.
    pub fn scan(&mut self, data: Bytes) -> Result<Scanned, AnswerError> {
        self.forget();
        if data.trim_ascii() == b"[DONE]" {
            self.data = data;
            return Ok(Scanned::Done);
        }
        let outcome = self.walk(&data);
        self.data = data;
        if outcome.is_err() {
            self.forget();
        }
        outcome.map(|()| Scanned::Object)
    }

    /// Forgets the bytes and what was noted of them.
    pub fn release(&mut self) {
        self.data = Bytes::new();
        self.forget();
    }

    fn forget(&mut self) {
        self.members.clear();
        self.forget_choices();
    }

    fn forget_choices(&mut self) {
        self.choices.clear();
        self.pieces.clear();
        self.calls.clear();
    }

    /// The bytes that were scanned: spans point into them.
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    pub fn text_of(&self, span: Span) -> &str {
        std::str::from_utf8(span.of(&self.data)).unwrap_or_default()
    }

    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The raw usage object, where there is one: at the top level, else Groq's, else Moonshot's.
    pub fn usage(&self) -> Option<&str> {
        let of_a_choice = || self.choices.iter().rev().find_map(|choice| choice.usage).map(|span| self.text_of(span));
        self.object(Name::Usage).map(|span| self.text_of(span)).or_else(|| self.groq_usage()).or_else(of_a_choice)
    }

    /// The raw `error`, where it is not null; the whole object where the provider marks errors by `"object":"error"`.
    pub fn error(&self) -> Option<&str> {
        if let Some(span) = self.value(Name::Error) {
            return Some(self.text_of(span));
        }
        let is_error = self.value(Name::Object).is_some_and(|span| span.of(&self.data) == b"\"error\"");
        is_error.then(|| std::str::from_utf8(&self.data).unwrap_or_default())
    }

    /// The id the provider gave, escapes resolved.
    pub fn upstream_id(&self) -> Option<String> {
        self.value(Name::Id).and_then(|span| serde_json::from_slice(span.of(&self.data)).ok()).filter(|id: &String| !id.is_empty())
    }

    /// Whether there is a top-level member of this name.
    pub(super) fn has_member(&self, name: &str) -> bool {
        self.members.iter().any(|known| known.member.key.is(&self.data, name))
    }

    /// Whether there is a `choices` array, empty or not.
    pub fn has_choices(&self) -> bool {
        self.value(Name::Choices).is_some_and(|span| span.of(&self.data).first() == Some(&b'['))
    }

    /// A choice's finish reason in our words, and the provider's word for it.
    pub fn finish_of(&self, choice: &Choice) -> Option<(FinishReason, String)> {
        let finish = choice.finish?;
        let native = choice.native.unwrap_or(finish);
        Some((self.finish_reason(finish), self.plain(native)))
    }

    pub(super) fn finish_reason(&self, value: Span) -> FinishReason {
        FinishReason::from_native(&self.plain(value))
    }

    /// A string without quotes and escapes; any other value as it stands.
    fn plain(&self, value: Span) -> String {
        let raw = self.text_of(value);
        serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned())
    }

    /// The last non-null member of this name: the one a client would see.
    fn value(&self, name: Name) -> Option<Span> {
        let last = self.members.iter().rev().find(|known| known.name == name);
        last.map(|known| known.member.value).filter(|span| span.of(&self.data) != b"null")
    }

    fn object(&self, name: Name) -> Option<Span> {
        self.value(name).filter(|span| span.of(&self.data).first() == Some(&b'{'))
    }

    fn groq_usage(&self) -> Option<&str> {
        let groq = self.object(Name::XGroq)?;
        let text = self.text_of(groq);
        let usage = super::members::members(text).filter_map(Result::ok).find(|member| member.key.is(text.as_bytes(), "usage"))?;
        Some(usage.value.of_str(text)).filter(|usage| usage.starts_with('{'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(text: &str) -> (ChatAnswer, Result<Scanned, AnswerError>) {
        let mut answer = ChatAnswer::default();
        let scanned = answer.scan(Bytes::copy_from_slice(text.as_bytes()));
        (answer, scanned)
    }

    fn read(text: &str) -> ChatAnswer {
        let (answer, scanned) = scan(text);
        assert_eq!(scanned, Ok(Scanned::Object), "{text}");
        answer
    }

    fn pieces(answer: &ChatAnswer) -> Vec<(PieceKind, &str)> {
        answer.pieces().iter().map(|piece| (piece.kind, answer.text_of(piece.span))).collect()
    }

    #[test]
    fn output_is_found_under_all_its_names() {
        use PieceKind::{Content, Reasoning, Refusal, ToolArguments, ToolName};
        let answer = read(
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"a\"b","reasoning_content":"r","tool_calls":[
                {"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{"}},{"index":1,"function":{"name":null,"arguments":""}}]}},
                {"index":1,"message":{"refusal":"no","function_call":{"name":"g","arguments":"{}"}},"finish_reason":"stop"},{"index":2,"text":"old"}]}"#,
        );
        let wanted = [
            (Content, r#"a\"b"#),
            (ToolName, "f"),
            (ToolArguments, "{"),
            (Reasoning, "r"),
            (Refusal, "no"),
            (ToolName, "g"),
            (ToolArguments, "{}"),
            (Content, "old"),
        ];
        assert_eq!(pieces(&answer), wanted);
        assert_eq!(answer.choices().iter().map(|choice| choice.index).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn structured_contents_count_as_they_stand() {
        let answer =
            read(r#"{"choices":[{"delta":{"content":[{"type":"text","text":"hi"}],"reasoning_details":[{"text":"t"}],"images":[]}}]}"#);
        let wanted = [(PieceKind::Content, r#"[{"type":"text","text":"hi"}]"#), (PieceKind::Reasoning, r#"[{"text":"t"}]"#)];
        assert_eq!(pieces(&answer), wanted);
    }

    #[test]
    fn usage_and_errors_are_found_where_providers_put_them() {
        assert_eq!(read(r#"{"usage":{"a":1}}"#).usage(), Some(r#"{"a":1}"#));
        assert_eq!(read(r#"{"x_groq":{"id":"r","usage":{"a":2}},"usage":null}"#).usage(), Some(r#"{"a":2}"#));
        assert_eq!(read(r#"{"usage":null,"x_groq":{"id":"r"}}"#).usage(), None);
        assert_eq!(read(r#"{"error":{"code":1}}"#).error(), Some(r#"{"code":1}"#));
        assert_eq!(read(r#"{"error":null,"choices":[]}"#).error(), None);
        assert_eq!(read(r#"{"object":"error","message":"x"}"#).error(), Some(r#"{"object":"error","message":"x"}"#));
        assert_eq!(read(r#"{"\u0065rror":"x"}"#).error(), Some("\"x\""), "a name in disguise is the same name");
        assert!(read(r#"{"choices":[]}"#).has_choices() && !read(r#"{"choices":null}"#).has_choices());
    }

    #[test]
    fn a_blank_finish_reason_is_none() {
        let answer = read(
            r#"{"choices":[{"finish_reason":""},{"finish_reason":null},{"finish_reason":"eos"},{"finish_reason":"stop","native_finish_reason":"end_turn"}]}"#,
        );
        let finishes: Vec<_> = answer.choices().iter().map(|choice| answer.finish_of(choice)).collect();
        let wanted = [None, None, Some((FinishReason::Stop, "eos".to_owned())), Some((FinishReason::Stop, "end_turn".to_owned()))];
        assert_eq!(finishes, wanted);
    }

    #[test]
    fn what_is_no_answer_is_refused_and_leaves_no_notes() {
        assert_eq!(scan(" [DONE] ").1, Ok(Scanned::Done));
        for text in ["", "[]", "{", "hello", r#"{"choices":[{"delta":{"content":"a"}]}"#] {
            let (answer, scanned) = scan(text);
            assert!(matches!(scanned, Err(AnswerError::Json(_))), "{text}");
            assert!(answer.choices().is_empty() && answer.pieces().is_empty() && answer.usage().is_none());
        }
        let mut answer = ChatAnswer::default();
        assert_eq!(answer.scan(Bytes::from_static(b"{\"a\":\"\xff\"}")), Err(AnswerError::NotUtf8));
    }

    #[test]
    fn members_choices_and_pieces_are_bounded() {
        let many = |item: &str, count: usize| vec![item; count].join(",");
        for (text, what) in [
            (format!("{{{}}}", many("\"a\":1", MEMBERS_MAX + 1)), "members"),
            (format!("{{\"choices\":[{}]}}", many("{}", CHOICES_MAX + 1)), "choices"),
            (format!("{{\"choices\":[{}]}}", many(r#"{"delta":{"tool_calls":[{"function":{"name":"a","arguments":"b"}}]}}"#, 1)), ""),
            (
                format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{}]}}}}]}}"#, many(r#"{"function":{"name":"a"}}"#, PIECES_MAX + 1)),
                "pieces of text",
            ),
        ] {
            let refused = match scan(&text).1 {
                Err(AnswerError::TooMany { what, .. }) => what,
                _ => "",
            };
            assert_eq!(refused, what);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut answer = ChatAnswer::default();
            let _ = answer.scan(Bytes::from(data));
            let _ = (answer.usage(), answer.error(), answer.upstream_id());
        }
    }
}
