//! The walk itself: from the answer's bytes to the notes about them.

use super::{AnswerError, CHOICES_MAX, ChatAnswer, Choice, Delta, KnownMember, MEMBERS_MAX, Name, PIECES_MAX, Piece, PieceKind, Reasoning};
use crate::wire::members::Member;
use crate::wire::scanner::{Scanner, Span, StringSpan};

impl ChatAnswer {
    pub(super) fn walk(&mut self, data: &[u8]) -> Result<(), AnswerError> {
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
