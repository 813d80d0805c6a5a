//! What each provider calls the counts it reports, and in which object they stand.

/// The counts there are, whatever each provider calls them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Includes cached and written tokens.
    Prompt,
    /// Anthropic's: excludes cached and written tokens where those stand beside it.
    Input,
    Completion,
    Total,
    CacheRead,
    CacheWrite,
    CacheWrite5m,
    CacheWrite1h,
    PromptAudio,
    PromptImage,
    Reasoning,
    CompletionAudio,
    CompletionImage,
    /// Anthropic's compaction of a long conversation: billed, and not in the counts above.
    CompactionInput,
    CompactionCacheRead,
    CompactionCacheWrite,
    CompactionOutput,
    /// Not a count: set where the cache fields have Anthropic's names.
    AnthropicNames,
}

pub(super) const FIELD_COUNT: usize = Field::AnthropicNames as usize + 1;

/// Which object a member stands in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Top,
    PromptDetails,
    CompletionDetails,
    CacheCreation,
}

impl Place {
    pub(super) fn within(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Top, "prompt_tokens_details" | "input_tokens_details") => Some(Self::PromptDetails),
            (Self::Top, "completion_tokens_details" | "output_tokens_details") => Some(Self::CompletionDetails),
            (Self::Top, "cache_creation") | (Self::PromptDetails, "cache_creation_token_details") => Some(Self::CacheCreation),
            _ => None,
        }
    }

    pub(super) fn field(self, key: &str) -> Option<Field> {
        Some(match (self, key) {
            (Self::Top, "prompt_tokens") => Field::Prompt,
            (Self::Top, "input_tokens") => Field::Input,
            (Self::Top, "completion_tokens" | "output_tokens") => Field::Completion,
            (Self::Top, "total_tokens") => Field::Total,
            (Self::Top, "prompt_cache_hit_tokens" | "cache_read_input_tokens" | "cached_tokens" | "num_cached_tokens")
            | (Self::PromptDetails, "cached_tokens" | "cache_read_tokens") => Field::CacheRead,
            (Self::Top, "cache_creation_input_tokens" | "cache_write_tokens")
            | (Self::PromptDetails, "cache_write_tokens" | "cache_creation_tokens") => Field::CacheWrite,
            (Self::CacheCreation, "ephemeral_5m_input_tokens") => Field::CacheWrite5m,
            (Self::CacheCreation, "ephemeral_1h_input_tokens") => Field::CacheWrite1h,
            (Self::PromptDetails, "audio_tokens") => Field::PromptAudio,
            (Self::PromptDetails, "image_tokens") => Field::PromptImage,
            (Self::Top | Self::CompletionDetails, "reasoning_tokens") | (Self::CompletionDetails, "thinking_tokens") => Field::Reasoning,
            (Self::CompletionDetails, "audio_tokens") => Field::CompletionAudio,
            (Self::CompletionDetails, "image_tokens") => Field::CompletionImage,
            _ => return None,
        })
    }
}
