//! The usage object of this dialect, from the one the relay writes.
//!
//! OpenAI's names: the input includes what was read from or written to a cache. The cost is copied digit by digit.

use serde::Deserialize;
use serde_json::value::RawValue;

/// What `metering::usage_json` writes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChatUsage<'a> {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
    #[serde(borrow)]
    cost_details: CostDetails<'a>,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CostDetails<'a> {
    #[serde(borrow)]
    upstream_inference_cost: Option<&'a RawValue>,
    #[serde(borrow)]
    upstream_inference_prompt_cost: Option<&'a RawValue>,
    #[serde(borrow)]
    upstream_inference_completions_cost: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

/// The object for the client.
pub(super) fn usage_json(chat: &str) -> String {
    let usage: ChatUsage<'_> = serde_json::from_str(chat).unwrap_or_default();
    let amount = |raw: Option<&RawValue>| raw.map_or("0", RawValue::get).to_owned();
    format!(
        r#"{{"input_tokens":{},"input_tokens_details":{{"cached_tokens":{},"cache_write_tokens":{}}},"output_tokens":{},"output_tokens_details":{{"reasoning_tokens":{}}},"total_tokens":{},"cost":{},"is_byok":false,"cost_details":{{"upstream_inference_cost":{},"upstream_inference_input_cost":{},"upstream_inference_output_cost":{}}}}}"#,
        usage.prompt_tokens,
        usage.prompt_tokens_details.cached_tokens,
        usage.prompt_tokens_details.cache_write_tokens,
        usage.completion_tokens,
        usage.completion_tokens_details.reasoning_tokens,
        usage.total_tokens,
        amount(usage.cost),
        amount(usage.cost_details.upstream_inference_cost),
        amount(usage.cost_details.upstream_inference_prompt_cost),
        amount(usage.cost_details.upstream_inference_completions_cost),
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use proptest::prelude::*;
    use schemas::{Charge, NanoUsd, Usage};

    use super::*;
    use crate::metering::{UsageAnomalies, usage_from_openai, usage_json as chat_usage_json};

    #[test]
    fn the_cost_keeps_every_digit() {
        let charge = Charge { total: NanoUsd::from_nanos(9_007_199_254_740_993), ..Charge::default() };
        let text = usage_json(&chat_usage_json(&Usage::default(), &charge));
        assert!(text.contains(r#""cost":9007199.254740993,"#), "{text}");
        assert!(text.contains(r#""upstream_inference_cost":9007199.254740993,"#), "{text}");
    }

    proptest! {
        /// Both dialects tell the same tokens: what this one says is read back as what was metered.
        #[test]
        fn what_is_written_is_what_was_metered(counts in proptest::array::uniform5(0..1_u64 << 20)) {
            let [uncached_input, cache_read, cache_write_5m, text_output, reasoning] = counts;
            let usage = Usage { uncached_input, cache_read, cache_write_5m, text_output, reasoning, ..Usage::default() };
            let text = usage_json(&chat_usage_json(&usage, &Charge::default()));
            prop_assert_eq!(usage_from_openai(&text), (usage, UsageAnomalies::NONE));
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value["total_tokens"].as_u64().unwrap(), usage.total_tokens());
        }
    }
}
