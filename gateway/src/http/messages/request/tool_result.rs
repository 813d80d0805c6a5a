//! What a tool gave back: its text is a message of the tool's, its images and files are shown by the user.
//!
//! OpenAI takes nothing but text in a tool's message, and others do not look at what else stands there.

use std::borrow::Cow;

use super::Block;
use super::convert::blocks;
use super::part::{Part, array, as_string, inside, lines, mark_last, parts};
use crate::http::error::ApiError;

/// One result, as the chat form has it.
pub(super) struct ToolResult<'a> {
    /// The tool's message, whole.
    pub message: String,
    /// Images and files, each after a word on whose they are.
    pub shown: Vec<Part<'a>>,
}

impl<'a> ToolResult<'a> {
    pub(super) fn read(block: &Block<'a>, place: &str) -> Result<Self, ApiError> {
        let id = block.tool_use_id.map_or(Cow::Borrowed("\"\""), as_string);
        let mut given = match block.content {
            Some(content) if content.get().starts_with('[') => parts(&blocks(content, place)?),
            Some(content) => Vec::from([Part::text(as_string(content))]),
            None => Vec::new(),
        };
        // Anthropic refuses a mark on an empty text.
        given.retain(|part| part.inside() != Some(""));
        let (mut texts, mut seen): (Vec<Part<'a>>, Vec<Part<'a>>) = given.into_iter().partition(|part| part.inside().is_some());
        if block.is_error == Some(true) {
            say_error(&mut texts);
        }
        // What is seen stands after all text, so its mark covers both.
        let last = if seen.is_empty() { texts.as_mut_slice() } else { seen.as_mut_slice() };
        mark_last(last, block.cache_control);
        let content = content(&texts);
        let captioned = |part: Part<'a>| [Part::text(format!("\"{} from tool call {}:\"", part.noun(), inside(&id))), part];
        let shown = seen.into_iter().flat_map(captioned).collect();
        Ok(Self { message: format!(r#"{{"role":"tool","tool_call_id":{id},"content":{content}}}"#), shown })
    }
}

/// A plain string, which every provider takes, unless parts of it are marked to be cached.
fn content(texts: &[Part<'_>]) -> String {
    if texts.iter().any(|part| part.cache.is_some()) { array(texts) } else { lines(texts.iter().filter_map(Part::inside)) }
}

/// The chat form has no word for a tool that failed: the text has to say so.
fn say_error(texts: &mut Vec<Part<'_>>) {
    match texts.first_mut() {
        None => texts.push(Part::text("\"Error\"")),
        Some(first) => {
            if !first.inside().is_some_and(says_error) {
                first.put_before("Error: ");
            }
        }
    }
}

fn says_error(text: &str) -> bool {
    const WORD: &str = "error";
    text.trim_start().get(..WORD.len()).is_some_and(|word| word.eq_ignore_ascii_case(WORD))
}
