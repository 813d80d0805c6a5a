//! An answer of embeddings: read whole, metered, settled, then sent. As [`super::document`], with vectors in place of choices.

use std::sync::Arc;

use bytes::Bytes;
use schemas::Usage;

use super::attempts::{Attempts, note_first_token};
use super::document::{WholeAnswer, find_answer, json_response, unreadable};
use super::ending::{Outcome, end, end_unanswered, spool_failed};
use super::metered::Metered;
use super::run::Reply;
use super::stream::stopped_error;
use crate::http::chat::ChatRequest;
use crate::http::error::ApiError;
use crate::metering::embeddings::count_inputs;
use crate::metering::reported_cost::reported_cost;
use crate::metering::{EmbeddingsInput, UsageAnomalies, embeddings_usage};
use crate::providers::AttemptError;
use crate::providers::openai::error::UpstreamError;
use crate::settlement::OpenRequest;
use crate::wire::{EmbeddingsAnswer, EmbeddingsIdentity};

/// Longer answers are walked and written beside the async threads.
const INLINE_BYTES_MAX: usize = 256 * 1024;

/// Finds an endpoint, reads its answer and replies.
pub async fn relay(mut attempts: Attempts<'_>, input: EmbeddingsInput, mut open: OpenRequest, reply: &mut Reply) -> Result<(), ApiError> {
    let abort = open.abort.clone();
    let found = tokio::select! {
        biased;
        found = find_answer::<EmbeddingsAnswer>(&mut attempts, &mut open) => found,
        () = abort.cancelled() => Err(stopped_error()),
    };
    let (answered, answer) = match found {
        Ok(found) => found,
        Err(error) => return Err(end_unanswered(open, &mut attempts, error).await),
    };
    note_first_token(&mut open, attempts.caller.received);
    let metered = measure(&answer, attempts.caller.request, input).await;
    let id = open.id();
    let ended = end(open, &mut attempts, answered.asked(), Outcome::Completed, metered).await.map_err(spool_failed)?;
    let endpoint = Arc::clone(&answered.endpoint);
    reply.provider = Some(Arc::clone(&endpoint.channel.provider_name));
    let usage_json = ended.embeddings_usage_json();
    let write = move |answer: &EmbeddingsAnswer| {
        let identity = EmbeddingsIdentity { id, model: &endpoint.model, provider: &endpoint.channel.provider_name };
        answer.rewrite(&identity, input.encoding, &usage_json)
    };
    let body = if answer.bytes() <= INLINE_BYTES_MAX {
        write(&answer)
    } else {
        tokio::task::spawn_blocking(move || write(&answer)).await.map_err(ApiError::internal)?
    };
    reply.send(json_response(body));
    Ok(())
}

impl WholeAnswer for EmbeddingsAnswer {
    async fn understand(body: Bytes, request: &ChatRequest<'_>) -> Result<Self, AttemptError> {
        let scanned = if body.len() <= INLINE_BYTES_MAX {
            Self::scan(body)
        } else {
            tokio::task::spawn_blocking(|| Self::scan(body)).await.map_err(|_| unreadable())?
        };
        let answer = scanned.map_err(|_| unreadable())?;
        if let Some(error) = answer.error() {
            return Err(UpstreamError::from_answer(error).into());
        }
        // One of every input, or nobody could tell which is whose.
        if answer.count() == request.inputs() { Ok(answer) } else { Err(unreadable()) }
    }
}

/// What it used; tokens nobody reported are counted, off the async threads.
async fn measure(answer: &EmbeddingsAnswer, request: &ChatRequest<'_>, input: EmbeddingsInput) -> Metered {
    let (reported, mut anomalies) = answer.usage().map_or((None, UsageAnomalies::NONE), embeddings_usage);
    let usage = match reported {
        Some(usage) => usage,
        None => {
            if answer.usage().is_some() {
                anomalies.add(UsageAnomalies::INPUT_UNREPORTED);
            }
            count(request.messages.get().to_owned(), input).await
        }
    };
    Metered {
        usage,
        steps: 1,
        anomalies,
        finish: None,
        native_finish: None,
        upstream_id: answer.upstream_id(),
        reported_cost: answer.usage().and_then(reported_cost),
        is_zero_completion: false,
    }
}

async fn count(raw: String, input: EmbeddingsInput) -> Usage {
    tokio::task::spawn_blocking(move || count_inputs(&raw, input.tokens_max)).await.unwrap_or_else(|error| {
        // Only a panic of the tokenizer comes here; what was embedded is still charged for, about.
        tracing::error!(error = %error, "counting tokens failed; a rough figure is used");
        Usage { uncached_input: input.tokens_expected, source: schemas::UsageSource::Estimate, ..Usage::default() }
    })
}
