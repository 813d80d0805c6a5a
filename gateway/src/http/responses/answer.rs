//! One answer, put together from what the relay lets out: chunk by chunk with events, or whole without them.
//!
//! Whatever the provider did, a stream has `response.created`, items that begin and end, and one last response object with
//! the whole output, the usage and the cost: `response.completed`, `response.incomplete` or `response.failed`. After a
//! failure comes an `error`, which the SDKs raise.

use bytes::Bytes;
use schemas::Timestamp;
use serde_json::value::RawValue;

use super::chunk::{Choice, Chunk, Delta};
use super::echo::Echo;
use super::event_writer::EventWriter;
use super::failure::Failure;
use super::output::{COMPLETED, INCOMPLETE, KEPT_BYTES_MAX, Output, PartKind, ThoughtKind};
use super::usage::usage_json;
use crate::http::error::ApiError;
use crate::wire::content::{Said, has_text, said};

/// A whole answer as a response object; `None` where the bytes are no answer of ours.
pub(super) fn response(body: &[u8], echo: Echo) -> Option<Bytes> {
    let chunk: Chunk<'_> = serde_json::from_slice(body).ok()?;
    let choice = chunk.choices.first()?;
    let mut answer = Answer { events: EventWriter::muted(), ..Answer::new(echo, now) };
    answer.begin(&chunk);
    answer.choice(choice);
    answer.note(&chunk);
    let ending = answer.close();
    Some(Bytes::from(answer.json(&ending)))
}

/// The state of one answer.
pub(super) struct Answer {
    pub events: EventWriter,
    echo: Echo,
    output: Output,
    head: Option<Head>,
    has_ended: bool,
    /// Thoughts came as plain text: their details repeat it.
    has_plain_thoughts: bool,
    finish_reason: Option<String>,
    failure: Option<Failure>,
    usage: Option<String>,
    service_tier: Option<String>,
    /// How the request was routed, for those who asked.
    route: Option<Box<RawValue>>,
    now: fn() -> i64,
}

/// Who answers. Raw JSON but for the id.
struct Head {
    id: String,
    created: i64,
    model: String,
    provider: String,
}

/// How a response ended.
struct Ending {
    status: &'static str,
    incomplete_reason: Option<&'static str>,
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    Timestamp::now().micros() / 1_000_000
}

impl Answer {
    pub(super) fn new(mut echo: Echo, now: fn() -> i64) -> Self {
        Self {
            events: EventWriter::default(),
            output: Output::new(echo.seals_all_thoughts, std::mem::take(&mut echo.namespaces)),
            echo,
            head: None,
            has_ended: false,
            has_plain_thoughts: false,
            finish_reason: None,
            failure: None,
            usage: None,
            service_tier: None,
            route: None,
            now,
        }
    }

    /// A frame of the relay's.
    pub(super) fn take(&mut self, chunk: &Chunk<'_>) {
        if self.has_ended {
            return;
        }
        self.begin(chunk);
        // The frame with the usage repeats how the answer ended and says nothing else.
        if let Some(choice) = chunk.choices.first().filter(|_| chunk.error.is_none() && chunk.usage.is_none()) {
            self.choice(choice);
        }
        self.note(chunk);
        if self.output.is_too_long() && self.failure.is_none() {
            self.fail(&ApiError::internal(format!("an answer of more than {KEPT_BYTES_MAX} bytes")));
        }
    }

    /// The relay has said its last word.
    pub(super) fn end(&mut self) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        if self.head.is_some() {
            self.push_response();
        }
        if let Some(failure) = &self.failure {
            failure.push(&mut self.events);
        }
    }

    /// A failure of ours.
    pub(super) fn fail(&mut self, error: &ApiError) {
        error.log();
        self.failure = Some(Failure::read(&error.error_json()));
    }

    /// The last event of an answer that began.
    fn push_response(&mut self) {
        let ending = self.close();
        let kind = match ending.status {
            COMPLETED => "response.completed",
            INCOMPLETE => "response.incomplete",
            _ => "response.failed",
        };
        let response = self.json(&ending);
        self.events.push(kind, format_args!("\"response\":{response}"));
    }

    fn begin(&mut self, chunk: &Chunk<'_>) {
        if self.head.is_some() {
            return;
        }
        let suffix = chunk.id.strip_prefix("gen-").unwrap_or(&chunk.id).to_owned();
        self.head = Some(Head {
            id: format!("resp_{suffix}"),
            created: chunk.created,
            model: chunk.model.get().to_owned(),
            provider: chunk.provider.map_or("null", RawValue::get).to_owned(),
        });
        self.output.name(suffix);
        let begun = self.json(&Ending { status: "in_progress", incomplete_reason: None });
        for kind in ["response.created", "response.in_progress"] {
            self.events.push(kind, format_args!("\"response\":{begun}"));
        }
    }

    fn note(&mut self, chunk: &Chunk<'_>) {
        if let Some(reason) = chunk.choices.first().and_then(|choice| choice.finish_reason.as_deref()) {
            self.finish_reason = Some(reason.to_owned());
        }
        if let Some(error) = chunk.error {
            self.failure = Some(Failure::read(error.get()));
        }
        if let Some(usage) = chunk.usage {
            self.usage = Some(usage_json(usage.get()));
        }
        if let Some(tier) = chunk.service_tier {
            self.service_tier = Some(tier.get().to_owned());
        }
        if let Some(route) = chunk.openrouter_metadata {
            self.route = Some(route.to_owned());
        }
    }

    fn choice(&mut self, choice: &Choice<'_>) {
        if self.failure.is_some() {
            return;
        }
        let delta = choice.said();
        self.thoughts(delta);
        let mut logprobs = choice.logprobs.as_ref().and_then(|logprobs| logprobs.content);
        for piece in delta.content.map(said).unwrap_or_default() {
            match piece {
                Said::Text(words) => self.output.say(PartKind::Text, words, logprobs.take(), &mut self.events),
                Said::Thought(words) => self.output.think(ThoughtKind::Text, words.get(), &mut self.events),
            }
        }
        if let Some(words) = delta.refusal.filter(|words| has_text(words)) {
            self.output.say(PartKind::Refusal, words, None, &mut self.events);
        }
        for annotation in &delta.annotations {
            self.output.annotate(annotation, &mut self.events);
        }
        for call in &delta.tool_calls {
            self.output.call(call, &mut self.events);
        }
    }

    /// What was thought comes as plain text, in details, or as both; details that hold nothing but words of the plain text are
    /// kept all the same, because some providers want them back.
    fn thoughts(&mut self, delta: &Delta<'_>) {
        let details: Vec<(&RawValue, Words)> = delta.reasoning_details.iter().map(|raw| (*raw, Words::of(raw))).collect();
        let is_text = |raw: &&RawValue| has_text(raw);
        if let Some(plain) = delta.reasoning.filter(is_text).or(delta.reasoning_content.filter(is_text)) {
            self.has_plain_thoughts = true;
            let is_summary = details.iter().any(|(_, words)| matches!(words, Words::Of(ThoughtKind::Summary, _)));
            let kind = if is_summary { ThoughtKind::Summary } else { ThoughtKind::Text };
            self.output.think(kind, plain.get(), &mut self.events);
        }
        for (raw, words) in details {
            if let (Words::Of(kind, words), false) = (words, self.has_plain_thoughts) {
                self.output.think(kind, &words, &mut self.events);
            }
            self.output.remember(raw, &mut self.events);
        }
    }

    /// Ends the items, and says how the response ended.
    fn close(&mut self) -> Ending {
        let finish_reason = self.finish_reason.as_deref();
        if self.failure.is_none() && finish_reason == Some("error") {
            self.failure = Some(Failure::of_the_provider());
        }
        let (status, incomplete_reason) = match finish_reason {
            _ if self.failure.is_some() => ("failed", None),
            Some("length") => (INCOMPLETE, Some("max_output_tokens")),
            Some("content_filter") => (INCOMPLETE, Some("content_filter")),
            _ => (COMPLETED, None),
        };
        self.output.end(if status == COMPLETED { COMPLETED } else { INCOMPLETE }, &mut self.events);
        Ending { status, incomplete_reason }
    }

    /// The response object.
    fn json(&self, ending: &Ending) -> String {
        let Some(head) = &self.head else { return String::new() };
        let Ending { status, incomplete_reason } = ending;
        let or_null = |json: Option<String>| json.unwrap_or_else(|| "null".to_owned());
        let completed_at = or_null((*status == COMPLETED).then(|| (self.now)().to_string()));
        let error = or_null(self.failure.as_ref().map(Failure::member));
        let details = or_null(incomplete_reason.map(|reason| format!(r#"{{"reason":"{reason}"}}"#)));
        let (usage, tier) = (self.usage.as_deref().unwrap_or("null"), self.service_tier.as_ref().unwrap_or(&self.echo.service_tier));
        let mut json = format!(
            r#"{{"id":"{}","object":"response","created_at":{},"completed_at":{completed_at},"status":"{status}","error":{error},"incomplete_details":{details},"model":{},"provider":{},"output":{},"usage":{usage},"service_tier":{tier},{}"#,
            head.id,
            head.created,
            head.model,
            head.provider,
            self.output.json(),
            self.echo.members,
        );
        if let Some(failure) = &self.failure {
            json.push_str(&format!(",\"error_type\":{}", failure.error_type()));
        }
        if let Some(route) = &self.route {
            json.push_str(&format!(",\"openrouter_metadata\":{route}"));
        }
        json.push('}');
        json
    }
}

/// The words of a reasoning detail, if it has any.
enum Words {
    Of(ThoughtKind, String),
    None,
}

impl Words {
    fn of(detail: &RawValue) -> Self {
        #[derive(serde::Deserialize)]
        struct Detail<'a> {
            #[serde(borrow)]
            text: Option<&'a RawValue>,
            #[serde(borrow)]
            summary: Option<&'a RawValue>,
        }
        let Ok(detail) = serde_json::from_str::<Detail<'_>>(detail.get()) else { return Self::None };
        let words = |raw: Option<&RawValue>| raw.filter(|raw| has_text(raw)).map(|raw| raw.get().to_owned());
        match (words(detail.text), words(detail.summary)) {
            (Some(text), _) => Self::Of(ThoughtKind::Text, text),
            (None, Some(summary)) => Self::Of(ThoughtKind::Summary, summary),
            (None, None) => Self::None,
        }
    }
}

#[cfg(test)]
mod tests;
