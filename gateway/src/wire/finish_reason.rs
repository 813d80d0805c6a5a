//! Why an answer ended, in the five words clients are told.

/// OpenRouter's finish reasons. What the provider called it is kept beside as the native one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FinishReason {
    ToolCalls,
    Stop,
    Length,
    ContentFilter,
    Error,
}

impl FinishReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ToolCalls => "tool_calls",
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::Error => "error",
        }
    }

    /// Understands the words of the known families, in any case; one that nobody knows is an ordinary stop.
    pub fn from_native(native: &str) -> Self {
        let mut word = [0_u8; 32];
        let Some(lower) = word.get_mut(..native.len()) else {
            return Self::Stop;
        };
        lower.copy_from_slice(native.as_bytes());
        lower.make_ascii_lowercase();
        match &*lower {
            b"tool_calls" | b"tool_call" | b"tool_use" | b"function_call" => Self::ToolCalls,
            b"length" | b"max_tokens" | b"max_output_tokens" | b"model_length" | b"model_context_window_exceeded" | b"incomplete" => {
                Self::Length
            }
            b"content_filter"
            | b"content_filtered"
            | b"safety"
            | b"recitation"
            | b"blocklist"
            | b"prohibited_content"
            | b"spii"
            | b"image_safety"
            | b"refusal"
            | b"sensitive"
            | b"guardrail_intervened" => Self::ContentFilter,
            b"error" | b"error_finish" | b"network_error" | b"abort" | b"malformed_function_call" | b"insufficient_system_resource" => {
                Self::Error
            }
            _ => Self::Stop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_familys_words_are_understood() {
        use FinishReason::{ContentFilter, Error, Length, Stop, ToolCalls};
        for (reason, words) in [
            (
                Stop,
                ["stop", "end_turn", "eos", "STOP", "stop_sequence", "COMPLETE", "a word nobody knows, and far too long a one at that"]
                    .as_slice(),
            ),
            (ToolCalls, &["tool_calls", "tool_use", "function_call"]),
            (Length, &["length", "max_tokens", "MAX_TOKENS", "model_length"]),
            (ContentFilter, &["content_filter", "SAFETY", "RECITATION", "refusal"]),
            (Error, &["error", "abort", "MALFORMED_FUNCTION_CALL"]),
        ] {
            for word in words {
                assert_eq!(FinishReason::from_native(word), reason, "{word}");
            }
            assert_eq!(FinishReason::from_native(reason.as_str()), reason, "our own words stay as they are");
        }
    }
}
