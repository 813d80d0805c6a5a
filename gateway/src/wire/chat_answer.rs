//! One walk over an OpenAI chat answer: a `chat.completion.chunk` frame or a whole `chat.completion` body.
//!
//! [`ChatAnswer::scan`] notes where everything stands that must be replaced (ids, usage, finish reasons)
//! or counted (delivered text), as spans into the answer's own bytes. The rewriters and the meter read
//! the same notes, so a frame is walked once. The notes are reused from frame to frame: after the first
//! few frames nothing is allocated. Unknown members are kept and mean nothing here.

use bytes::Bytes;

use super::finish_reason::FinishReason;
use super::members::{JsonError, Member, Scanner, Span, StringSpan};

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
    /// The value of the provider's own `native_finish_reason`, where it is not null.
    pub native: Option<Span>,
    /// Whether there is such a member, null or not.
    pub has_native: bool,
    /// The value of the choice's own `error`, where it is not null.
    pub error: Option<Span>,
    /// Its `delta`, in a stream.
    pub delta: Option<Delta>,
    /// Where its delta or message tells what the model thought.
    pub(super) reasoning: Reasoning,
    /// The value of its `content`, where that is a list of parts and not a text.
    pub(super) parts: Option<Span>,
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
    pub has_role: bool,
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
        self.members.clear();
        self.choices.clear();
        self.pieces.clear();
        if data.trim_ascii() == b"[DONE]" {
            self.data = data;
            return Ok(Scanned::Done);
        }
        let outcome = self.walk(&data);
        self.data = data;
        if outcome.is_err() {
            self.members.clear();
            self.choices.clear();
            self.pieces.clear();
        }
        outcome.map(|()| Scanned::Object)
    }

    /// Forgets the bytes and what was noted of them.
    pub fn release(&mut self) {
        self.data = Bytes::new();
        self.members.clear();
        self.choices.clear();
        self.pieces.clear();
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

    /// The raw usage object, where there is one: at the top level, else Groq's.
    pub fn usage(&self) -> Option<&str> {
        self.object(Name::Usage).map(|span| self.text_of(span)).or_else(|| self.groq_usage())
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

    fn walk(&mut self, data: &[u8]) -> Result<(), AnswerError> {
        std::str::from_utf8(data).map_err(|_| AnswerError::NotUtf8)?;
        let mut scanner = Scanner::new(data);
        scanner.open_object()?;
        let mut is_first = true;
        while let Some(key) = scanner.next_key(is_first)? {
            is_first = false;
            let name = Name::of(key, data);
            let first = scanner.peek()?;
            let start = scanner.position();
            if name == Name::Choices {
                // Of a repeated member the last counts, whatever it is: the notes are about that one.
                self.choices.clear();
                self.pieces.clear();
            }
            let value = if name == Name::Choices && first == b'[' {
                self.walk_choices(&mut scanner, data)?;
                scanner.span_since(start)
            } else {
                scanner.value()?
            };
            push(&mut self.members, KnownMember { member: Member { key, value }, name }, MEMBERS_MAX, "members")?;
        }
        scanner.finish()?;
        Ok(())
    }

    fn walk_choices(&mut self, scanner: &mut Scanner<'_>, data: &[u8]) -> Result<(), AnswerError> {
        scanner.open_array()?;
        let mut is_first = true;
        while scanner.next_element(is_first)? {
            is_first = false;
            if scanner.peek()? == b'{' {
                let choice = self.walk_choice(scanner, data)?;
                push(&mut self.choices, choice, CHOICES_MAX, "choices")?;
            } else {
                scanner.value()?;
            }
        }
        Ok(())
    }

    fn walk_choice(&mut self, scanner: &mut Scanner<'_>, data: &[u8]) -> Result<Choice, AnswerError> {
        let mut choice = Choice::default();
        let start = scanner.position();
        scanner.open_object()?;
        let mut is_first = true;
        while let Some(key) = scanner.next_key(is_first)? {
            is_first = false;
            let first = scanner.peek()?;
            if first == b'{' && (key.is(data, "delta") || key.is(data, "message")) {
                let (delta, thought, parts) = self.walk_message(scanner, data)?;
                choice.delta = key.is(data, "delta").then_some(delta);
                choice.reasoning = thought;
                choice.parts = parts;
                continue;
            }
            let value = scanner.value()?;
            let is_null = first == b'n';
            if key.is(data, "finish_reason") {
                let is_blank = value.of(data) == b"\"\"";
                choice.finish = (!is_null && !is_blank).then_some(value);
                choice.blank_finish = is_blank.then_some(value);
            } else if key.is(data, "index") {
                choice.index = std::str::from_utf8(value.of(data)).ok().and_then(|index| index.parse().ok()).unwrap_or(0);
            } else if key.is(data, "native_finish_reason") {
                choice.has_native = true;
                choice.native = (!is_null).then_some(value);
            } else if key.is(data, "error") {
                choice.error = (!is_null).then_some(value);
            } else if key.is(data, "text") && first == b'"' {
                self.add(PieceKind::Content, inside(value))?;
            }
        }
        choice.span = scanner.span_since(start);
        Ok(choice)
    }

    /// A delta or a message. Providers repeat the same reasoning under several names: it is counted once.
    fn walk_message(&mut self, scanner: &mut Scanner<'_>, data: &[u8]) -> Result<(Delta, Reasoning, Option<Span>), AnswerError> {
        let (mut thought, mut parts) = (Reasoning::default(), None);
        let (mut reasoning, mut reasoning_details, mut has_reasoning) = (Span::default(), Span::default(), false);
        scanner.open_object()?;
        let start = scanner.position();
        let mut delta = Delta { start, is_empty: true, has_role: false, has_content: false };
        while let Some(key) = scanner.next_key(delta.is_empty)? {
            delta.is_empty = false;
            delta.has_role |= key.is(data, "role");
            delta.has_content |= key.is(data, "content");
            let first = scanner.peek()?;
            if first == b'[' && key.is(data, "tool_calls") {
                self.walk_tool_calls(scanner, data)?;
                continue;
            }
            if first == b'{' && key.is(data, "audio") {
                self.walk_audio(scanner, data)?;
                continue;
            }
            if first == b'{' && key.is(data, "function_call") {
                self.walk_function(scanner, data)?;
                continue;
            }
            let value = scanner.value()?;
            if key.span.of(data).starts_with(b"reasoning") {
                let member = Some(Member { key, value });
                if key.is(data, "reasoning") {
                    thought.text = member;
                } else if key.is(data, "reasoning_content") {
                    thought.content = member;
                } else if key.is(data, "reasoning_details") {
                    thought.details = member;
                }
            }
            if first == b'[' && key.is(data, "content") {
                parts = Some(value);
            }
            let piece = match first {
                b'"' => inside(value),
                b'[' | b'{' if value.len() > 2 => value,
                _ => continue,
            };
            if key.is(data, "content") {
                self.add(PieceKind::Content, piece)?;
            } else if key.is(data, "refusal") {
                self.add(PieceKind::Refusal, piece)?;
            } else if key.is(data, "reasoning_content") || key.is(data, "reasoning") {
                has_reasoning |= first == b'"';
                reasoning = if reasoning.len() >= piece.len() { reasoning } else { piece };
            } else if key.is(data, "reasoning_details") {
                reasoning_details = piece;
            } else if key.is(data, "images") {
                self.add(PieceKind::Media, piece)?;
            }
        }
        // An empty text beside details says that these are a signature or a cipher, not words.
        self.add(PieceKind::Reasoning, if has_reasoning { reasoning } else { reasoning_details })?;
        Ok((delta, thought, parts))
    }

    fn walk_tool_calls(&mut self, scanner: &mut Scanner<'_>, data: &[u8]) -> Result<(), AnswerError> {
        scanner.open_array()?;
        let mut is_first = true;
        while scanner.next_element(is_first)? {
            is_first = false;
            if scanner.peek()? != b'{' {
                scanner.value()?;
                continue;
            }
            scanner.open_object()?;
            let mut is_first_key = true;
            while let Some(key) = scanner.next_key(is_first_key)? {
                is_first_key = false;
                if scanner.peek()? == b'{' && (key.is(data, "function") || key.is(data, "custom")) {
                    self.walk_function(scanner, data)?;
                } else {
                    scanner.value()?;
                }
            }
        }
        Ok(())
    }

    /// Sound comes in many pieces, with the words that are said in it.
    fn walk_audio(&mut self, scanner: &mut Scanner<'_>, data: &[u8]) -> Result<(), AnswerError> {
        each_text(scanner, |key, piece| {
            if key.is(data, "data") {
                self.add(PieceKind::Audio, piece)
            } else if key.is(data, "transcript") {
                self.add(PieceKind::Content, piece)
            } else {
                Ok(())
            }
        })
    }

    fn walk_function(&mut self, scanner: &mut Scanner<'_>, data: &[u8]) -> Result<(), AnswerError> {
        each_text(scanner, |key, piece| {
            if key.is(data, "name") {
                self.add(PieceKind::ToolName, piece)
            } else if key.is(data, "arguments") || key.is(data, "input") {
                self.add(PieceKind::ToolArguments, piece)
            } else {
                Ok(())
            }
        })
    }

    fn add(&mut self, kind: PieceKind, span: Span) -> Result<(), AnswerError> {
        if span.is_empty() { Ok(()) } else { push(&mut self.pieces, Piece { kind, span }, PIECES_MAX, "pieces of text") }
    }
}

/// The members of an object that hold a text, without its quotes, or something made of parts.
fn each_text(scanner: &mut Scanner<'_>, mut each: impl FnMut(StringSpan, Span) -> Result<(), AnswerError>) -> Result<(), AnswerError> {
    scanner.open_object()?;
    let mut is_first = true;
    while let Some(key) = scanner.next_key(is_first)? {
        is_first = false;
        let first = scanner.peek()?;
        let value = scanner.value()?;
        match first {
            b'"' => each(key, inside(value))?,
            b'{' | b'[' => each(key, value)?,
            _ => {}
        }
    }
    Ok(())
}

impl Name {
    fn of(key: StringSpan, data: &[u8]) -> Self {
        match &*key.resolve_bytes(data) {
            b"id" => Self::Id,
            b"object" => Self::Object,
            b"created" => Self::Created,
            b"model" => Self::Model,
            b"provider" => Self::Provider,
            b"choices" => Self::Choices,
            b"usage" => Self::Usage,
            b"error" => Self::Error,
            b"x_groq" => Self::XGroq,
            _ => Self::Other,
        }
    }
}

/// A string value without its quotes.
const fn inside(value: Span) -> Span {
    Span { start: value.start + 1, end: value.end - 1 }
}

fn push<T>(list: &mut Vec<T>, item: T, max: usize, what: &'static str) -> Result<(), AnswerError> {
    if list.len() == max {
        return Err(AnswerError::TooMany { what, max });
    }
    list.push(item);
    Ok(())
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
