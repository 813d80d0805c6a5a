//! The walk itself: from the answer's bytes to the notes about them.

use super::{
    AnswerError, CHOICES_MAX, ChatAnswer, Choice, Delta, KnownMember, MEMBERS_MAX, Name, PIECES_MAX, Piece, PieceKind, Reasoning, ToolCall,
};
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
                self.forget_choices();
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
                if self.choices.capacity() == 0 {
                    // Nearly always there is one; a list makes room for four at once.
                    self.choices.reserve_exact(1);
                }
                push(&mut self.choices, choice, CHOICES_MAX, "choices")?;
            } else {
                scanner.value()?;
            }
        }
        Ok(())
    }

    fn walk_choice(&mut self, scanner: &mut Scanner<'_>, data: &[u8]) -> Result<Choice, AnswerError> {
        let mut choice = Choice::default();
        let (start, calls) = (scanner.position(), self.calls.len());
        scanner.open_object()?;
        let mut is_first = true;
        while let Some(key) = scanner.next_key(is_first)? {
            is_first = false;
            let first = scanner.peek()?;
            if first == b'{' && (key.is(data, "delta") || key.is(data, "message")) {
                let (delta, thought, parts) = self.walk_message(scanner, data)?;
                choice.has_message = key.is(data, "message");
                choice.delta = (!choice.has_message).then_some(delta);
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
                choice.null_finish = is_null.then_some(value);
            } else if key.is(data, "index") {
                choice.index = std::str::from_utf8(value.of(data)).ok().and_then(|index| index.parse().ok()).unwrap_or(0);
            } else if key.is(data, "native_finish_reason") {
                choice.has_native = true;
                choice.native = (!is_null).then_some(value);
            } else if key.is(data, "error") {
                choice.error = (!is_null).then_some(value);
            } else if key.is(data, "text") && first == b'"' {
                self.add(PieceKind::Content, inside(value))?;
            } else if key.is(data, "usage") && first == b'{' {
                choice.usage = Some(value);
            } else if key.is(data, "delta") {
                choice.odd_delta = Some(value);
            }
        }
        choice.calls = (calls, self.calls.len());
        choice.span = scanner.span_since(start);
        Ok(choice)
    }

    /// A delta or a message. Providers repeat the same reasoning under several names: it is counted once.
    fn walk_message(&mut self, scanner: &mut Scanner<'_>, data: &[u8]) -> Result<(Delta, Reasoning, Option<Span>), AnswerError> {
        let (mut thought, mut parts) = (Reasoning::default(), None);
        let (mut reasoning, mut reasoning_details, mut has_reasoning) = (Span::default(), Span::default(), false);
        scanner.open_object()?;
        let start = scanner.position();
        let mut delta = Delta { start, is_empty: true, role: None, has_only_role: false, has_content: false };
        loop {
            let before = scanner.position();
            let Some(key) = scanner.next_key(delta.is_empty)? else { break };
            if let Some(role) = delta.role.as_mut().filter(|_| std::mem::take(&mut delta.has_only_role)) {
                // The first of several: the comma behind it goes with it.
                role.end = key.quoted().start;
            }
            let is_first = std::mem::take(&mut delta.is_empty);
            delta.has_content |= key.is(data, "content");
            let first = scanner.peek()?;
            if key.is(data, "role") {
                scanner.value()?;
                delta.role = Some(scanner.span_since(before));
                delta.has_only_role = is_first;
                continue;
            }
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
            let mut call = ToolCall { start: scanner.position(), ..ToolCall::default() };
            let mut is_first_key = true;
            while let Some(key) = scanner.next_key(is_first_key)? {
                is_first_key = false;
                let first = scanner.peek()?;
                if first == b'{' && (key.is(data, "function") || key.is(data, "custom")) {
                    let pieces = self.pieces.len();
                    call.odd_arguments = self.walk_function(scanner, data)?;
                    call.is_named |= self.pieces[pieces..].iter().any(|piece| piece.kind == PieceKind::ToolName);
                    continue;
                }
                let value = scanner.value()?;
                if key.is(data, "index") {
                    call.index = Some(value);
                } else if key.is(data, "id") {
                    call.id_value = Some(value);
                    call.id = if first == b'"' { inside(value) } else { Span::default() };
                } else if key.is(data, "type") {
                    call.has_type = true;
                }
            }
            push(&mut self.calls, call, PIECES_MAX, "tool calls")?;
        }
        Ok(())
    }

    /// Sound comes in many pieces, with the words that are said in it.
    fn walk_audio(&mut self, scanner: &mut Scanner<'_>, data: &[u8]) -> Result<(), AnswerError> {
        each_member(scanner, |key, first, value| {
            let Some(piece) = delivered(first, value) else { return Ok(()) };
            if key.is(data, "data") {
                self.add(PieceKind::Audio, piece)
            } else if key.is(data, "transcript") {
                self.add(PieceKind::Content, piece)
            } else {
                Ok(())
            }
        })
    }

    /// Gives the arguments, where they are no text.
    fn walk_function(&mut self, scanner: &mut Scanner<'_>, data: &[u8]) -> Result<Option<Span>, AnswerError> {
        let mut odd = None;
        each_member(scanner, |key, first, value| {
            let is_name = key.is(data, "name");
            let is_arguments = !is_name && key.is(data, "arguments");
            if is_arguments {
                odd = (first != b'"').then_some(value);
            }
            match delivered(first, value) {
                Some(piece) if is_name => self.add(PieceKind::ToolName, piece),
                Some(piece) if is_arguments || key.is(data, "input") => self.add(PieceKind::ToolArguments, piece),
                _ => Ok(()),
            }
        })?;
        Ok(odd)
    }

    fn add(&mut self, kind: PieceKind, span: Span) -> Result<(), AnswerError> {
        if span.is_empty() { Ok(()) } else { push(&mut self.pieces, Piece { kind, span }, PIECES_MAX, "pieces of text") }
    }
}

/// Every member of an object: its name, how its value begins, and the value.
fn each_member(
    scanner: &mut Scanner<'_>,
    mut each: impl FnMut(StringSpan, u8, Span) -> Result<(), AnswerError>,
) -> Result<(), AnswerError> {
    scanner.open_object()?;
    let mut is_first = true;
    while let Some(key) = scanner.next_key(is_first)? {
        is_first = false;
        let first = scanner.peek()?;
        each(key, first, scanner.value()?)?;
    }
    Ok(())
}

/// A text without its quotes, or something made of parts.
const fn delivered(first: u8, value: Span) -> Option<Span> {
    match first {
        b'"' => Some(inside(value)),
        b'{' | b'[' => Some(value),
        _ => None,
    }
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
