//! What Anthropic asks of a loop of calls where the model thinks within a budget.

/// What a turn of a conversation holds, as far as it matters to a loop of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Said {
    pub is_of_the_model: bool,
    pub has_result: bool,
    pub has_only_results: bool,
    pub has_call: bool,
    pub begins_with_a_thought: bool,
}

/// Whether the calls of tools at the end of a conversation go back without a thought. Beside a thinking budget Anthropic refuses that
/// ("Expected `thinking`, but found `tool_use`"): a loop of calls begins with one. Not every call of it has its own, so one
/// anywhere in the loop will do; what the user says in between begins a new loop.
pub(super) fn calls_without_a_thought(turns: impl DoubleEndedIterator<Item = Said>) -> bool {
    let mut latest_first = turns.rev();
    let Some(last) = latest_first.next() else { return false };
    let is_in_a_loop = last.is_of_the_model || last.has_result;
    let of_the_loop = std::iter::once(last).chain(latest_first.take_while(|turn| turn.is_of_the_model || turn.has_only_results));
    let (mut has_call, mut has_thought) = (false, false);
    for turn in of_the_loop.filter(|turn| turn.is_of_the_model) {
        has_call |= turn.has_call;
        has_thought |= turn.begins_with_a_thought;
    }
    is_in_a_loop && has_call && !has_thought
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Said =
        Said { is_of_the_model: false, has_result: false, has_only_results: false, has_call: false, begins_with_a_thought: false };
    const RESULT: Said = Said { has_result: true, has_only_results: true, ..ASKED };
    const CALL: Said = Said { is_of_the_model: true, has_call: true, ..ASKED };
    const THOUGHT_AND_CALL: Said = Said { begins_with_a_thought: true, ..CALL };

    #[test]
    fn one_thought_anywhere_in_the_loop_will_do() {
        for (turns, expected) in [
            (&[][..], false),
            (&[ASKED], false),
            (&[ASKED, CALL], true),
            (&[ASKED, CALL, RESULT], true),
            (&[ASKED, CALL, Said { has_only_results: false, ..RESULT }], true),
            (&[ASKED, THOUGHT_AND_CALL, RESULT], false),
            (&[ASKED, THOUGHT_AND_CALL, RESULT, CALL, RESULT], false),
            (&[ASKED, CALL, RESULT, THOUGHT_AND_CALL, RESULT], false),
            (&[ASKED, CALL, RESULT, ASKED], false),
            (&[ASKED, THOUGHT_AND_CALL, RESULT, ASKED, CALL, RESULT], true),
        ] {
            assert_eq!(calls_without_a_thought(turns.iter().copied()), expected, "{turns:?}");
        }
    }
}
