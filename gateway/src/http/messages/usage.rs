//! The usage object of this dialect, from the one the relay writes.
//!
//! Disjoint, as Anthropic counts: the input excludes what was read from or written to a cache. The cost is copied
//! digit by digit.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What `metering::usage_json` writes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChatUsage<'a> {
    prompt_tokens: u64,
    completion_tokens: u64,
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
    #[serde(borrow)]
    cost_details: Option<&'a RawValue>,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
    cache_creation_token_details: Option<CacheCreation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CacheCreation {
    ephemeral_1h_input_tokens: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

/// What only Anthropic's own usage tells. It is copied as it stands.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NativeUsage {
    server_tool_use: Option<Box<RawValue>>,
    service_tier: Option<Box<RawValue>>,
    inference_geo: Option<Box<RawValue>>,
    /// The steps of one answer, compaction among them.
    iterations: Option<Box<RawValue>>,
}

impl NativeUsage {
    pub(super) fn read(usage: &str) -> Self {
        serde_json::from_str(usage).unwrap_or_default()
    }

    /// With what an earlier report told and this one does not.
    pub(super) fn after(self, earlier: Self) -> Self {
        Self {
            server_tool_use: self.server_tool_use.or(earlier.server_tool_use),
            service_tier: self.service_tier.or(earlier.service_tier),
            inference_geo: self.inference_geo.or(earlier.inference_geo),
            iterations: self.iterations.or(earlier.iterations),
        }
    }
}

/// The object for the client. `native` is what Anthropic told, where it was asked.
pub(super) fn usage_json(chat: &str, native: &NativeUsage) -> String {
    let usage: ChatUsage<'_> = serde_json::from_str(chat).unwrap_or_default();
    let read = usage.prompt_tokens_details.cached_tokens;
    let written = usage.prompt_tokens_details.cache_write_tokens;
    let raw = |value: &Option<Box<RawValue>>, otherwise: &str| value.as_deref().map_or(otherwise, RawValue::get).to_owned();
    let hour = usage.prompt_tokens_details.cache_creation_token_details.unwrap_or_default().ephemeral_1h_input_tokens;
    let mut out = String::with_capacity(512);
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        r#"{{"input_tokens":{},"cache_creation_input_tokens":{written},"cache_read_input_tokens":{read},"cache_creation":{{"ephemeral_5m_input_tokens":{},"ephemeral_1h_input_tokens":{hour}}},"output_tokens":{},"output_tokens_details":{{"thinking_tokens":{}}},"server_tool_use":{},"service_tier":{},"cost":{},"cost_details":{},"is_byok":false"#,
        usage.prompt_tokens.saturating_sub(read).saturating_sub(written),
        written.saturating_sub(hour),
        usage.completion_tokens,
        usage.completion_tokens_details.reasoning_tokens,
        raw(&native.server_tool_use, "null"),
        raw(&native.service_tier, "\"standard\""),
        usage.cost.map_or("0", RawValue::get),
        usage.cost_details.map_or("null", RawValue::get),
    );
    for (name, value) in [("inference_geo", &native.inference_geo), ("iterations", &native.iterations)] {
        if let Some(value) = value {
            let _ = write!(out, ",\"{name}\":{value}");
        }
    }
    out.push('}');
    out
}

/// The usage of a message that has only begun.
pub(super) const NOTHING_YET: &str = r#"{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}"#;

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
        let text = usage_json(&chat_usage_json(&Usage::default(), &charge), &NativeUsage::default());
        assert!(text.contains(r#""cost":9007199.254740993,"#), "{text}");
    }

    #[test]
    fn what_only_anthropic_tells_is_kept_and_the_last_word_counts() {
        let start = r#"{"input_tokens":9,"service_tier":"priority","inference_geo":"us","server_tool_use":{"web_search_requests":0}}"#;
        let last = r#"{"output_tokens":3,"service_tier":null,"server_tool_use":{"web_search_requests":2},"iterations":[{"type":"compaction","input_tokens":7}]}"#;
        let told = NativeUsage::read(last).after(NativeUsage::read(start));
        let value: serde_json::Value = serde_json::from_str(&usage_json("{}", &told)).unwrap();
        assert_eq!((&value["service_tier"], &value["inference_geo"]), (&"priority".into(), &"us".into()));
        assert_eq!((&value["server_tool_use"]["web_search_requests"], &value["iterations"][0]["input_tokens"]), (&2.into(), &7.into()));
        let other: serde_json::Value = serde_json::from_str(&usage_json("{}", &NativeUsage::default())).unwrap();
        assert_eq!((&other["service_tier"], other.get("inference_geo"), other.get("iterations")), (&"standard".into(), None, None));
    }

    proptest! {
        /// Both dialects tell the same tokens: what this one says is read back as what was metered.
        #[test]
        fn what_is_written_is_what_was_metered(counts in proptest::array::uniform6(0..1_u64 << 20)) {
            let [uncached_input, cache_read, cache_write_5m, cache_write_1h, text_output, reasoning] = counts;
            let usage = Usage { uncached_input, cache_read, cache_write_5m, cache_write_1h, text_output, reasoning, ..Usage::default() };
            let text = usage_json(&chat_usage_json(&usage, &Charge::default()), &NativeUsage::default());
            prop_assert_eq!(usage_from_openai(&text), (usage, UsageAnomalies::NONE));
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value["input_tokens"].as_u64().unwrap(), uncached_input);
        }
    }
}
