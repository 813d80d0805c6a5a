//! What was wrong with a provider's usage report: one bit each, for metrics, logs and alarms.

/// A set of oddities. Empty is the ordinary case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsageAnomalies(u16);

impl UsageAnomalies {
    /// Nothing was wrong.
    pub const NONE: Self = Self(0);
    /// The report was no JSON object.
    pub const MALFORMED: Self = Self(1);
    /// A count was below zero; it was taken as not reported.
    pub const NEGATIVE: Self = Self(1 << 1);
    /// A count was beyond [`schemas::usage::TOKENS_MAX`]; it was taken as not reported.
    pub const ABSURD: Self = Self(1 << 2);
    /// A count had a fraction; it was rounded up.
    pub const FRACTION: Self = Self(1 << 3);
    /// A count was neither a number nor the text of one; it was ignored.
    pub const NOT_A_NUMBER: Self = Self(1 << 4);
    /// Cached, written, image and audio tokens were more than the prompt they are part of.
    pub const PARTS_ABOVE_PROMPT: Self = Self(1 << 5);
    /// Reasoning, image and audio tokens were more than the completion they are part of.
    pub const PARTS_ABOVE_COMPLETION: Self = Self(1 << 6);
    /// The total is larger than its parts explain: hidden reasoning, counted as such.
    pub const HIDDEN_OUTPUT: Self = Self(1 << 7);
    /// Only a total was reported.
    pub const TOTAL_ONLY: Self = Self(1 << 8);
    /// A report fell back to zero after a real one; the real one was kept.
    pub const REGRESSED: Self = Self(1 << 9);
    /// Output was delivered and the report has none; it was counted here.
    pub const OUTPUT_UNREPORTED: Self = Self(1 << 10);
    /// The input was not reported; it was counted here.
    pub const INPUT_UNREPORTED: Self = Self(1 << 11);

    const NAMES: [(Self, &'static str); 12] = [
        (Self::MALFORMED, "malformed"),
        (Self::NEGATIVE, "negative"),
        (Self::ABSURD, "absurd"),
        (Self::FRACTION, "fraction"),
        (Self::NOT_A_NUMBER, "not_a_number"),
        (Self::PARTS_ABOVE_PROMPT, "parts_above_prompt"),
        (Self::PARTS_ABOVE_COMPLETION, "parts_above_completion"),
        (Self::HIDDEN_OUTPUT, "hidden_output"),
        (Self::TOTAL_ONLY, "total_only"),
        (Self::REGRESSED, "regressed"),
        (Self::OUTPUT_UNREPORTED, "output_unreported"),
        (Self::INPUT_UNREPORTED, "input_unreported"),
    ];

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The same where there is no output to be counted: what is odd about it means nothing.
    pub const fn without_output(self) -> Self {
        Self(self.0 & !(Self::HIDDEN_OUTPUT.0 | Self::TOTAL_ONLY.0 | Self::PARTS_ABOVE_COMPLETION.0))
    }

    pub const fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Words for metric labels and logs; a small fixed vocabulary.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_one_name() {
        let all = UsageAnomalies::NAMES.iter().fold(UsageAnomalies::NONE, |all, (flag, _)| all.with(*flag));
        assert_eq!(all.0.count_ones() as usize, UsageAnomalies::NAMES.len());
        assert_eq!(UsageAnomalies::NEGATIVE.with(UsageAnomalies::ABSURD).names().collect::<Vec<_>>(), ["negative", "absurd"]);
        assert!(UsageAnomalies::NONE.is_empty() && !all.is_empty());
    }
}
