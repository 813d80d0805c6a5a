//! One chat request, from its bytes to its end.

use std::borrow::Cow;
use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use schemas::event::RequestRecord;
use schemas::{RequestId, Timestamp, Usage};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::attempts::Attempts;
use super::{document, embeddings, stream};
use crate::admission;
use crate::app::{AppState, Place};
use crate::control::catalog::Key;
use crate::http::chat::{ChatRequest, RequestError, RequestKind};
use crate::http::error::{ApiError, Dialect};
use crate::http::idempotency::{self, claim_of};
use crate::providers::anthropic::native::NativeRequest;
use crate::routing;
use crate::settlement::{OpenRequest, kept_word};

/// How many headers are about to be added to an answer; room for them is made once. A header map has room for 6, 12, 24, …
const ANSWER_HEADERS: usize = 9;

/// A chat request as it arrived.
pub struct ChatJob {
    pub key: Arc<Key>,
    pub body: Bytes,
    /// The same request as an Anthropic client wrote it.
    pub native: Option<NativeRequest>,
    /// Whose envelope errors are written in.
    pub dialect: Dialect,
    pub kind: RequestKind,
    pub idempotency_key: Option<String>,
    pub received: Instant,
    /// It wants to know how it was routed.
    pub wants_route: bool,
    /// `X-Session-Id`: what conversation it is of.
    pub session: Option<String>,
    /// `X-Title` and `HTTP-Referer`: the calling app.
    pub app_title: Option<String>,
    pub app_url: Option<String>,
    /// `User-Agent`: the calling program.
    pub user_agent: Option<String>,
    /// Held until the request has ended.
    pub place: Place,
}

impl ChatJob {
    /// What the client wrote: a translation may leave out what tells two requests apart.
    fn body_as_it_came(&self) -> &Bytes {
        self.native.as_ref().map_or(&self.body, |native| &native.body)
    }
}

/// Answers a chat request through `reply`. Runs on a task of its own: **once money is held, it ends in a
/// terminal, whatever becomes of the client.**
pub async fn run(app: AppState, job: Box<ChatJob>, reply: oneshot::Sender<Response>) {
    let mut reply = Reply { sender: Some(reply), id: None, provider: None, dialect: job.dialect };
    if let Err(error) = answer(&app, &job, &mut reply).await {
        reply.send_error(error);
    }
}

async fn answer(app: &AppState, job: &ChatJob, reply: &mut Reply) -> Result<(), ApiError> {
    let mut request = job.kind.parse(&job.body, app.options.body_depth_max)?;
    request.native = job.native.as_ref();
    // The body's own word goes before a header's.
    request.session = request.session.or_else(|| job.session.as_deref().map(Cow::Borrowed));
    // Boxed, like what follows it: an open request keeps no room for what is behind it.
    let accepted = Box::pin(accept(app, job, &request)).await?;
    // Before it is taken apart: what was ever borrowed keeps its room.
    reply.id = Some(accepted.open.id());
    let Accepted { plan, admitted, open } = *accepted;
    let attempts = Attempts::new(app, &request, plan, admitted, (job.received, job.wants_route));
    // Boxed, so that the task a request is spawned as is small: it is moved several times before it is first polled.
    if let Some(input) = request.embeddings {
        Box::pin(embeddings::relay(attempts, input, open, reply)).await
    } else if request.stream {
        stream::relay(attempts, open, reply).await
    } else {
        Box::pin(document::relay(attempts, open, reply)).await
    }
}

/// A request that is owed an end.
struct Accepted {
    plan: routing::Plan,
    admitted: admission::Admitted,
    open: OpenRequest,
}

/// Plans a request's way, claims its word and reserves its money.
async fn accept(app: &AppState, job: &ChatJob, request: &ChatRequest<'_>) -> Result<Box<Accepted>, ApiError> {
    let catalog = app.control.catalog();
    let prompt = admission::prompt_size(request);
    let mut plan = routing::plan(&app.routing, &catalog, &job.key, request, prompt, Timestamp::now())?;
    let id = RequestId::mint();
    let claim = match &job.idempotency_key {
        // Boxed: few requests have a word.
        Some(word) => Some(Box::pin(idempotency::claim(app, claim_of(job.key.record.id, word.clone(), id, job.body_as_it_came()))).await?),
        None => None,
    };
    let reserved = reserve(app, job, id, request, prompt, &mut plan).await;
    match (reserved, claim) {
        (Ok((admitted, open)), claim) => {
            eventlog::fault::point("gateway.after_accept");
            if let Some(claim) = claim {
                Box::pin(claim.accepted(app)).await;
            }
            Ok(Box::new(Accepted { plan, admitted, open }))
        }
        (Err(error), claim) => {
            if let Some(claim) = claim {
                Box::pin(claim.give_back(app)).await;
            }
            Err(error)
        }
    }
}

/// Reserves the request's money and writes it down as accepted.
async fn reserve(
    app: &AppState,
    job: &ChatJob,
    id: RequestId,
    request: &ChatRequest<'_>,
    prompt: routing::PromptSize,
    plan: &mut routing::Plan,
) -> Result<(admission::Admitted, OpenRequest), ApiError> {
    let admitted = admission::admit(app, id, &job.key, request, prompt, plan).await?;
    eventlog::fault::point("gateway.after_reserve");
    let record = new_record(job, request, plan, &admitted);
    match app.settlement.accept(job.key.account_id(), (admitted.hold, admitted.reserved_at), record, admitted.prompt_tokens_expected) {
        Ok(open) => Ok((admitted, open)),
        Err(error) => {
            // Nothing was written: the hold is given back here.
            let released = app.settlement.gate.release(Timestamp::now(), id, job.key.account_id(), None).await;
            if let Err(error) = released {
                tracing::warn!(error = %error, request.id = %id, "hold was not given back; the reaper will");
            }
            Err(ApiError::unavailable("The gateway cannot accept requests right now; nothing was charged. Please retry.", 1)
                .with_source(error))
        }
    }
}

fn new_record(job: &ChatJob, request: &ChatRequest<'_>, plan: &routing::Plan, admitted: &admission::Admitted) -> RequestRecord {
    RequestRecord {
        admitted_at: admitted.admitted_at,
        api_key_id: Some(job.key.record.id),
        api_type: job.kind.api_type().to_owned(),
        app_title: job.app_title.clone(),
        app_url: job.app_url.clone(),
        attempts: Vec::with_capacity(1),
        cancelled: false,
        channel: String::new(),
        duration_ms: 0,
        epoch: admitted.epoch,
        error_type: None,
        external_user: request.user().as_deref().and_then(kept_word),
        finish_reason: None,
        hold_nanos: admitted.grant.hold,
        http_status: 200,
        model: plan.first().model.to_string(),
        model_requested: request.models.first().map_or_else(|| plan.first().model.to_string(), |name| name.clone().into_owned()),
        native_finish_reason: None,
        price_version: None,
        provider: String::new(),
        provider_cost_nanos: None,
        request_id: admitted.request_id,
        session_id: request.session.as_deref().and_then(kept_word),
        streamed: request.stream,
        ttft_ms: None,
        upstream_id: None,
        usage: Usage::default(),
        user_agent: job.user_agent.clone(),
        user_id: None,
    }
}

/// Where the answer's head goes, once.
pub struct Reply {
    pub(super) sender: Option<oneshot::Sender<Response>>,
    id: Option<RequestId>,
    /// Display name of the provider that answers.
    pub provider: Option<Arc<str>>,
    dialect: Dialect,
}

impl Reply {
    pub fn is_sent(&self) -> bool {
        self.sender.is_none()
    }

    /// Sends the head; every answer to an accepted request names it.
    pub fn send(&mut self, mut response: Response) {
        let Some(sender) = self.sender.take() else { return };
        response.headers_mut().reserve(ANSWER_HEADERS);
        if let Some(id) = self.id
            && let Ok(value) = http::HeaderValue::try_from(id.to_string())
        {
            // The second is where OpenAI's libraries look for what to name in a report.
            response.headers_mut().insert("x-request-id", value.clone());
            response.headers_mut().insert("x-generation-id", value);
        }
        if let Some(provider) = &self.provider
            && let Ok(value) = http::HeaderValue::try_from(&**provider)
        {
            response.headers_mut().insert("x-provider-name", value);
        }
        // A client that left has no use for it; its request goes on.
        let _ = sender.send(response);
    }

    pub fn send_error(&mut self, error: ApiError) {
        let span = tracing::info_span!("request", request.id = self.id.map(tracing::field::display));
        let _in_span = span.enter();
        if self.is_sent() {
            error.log();
        } else {
            let id = self.id.map(|id| id.to_string());
            self.send(error.with_request_id(id).render(self.dialect));
        }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error.param {
            Some(param) => Self::bad_request(param, error.message),
            None => Self::invalid(error.message),
        }
    }
}

/// Notes in the record how long the request took.
pub(super) fn note_duration(open: &mut OpenRequest, received: Instant) {
    open.record.duration_ms = u64::try_from(received.elapsed().as_millis()).unwrap_or(u64::MAX);
}
