//! The one disjoint usage form: every token is counted in exactly one field.
//!
//! Dialects disagree about what contains what (OpenAI's prompt tokens include cached ones, Anthropic's
//! exclude them); adapters translate into this form once and nothing downstream has to know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the numbers came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider's final report.
    #[default]
    Provider,
    /// A report the provider gave before the answer ended.
    Partial,
    /// Counted here, because the provider reported nothing.
    Estimate,
    /// From the spool's checkpoints, after a crash.
    Recovered,
}

impl UsageSource {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Partial => "partial",
            Self::Estimate => "estimate",
            Self::Recovered => "recovered",
        }
    }
}

/// What a price can be put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    UncachedInput,
    CacheRead,
    CacheWrite5m,
    CacheWrite1h,
    ImageInput,
    AudioInput,
    TextOutput,
    Reasoning,
    ImageOutput,
    AudioOutput,
    /// One unit a request, where a model has a fee per request.
    Request,
}

/// Tokens of one answer, each in exactly one field. Tool calls are counted, not priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    pub audio_input: u64,
    pub audio_output: u64,
    pub cache_read: u64,
    pub cache_write_1h: u64,
    pub cache_write_5m: u64,
    pub image_input: u64,
    pub image_output: u64,
    pub reasoning: u64,
    pub source: UsageSource,
    pub text_output: u64,
    pub tool_calls: u64,
    pub uncached_input: u64,
}

/// More than any model can take or give: a larger report is absurd and is clamped by the adapter.
pub const TOKENS_MAX: u64 = 1 << 32;

impl Usage {
    /// Everything that went in, cached or not: what long-context tiers look at.
    pub fn prompt_tokens(&self) -> u64 {
        [self.uncached_input, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.image_input, self.audio_input]
            .iter()
            .fold(0, |sum: u64, tokens| sum.saturating_add(*tokens))
    }

    /// Everything that came out, reasoning included.
    pub fn completion_tokens(&self) -> u64 {
        [self.text_output, self.reasoning, self.image_output, self.audio_output]
            .iter()
            .fold(0, |sum: u64, tokens| sum.saturating_add(*tokens))
    }

    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens().saturating_add(self.completion_tokens())
    }

    /// The same usage with at most so many tokens in and out; what is too much is taken from the plain kinds first.
    #[must_use]
    pub fn bounded(mut self, prompt_tokens_max: u64, completion_tokens_max: u64) -> Self {
        let too_many = self.prompt_tokens().saturating_sub(prompt_tokens_max);
        take(
            too_many,
            [
                &mut self.uncached_input,
                &mut self.cache_write_1h,
                &mut self.cache_write_5m,
                &mut self.cache_read,
                &mut self.image_input,
                &mut self.audio_input,
            ],
        );
        let too_many = self.completion_tokens().saturating_sub(completion_tokens_max);
        take(too_many, [&mut self.text_output, &mut self.reasoning, &mut self.image_output, &mut self.audio_output]);
        self
    }

    /// The tokens of one kind; [`TokenKind::Request`] counts one for every request.
    pub const fn tokens(&self, kind: TokenKind) -> u64 {
        match kind {
            TokenKind::UncachedInput => self.uncached_input,
            TokenKind::CacheRead => self.cache_read,
            TokenKind::CacheWrite5m => self.cache_write_5m,
            TokenKind::CacheWrite1h => self.cache_write_1h,
            TokenKind::ImageInput => self.image_input,
            TokenKind::AudioInput => self.audio_input,
            TokenKind::TextOutput => self.text_output,
            TokenKind::Reasoning => self.reasoning,
            TokenKind::ImageOutput => self.image_output,
            TokenKind::AudioOutput => self.audio_output,
            TokenKind::Request => 1,
        }
    }
}

fn take<const N: usize>(mut too_many: u64, fields: [&mut u64; N]) {
    for field in fields {
        let taken = too_many.min(*field);
        *field -= taken;
        too_many -= taken;
    }
}
