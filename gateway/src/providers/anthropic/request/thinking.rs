//! How much is thought: by a budget or, with models that measure it themselves, by a word.

use serde::Serialize;

use super::chat::ChatBody;
use crate::providers::anthropic::native::{THINKING_TOKENS_MIN, budget_below};

/// The longest budget that is asked for by effort.
const THINKING_TOKENS_MAX: u64 = 128_000;
/// The share of the output where no effort is named.
const PERCENT_DEFAULT: u64 = 50;

/// From this version on a model refuses a budget, and sampling parameters with it: it thinks as much as it sees fit
/// (`adaptive`), steered by a word. Claude 4.6 understands both and is given a budget.
/// Source: Anthropic's documentation, "Adaptive thinking", 2026.
const ADAPTIVE_ONLY_SINCE: (u32, u32) = (4, 7);
/// The same, where the name has no version.
const ADAPTIVE_ONLY_NAMES: [&str; 1] = ["claude-mythos-preview"];

/// Every effort, the share of the output in percent that it is worth as a budget, and Anthropic's word for it.
const EFFORTS: [(&str, u64, &str); 6] = [
    ("max", 95, "max"),
    ("xhigh", 95, "xhigh"),
    ("high", 80, "high"),
    ("medium", 50, "medium"),
    ("low", 20, "low"),
    ("minimal", 10, "low"),
];

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    Enabled {
        budget_tokens: u64,
    },
    /// These models show nothing of what they think unless they are asked to.
    Adaptive {
        display: &'static str,
    },
}

/// What a client asked for.
#[derive(Debug)]
struct Asked {
    percent: u64,
    /// Anthropic's, where an effort was named.
    word: Option<&'static str>,
    /// A budget of the client's own.
    tokens: Option<u64>,
}

impl Thinking {
    /// The budget: the client's own, or a share of the output by effort. It stays below the output's cap; where there is
    /// no room for the least budget, there is no thinking.
    pub(super) fn of(chat: &ChatBody<'_>, max_tokens: u64) -> Option<Self> {
        let asked = Asked::of(chat)?;
        if is_adaptive_only(&chat.model) {
            return Some(Self::Adaptive { display: "summarized" });
        }
        let share = || (max_tokens.saturating_mul(asked.percent) / 100).min(THINKING_TOKENS_MAX);
        let wanted = asked.tokens.unwrap_or_else(share).max(THINKING_TOKENS_MIN);
        let budget_tokens = if wanted < max_tokens { wanted } else { budget_below(max_tokens)? };
        Some(Self::Enabled { budget_tokens })
    }

    /// A budget binds the history as well: the calls of a tool that go back have to begin with a thought.
    pub(super) const fn has_budget(&self) -> bool {
        matches!(self, Self::Enabled { .. })
    }
}

impl Asked {
    fn of(chat: &ChatBody<'_>) -> Option<Self> {
        let reasoning = chat.reasoning.as_ref();
        let effort = reasoning.and_then(|reasoning| reasoning.effort.as_deref()).or(chat.reasoning_effort.as_deref());
        let tokens = reasoning.and_then(|reasoning| reasoning.max_tokens);
        let is_enabled = reasoning.and_then(|reasoning| reasoning.enabled);
        let says_nothing = effort.is_none() && tokens.is_none() && is_enabled.is_none();
        if says_nothing || is_enabled == Some(false) || effort == Some("none") {
            return None;
        }
        let known = EFFORTS.iter().copied().find(|(effort_word, ..)| effort == Some(*effort_word));
        Some(Self { percent: known.map_or(PERCENT_DEFAULT, |(_, percent, _)| percent), word: known.map(|(_, _, word)| word), tokens })
    }
}

/// Anthropic's word for the effort, with a model that is steered by one.
pub(super) fn effort(chat: &ChatBody<'_>) -> Option<&'static str> {
    if is_adaptive_only(&chat.model) { Asked::of(chat)?.word } else { None }
}

pub(super) fn is_adaptive_only(model: &str) -> bool {
    ADAPTIVE_ONLY_NAMES.iter().any(|name| model.contains(name)) || version(model).is_some_and(|version| version >= ADAPTIVE_ONLY_SINCE)
}

/// `claude-opus-4-7-20260401` is 4.7, `claude-sonnet-5` is 5.0, `claude-3-5-haiku` is 3.5: a longer number is a date.
fn version(model: &str) -> Option<(u32, u32)> {
    let number = |word: &str| word.parse::<u32>().ok().filter(|_| word.len() <= 2);
    let (_, name) = model.split_once("claude")?;
    let mut words = name.split(['-', '.', '@', ':']);
    let major = words.find_map(number)?;
    Some((major, words.next().and_then(number).unwrap_or(0)))
}
