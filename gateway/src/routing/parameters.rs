//! The parameters a request may send and an endpoint may support, as a set that is compared in one step.

/// OpenRouter's vocabulary of `supported_parameters`. At most 64.
const VOCABULARY: [&str; 25] = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "top_a",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "max_tokens",
    "max_completion_tokens",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "prediction",
    "seed",
    "response_format",
    "structured_outputs",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "include_reasoning",
    "reasoning",
    "reasoning_effort",
    "verbosity",
];

/// A set of parameters. Words outside the vocabulary are in no set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParameterSet(u64);

impl ParameterSet {
    /// `response_format`, `tools`, `verbosity`: they change what an answer is, not how it sounds.
    pub const TELLING: Self = Self(1 << 15 | 1 << 18 | 1 << 24);

    /// `temperature` to `repetition_penalty`, `logit_bias` to `seed`, `stop`: how an answer is drawn. An endpoint that does not
    /// understand one of them is asked without it.
    pub const SAMPLING: Self = Self(0xff | 0x1f << 10 | 1 << 17);

    /// `reasoning`, `reasoning_effort`: the model thinks.
    pub const THINKING: Self = Self(1 << 22 | 1 << 23);

    pub fn of(name: &str) -> Self {
        Self(VOCABULARY.iter().position(|word| *word == name).map_or(0, |place| 1 << place))
    }

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    #[must_use]
    pub const fn in_common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        VOCABULARY.iter().enumerate().filter(move |(place, _)| self.0 & (1 << place) != 0).map(|(_, word)| *word)
    }
}

impl<'a> FromIterator<&'a str> for ParameterSet {
    /// An output cap goes by two names: who supports one is sent that one.
    fn from_iter<T: IntoIterator<Item = &'a str>>(names: T) -> Self {
        let set = names.into_iter().fold(Self::default(), |set, name| set.and(Self::of(name)));
        let caps = Self::of("max_tokens").and(Self::of("max_completion_tokens"));
        if set.in_common(caps).is_empty() { set } else { set.and(caps) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_is_named_in_the_vocabulary() {
        assert_eq!(ParameterSet::TELLING.names().collect::<Vec<_>>(), ["response_format", "tools", "verbosity"]);
        assert_eq!(ParameterSet::THINKING.names().collect::<Vec<_>>(), ["reasoning", "reasoning_effort"]);
        let sampling: Vec<_> = ParameterSet::SAMPLING.names().collect();
        assert_eq!(sampling[..8], VOCABULARY[..8]);
        assert_eq!(sampling[8..], ["logit_bias", "logprobs", "top_logprobs", "prediction", "seed", "stop"]);
    }
}
