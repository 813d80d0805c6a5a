//! From the usage objects of OpenAI's dialect, and its many variants, to the disjoint form.
//!
//! Two steps: [`ReportedUsage`] reads the fields as they are and lets a later report replace an earlier
//! one field by field (reports are cumulative); [`ReportedUsage::resolve`] makes them disjoint. **No
//! report can lower a charge below zero or raise it beyond reason**: a negative or absurd count is as good
//! as none (the meter counts then), parts never exceed their whole, and every correction is flagged.

mod count;
mod names;

use schemas::Usage;

use self::count::{clamp, plausible, read_count};
use self::names::{FIELD_COUNT, Field, Place};
use super::anomalies::UsageAnomalies;
use crate::wire::members::members;

/// The disjoint form of one usage object.
pub fn usage_from_openai(raw: &str) -> (Usage, UsageAnomalies) {
    let mut reported = ReportedUsage::default();
    reported.merge(raw);
    reported.resolve()
}

/// What a provider has reported so far, field by field. `None`: not reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportedUsage {
    fields: [Option<u64>; FIELD_COUNT],
    anomalies: UsageAnomalies,
}

impl ReportedUsage {
    /// Whether any count was reported.
    pub fn is_some(&self) -> bool {
        [Field::Prompt, Field::Input, Field::Completion, Field::Total].iter().any(|field| self.get(*field).is_some())
    }

    /// Whether the input is known: reported, or what the total leaves for it.
    pub(super) fn has_prompt(&self) -> bool {
        let has = |field| self.get(field).is_some();
        has(Field::Prompt) || has(Field::Input) || (has(Field::Total) && has(Field::Completion))
    }

    /// How many times the model was asked for this answer: each time within its limits.
    pub(super) fn steps(&self) -> u64 {
        1 + u64::from(self.get(Field::CompactionInput).is_some())
    }

    /// Output tokens as reported so far.
    pub fn completion_tokens(&self) -> Option<u64> {
        self.get(Field::Completion)
    }

    pub(super) fn is_total_only(&self) -> bool {
        self.or_zero(Field::Total) > 0 && [Field::Prompt, Field::Input, Field::Completion].iter().all(|field| self.get(*field).is_none())
    }

    /// Takes in a newer report: its fields replace the older ones, fields it lacks stay.
    pub fn merge(&mut self, raw: &str) {
        let mut newer = Self::default();
        newer.read(raw, Place::Top);
        self.anomalies.add(newer.anomalies);
        if newer.weight() == 0 && self.weight() > 0 {
            if newer.is_some() {
                self.anomalies.add(UsageAnomalies::REGRESSED);
            }
            return;
        }
        for (field, value) in self.fields.iter_mut().zip(newer.fields) {
            *field = value.or(*field);
        }
    }

    /// Makes the fields disjoint.
    pub fn resolve(&self) -> (Usage, UsageAnomalies) {
        let mut anomalies = self.anomalies;
        let mut usage = Usage::default();
        let total = self.or_zero(Field::Total);
        if self.is_total_only() {
            anomalies.add(UsageAnomalies::TOTAL_ONLY);
            usage.uncached_input = total;
            return (usage, anomalies);
        }
        // A side that is missing is what the total leaves for it.
        let given = self.get(Field::Prompt).or(self.get(Field::Input));
        let prompt = given.unwrap_or_else(|| total.saturating_sub(self.or_zero(Field::Completion)));
        let completion = self.get(Field::Completion).unwrap_or_else(|| total.saturating_sub(prompt));
        let unexplained = total.saturating_sub(prompt + completion);
        let hidden = self.resolve_prompt(prompt, unexplained, &mut usage, &mut anomalies);
        self.resolve_completion(completion, hidden, &mut usage, &mut anomalies);
        for (count, field) in [
            (&mut usage.uncached_input, Field::CompactionInput),
            (&mut usage.cache_read, Field::CompactionCacheRead),
            (&mut usage.cache_write_5m, Field::CompactionCacheWrite),
            (&mut usage.text_output, Field::CompactionOutput),
        ] {
            *count = clamp(count.saturating_add(self.or_zero(field)), &mut anomalies);
        }
        (usage, anomalies)
    }

    /// Fills the input side. Returns how much of the total remains unexplained.
    fn resolve_prompt(&self, base: u64, unexplained: u64, usage: &mut Usage, anomalies: &mut UsageAnomalies) -> u64 {
        let (read, written_5m, written_1h) = self.cache();
        let cache = read + written_5m + written_1h;
        let anthropic = self.get(Field::Prompt).is_none() && self.get(Field::AnthropicNames).is_some();
        // A total that is larger by exactly the cached tokens says that the prompt excludes them.
        let excludes_cache = anthropic || (cache > 0 && unexplained == cache);
        let prompt = if excludes_cache { clamp(base + cache, anomalies) } else { base };
        let mut whole = Whole::new(prompt);
        usage.cache_read = whole.take(read);
        usage.cache_write_1h = whole.take(written_1h);
        usage.cache_write_5m = whole.take(written_5m);
        usage.audio_input = whole.take(self.or_zero(Field::PromptAudio));
        usage.image_input = whole.take(self.or_zero(Field::PromptImage));
        usage.uncached_input = whole.rest;
        if whole.is_exceeded {
            anomalies.add(UsageAnomalies::PARTS_ABOVE_PROMPT);
        }
        if excludes_cache { unexplained.saturating_sub(cache) } else { unexplained }
    }

    /// Fills the output side. `hidden` is output only the total knows of: Gemini's thoughts, or the
    /// reasoning tokens that some providers (xAI) count beside the completion instead of within it.
    fn resolve_completion(&self, completion: u64, hidden: u64, usage: &mut Usage, anomalies: &mut UsageAnomalies) {
        let reasoning = self.or_zero(Field::Reasoning);
        let is_beside = hidden > 0 && hidden == reasoning;
        if hidden > 0 && !is_beside {
            anomalies.add(UsageAnomalies::HIDDEN_OUTPUT);
        }
        let mut whole = Whole::new(completion);
        usage.audio_output = whole.take(self.or_zero(Field::CompletionAudio));
        usage.image_output = whole.take(self.or_zero(Field::CompletionImage));
        let within = if is_beside { 0 } else { whole.take(reasoning) };
        usage.text_output = whole.rest;
        usage.reasoning = clamp(within + hidden, anomalies);
        if whole.is_exceeded {
            anomalies.add(UsageAnomalies::PARTS_ABOVE_COMPLETION);
        }
    }

    /// Tokens read from the cache, written for five minutes, written for an hour.
    fn cache(&self) -> (u64, u64, u64) {
        let hour = self.or_zero(Field::CacheWrite1h);
        // The sum is given beside the split; where only the sum is, it is the short kind.
        let written = self.or_zero(Field::CacheWrite).max(hour + self.or_zero(Field::CacheWrite5m));
        (self.or_zero(Field::CacheRead), written - hour, hour)
    }

    fn get(&self, field: Field) -> Option<u64> {
        self.fields[field as usize]
    }

    fn or_zero(&self, field: Field) -> u64 {
        self.get(field).unwrap_or(0)
    }

    fn weight(&self) -> u64 {
        self.fields[..Field::AnthropicNames as usize].iter().flatten().fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    fn read(&mut self, raw: &str, place: Place) {
        for member in members(raw) {
            let Ok(member) = member else {
                self.anomalies.add(UsageAnomalies::MALFORMED);
                return;
            };
            let key = member.key.resolve(raw.as_bytes());
            let value = member.value.of_str(raw);
            if let Some(within) = place.within(&key)
                && value.starts_with('{')
            {
                self.read(value, within);
            } else if matches!(place, Place::Top) && key == "iterations" && value.starts_with('[') {
                self.read_iterations(value);
            } else if let Some(field) = place.field(&key) {
                self.set(field, &key, value);
            }
        }
    }

    /// The steps of one answer of Anthropic's, of which the other counts have the messages only.
    fn read_iterations(&mut self, raw: &str) {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Iteration {
            #[serde(rename = "type")]
            kind: String,
            input_tokens: u64,
            cache_read_input_tokens: u64,
            cache_creation_input_tokens: u64,
            output_tokens: u64,
        }
        let Ok(iterations) = serde_json::from_str::<Vec<Iteration>>(raw) else {
            self.anomalies.add(UsageAnomalies::MALFORMED);
            return;
        };
        for iteration in iterations.iter().filter(|iteration| iteration.kind == "compaction") {
            for (field, count) in [
                (Field::CompactionInput, iteration.input_tokens),
                (Field::CompactionCacheRead, iteration.cache_read_input_tokens),
                (Field::CompactionCacheWrite, iteration.cache_creation_input_tokens),
                (Field::CompactionOutput, iteration.output_tokens),
            ] {
                let sum = self.or_zero(field).saturating_add(count);
                self.fields[field as usize] = plausible(sum, false, &mut self.anomalies);
            }
        }
    }

    fn set(&mut self, field: Field, key: &str, value: &str) {
        let Some(count) = read_count(value, &mut self.anomalies) else {
            return;
        };
        // Providers give the same cached tokens under several names at once: one count, the largest.
        let slot = &mut self.fields[field as usize];
        *slot = Some(slot.map_or(count, |earlier| earlier.max(count)));
        if matches!(key, "cache_read_input_tokens" | "cache_creation_input_tokens") {
            self.fields[Field::AnthropicNames as usize] = Some(1);
        }
    }
}

/// A count from which its parts are taken: they never become more than it.
struct Whole {
    rest: u64,
    is_exceeded: bool,
}

impl Whole {
    const fn new(count: u64) -> Self {
        Self { rest: count, is_exceeded: false }
    }

    fn take(&mut self, wanted: u64) -> u64 {
        let taken = wanted.min(self.rest);
        self.rest -= taken;
        self.is_exceeded |= taken < wanted;
        taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemas::usage::TOKENS_MAX;

    use super::*;

    const NONE: UsageAnomalies = UsageAnomalies::NONE;

    #[track_caller]
    fn check(raw: &str, wanted: Usage, anomalies: UsageAnomalies) {
        assert_eq!(usage_from_openai(raw), (wanted, anomalies), "{raw}");
    }

    #[test]
    fn parts_are_taken_out_of_their_whole() {
        let wanted = Usage {
            uncached_input: 60,
            cache_read: 30,
            audio_input: 10,
            text_output: 20,
            reasoning: 25,
            audio_output: 5,
            ..Usage::default()
        };
        check(
            r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":30,"audio_tokens":10},
                "completion_tokens_details":{"reasoning_tokens":25,"audio_tokens":5,"accepted_prediction_tokens":3,"rejected_prediction_tokens":1}}"#,
            wanted,
            NONE,
        );
        let wanted = Usage { uncached_input: 50, cache_read: 30, cache_write_5m: 20, text_output: 5, image_output: 2, ..Usage::default() };
        check(
            r#"{"prompt_tokens":100,"completion_tokens":7,"total_tokens":107,"cost":0.1,"prompt_tokens_details":{"cached_tokens":30,"cache_write_tokens":20,
                "video_tokens":0},"completion_tokens_details":{"image_tokens":2}}"#,
            wanted,
            NONE,
        );
    }

    #[test]
    fn the_same_cached_tokens_under_several_names_count_once() {
        let wanted = Usage { uncached_input: 36, cache_read: 64, text_output: 9, ..Usage::default() };
        for raw in [
            r#"{"prompt_tokens":100,"completion_tokens":9,"total_tokens":109,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36,"prompt_tokens_details":{"cached_tokens":64}}"#,
            r#"{"prompt_tokens":100,"completion_tokens":9,"total_tokens":109,"cached_tokens":64}"#,
            r#"{"prompt_tokens":100,"completion_tokens":9,"cache_read_input_tokens":64,"prompt_tokens_details":{"cached_tokens":64}}"#,
            r#"{"input_tokens":100,"output_tokens":9,"total_tokens":109,"input_tokens_details":{"cached_tokens":64}}"#,
        ] {
            check(raw, wanted, NONE);
        }
    }

    #[test]
    fn anthropics_own_form_is_disjoint_already() {
        let wanted =
            Usage { uncached_input: 10, cache_read: 200, cache_write_5m: 30, cache_write_1h: 70, text_output: 4, ..Usage::default() };
        check(
            r#"{"input_tokens":10,"cache_read_input_tokens":200,"cache_creation_input_tokens":100,
                "cache_creation":{"ephemeral_5m_input_tokens":30,"ephemeral_1h_input_tokens":70},"output_tokens":4}"#,
            wanted,
            NONE,
        );
    }

    #[test]
    fn anthropics_compaction_is_counted_beside_the_messages() {
        let wanted = Usage { uncached_input: 203_000, cache_read: 7, text_output: 4_500, ..Usage::default() };
        let raw = r#"{"input_tokens":23000,"output_tokens":1000,"iterations":[
            {"type":"compaction","input_tokens":180000,"output_tokens":3500,"cache_read_input_tokens":7},
            {"type":"message","input_tokens":23000,"output_tokens":1000}]}"#;
        check(raw, wanted, UsageAnomalies::default());
        let mut reported = ReportedUsage::default();
        assert_eq!(reported.steps(), 1);
        reported.merge(raw);
        assert_eq!(reported.steps(), 2, "each of them within the model's limits");
        let odd = r#"{"input_tokens":1,"output_tokens":2,"iterations":[7]}"#;
        check(odd, Usage { uncached_input: 1, text_output: 2, ..Usage::default() }, UsageAnomalies::MALFORMED);
    }

    #[test]
    fn a_total_larger_by_the_cached_tokens_says_the_prompt_excludes_them() {
        let wanted = Usage { uncached_input: 10, cache_read: 90, text_output: 5, ..Usage::default() };
        check(r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":105,"cache_read_input_tokens":90}"#, wanted, NONE);
    }

    #[test]
    fn hidden_reasoning_is_counted() {
        // xAI: beside the completion.
        let wanted = Usage { uncached_input: 10, text_output: 5, reasoning: 300, ..Usage::default() };
        check(
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":315,"completion_tokens_details":{"reasoning_tokens":300}}"#,
            wanted,
            NONE,
        );
        // Gemini: only in the total.
        check(r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":315}"#, wanted, UsageAnomalies::HIDDEN_OUTPUT);
    }

    #[test]
    fn more_cached_than_prompt_never_makes_a_negative_rest() {
        let wanted = Usage { cache_read: 10, text_output: 5, ..Usage::default() };
        check(
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":90}}"#,
            wanted,
            UsageAnomalies::PARTS_ABOVE_PROMPT,
        );
        let wanted = Usage { uncached_input: 10, reasoning: 5, ..Usage::default() };
        check(
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"completion_tokens_details":{"reasoning_tokens":6}}"#,
            wanted,
            UsageAnomalies::PARTS_ABOVE_COMPLETION,
        );
    }

    #[test]
    fn negative_and_absurd_counts_are_as_good_as_none_and_flagged() {
        use UsageAnomalies as A;
        let usage = |uncached_input, text_output| Usage { uncached_input, text_output, ..Usage::default() };
        check(r#"{"prompt_tokens":-7,"completion_tokens":5}"#, usage(0, 5), A::NEGATIVE);
        check(r#"{"prompt_tokens":7,"completion_tokens":-0}"#, usage(7, 0), NONE);
        check(r#"{"prompt_tokens":7,"completion_tokens":-1e99}"#, usage(7, 0), A::NEGATIVE);
        check(r#"{"prompt_tokens":7,"completion_tokens":9223372036854775807}"#, usage(7, 0), A::ABSURD);
        check(r#"{"prompt_tokens":99999999999999999999999,"completion_tokens":5}"#, usage(0, 5), A::ABSURD);
        check(r#"{"prompt_tokens":1e400,"completion_tokens":5}"#, usage(0, 5), A::ABSURD);
        check(r#"{"prompt_tokens":-7,"completion_tokens":5,"total_tokens":12}"#, usage(7, 5), A::NEGATIVE);
        check(r#"{"prompt_tokens":7.0,"completion_tokens":5.2}"#, usage(7, 6), A::FRACTION);
        check(r#"{"prompt_tokens":"7","completion_tokens":" 5 "}"#, usage(7, 5), NONE);
        check(r#"{"prompt_tokens":7,"completion_tokens":"NaN"}"#, usage(7, 0), A::NOT_A_NUMBER);
        check(r#"{"prompt_tokens":7,"completion_tokens":[5]}"#, usage(7, 0), A::NOT_A_NUMBER);
        check(r#"{"prompt_tokens":7,"completion_tokens":NaN}"#, usage(7, 0), A::MALFORMED);
        check("[]", usage(0, 0), A::MALFORMED);
        check("", usage(0, 0), A::MALFORMED);
    }

    #[test]
    fn what_is_missing_follows_from_the_total() {
        let usage = |uncached_input, text_output| Usage { uncached_input, text_output, ..Usage::default() };
        check(r#"{"prompt_tokens":7,"completion_tokens":5}"#, usage(7, 5), NONE);
        check(r#"{"prompt_tokens":7,"total_tokens":12}"#, usage(7, 5), NONE);
        check(r#"{"completion_tokens":5,"total_tokens":12}"#, usage(7, 5), NONE);
        check(r#"{"prompt_tokens":7,"completion_tokens":null,"total_tokens":12,"prompt_tokens_details":null}"#, usage(7, 5), NONE);
        check(r#"{"total_tokens":12}"#, usage(12, 0), UsageAnomalies::TOTAL_ONLY);
        check(r#"{"prompt_tokens":7,"completion_tokens":5,"total_tokens":3}"#, usage(7, 5), NONE);
        check("{}", usage(0, 0), NONE);
    }

    #[test]
    fn the_last_report_wins_field_by_field_and_is_never_added() {
        let mut reported = ReportedUsage::default();
        reported.merge(r#"{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":40}}"#);
        reported.merge(r#"{"prompt_tokens":100,"completion_tokens":30}"#);
        reported.merge(r#"{"completion_tokens":50}"#);
        let wanted = Usage { uncached_input: 60, cache_read: 40, text_output: 50, ..Usage::default() };
        assert_eq!(reported.resolve(), (wanted, NONE));
        reported.merge(r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#);
        reported.merge("{}");
        assert_eq!(reported.resolve(), (wanted, UsageAnomalies::REGRESSED));
    }

    fn count() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => (0..5_000_u64).prop_map(|count| count.to_string()),
            1 => any::<i64>().prop_map(|count| count.to_string()),
            1 => any::<f64>().prop_filter("JSON", |count| count.is_finite()).prop_map(|count| count.to_string()),
            1 => any::<i32>().prop_map(|count| format!("\"{count}\"")),
            1 => prop_oneof![Just("null"), Just("true"), Just("[]"), Just("{}"), Just("\"x\""), Just("1e999")].prop_map(str::to_owned),
        ]
    }

    proptest! {
        #[test]
        fn no_report_exceeds_reason_or_its_own_whole(
            fields in proptest::collection::vec((0..9_usize, count()), 0..9),
            details in proptest::collection::vec((0..6_usize, count()), 0..6),
        ) {
            let top = ["prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "prompt_cache_hit_tokens",
                "cache_creation_input_tokens", "cache_read_input_tokens", "reasoning_tokens"];
            let inner = ["cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens", "video_tokens"];
            let list = |names: &[&str], fields: &[(usize, String)]| {
                fields.iter().map(|(name, value)| format!("\"{}\":{value}", names[*name])).collect::<Vec<_>>().join(",")
            };
            let details = list(&inner, &details);
            let sep = if fields.is_empty() { "" } else { "," };
            let raw = format!("{{{}{sep}\"prompt_tokens_details\":{{{details}}},\"completion_tokens_details\":{{{details}}}}}", list(&top, &fields));
            let (usage, _) = usage_from_openai(&raw);
            prop_assert!(usage.prompt_tokens() <= TOKENS_MAX && usage.completion_tokens() <= 2 * TOKENS_MAX, "{raw} {usage:?}");
        }

        #[test]
        fn parts_always_sum_to_the_reported_whole(prompt in 0..1_u64 << 31, completion in 0..1_u64 << 31, parts in proptest::array::uniform6(0..1_u64 << 33)) {
            let raw = format!(
                r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":{},
                    "cache_write_tokens":{},"audio_tokens":{}}},"completion_tokens_details":{{"reasoning_tokens":{},"audio_tokens":{},"image_tokens":{}}}}}"#,
                prompt + completion, parts[0], parts[1], parts[2], parts[3], parts[4], parts[5],
            );
            let (usage, _) = usage_from_openai(&raw);
            prop_assert_eq!((usage.prompt_tokens(), usage.completion_tokens()), (prompt, completion));
        }

        #[test]
        fn arbitrary_text_never_panics(text in r#"[\[{]?"?[a-z_]{0,12}"?:?[0-9eE.+\-"nul{}\[\],]{0,40}"#) {
            let _ = usage_from_openai(&text);
        }
    }
}
