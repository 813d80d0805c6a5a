//! How much a model may be asked to think, where it is told by a word.
//!
//! By the name of the model, because providers refuse a word that one of their models does not know, and `reasoning_effort`
//! altogether where a model does not think. Sources: OpenAI's reference of `reasoning_effort` and its model pages, Google's on OpenAI
//! compatibility, xAI's on reasoning (2026).

/// From the least to the most.
const WORDS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// The words a model takes: one bit for each of [`WORDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Efforts(u8);

/// It does not think, and wants to hear nothing of it.
const NOTHING: Efforts = Efforts(0);
const HIGH: Efforts = Efforts(0b001_0000);
const LOW_TO_HIGH: Efforts = Efforts(0b001_1100);
const LOW_OR_HIGH: Efforts = Efforts(0b001_0100);
const LOW_TO_XHIGH: Efforts = Efforts(0b011_1100);
const MEDIUM_TO_XHIGH: Efforts = Efforts(0b011_1000);
const MINIMAL_TO_HIGH: Efforts = Efforts(0b001_1110);
const NONE_OR_LOW_TO_HIGH: Efforts = Efforts(0b001_1101);
const NONE_OR_LOW_TO_XHIGH: Efforts = Efforts(0b011_1101);

/// By how a model's name begins, the longer beginning first.
const FAMILIES: [(&str, Efforts); 12] = [
    ("chatgpt-", NOTHING),
    ("gemini-2.5-pro", LOW_TO_HIGH),
    ("gemini-2.5", NONE_OR_LOW_TO_HIGH),
    ("gemini-3", LOW_TO_HIGH),
    ("gpt-3.5", NOTHING),
    ("gpt-4", NOTHING),
    ("gpt-oss", LOW_TO_HIGH),
    ("grok-3-mini", LOW_OR_HIGH),
    ("o1", LOW_TO_HIGH),
    ("o3", LOW_TO_HIGH),
    ("o4", LOW_TO_HIGH),
    ("codex-mini", LOW_TO_HIGH),
];

impl Efforts {
    /// Those of a model by the name sent upstream; `None` where nothing is known of it.
    pub fn of(model: &str) -> Option<Self> {
        let name = model.rsplit('/').next().unwrap_or(model);
        let name = name.strip_prefix("ft:").unwrap_or(name);
        if let Some(rest) = name.strip_prefix("gpt-5") {
            return Some(Self::of_gpt_5(rest));
        }
        FAMILIES.iter().find(|(beginning, _)| name.starts_with(beginning)).map(|(_, efforts)| *efforts)
    }

    /// `rest` is what follows the 5: `-mini`, `.1-codex-max`.
    fn of_gpt_5(rest: &str) -> Self {
        let minor = rest.strip_prefix('.').map_or("", |rest| rest.split('-').next().unwrap_or(rest));
        let minor: u32 = minor.parse().unwrap_or(0);
        let is = |word: &str| rest.split('-').any(|part| part == word);
        match minor {
            _ if is("chat") => NOTHING,
            0 if is("pro") => HIGH,
            _ if is("pro") => MEDIUM_TO_XHIGH,
            0 | 1 if is("codex") && !is("max") => LOW_TO_HIGH,
            _ if is("codex") => LOW_TO_XHIGH,
            0 => MINIMAL_TO_HIGH,
            1 => NONE_OR_LOW_TO_HIGH,
            _ => NONE_OR_LOW_TO_XHIGH,
        }
    }

    pub const fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// The word that is taken and comes nearest: not more than was asked for, where there is such a word, and no thought at all only
    /// where that was asked for.
    pub fn nearest(self, wanted: &str) -> Option<&'static str> {
        let wanted = WORDS.iter().position(|word| *word == wanted)?;
        let mut taken = (0..WORDS.len()).filter(|place| self.0 >> place & 1 == 1 && (*place > 0 || wanted == 0));
        let least = taken.next()?;
        let most = taken.take_while(|place| *place <= wanted).last();
        Some(WORDS[most.unwrap_or(least)])
    }
}

/// The word for a budget of thinking tokens: by its share of the output where that has a cap, else by its size.
pub fn word_for_budget(tokens: u64, output_tokens_cap: Option<u64>) -> &'static str {
    let (low, medium) = output_tokens_cap.map_or((4_096, 16_384), |cap| (cap.saturating_mul(35) / 100, cap.saturating_mul(65) / 100));
    match tokens {
        _ if tokens <= low => "low",
        _ if tokens <= medium => "medium",
        _ => "high",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_told_a_word_that_it_knows() {
        for (model, wanted, told) in [
            ("gpt-5-mini", "max", Some("high")),
            ("gpt-5-mini", "none", Some("minimal")),
            ("gpt-5-mini-2025-08-07", "minimal", Some("minimal")),
            ("gpt-5.1", "none", Some("none")),
            ("gpt-5.1", "minimal", Some("low")),
            ("gpt-5.1", "xhigh", Some("high")),
            ("gpt-5.2", "max", Some("xhigh")),
            ("gpt-5-codex", "minimal", Some("low")),
            ("gpt-5.1-codex-max", "max", Some("xhigh")),
            ("gpt-5-pro", "low", Some("high")),
            ("gpt-5-chat-latest", "high", None),
            ("o3", "none", Some("low")),
            ("ft:gpt-4o-mini:acme", "high", None),
            ("openai/gpt-oss-120b", "xhigh", Some("high")),
            ("models/gemini-2.5-flash", "none", Some("none")),
            ("grok-3-mini", "medium", Some("low")),
            ("gpt-5", "a word nobody knows", None),
        ] {
            assert_eq!(Efforts::of(model).and_then(|efforts| efforts.nearest(wanted)), told, "{model} {wanted}");
        }
        assert_eq!((Efforts::of("llama-4"), Efforts::of("gpt-4o").map(Efforts::is_nothing)), (None, Some(true)));
    }

    #[test]
    fn a_budget_is_a_share_of_the_output() {
        for (tokens, cap, word) in [
            (2_000, None, "low"),
            (10_000, None, "medium"),
            (50_000, None, "high"),
            (1_024, Some(4_096), "low"),
            (10_000, Some(20_000), "medium"),
            (31_999, Some(32_000), "high"),
        ] {
            assert_eq!(word_for_budget(tokens, cap), word, "{tokens} of {cap:?}");
        }
    }
}
