//! Watches an answer go by and knows what it used.
//!
//! [`StreamMeter`] is shown every frame of a stream (or a whole body, once) and keeps what settlement has
//! to know: what was delivered, how it ended, the provider's last word on usage. Its memory is bounded.
//! **Error frames never count as output.** Start at [`StreamMeter::observe`], then [`StreamMeter::measure`]
//! and, where that knows nothing, [`StreamMeter::count`].

use schemas::{NanoUsd, Usage, UsageSource};

use super::anomalies::UsageAnomalies;
use super::estimate::PromptTokens;
use super::reported_cost::reported_cost;
use super::text_sample::{BODY_SAMPLE_BYTES_MAX, STREAM_SAMPLE_BYTES_MAX, TextSample};
use super::usage::ReportedUsage;
use crate::wire::chat_answer::{ChatAnswer, PieceKind};
use crate::wire::chat_chunk::Finish;
use crate::wire::finish_reason::FinishReason;

/// Tokens one generated image is taken for when the provider does not say: Gemini's image.
pub const MEDIA_OUTPUT_TOKENS: u64 = 1_290;
/// Base64 characters of generated sound that are one token when the provider does not say: 16 bits at 24 kHz, as streams have
/// it, with OpenAI's twenty tokens a second.
const AUDIO_CHARACTERS_PER_TOKEN: u64 = 3_200;

/// What one frame was to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// It carried output: text, reasoning, a tool call, a refusal.
    Output,
    /// Roles, finish reasons, usage: nothing a client pays for.
    Quiet,
    /// It reports that the answer failed; see [`ChatAnswer::error`].
    Failed,
}

/// The state of one answer.
#[derive(Debug, Clone)]
pub struct StreamMeter {
    sample_bytes_max: usize,
    text: TextSample,
    reasoning: TextSample,
    media: u64,
    audio_characters: u64,
    tool_calls: u64,
    reported: ReportedUsage,
    reported_cost: Option<NanoUsd>,
    finish: Option<(FinishReason, String)>,
    /// The index of the choice that is of.
    finished_choice: u32,
    upstream_id: Option<String>,
    is_done: bool,
    has_failed: bool,
}

impl StreamMeter {
    /// For a stream.
    pub fn new() -> Self {
        Self::with_sample(STREAM_SAMPLE_BYTES_MAX)
    }

    /// For an answer in one piece.
    pub fn for_body() -> Self {
        Self::with_sample(BODY_SAMPLE_BYTES_MAX)
    }

    fn with_sample(sample_bytes_max: usize) -> Self {
        Self {
            sample_bytes_max,
            text: TextSample::default(),
            reasoning: TextSample::default(),
            media: 0,
            audio_characters: 0,
            tool_calls: 0,
            reported: ReportedUsage::default(),
            reported_cost: None,
            finish: None,
            finished_choice: 0,
            upstream_id: None,
            is_done: false,
            has_failed: false,
        }
    }

    /// Takes in one scanned frame. Usage counts wherever it stands: with or without choices, before or
    /// after the finish reason, even after `[DONE]`.
    pub fn observe(&mut self, answer: &ChatAnswer) -> Observed {
        if let Some(usage) = answer.usage() {
            self.reported.merge(usage);
            self.reported_cost = reported_cost(usage).or(self.reported_cost);
        }
        if self.upstream_id.is_none() {
            self.upstream_id = answer.upstream_id();
        }
        if answer.error().is_some() {
            self.fail();
            return Observed::Failed;
        }
        for choice in answer.choices() {
            let Some((reason, native)) = answer.finish_of(choice) else {
                continue;
            };
            // Where choices ended differently, an error is the one worth telling, else what the first of them says.
            let is_later = self.finish.is_some() && choice.index > self.finished_choice && reason != FinishReason::Error;
            if !is_later && !matches!(self.finish, Some((FinishReason::Error, _))) {
                self.finish = Some((reason, native));
                self.finished_choice = choice.index;
            }
            self.has_failed |= reason == FinishReason::Error;
        }
        for piece in answer.pieces() {
            let text = answer.text_of(piece.span);
            match piece.kind {
                PieceKind::Reasoning => self.reasoning.add(text, self.sample_bytes_max),
                PieceKind::Media => self.media += 1,
                PieceKind::Audio => self.audio_characters += text.len() as u64,
                kind => {
                    self.tool_calls += u64::from(kind == PieceKind::ToolName);
                    self.text.add(text, self.sample_bytes_max);
                }
            }
        }
        if answer.pieces().is_empty() { Observed::Quiet } else { Observed::Output }
    }

    /// `[DONE]` was seen.
    pub const fn done(&mut self) {
        self.is_done = true;
    }

    /// The answer failed in a way its frames do not tell: cut off, timed out, unreadable.
    pub fn fail(&mut self) {
        self.has_failed = true;
    }

    /// Whether the provider said that the answer is complete.
    pub const fn has_ended(&self) -> bool {
        (self.finish.is_some() || self.is_done) && !self.has_failed
    }

    pub const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Whether anything was delivered that a client would call an answer.
    pub const fn has_output(&self) -> bool {
        self.delivered_bytes() > 0 || self.media > 0 || self.audio_characters > 0
    }

    /// Bytes of generated text so far, as they stand in JSON.
    pub const fn delivered_bytes(&self) -> u64 {
        self.text.bytes() + self.reasoning.bytes()
    }

    /// How many output tokens there are so far, about: for checkpoints and resizing, never for a charge.
    pub fn output_tokens_about(&self) -> u64 {
        let seen = self.text.tokens_about() + self.reasoning.tokens_about() + self.media * MEDIA_OUTPUT_TOKENS + self.audio_tokens();
        seen.max(self.reported.completion_tokens().unwrap_or(0))
    }

    /// An answer that called tools ended to have them run, also where its provider calls that an end like any other.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        let (reason, _) = self.finish.as_ref()?;
        let has_called = self.tool_calls > 0 && *reason == FinishReason::Stop;
        Some(if has_called { FinishReason::ToolCalls } else { *reason })
    }

    pub fn native_finish_reason(&self) -> Option<&str> {
        self.finish.as_ref().map(|(_, native)| native.as_str())
    }

    /// For [`crate::wire::ChunkRewriter::usage_chunk`].
    pub fn finish(&self) -> Finish<'_> {
        Finish { reason: self.finish_reason(), native: self.native_finish_reason() }
    }

    /// How many times the model was asked, by the provider's own account.
    pub fn steps(&self) -> u64 {
        self.reported.steps()
    }

    pub fn upstream_id(&self) -> Option<&str> {
        self.upstream_id.as_deref()
    }

    /// What the provider says it charges us: believed only of those known to say it in dollars.
    pub const fn reported_cost(&self) -> Option<NanoUsd> {
        self.reported_cost
    }

    /// Whether the answer is free by the zero-completion rule: nothing was delivered, and it ended in an
    /// error or without a reason. Output followed by an error is charged for what was delivered.
    pub fn is_zero_completion(&self) -> bool {
        let claims_output = self.reported.completion_tokens().is_some_and(|tokens| tokens > 0);
        let ended_badly = self.has_failed || matches!(self.finish_reason(), None | Some(FinishReason::Error));
        !self.has_output() && ended_badly && (!claims_output || self.has_failed)
    }

    /// The usage, where the provider's report settles it; `None` where tokens have to be counted.
    pub fn measure(&self) -> Option<(Usage, UsageAnomalies)> {
        let (mut usage, anomalies) = self.reported.resolve();
        if !self.knows_prompt(&usage) || self.reported.is_total_only() || self.output_lags(&usage) {
            return None;
        }
        usage.source = if self.has_ended() { UsageSource::Provider } else { UsageSource::Partial };
        usage.tool_calls = self.tool_calls;
        Some((usage, anomalies))
    }

    /// The usage with whatever the provider did not report counted here. `prompt` is asked only where
    /// the input was not reported: see [`super::count::count_prompt`]. CPU-bound: run it on the blocking pool.
    pub fn count(&self, prompt: impl FnOnce() -> PromptTokens) -> (Usage, UsageAnomalies) {
        if let Some(known) = self.measure() {
            return known;
        }
        let (mut usage, mut anomalies) = self.reported.resolve();
        let counted = self.count_output();
        if self.reported.is_total_only() {
            let total = usage.uncached_input;
            usage.text_output = counted.text_output.min(total);
            usage.reasoning = counted.reasoning.min(total - usage.text_output);
            usage.uncached_input = total - usage.text_output - usage.reasoning;
        } else {
            if self.output_lags(&usage) {
                if self.reported.is_some() && usage.completion_tokens() == 0 {
                    anomalies.add(UsageAnomalies::OUTPUT_UNREPORTED);
                }
                // A report is cumulative: it may lag behind what was delivered, never lead it.
                if counted.completion_tokens() > usage.completion_tokens() {
                    usage.audio_output = counted.audio_output;
                    usage.text_output = counted.text_output;
                    usage.reasoning = counted.reasoning;
                    usage.image_output = counted.image_output;
                }
            }
            if !self.knows_prompt(&usage) {
                if self.reported.is_some() {
                    anomalies.add(UsageAnomalies::INPUT_UNREPORTED);
                }
                let prompt = prompt();
                usage.uncached_input = prompt.text;
                usage.image_input = prompt.image;
                usage.audio_input = prompt.audio;
            }
        }
        let is_reported = self.reported.is_some() && !self.reported.is_total_only();
        usage.source = if is_reported { UsageSource::Partial } else { UsageSource::Estimate };
        usage.tool_calls = self.tool_calls;
        (usage, anomalies)
    }
    /// Whether the report tells the input. No prompt that was answered had no tokens: a zero is no report.
    fn knows_prompt(&self, reported: &Usage) -> bool {
        self.reported.has_prompt() && (reported.prompt_tokens() > 0 || !self.has_output())
    }

    /// Whether the report has less output than there may be: none of what was delivered, or as of earlier.
    fn output_lags(&self, reported: &Usage) -> bool {
        self.has_output() && (reported.completion_tokens() == 0 || !self.has_ended())
    }

    fn count_output(&self) -> Usage {
        Usage {
            text_output: self.text.count(),
            reasoning: self.reasoning.count(),
            image_output: self.media * MEDIA_OUTPUT_TOKENS,
            audio_output: self.audio_tokens(),
            ..Usage::default()
        }
    }

    const fn audio_tokens(&self) -> u64 {
        self.audio_characters.div_ceil(AUDIO_CHARACTERS_PER_TOKEN)
    }
}

impl Default for StreamMeter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::metering::count::count_text;

    const PROMPT: PromptTokens = PromptTokens { text: 11, image: 0, audio: 0 };

    fn watch(frames: &[&str]) -> StreamMeter {
        let (mut meter, mut answer) = (StreamMeter::new(), ChatAnswer::default());
        for frame in frames {
            match answer.scan(Bytes::copy_from_slice(frame.as_bytes())).unwrap() {
                crate::wire::Scanned::Object => meter.observe(&answer),
                crate::wire::Scanned::Done => {
                    meter.done();
                    Observed::Quiet
                }
            };
        }
        meter
    }

    fn text(text: &str) -> String {
        format!(r#"{{"id":"up-1","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#)
    }

    fn usage(prompt: i64, completion: i64) -> String {
        format!(r#"{{"choices":[],"usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion}}}}}"#)
    }

    const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    const ROLE: &str = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
    const ERROR: &str = r#"{"error":{"message":"this text is no output at all","code":500}}"#;

    fn known(meter: &StreamMeter) -> (u64, u64, UsageSource) {
        let (usage, _) = meter.measure().unwrap();
        (usage.prompt_tokens(), usage.completion_tokens(), usage.source)
    }

    fn counted(meter: &StreamMeter) -> (u64, u64, UsageSource) {
        assert!(meter.measure().is_none(), "the report settles it");
        let (usage, _) = meter.count(|| PROMPT);
        (usage.prompt_tokens(), usage.completion_tokens(), usage.source)
    }

    #[test]
    fn usage_counts_wherever_it_stands() {
        for frames in [
            [ROLE, &text("hi"), STOP, &usage(7, 2), "[DONE]"],
            [ROLE, &text("hi"), &usage(7, 2), STOP, "[DONE]"],
            [ROLE, &text("hi"), STOP, "[DONE]", &usage(7, 2)],
            [&usage(7, 1), &text("hi"), STOP, "[DONE]", &usage(7, 2)],
        ] {
            assert_eq!(known(&watch(&frames)), (7, 2, UsageSource::Provider), "{frames:?}");
        }
    }

    #[test]
    fn an_answer_without_usage_is_counted_here() {
        let meter = watch(&[ROLE, &text("The ledger is "), &text("a fold of the log."), STOP, "[DONE]"]);
        assert_eq!(counted(&meter), (11, count_text("The ledger is a fold of the log."), UsageSource::Estimate));
        assert!(!meter.is_zero_completion());
    }

    #[test]
    fn a_cut_stream_is_charged_for_what_was_delivered() {
        let spoken = "one two three four five six seven";
        let meter = watch(&[ROLE, &usage(7, 1), &text(spoken)]);
        assert_eq!(counted(&meter), (7, count_text(spoken), UsageSource::Partial));
        let meter = watch(&[ROLE, &usage(7, 90), &text(spoken)]);
        assert_eq!(counted(&meter), (7, 90, UsageSource::Partial), "the report knows of more, reasoning perhaps");
        let meter = watch(&[ROLE, &text(spoken), ERROR]);
        assert_eq!(counted(&meter), (11, count_text(spoken), UsageSource::Estimate));
        assert!(!meter.is_zero_completion() && meter.has_failed() && !meter.has_ended());
    }

    #[test]
    fn error_text_is_never_output() {
        let meter = watch(&[ROLE, ERROR]);
        assert_eq!((meter.has_output(), meter.delivered_bytes(), meter.output_tokens_about()), (false, 0, 0));
        assert!(meter.is_zero_completion());
        let (usage, _) = meter.count(|| PROMPT);
        assert_eq!(usage.completion_tokens(), 0);
    }

    #[test]
    fn the_zero_completion_rule_knows_who_pays() {
        let filtered = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}"#;
        let error = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#;
        for (frames, is_free) in [
            (vec![], true),
            (vec![ROLE], true),
            (vec![ROLE, "[DONE]"], true),
            (vec![ROLE, error], true),
            (vec![ROLE, ERROR], true),
            (vec![ROLE, STOP], false),
            (vec![ROLE, filtered], false),
        ] {
            assert_eq!(watch(&frames).is_zero_completion(), is_free, "{frames:?}");
        }
        assert!(!watch(&[&text("x"), error]).is_zero_completion());
        assert!(!watch(&[&usage(5, 40)]).is_zero_completion(), "tokens were made, though nothing was shown");
        assert!(watch(&[&usage(5, 40), error]).is_zero_completion());
    }

    #[test]
    fn reasoning_that_eats_the_whole_bound_is_billed() {
        let length = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":40,"completion_tokens_details":{"reasoning_tokens":40}}}"#;
        let meter = watch(&[ROLE, length]);
        assert_eq!(known(&meter), (5, 40, UsageSource::Provider));
        assert!(!meter.is_zero_completion());
        assert_eq!(meter.measure().unwrap().0.reasoning, 40);
    }

    #[test]
    fn a_report_that_cannot_be_is_replaced_by_a_count() {
        let spoken = "one two three";
        let tokens = count_text(spoken);
        let meter = watch(&[&text(spoken), STOP, &usage(-10, -5)]);
        assert_eq!(counted(&meter), (11, tokens, UsageSource::Estimate));
        assert!(meter.count(|| PROMPT).1.contains(UsageAnomalies::NEGATIVE));
        let meter = watch(&[&text(spoken), STOP, &usage(10, i64::MAX)]);
        assert_eq!(counted(&meter), (10, tokens, UsageSource::Partial));
        assert!(meter.count(|| PROMPT).1.contains(UsageAnomalies::ABSURD.with(UsageAnomalies::OUTPUT_UNREPORTED)));
        let meter = watch(&[&text(spoken), STOP, &usage(i64::MAX, 3)]);
        assert_eq!(counted(&meter), (11, 3, UsageSource::Partial));
        let meter = watch(&[&text(spoken), STOP, &usage(7, 0)]);
        assert_eq!(counted(&meter), (7, tokens, UsageSource::Partial));
        let meter = watch(&[&text(spoken), STOP, r#"{"choices":[],"usage":{"total_tokens":20}}"#]);
        assert_eq!(counted(&meter), (20 - tokens, tokens, UsageSource::Estimate));
    }

    #[test]
    fn reasoning_tool_calls_refusals_and_media_are_output() {
        let delta = |delta: &str| format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
        let meter = watch(&[
            &delta(r#"{"reasoning_content":"think","reasoning":"think"}"#),
            &delta(r#"{"reasoning":" more","reasoning_details":[{"type":"reasoning.text","text":" more"}]}"#),
            &delta(r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"get","arguments":""}}]}"#),
            &delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}"#),
            &delta(r#"{"refusal":"no"}"#),
            &delta(r#"{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}"#),
        ]);
        let (usage, _) = meter.count(|| PROMPT);
        assert_eq!(usage.reasoning, count_text("think more"));
        assert_eq!(usage.text_output, count_text("get{\"a\":1}no"));
        assert_eq!((usage.image_output, usage.tool_calls), (MEDIA_OUTPUT_TOKENS, 1));
        assert!(meter.output_tokens_about() > MEDIA_OUTPUT_TOKENS);
    }

    #[test]
    fn sound_is_counted_by_its_length_however_many_pieces_it_comes_in() {
        let delta = |audio: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{"audio":{audio}}}}}]}}"#);
        let second = "A".repeat(640);
        let mut frames = vec![delta(r#"{"id":"a","transcript":"Hello there"}"#)];
        frames.extend((0..100).map(|_| delta(&format!(r#"{{"id":"a","data":"{second}"}}"#))));
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        let (usage, _) = watch(&frames).count(|| PROMPT);
        assert_eq!((usage.audio_output, usage.image_output), (20, 0), "a second of sound");
        assert_eq!(usage.text_output, count_text("Hello there"));
    }

    #[test]
    fn how_it_ended_is_kept_in_our_words_and_the_providers() {
        let meter = watch(&[&text("x"), r#"{"choices":[{"index":0,"delta":{},"finish_reason":"MAX_TOKENS"}]}"#]);
        assert_eq!(meter.finish(), Finish { reason: Some(FinishReason::Length), native: Some("MAX_TOKENS") });
        assert_eq!(meter.upstream_id(), Some("up-1"));
        let twice = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error"},{"index":1,"delta":{},"finish_reason":"stop"}]}"#;
        assert_eq!(watch(&[twice]).finish_reason(), Some(FinishReason::Error));
    }

    #[test]
    fn memory_is_bounded_however_long_the_answer() {
        let mut meter = watch(&[]);
        let mut answer = ChatAnswer::default();
        let piece = text(&"x".repeat(1_000));
        for _ in 0..1_000 {
            answer.scan(Bytes::copy_from_slice(piece.as_bytes())).unwrap();
            meter.observe(&answer);
        }
        assert_eq!(meter.delivered_bytes(), 1_000_000);
        let (usage, _) = meter.count(|| PROMPT);
        let truth = count_text(&"x".repeat(1_000_000));
        assert!(usage.text_output.abs_diff(truth) * 20 <= truth, "{} for {truth}", usage.text_output);
    }
}
