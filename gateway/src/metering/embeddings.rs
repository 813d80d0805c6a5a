//! What is embedded, and what it used: reading the `input` of a request, an upper bound for holds, a count for when a provider
//! reports nothing.
//!
//! An input is a text, a list of tokens or an object of parts; a request has one or many, all of one kind. Tokens given
//! as numbers are counted exactly, without a vocabulary. Nothing is produced but vectors, which cost nothing: only the
//! prompt is billed. Start at [`read_inputs`].

use schemas::{Usage, UsageSource};

use super::anomalies::UsageAnomalies;
use super::count::{count_text, unescape};
use super::estimate::{PromptTokens, TEXT_BYTES_PER_TOKEN, TEXT_BYTES_PER_TOKEN_MOST, text_tokens_max};
use super::prompt::walk_parts;
use super::usage::ReportedUsage;
use crate::wire::Encoding;
use crate::wire::members::{elements, members};

/// Marks that a model puts around a text.
const TOKENS_AROUND: u64 = 4;

/// What a request wants embedded, measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddingsInput {
    /// How many embeddings are asked for.
    pub count: u64,
    /// Upper bound of all of it.
    pub tokens_max: PromptTokens,
    /// About what it is.
    pub tokens_expected: u64,
    /// What the longest one has at least.
    pub longest_tokens_least: u64,
    pub encoding: Encoding,
}

/// One thing to be embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// The contents of a JSON string, escapes as written.
    Text(&'a str),
    /// So many tokens.
    Tokens(u64),
    /// The raw `content` of an object.
    Parts(&'a str),
}

/// What is wrong with an `input`, in a sentence that names the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InputError(String);

/// Takes a raw `input` apart and checks it.
pub fn read_inputs(raw: &str) -> Result<Vec<Input<'_>>, InputError> {
    if raw.starts_with('"') {
        return Ok(vec![read_text(raw, || "input".to_owned())?]);
    }
    if !raw.starts_with('[') {
        return wrong(
            "input must be a string, an array of strings, an array of token numbers, an array of such arrays, or an array of objects with `content`",
        );
    }
    let mut inputs = Vec::new();
    let (mut tokens, mut kind) = (0_u64, None);
    for (index, span) in elements(raw).map_while(Result::ok).enumerate() {
        let value = span.of_str(raw);
        let place = || format!("input[{index}]");
        let found = value.as_bytes().first().copied().map(|first| if is_number(first) { b'0' } else { first });
        if *kind.get_or_insert(found) != found {
            return wrong(format!("{} is of another kind than the one before it; all inputs are of one kind", place()));
        }
        match found {
            Some(b'"') => inputs.push(read_text(value, place)?),
            Some(b'[') => inputs.push(Input::Tokens(count_tokens(value, &place())?)),
            Some(b'{') => inputs.push(Input::Parts(read_parts(value, &place())?)),
            Some(b'0') => {
                check_token(value, place)?;
                tokens += 1;
            }
            _ => return wrong(format!("{} must be a string, a token number, an array of those, or an object with `content`", place())),
        }
    }
    if tokens > 0 {
        inputs.push(Input::Tokens(tokens));
    }
    if inputs.is_empty() { wrong("input must not be empty") } else { Ok(inputs) }
}

impl EmbeddingsInput {
    pub fn of(inputs: &[Input<'_>], encoding: Encoding) -> Self {
        let mut size =
            Self { count: inputs.len() as u64, tokens_max: PromptTokens::default(), tokens_expected: 0, longest_tokens_least: 0, encoding };
        for input in inputs {
            let least = match input {
                Input::Text(text) => {
                    let most = text_tokens_max(text).saturating_add(TOKENS_AROUND);
                    size.tokens_max.text = size.tokens_max.text.saturating_add(most);
                    size.tokens_expected += (text.len() as u64 / TEXT_BYTES_PER_TOKEN).clamp(1, most);
                    text.len() as u64 / TEXT_BYTES_PER_TOKEN_MOST
                }
                Input::Tokens(tokens) => {
                    size.tokens_max.text = size.tokens_max.text.saturating_add(*tokens);
                    size.tokens_expected += tokens;
                    *tokens
                }
                Input::Parts(content) => {
                    let mut one = PromptTokens { text: TOKENS_AROUND, ..PromptTokens::default() };
                    walk_parts(content, &mut |part| one.add(part, text_tokens_max));
                    let PromptTokens { text, image, audio } = one;
                    size.tokens_max.text = size.tokens_max.text.saturating_add(text);
                    size.tokens_max.image = size.tokens_max.image.saturating_add(image);
                    size.tokens_max.audio = size.tokens_max.audio.saturating_add(audio);
                    size.tokens_expected = size.tokens_expected.saturating_add(one.total() / 2);
                    0
                }
            };
            size.longest_tokens_least = size.longest_tokens_least.max(least);
        }
        size
    }
}

/// Counts what is embedded, never above its bound. **CPU-bound: run it on the blocking pool.**
pub fn count_inputs(raw: &str, most: PromptTokens) -> Usage {
    let mut counted = PromptTokens::default();
    for input in read_inputs(raw).unwrap_or_default() {
        match input {
            Input::Text(text) => counted.text += count_text(&unescape(text)).max(1),
            Input::Tokens(tokens) => counted.text += tokens,
            Input::Parts(content) => walk_parts(content, &mut |part| counted.add(part, |raw| count_text(&unescape(raw)))),
        }
    }
    Usage {
        uncached_input: counted.text.min(most.text),
        image_input: counted.image.min(most.image),
        audio_input: counted.audio.min(most.audio),
        source: UsageSource::Estimate,
        ..Usage::default()
    }
}

/// The prompt by a provider's report, whichever of its fields says it; `None` where none does: nothing that was embedded
/// had no tokens.
pub fn embeddings_usage(reported: &str) -> (Option<Usage>, UsageAnomalies) {
    let mut report = ReportedUsage::default();
    report.merge(reported);
    let (usage, anomalies) = report.resolve();
    // Some say a total alone, or a prompt of nothing beside it: it is all prompt.
    let usage = match (usage.prompt_tokens(), usage.total_tokens()) {
        (0, 0) => None,
        (0, total) => Some(Usage { uncached_input: total, ..Usage::default() }),
        _ => Some(Usage { text_output: 0, reasoning: 0, image_output: 0, audio_output: 0, ..usage }),
    };
    (usage.map(|usage| Usage { source: UsageSource::Provider, ..usage }), anomalies.without_output())
}

fn read_text(value: &str, place: impl FnOnce() -> String) -> Result<Input<'_>, InputError> {
    let text = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
    if text.is_empty() { wrong(format!("{} must not be an empty string", place())) } else { Ok(Input::Text(text)) }
}

fn count_tokens(value: &str, place: &str) -> Result<u64, InputError> {
    let mut tokens = 0;
    for (index, span) in elements(value).map_while(Result::ok).enumerate() {
        check_token(span.of_str(value), || format!("{place}[{index}]"))?;
        tokens += 1;
    }
    if tokens == 0 { wrong(format!("{place} must not be empty")) } else { Ok(tokens) }
}

fn check_token(value: &str, place: impl FnOnce() -> String) -> Result<(), InputError> {
    match value.parse::<u32>() {
        Ok(_) => Ok(()),
        Err(_) => wrong(format!("{} must be a token: a whole number from 0", place())),
    }
}

/// The parts of `{"content":[…]}`.
fn read_parts<'a>(object: &'a str, place: &str) -> Result<&'a str, InputError> {
    let content = member(object, "content").filter(|content| content.starts_with('['));
    let Some(content) = content else { return wrong(format!("{place}.content must be an array of parts")) };
    let mut parts = 0;
    for (index, span) in elements(content).map_while(Result::ok).enumerate() {
        let part = span.of_str(content);
        let place = format!("{place}.content[{index}]");
        let kind = if part.starts_with('{') { member(part, "type") } else { None };
        match kind {
            Some("\"text\"") => match member(part, "text") {
                Some(text) if text.starts_with('"') && text.len() > 2 => {}
                _ => return wrong(format!("{place}.text must be a string that is not empty")),
            },
            Some("\"image_url\"") => match member(part, "image_url") {
                Some(image) if image.starts_with('"') => {}
                Some(image) if image.starts_with('{') && member(image, "url").is_some_and(|url| url.starts_with('"')) => {}
                _ => return wrong(format!("{place}.image_url must be an object with a string `url`")),
            },
            Some(kind) if kind.starts_with('"') => {}
            _ => return wrong(format!("{place} must be an object with a string `type`")),
        }
        parts += 1;
    }
    if parts == 0 { wrong(format!("{place}.content must not be empty")) } else { Ok(content) }
}

/// The last one of a name: the one that counts.
fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let found = members(object).filter_map(Result::ok).filter(|member| member.key.is(object.as_bytes(), name)).last();
    found.map(|member| member.value.of_str(object))
}

const fn is_number(first: u8) -> bool {
    first.is_ascii_digit() || first == b'-'
}

fn wrong<T>(message: impl Into<String>) -> Result<T, InputError> {
    Err(InputError(message.into()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    fn size(raw: &str) -> EmbeddingsInput {
        EmbeddingsInput::of(&read_inputs(raw).unwrap(), Encoding::Float)
    }

    #[test]
    fn every_form_of_input_is_read() {
        assert_eq!(read_inputs(r#""hi \"you\"""#).unwrap(), [Input::Text(r#"hi \"you\""#)]);
        assert_eq!(read_inputs(r#"["a" , "b"]"#).unwrap(), [Input::Text("a"), Input::Text("b")]);
        assert_eq!(read_inputs("[1, 2,3]").unwrap(), [Input::Tokens(3)]);
        assert_eq!(read_inputs("[[1,2],[3]]").unwrap(), [Input::Tokens(2), Input::Tokens(1)]);
        let parts = r#"[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:x"}}]}]"#;
        assert!(matches!(read_inputs(parts).unwrap()[..], [Input::Parts(_)]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (raw, told) in [
            ("\"\"", "input must not be an empty string"),
            ("[]", "input must not be empty"),
            (r#"["a",""]"#, "input[1] must not be an empty string"),
            (r#"["a",1]"#, "input[1] is of another kind than the one before it; all inputs are of one kind"),
            ("[[1],[]]", "input[1] must not be empty"),
            ("[[1,-2]]", "input[0][1] must be a token: a whole number from 0"),
            ("[1,2.5]", "input[1] must be a token: a whole number from 0"),
            ("[[[1]]]", "input[0][0] must be a token: a whole number from 0"),
            ("[null]", "input[0] must be a string, a token number, an array of those, or an object with `content`"),
            (r#"[{"text":"a"}]"#, "input[0].content must be an array of parts"),
            (r#"[{"content":[]}]"#, "input[0].content must not be empty"),
            (r#"[{"content":[{"type":"text","text":""}]}]"#, "input[0].content[0].text must be a string that is not empty"),
            (
                r#"[{"content":[{"type":"image_url","image_url":{}}]}]"#,
                "input[0].content[0].image_url must be an object with a string `url`",
            ),
            (r#"[{"content":["a"]}]"#, "input[0].content[0] must be an object with a string `type`"),
        ] {
            assert_eq!(read_inputs(raw).unwrap_err().to_string(), told, "{raw}");
        }
        for raw in ["1", "null", "true", "{}"] {
            assert!(read_inputs(raw).unwrap_err().to_string().starts_with("input must be a string, an array"), "{raw}");
        }
    }

    #[test]
    fn tokens_are_counted_exactly_and_texts_bounded() {
        let tokens = size("[[1,2,3],[4,5]]");
        assert_eq!((tokens.count, tokens.tokens_max.total(), tokens.tokens_expected, tokens.longest_tokens_least), (2, 5, 5, 3));
        let text = r#"["The quick brown fox jumps over the lazy dog.","Ein zweiter Satz."]"#;
        let (bound, counted) = (size(text), count_inputs(text, size(text).tokens_max));
        assert_eq!(bound.count, 2);
        assert!(bound.tokens_max.total() >= counted.uncached_input && counted.uncached_input > 10, "{bound:?} {counted:?}");
        assert_eq!((counted.source, counted.completion_tokens()), (UsageSource::Estimate, 0));
    }

    #[test]
    fn pictures_are_counted_as_pictures() {
        let raw = format!(
            r#"[{{"content":[{{"type":"text","text":"a cat"}},{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{}"}}}}]}}]"#,
            "A".repeat(100_000)
        );
        let bound = size(&raw).tokens_max;
        assert!(bound.image > 0 && bound.text < 40, "{bound:?}");
        assert_eq!(count_inputs(&raw, bound).image_input, bound.image);
    }

    #[test]
    fn a_report_says_the_prompt_in_many_ways() {
        let prompt = |raw: &str| embeddings_usage(raw).0.map(|usage| (usage.uncached_input, usage.completion_tokens(), usage.source));
        let provider = UsageSource::Provider;
        assert_eq!(prompt(r#"{"prompt_tokens":8,"total_tokens":8}"#), Some((8, 0, provider)));
        assert_eq!(prompt(r#"{"total_tokens":8}"#), Some((8, 0, provider)), "Voyage's");
        assert_eq!(prompt(r#"{"prompt_tokens":0,"total_tokens":8}"#), Some((8, 0, provider)));
        assert_eq!(prompt(r#"{"prompt_tokens":8,"completion_tokens":3,"total_tokens":11}"#), Some((8, 0, provider)), "no output is billed");
        for nothing in ["{}", "null", r#"{"prompt_tokens":0,"total_tokens":0}"#, r#"{"prompt_tokens":-5}"#] {
            assert_eq!(prompt(nothing), None, "{nothing}");
        }
        assert!(embeddings_usage(r#"{"total_tokens":8}"#).1.is_empty(), "a total alone is no anomaly here");
        assert!(embeddings_usage(r#"{"prompt_tokens":-5}"#).1.contains(UsageAnomalies::NEGATIVE));
    }
}
