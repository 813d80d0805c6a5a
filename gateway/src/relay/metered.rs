//! What an answer used, read off its meter once it has ended.

use schemas::{NanoUsd, Usage, UsageSource};

use crate::http::chat::ChatRequest;
use crate::metering::count::count_prompt;
use crate::metering::{PromptTokens, StreamMeter, UsageAnomalies};
use crate::wire::FinishReason;

/// The final word on one answer.
#[derive(Debug)]
pub struct Metered {
    pub usage: Usage,
    /// How many times the model was asked for it: what bounds a report holds for each.
    pub steps: u64,
    pub anomalies: UsageAnomalies,
    pub finish: Option<FinishReason>,
    pub native_finish: Option<String>,
    pub upstream_id: Option<String>,
    /// What the provider says it charges us.
    pub reported_cost: Option<NanoUsd>,
    /// Nothing was delivered and it ended badly: the customer pays nothing.
    pub is_zero_completion: bool,
}

/// Reads the meter; tokens nobody reported are counted, off the async threads.
pub async fn measure(meter: StreamMeter, request: &ChatRequest<'_>) -> Metered {
    let (usage, anomalies) = match meter.measure() {
        Some(known) => known,
        None => count(meter.clone(), request).await,
    };
    Metered {
        usage,
        steps: meter.steps(),
        anomalies,
        finish: meter.finish_reason(),
        native_finish: meter.native_finish_reason().map(str::to_owned),
        upstream_id: meter.upstream_id().map(str::to_owned),
        reported_cost: meter.reported_cost(),
        is_zero_completion: meter.is_zero_completion(),
    }
}

async fn count(meter: StreamMeter, request: &ChatRequest<'_>) -> (Usage, UsageAnomalies) {
    let messages = request.messages.get().to_owned();
    let read_too: Vec<String> = request.read_by_the_model().into_iter().map(str::to_owned).collect();
    let fallback = meter.output_tokens_about();
    let counting = move || {
        let prompt = || {
            let read_too: Vec<&str> = read_too.iter().map(String::as_str).collect();
            count_prompt(&messages, &read_too)
        };
        meter.count(prompt)
    };
    tokio::task::spawn_blocking(counting).await.unwrap_or_else(|error| {
        // Only a panic of the tokenizer comes here; what was delivered is still charged for, about.
        tracing::error!(error = %error, "counting tokens failed; a rough figure is used");
        let PromptTokens { text, image, audio } = PromptTokens::default();
        let usage = Usage {
            uncached_input: text,
            image_input: image,
            audio_input: audio,
            text_output: fallback,
            source: UsageSource::Estimate,
            ..Usage::default()
        };
        (usage, UsageAnomalies::default())
    })
}
