//! Writes the usage object clients read: OpenRouter's, with the cost digit by digit from the ledger's integer.

use std::fmt::Write as _;

use schemas::{Charge, TokenKind, Usage};

const PROMPT_KINDS: [TokenKind; 6] = [
    TokenKind::UncachedInput,
    TokenKind::CacheRead,
    TokenKind::CacheWrite5m,
    TokenKind::CacheWrite1h,
    TokenKind::ImageInput,
    TokenKind::AudioInput,
];
const COMPLETION_KINDS: [TokenKind; 4] = [TokenKind::TextOutput, TokenKind::Reasoning, TokenKind::ImageOutput, TokenKind::AudioOutput];

/// The `usage` object as JSON text. `charge` is what the account is charged: [`Charge::default`] where
/// the answer was free.
pub fn usage_json(usage: &Usage, charge: &Charge) -> String {
    let mut out = String::with_capacity(640);
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        r#"{{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},"cost":{},"is_byok":false,"#,
        usage.prompt_tokens(),
        usage.completion_tokens(),
        usage.total_tokens(),
        charge.total,
    );
    let _ = write!(
        out,
        r#""prompt_tokens_details":{{"cached_tokens":{},"cache_write_tokens":{written},"audio_tokens":{},"video_tokens":0"#,
        usage.cache_read, usage.audio_input,
    );
    if usage.cache_write_1h > 0 {
        let _ = write!(
            out,
            r#","cache_creation_token_details":{{"ephemeral_5m_input_tokens":{},"ephemeral_1h_input_tokens":{}}}"#,
            usage.cache_write_5m, usage.cache_write_1h
        );
    }
    if usage.image_input > 0 {
        let _ = write!(out, r#","image_tokens":{}"#, usage.image_input);
    }
    let _ = write!(
        out,
        r#"}},"cost_details":{{"upstream_inference_cost":{},"upstream_inference_prompt_cost":{},"upstream_inference_completions_cost":{}}},"#,
        charge.total,
        charge.sum(&PROMPT_KINDS),
        charge.sum(&COMPLETION_KINDS),
    );
    let _ = write!(
        out,
        r#""completion_tokens_details":{{"reasoning_tokens":{},"image_tokens":{},"audio_tokens":{}}}}}"#,
        usage.reasoning, usage.image_output, usage.audio_output,
    );
    out
}

/// The same for embeddings, which have no completion.
pub fn embeddings_usage_json(usage: &Usage, charge: &Charge) -> String {
    let mut out = String::with_capacity(384);
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        r#"{{"prompt_tokens":{},"total_tokens":{},"cost":{},"is_byok":false,"cost_details":{{"upstream_inference_cost":{},"upstream_inference_prompt_cost":{},"upstream_inference_completions_cost":0}}"#,
        usage.prompt_tokens(),
        usage.prompt_tokens(),
        charge.total,
        charge.total,
        charge.sum(&PROMPT_KINDS),
    );
    if usage.cache_read > 0 || usage.image_input > 0 || usage.audio_input > 0 {
        let _ = write!(
            out,
            r#","prompt_tokens_details":{{"text_tokens":{},"cached_tokens":{},"image_tokens":{},"audio_tokens":{}}}"#,
            usage.uncached_input, usage.cache_read, usage.image_input, usage.audio_input,
        );
    }
    out.push('}');
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use proptest::prelude::*;
    use schemas::{NanoUsd, PicoUsd, PriceTable, charge};

    use super::*;
    use crate::metering::{UsageAnomalies, usage_from_openai};

    fn prices(prompt: &str, completion: &str, request: Option<&str>) -> PriceTable {
        PriceTable {
            prompt: PicoUsd::parse_per_million(prompt).unwrap(),
            completion: PicoUsd::parse_per_million(completion).unwrap(),
            request: request.map(|request| PicoUsd::parse_per_unit(request).unwrap()),
            ..PriceTable::default()
        }
    }

    #[test]
    fn the_object_is_openrouters() {
        let usage = Usage { uncached_input: 194, text_output: 2, ..Usage::default() };
        let charge = charge(&prices("0.5", "21.5", None), &usage).unwrap();
        assert_eq!(
            usage_json(&usage, &charge),
            concat!(
                r#"{"prompt_tokens":194,"completion_tokens":2,"total_tokens":196,"cost":0.00014,"is_byok":false,"#,
                r#""prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0,"audio_tokens":0,"video_tokens":0},"#,
                r#""cost_details":{"upstream_inference_cost":0.00014,"upstream_inference_prompt_cost":0.000097,"upstream_inference_completions_cost":0.000043},"#,
                r#""completion_tokens_details":{"reasoning_tokens":0,"image_tokens":0,"audio_tokens":0}}"#
            )
        );
    }

    #[test]
    fn embeddings_have_a_prompt_and_its_cost() {
        let usage = Usage { uncached_input: 8, ..Usage::default() };
        let charge = charge(&prices("0.02", "0", None), &usage).unwrap();
        assert_eq!(
            embeddings_usage_json(&usage, &charge),
            concat!(
                r#"{"prompt_tokens":8,"total_tokens":8,"cost":0.00000016,"is_byok":false,"#,
                r#""cost_details":{"upstream_inference_cost":0.00000016,"upstream_inference_prompt_cost":0.00000016,"upstream_inference_completions_cost":0}}"#
            )
        );
        let pictures = Usage { image_input: 4, ..usage };
        let details = r#","prompt_tokens_details":{"text_tokens":8,"cached_tokens":0,"image_tokens":4,"audio_tokens":0}}"#;
        assert!(embeddings_usage_json(&pictures, &charge).ends_with(details));
    }

    #[test]
    fn the_cost_has_every_digit_and_a_free_answer_costs_zero() {
        let usage = Usage { uncached_input: 3, cache_write_1h: 2, cache_write_5m: 1, image_input: 4, reasoning: 7, ..Usage::default() };
        let charge = Charge { total: NanoUsd::from_nanos(9_007_199_254_740_993), ..Charge::default() };
        let text = usage_json(&usage, &charge);
        assert!(text.contains(r#""cost":9007199.254740993,"#), "{text}");
        assert!(text.contains(r#""cache_write_tokens":3,"audio_tokens":0,"video_tokens":0,"cache_creation_token_details":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":2},"image_tokens":4}"#), "{text}");
        assert!(usage_json(&usage, &Charge::default()).contains(r#""cost":0,"#));
    }

    #[test]
    fn a_fee_per_request_is_in_the_cost_and_in_neither_side() {
        let usage = Usage { uncached_input: 1_000, text_output: 1_000, ..Usage::default() };
        let charge = charge(&prices("1", "2", Some("0.005")), &usage).unwrap();
        let value: serde_json::Value = serde_json::from_str(&usage_json(&usage, &charge)).unwrap();
        let details = &value["cost_details"];
        assert_eq!(
            (&value["cost"], &details["upstream_inference_prompt_cost"], &details["upstream_inference_completions_cost"]),
            (&0.008.into(), &0.001.into(), &0.002.into())
        );
    }

    proptest! {
        /// One gateway behind another: what we write is read back as what it was.
        #[test]
        fn what_is_written_is_read_back(counts in proptest::array::uniform10(0..1_u64 << 20)) {
            let [uncached_input, cache_read, cache_write_5m, cache_write_1h, image_input, audio_input, text_output, reasoning, image_output, audio_output] = counts;
            let usage = Usage { uncached_input, cache_read, cache_write_5m, cache_write_1h, image_input, audio_input, text_output, reasoning, image_output, audio_output, ..Usage::default() };
            let text = usage_json(&usage, &charge(&prices("0.15", "0.6", None), &usage).unwrap());
            prop_assert_eq!(usage_from_openai(&text), (usage, UsageAnomalies::NONE));
        }
    }
}
