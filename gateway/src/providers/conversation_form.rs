//! How a provider wants the conversation so far: data, which `http::chat` writes the messages by. A host's is a part of its
//! [`super::Quirks`].

use super::tool_ids::ToolIds;

/// What of a conversation a provider takes, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversationForm {
    pub thoughts: ThoughtForm,
    pub tool_ids: ToolIds,
    /// Members of the model's messages, of its calls and of their functions, that it refuses: other providers write them into their
    /// answers, or client libraries into what they make of them.
    pub left_out: &'static [&'static str],
    /// It refuses what says nothing: members that are null or empty, and a turn of the model without a word or a call.
    pub is_strict: bool,
    /// After the result of a tool it wants to hear of the model before the user speaks again.
    pub has_model_answer_tools: bool,
}

/// Under which names a provider is told what the model thought in earlier turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThoughtForm {
    /// As the client wrote it.
    AsWritten,
    /// A text goes by both of its names: of services that many run it is not known which one they read.
    BothNames,
    /// `reasoning`, and nothing else.
    Reasoning,
    /// `reasoning_content`, and nothing else. Beside calls it has to be there.
    ReasoningContent,
    /// Not at all.
    Nothing,
}

/// What a model thought, in the words of all who have one.
pub const THOUGHTS: [&str; 3] = ["reasoning", "reasoning_content", "reasoning_details"];

impl ConversationForm {
    /// Whatever a client wrote.
    pub const AS_WRITTEN: Self =
        Self { thoughts: ThoughtForm::AsWritten, tool_ids: ToolIds::Any, left_out: &[], is_strict: false, has_model_answer_tools: false };

    /// What nothing is known of.
    pub const USUAL: Self = Self { thoughts: ThoughtForm::BothNames, ..Self::AS_WRITTEN };

    /// Of who checks every member of a message.
    pub const STRICT: Self = Self {
        thoughts: ThoughtForm::Nothing,
        left_out: &[
            "refusal",
            "annotations",
            "images",
            "audio",
            "extra_content",
            "index",
            "parsed",
            "parsed_arguments",
            "provider_specific_fields",
        ],
        is_strict: true,
        ..Self::AS_WRITTEN
    };

    /// OpenAI's own: it takes back what its own models answer with.
    pub const OPENAI: Self = Self {
        tool_ids: ToolIds::Short,
        left_out: &["annotations", "images", "extra_content", "index", "parsed", "parsed_arguments", "provider_specific_fields"],
        ..Self::STRICT
    };

    pub const MISTRAL: Self = Self { tool_ids: ToolIds::Nine, has_model_answer_tools: true, ..Self::STRICT };

    pub const CEREBRAS: Self = Self { thoughts: ThoughtForm::Reasoning, ..Self::STRICT };

    pub const DEEPSEEK: Self = Self { thoughts: ThoughtForm::ReasoningContent, ..Self::STRICT };

    /// Kimi, which is as particular about thoughts as DeepSeek and about nothing else.
    pub const MOONSHOT: Self = Self { thoughts: ThoughtForm::ReasoningContent, ..Self::AS_WRITTEN };
}
