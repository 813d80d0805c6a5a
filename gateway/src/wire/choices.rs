//! Writes the choices of an upstream answer: copied as they stand, with every finish reason normalised, every delta completed and
//! reasoning by its one name, or left out.

use bytes::BytesMut;
use serde_json::value::RawValue;

use super::chat_answer::{ChatAnswer, Choice};
use super::content::{Said, has_more_than_words, said};
use super::scanner::Span;

/// What is written in place of some bytes of a choice.
#[derive(Debug, Clone, Copy)]
enum Fix {
    /// Every delta of OpenRouter's names its role and has a content, be it empty: clients rely on both.
    Delta(&'static [u8]),
    Finish,
    /// Words of ours.
    Words(&'static [u8]),
    /// A list of parts becomes the text that clients expect, and what was thought among it, if `shows_thoughts`.
    Parts {
        shows_thoughts: bool,
    },
}

/// A choice's delta, its finish, its parts, and three ways to tell what the model thought.
const FIXES_MAX: usize = 6;

/// The fixes of one choice, in the order of its bytes.
struct Fixes {
    list: [(Span, Fix); FIXES_MAX],
    count: usize,
}

impl Fixes {
    fn of(choice: &Choice, hides_reasoning: bool) -> Self {
        let mut fixes = Self { list: [(Span::default(), Fix::Finish); FIXES_MAX], count: 0 };
        if let Some(delta) = choice.delta {
            let words: &[u8] = match (delta.has_role, delta.has_content, delta.is_empty) {
                (true, true, _) => b"",
                (false, true, _) => br#""role":"assistant","#,
                (true, false, _) => br#""content":"","#,
                (false, false, false) => br#""role":"assistant","content":"","#,
                (false, false, true) => br#""role":"assistant","content":"""#,
            };
            if !words.is_empty() {
                fixes.push(Span { start: delta.start, end: delta.start }, Fix::Delta(words));
            }
        }
        if let Some(value) = choice.finish.or(choice.blank_finish) {
            fixes.push(value, Fix::Finish);
        }
        let thought = &choice.reasoning;
        if hides_reasoning {
            for (member, nothing) in [(thought.text, &b"null"[..]), (thought.content, b"null"), (thought.details, b"[]")] {
                if let Some(member) = member {
                    fixes.push(member.value, Fix::Words(nothing));
                }
            }
        } else if let (None, Some(content)) = (thought.text, thought.content) {
            fixes.push(content.key.quoted(), Fix::Words(br#""reasoning""#));
        }
        if let Some(parts) = choice.parts {
            let shows_thoughts = !hides_reasoning && thought.text.is_none() && thought.content.is_none();
            fixes.push(parts, Fix::Parts { shows_thoughts });
        }
        fixes.list[..fixes.count].sort_unstable_by_key(|(span, _)| span.start);
        fixes
    }

    fn push(&mut self, span: Span, fix: Fix) {
        if let Some(place) = self.list.get_mut(self.count) {
            *place = (span, fix);
            self.count += 1;
        }
    }
}

/// Copies `choices` with every finish reason replaced, every delta completed and reasoning by its one name; everything between
/// them is copied as it stands.
pub(super) fn write_choices(answer: &ChatAnswer, choices: Span, hides_reasoning: bool, out: &mut BytesMut) {
    let data = answer.bytes();
    let mut copied = choices.start as usize;
    for choice in answer.choices() {
        let fixes = Fixes::of(choice, hides_reasoning);
        for (span, fix) in &fixes.list[..fixes.count] {
            out.extend_from_slice(&data[copied..span.start as usize]);
            copied = span.end as usize;
            match fix {
                Fix::Delta(words) | Fix::Words(words) => out.extend_from_slice(words),
                Fix::Finish => write_finish(answer, choice, out),
                Fix::Parts { shows_thoughts } => write_parts(answer.text_of(*span), *shows_thoughts, out),
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

fn write_finish(answer: &ChatAnswer, choice: &Choice, out: &mut BytesMut) {
    let Some(finish) = choice.finish else {
        out.extend_from_slice(b"null");
        return;
    };
    write_quoted(answer.finish_reason(finish).as_str(), out);
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
