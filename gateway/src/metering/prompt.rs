//! Takes a chat request's messages apart into what costs tokens: texts, images, sounds, files.

use crate::wire::members::{Member, elements, members};
use crate::wire::scanner::Span;

/// One thing a model has to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A message began: roles and separators cost tokens too.
    Message,
    /// JSON text: the contents of a string, escapes as written, or a structured value.
    Text(&'a str),
    Image {
        is_low_detail: bool,
    },
    /// Sound inside the request, as so many characters of base64.
    Audio {
        base64_bytes: usize,
        is_wav: bool,
    },
    Video,
    /// A document inside the request, as so many characters of base64.
    File {
        base64_bytes: usize,
    },
}

/// Calls `visit` for every part of a raw `messages` array. What is not understood is text.
pub(super) fn walk_messages<'a>(messages: &'a str, visit: &mut impl FnMut(Part<'a>)) {
    for message in elements(messages) {
        let Ok(message) = message else {
            visit(Part::Text(messages));
            return;
        };
        visit(Part::Message);
        walk_message(message.of_str(messages), visit);
    }
}

fn walk_message<'a>(message: &'a str, visit: &mut impl FnMut(Part<'a>)) {
    // The same thoughts under two names are one.
    let is_told = member(message, "reasoning").is_some_and(|text| text.starts_with('"'));
    each(message, |key, value| match (key, value.as_bytes().first()) {
        ("reasoning_content", _) if is_told => {}
        ("content", Some(b'[')) => walk_parts(value, visit),
        ("role", _) | (_, Some(b'n')) => {}
        _ => visit(Part::Text(text_of(value))),
    });
}

/// Calls `visit` for everything in a raw list of parts.
pub(super) fn walk_parts<'a>(content: &'a str, visit: &mut impl FnMut(Part<'a>)) {
    elements(content).filter_map(Result::ok).for_each(|part| walk_part(part.of_str(content), visit));
}

fn walk_part<'a>(part: &'a str, visit: &mut impl FnMut(Part<'a>)) {
    each(part, |key, value| match key {
        "type" | "cache_control" => {}
        "image_url" | "source" => visit(Part::Image { is_low_detail: member(value, "detail") == Some("\"low\"") }),
        "input_audio" => {
            let base64_bytes = member(value, "data").map_or(0, str::len);
            visit(Part::Audio { base64_bytes, is_wav: member(value, "format") == Some("\"wav\"") });
        }
        "video_url" | "input_video" => visit(Part::Video),
        "file" => visit(Part::File { base64_bytes: member(value, "file_data").filter(|data| is_inline(data)).map_or(0, str::len) }),
        _ => visit(Part::Text(text_of(value))),
    });
}

fn each<'a>(object: &'a str, mut visit: impl FnMut(&str, &'a str)) {
    if !object.starts_with('{') {
        visit("", object);
        return;
    }
    for Member { key, value } in members(object).filter_map(Result::ok) {
        visit(&key.resolve(object.as_bytes()), value.of_str(object));
    }
}

/// A member's raw value; of a string given in the object's place, none.
fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let found = members(object).filter_map(Result::ok).find(|member| member.key.is(object.as_bytes(), name));
    found.map(|member| member.value.of_str(object))
}

/// Whether a string is the data itself, not the address of it.
fn is_inline(data: &str) -> bool {
    data.starts_with("\"data:") || data.starts_with('"') && !data.contains([':', '\\'])
}

/// A string without its quotes; any other value as it stands.
fn text_of(value: &str) -> &str {
    let inside = Span { start: 1, end: u32::try_from(value.len()).unwrap_or(u32::MAX).saturating_sub(1) };
    if value.starts_with('"') { inside.of_str(value) } else { value }
}
