//! How many tokens a prompt can be at most: for holds, from bytes, without tokenising.
//!
//! Tokenising half a megabyte costs ten milliseconds; this costs a fraction of one. It is an upper bound
//! for ordinary text in every common script under the common vocabularies, not for text made to defeat
//! it; nothing depends on that, since what a request really used is booked in full. Start at
//! [`prompt_tokens_max`].

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::prompt::{Part, walk_messages};

/// Roles and separators of one message.
pub const MESSAGE_TOKENS: u64 = 8;
/// What providers add once to every prompt.
pub const PROMPT_TOKENS: u64 = 16;
/// What providers add where tools are offered: Anthropic writes about 350 tokens of instructions.
pub const TOOLS_TOKENS: u64 = 600;
/// One image: OpenAI's tiles give at most 1,445, Anthropic's largest 4,784, Gemini 258 a tile.
pub const IMAGE_TOKENS_MAX: u64 = 4_800;
/// One image at `"detail":"low"`: OpenAI 85, Gemini 258.
pub const IMAGE_LOW_TOKENS_MAX: u64 = 300;
/// Bytes of text that make one token, on average.
pub const TEXT_BYTES_PER_TOKEN: u64 = 4;
/// No text has more bytes to a token: it has at least so many.
pub const TEXT_BYTES_PER_TOKEN_MOST: u64 = 12;
/// Sound is at most 32 tokens a second (Gemini). WAV has at least 8,000 bytes a second.
pub const WAV_BYTES_PER_TOKEN: u64 = 250;
/// Compressed speech has at least 2,000 bytes a second.
pub const COMPRESSED_AUDIO_BYTES_PER_TOKEN: u64 = 62;
/// One video, whose length nobody knows before it is fetched: about six minutes at Gemini's 263 a second.
pub const VIDEO_TOKENS_MAX: u64 = 100_000;
/// A document's bytes for one token: compressed text is at most this dense.
pub const FILE_BYTES_PER_TOKEN: u64 = 2;
/// A document that is only referred to by id or address.
pub const FILE_TOKENS_MAX: u64 = 100_000;

/// Tokens of a prompt, by what they are priced as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PromptTokens {
    pub text: u64,
    pub image: u64,
    pub audio: u64,
}

impl PromptTokens {
    pub const fn total(self) -> u64 {
        self.text.saturating_add(self.image).saturating_add(self.audio)
    }

    pub(super) fn add(&mut self, part: Part<'_>, count_text: impl FnOnce(&str) -> u64) {
        let tokens = match part {
            Part::Message => MESSAGE_TOKENS,
            Part::Text(text) => count_text(text),
            Part::File { base64_bytes: 0 } => FILE_TOKENS_MAX,
            Part::File { base64_bytes } => raw_bytes(base64_bytes) / FILE_BYTES_PER_TOKEN,
            Part::Video => VIDEO_TOKENS_MAX,
            Part::Image { is_low_detail } => {
                self.image += if is_low_detail { IMAGE_LOW_TOKENS_MAX } else { IMAGE_TOKENS_MAX };
                0
            }
            Part::Audio { base64_bytes, is_wav } => {
                self.audio += raw_bytes(base64_bytes) / if is_wav { WAV_BYTES_PER_TOKEN } else { COMPRESSED_AUDIO_BYTES_PER_TOKEN } + 1;
                0
            }
        };
        self.text = self.text.saturating_add(tokens);
    }
}

/// An upper bound for a prompt. `messages` is the raw array, `others` are the raw values that are read by
/// the model as well (`tools`, `response_format`); callers cap the result at the model's context length.
pub fn prompt_tokens_max(messages: &str, others: &[&str]) -> PromptTokens {
    let mut tokens = PromptTokens { text: PROMPT_TOKENS, ..PromptTokens::default() };
    for other in others {
        tokens.text = tokens.text.saturating_add(TOOLS_TOKENS).saturating_add(text_tokens_max(other));
    }
    if has_media(messages) {
        walk_messages(messages, &mut |part| tokens.add(part, text_tokens_max));
    } else {
        // The quotes, braces and names around every message weigh more than its overhead.
        tokens.text = tokens.text.saturating_add(text_tokens_max(messages));
    }
    tokens
}

/// An upper bound for text: every byte has a weight by the character it begins.
pub fn text_tokens_max(text: &str) -> u64 {
    let (mut whole, mut eighths) = (0_u64, 0_u64);
    for chunk in text.as_bytes().chunks(1 << 16) {
        eighths += u64::from(chunk.iter().map(|byte| u32::from(WEIGHTS[usize::from(*byte)])).sum::<u32>());
        whole += eighths / 8;
        eighths %= 8;
    }
    whole + eighths.div_ceil(8)
}

/// About how many tokens generated text is, from its bytes alone: four ASCII characters or one other
/// character each. For checkpoints and for resizing a hold while a stream runs; never for a charge.
pub fn text_tokens_about(ascii_bytes: u64, other_bytes: u64) -> u64 {
    ascii_bytes.div_ceil(4) + other_bytes.div_ceil(3)
}

fn raw_bytes(base64_bytes: usize) -> u64 {
    base64_bytes as u64 / 4 * 3
}

/// Whether any part may be something else than text. Searchers are made once: making one costs more
/// than searching a short prompt.
fn has_media(messages: &str) -> bool {
    static NAMES: LazyLock<[Finder<'static>; 4]> = LazyLock::new(|| ["_url\"", "\"input_", "\"file\"", "\"source\""].map(Finder::new));
    NAMES.iter().any(|name| name.find(messages.as_bytes()).is_some())
}

/// Eighths of a token by first byte of a character; continuation bytes weigh nothing.
static WEIGHTS: [u8; 256] = weights();

const fn weights() -> [u8; 256] {
    let mut weights = [0_u8; 256];
    let mut byte = 0;
    while byte < 256 {
        weights[byte] = match byte as u8 {
            b'a'..=b'z' | b' ' => 4,
            b'A'..=b'Z' => 6,
            b'0'..=b'9' => 9,
            0..0x80 => 8,
            0x80..0xC0 => 0,
            // Cyrillic.
            0xD0..=0xD3 => 9,
            // Accented Latin, Greek, Arabic.
            0xC3..=0xC9 | 0xCE | 0xCF | 0xD8..=0xDB => 10,
            // Armenian, Hebrew, combining marks and the rest of two bytes: up to a token a byte.
            0xC0..0xE0 => 16,
            // Kana.
            0xE3 => 12,
            // Chinese.
            0xE4..=0xE9 => 16,
            // Hangul.
            0xEA..=0xED => 20,
            // Scripts of India and South-East Asia, symbols: a token a byte.
            0xE0..0xF0 => 24,
            // Emoji and rare Chinese: a token a byte.
            _ => 32,
        };
        byte += 1;
    }
    weights
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The most tokens any of three common vocabularies makes of a text.
    fn most_tokens(text: &str) -> u64 {
        let vocabularies = [bpe_openai::o200k_base(), bpe_openai::cl100k_base(), bpe_openai::voyage3_base()];
        vocabularies.iter().map(|vocabulary| vocabulary.count(text) as u64).max().unwrap_or(0)
    }

    #[test]
    fn the_bound_holds_for_text_in_common_scripts_and_is_not_wasteful() {
        for text in [
            "Billing systems are judged by their worst day, not by their average one. The quick brown fox jumps over the lazy dog.",
            "fn charge(table: &PriceTable) -> Result<Charge, CostError> {\n    for kind in KINDS {\n        total += usage.tokens(kind);\n    }\n}\n",
            r#"[{"role":"assistant","tool_calls":[{"id":"call_8sdf7Hsd","function":{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}}]}]"#,
            "请用简单的语言解释一下什么是量子纠缠，并举一个日常生活中的例子。计费系统必须精确到纳美元，不能有任何误差。龘靐齉麤爩",
            "量子もつれとは何か、簡単な言葉で説明してください。課金システムは正確でなければなりません。",
            "양자 얽힘이 무엇인지 쉬운 말로 설명해 주세요. 과금 시스템은 정확해야 합니다. 뷁뛟쀍",
            "Объясните простыми словами, что такое квантовая запутанность, и приведите пример из жизни.",
            "اشرح بكلمات بسيطة ما هو التشابك الكمي وأعط مثالاً من الحياة اليومية.",
            "सरल शब्दों में बताइए कि क्वांटम उलझाव क्या है और रोज़मर्रा की ज़िंदगी से एक उदाहरण दीजिए।",
            "อธิบายด้วยคำง่าย ๆ ว่าความพัวพันเชิงควอนตัมคืออะไร",
            "Εξηγήστε με απλά λόγια τι είναι η κβαντική διεμπλοκή.",
            "Hãy giải thích bằng ngôn ngữ đơn giản rối lượng tử là gì và cho một ví dụ.",
            "Erkläre mit einfachen Worten, was Quantenverschränkung ist; Donaudampfschifffahrtsgesellschaft.",
            "שלום עולם מה שלומך היום",
            "😀🎉👩‍👩‍👧‍👦🇩🇪🔥✨🙏🏽",
            "∀x∈ℝ: ∫₀¹ x² dx = ⅓ ≠ √2 ⇒ ⟨ψ|φ⟩",
            "გამარჯობა მსოფლიო როგორ ხარ",
            "3.14159265358979323846264338327950288 1 2 3 44 555",
        ] {
            let (bound, most) = (text_tokens_max(text), most_tokens(text));
            assert!(bound >= most && bound <= 4 * most, "{bound} for {most}: {text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Nobody writes this; it must not open a door all the same.
        #[test]
        fn gibberish_stays_near_the_bound(text in prop_oneof![
            "[a-z]{200}", "([a-z]{1,8} ){40}", "[A-Z]{200}", "[a-zA-Z0-9+/]{200}", "[0-9a-f]{200}", "[!-/:-@]{200}", "[0-9]{200}", "[а-яА-Я]{200}",
            "[\u{4e00}-\u{9fff}]{200}", "[\u{ac00}-\u{d7a3}]{200}", "[\u{3041}-\u{30ff}]{200}", "[\u{900}-\u{970}]{200}", "[\u{2000}-\u{2bff}]{200}",
            "[\u{20000}-\u{2a000}]{200}", "[\u{c0}-\u{17f}]{200}", "[\u{80}-\u{7ff}]{200}", "(\\\\n|\\\\u[0-9a-f]{4}){40}",
        ]) {
            let (bound, most) = (text_tokens_max(&text), most_tokens(&text));
            prop_assert!(bound * 10 >= most * 7, "{bound} for {most}: {text}");
        }

        #[test]
        fn a_bound_for_the_whole_covers_its_parts(a in ".{0,200}", b in ".{0,200}") {
            let whole = text_tokens_max(&format!("{a}{b}"));
            prop_assert!(whole <= text_tokens_max(&a) + text_tokens_max(&b) && whole + 1 >= text_tokens_max(&a) + text_tokens_max(&b));
        }

        #[test]
        fn arbitrary_messages_never_panic(text in r#"\[?[\[{"a-z:,\]}\\]{0,60}"#) {
            prompt_tokens_max(&text, &[&text]);
            prompt_tokens_max(&format!("[{{\"content\":[{{\"image_url\":{text}}}]}}]"), &[]);
        }
    }

    #[test]
    fn a_million_bytes_are_bounded_without_overflow() {
        let text = "\u{10ffff}".repeat(4 << 20);
        assert_eq!(text_tokens_max(&text), text.len() as u64);
    }

    #[test]
    fn images_and_sounds_are_not_taken_for_text() {
        let base64 = "A".repeat(4_000_000);
        let url = format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{base64}"}}}}"#);
        let low = format!(r#"{{"type":"image_url","image_url":{{"detail":"low","url":"data:image/png;base64,{base64}"}}}}"#);
        let sound = format!(r#"{{"type":"input_audio","input_audio":{{"format":"wav","data":"{base64}"}}}}"#);
        let messages = format!(r#"[{{"role":"user","content":[{{"type":"text","text":"What is this?"}},{url},{low},{sound}]}}]"#);
        let tokens = prompt_tokens_max(&messages, &[]);
        assert_eq!(tokens.image, IMAGE_TOKENS_MAX + IMAGE_LOW_TOKENS_MAX);
        // 3 MB of WAV: 375 seconds at 8,000 bytes a second, 32 tokens each.
        assert!((12_000..=12_001).contains(&tokens.audio), "{tokens:?}");
        assert!(tokens.text < 64, "{tokens:?}");
        assert_eq!(tokens.total(), tokens.text + tokens.image + tokens.audio);
    }

    #[test]
    fn tools_and_files_are_counted_in() {
        let without = prompt_tokens_max(r#"[{"role":"user","content":"hi"}]"#, &[]);
        let with = prompt_tokens_max(r#"[{"role":"user","content":"hi"}]"#, &[r#"[{"type":"function","function":{"name":"f"}}]"#]);
        assert!(with.text > without.text + TOOLS_TOKENS);
        let inline = r#"[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"AAAAAAAAAAAAAAAA"}}]}]"#;
        assert!(prompt_tokens_max(inline, &[]).text < 64);
        for file in [
            r#"{"file_id":"file-1"}"#,
            r#"{"file_data":"https://example.com/600-pages.pdf"}"#,
            r#"{"file_data":"https\u003a//a.example/b"}"#,
            r#"{"file_id":"file-1","file_data":null}"#,
        ] {
            let elsewhere = format!(r#"[{{"role":"user","content":[{{"type":"file","file":{file}}}]}}]"#);
            assert!(prompt_tokens_max(&elsewhere, &[]).text > FILE_TOKENS_MAX, "{file}");
        }
    }
}
