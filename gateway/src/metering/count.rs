//! Counts tokens with a real vocabulary (OpenAI's o200k), where a provider reported nothing.
//!
//! **CPU-bound: run it on the blocking pool.** Linear in the text; the tables are loaded by the first call
//! and take about 0.1 s.

use std::borrow::Cow;

use super::estimate::PromptTokens;
use super::prompt::walk_messages;

/// Tokens around the contents of one message, as OpenAI's own counting recipe has them.
const MESSAGE_TOKENS: u64 = 3;

/// Counts a text.
pub fn count_text(text: &str) -> u64 {
    bpe_openai::o200k_base().count(text) as u64
}

/// Counts a prompt; `messages` and `others` as in [`super::prompt_tokens_max`]. Images and sounds cannot
/// be counted from here and are taken at their bounds.
pub fn count_prompt(messages: &str, others: &[&str]) -> PromptTokens {
    let mut tokens = PromptTokens { text: MESSAGE_TOKENS, ..PromptTokens::default() };
    for other in others {
        tokens.text += count_text(other);
    }
    walk_messages(messages, &mut |part| match part {
        super::prompt::Part::Message => tokens.text += MESSAGE_TOKENS,
        part => tokens.add(part, |raw| count_text(&unescape(raw))),
    });
    tokens
}

/// The text a JSON string's contents stand for. What is no string's contents stays as it is.
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    serde_json::from_str::<String>(&format!("\"{raw}\"")).map_or(Cow::Borrowed(raw), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metering::estimate::IMAGE_TOKENS_MAX;

    #[test]
    fn a_prompt_counts_its_texts_unescaped_and_its_messages() {
        let plain = count_prompt(r#"[{"role":"user","content":"Hello wörld"}]"#, &[]);
        assert_eq!(plain.total(), count_text("Hello wörld") + 2 * MESSAGE_TOKENS);
        assert_eq!(count_prompt(r#"[{"role":"user","content":"Hello w\u00f6rld"}]"#, &[]), plain);
        let parts =
            r#"[{"role":"user","content":[{"type":"text","text":"Hello wörld"},{"type":"image_url","image_url":{"url":"https://x"}}]}]"#;
        let with_image = count_prompt(parts, &[]);
        assert_eq!((with_image.text, with_image.image), (plain.text, IMAGE_TOKENS_MAX));
        assert!(count_prompt(r#"[{"role":"user","content":"Hello wörld"}]"#, &[r#"{"name":"f"}"#]).text > plain.text);
    }

    #[test]
    fn odd_prompts_are_counted_as_text() {
        for odd in ["", "{", "[1,2", "[\"\\ud800\"]", "null", r#"[{"role":"user","content":"\ud800"}]"#] {
            assert!(count_prompt(odd, &[]).total() >= MESSAGE_TOKENS, "{odd}");
        }
    }
}
