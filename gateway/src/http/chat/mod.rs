//! `POST /chat/completions`: the request as it arrives, and the task that answers it.

mod effort;
mod request;
mod upstream_body;
mod upstream_messages;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, Request};
use schemas::Timestamp;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub use request::{ChatRequest, RequestError, SESSION_CHARS_MAX, nesting_exceeds};
pub(in crate::http) use request::{read, read_integer, read_members, read_models, read_session};
pub use upstream_body::{UpstreamForm, upstream_body};
pub(in crate::http) use upstream_body::{is_ours, is_within_price, push_member};

use crate::access;
use crate::app::AppState;
use crate::http::body::read_body;
use crate::http::error::{ApiError, Dialect};
use crate::http::{completions, embeddings, idempotency};
use crate::metrics::{CHAT_ROUTE, EMBEDDINGS_ROUTE};
use crate::providers::anthropic::native::NativeRequest;
use crate::relay::{self, ChatJob};
use crate::settlement::kept_word;

/// Longest app title and address kept of a request.
const ATTRIBUTION_CHARS_MAX: usize = 200;

/// Answers a chat request, streaming or not.
#[utoipa::path(post, path = "/chat/completions", tag = "inference", security(("key" = [])),
    request_body(content = ref("#/components/schemas/ChatCompletionRequest"), content_type = "application/json"),
    responses((status = 200, description = "The answer, or its chunks with `stream: true`.", content(
        (ref("#/components/schemas/ChatCompletion") = "application/json"), (ref("#/components/schemas/ChatCompletionChunk") = "text/event-stream")))))]
pub async fn create_chat_completion(State(app): State<AppState>, request: Request<Body>) -> Response {
    let with_messages = |body| {
        let body = completions::with_messages(body, app.options.body_depth_max)?;
        Ok(Inbound { body, native: None, dialect: Dialect::OpenAi, kind: RequestKind::Chat })
    };
    match begin(&app, request, with_messages).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

/// A chat request as a door hands it in.
pub struct Inbound {
    /// In the internal form.
    pub body: Bytes,
    /// As an Anthropic client wrote it.
    pub native: Option<NativeRequest>,
    pub dialect: Dialect,
    pub kind: RequestKind,
}

/// What a request asks a model for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    Chat,
    Embeddings,
}

impl RequestKind {
    /// Its word in events and records.
    pub const fn api_type(self) -> &'static str {
        match self {
            Self::Chat => CHAT_ROUTE,
            Self::Embeddings => EMBEDDINGS_ROUTE,
        }
    }

    /// Reads a body of its kind.
    pub fn parse(self, body: &[u8], depth_max: usize) -> Result<ChatRequest<'_>, RequestError> {
        match self {
            Self::Chat => ChatRequest::parse(body, depth_max),
            Self::Embeddings => embeddings::parse(body, depth_max),
        }
    }
}

/// Reads a request, which `translate` puts into the internal form, and starts the task that answers it.
pub async fn begin(
    app: &AppState,
    request: Request<Body>,
    translate: impl FnOnce(Bytes) -> Result<Inbound, ApiError>,
) -> Result<Response, ApiError> {
    let received = Instant::now();
    app.readiness.check()?;
    let (head, body) = request.into_parts();
    let key = access::authenticate_inference(&app.control.catalog(), &head.headers, Timestamp::now())?;
    // Before the body: what is being read must be bounded, too.
    let place = app.places.take()?;
    let body = read_body(&head.headers, body, app.options.body_bytes_max, app.options.body_timeout).await?;
    // A minute may have passed: a request begun after shutdown has waited for the others would be cut off.
    app.readiness.check()?;
    let Inbound { body, native, dialect, kind } = translate(body)?;
    let job = Box::new(ChatJob {
        key,
        body,
        native,
        dialect,
        kind,
        idempotency_key: idempotency::read_key(&head.headers)?,
        received,
        wants_route: wants_route(&head.headers),
        session: session(&head.headers)?,
        app_title: attribution(&head.headers, &["x-openrouter-title", "x-title"]),
        app_url: attribution(&head.headers, &["http-referer", "referer"]),
        user_agent: user_agent(&head.headers),
        place,
    });
    // Headers are slices of the connection's read buffer; waiting must not keep it.
    drop(head);
    let (reply, answer) = oneshot::channel();
    // Boxed: a task's own place is rounded up by more than a box costs.
    app.tasks.spawn(Box::pin(relay::run(app.clone(), job, reply)));
    answer.await.map_err(|_| ApiError::internal("the request's task ended without an answer"))
}

/// `X-OpenRouter-Metadata: enabled`, or by its older name.
fn wants_route(headers: &HeaderMap) -> bool {
    let names = ["x-openrouter-metadata", "x-openrouter-experimental-metadata"];
    names.iter().filter_map(|name| headers.get(*name)).any(|value| value.as_bytes().eq_ignore_ascii_case(b"enabled"))
}

/// `X-Session-Id`: the conversation's name, where the body gives none.
fn session(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("x-session-id") else { return Ok(None) };
    let name = String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
    if name.chars().count() > SESSION_CHARS_MAX {
        let message = format!("the header X-Session-Id must be at most {SESSION_CHARS_MAX} characters");
        return Err(ApiError::bad_request("session_id", message));
    }
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// `User-Agent`, as it is kept.
fn user_agent(headers: &HeaderMap) -> Option<String> {
    headers.get(USER_AGENT).and_then(|value| kept_word(&String::from_utf8_lossy(value.as_bytes())))
}

/// The first of these headers, shortened. An app that wants to be hidden is not put on record: rankings are public.
fn attribution(headers: &HeaderMap, names: &[&str]) -> Option<String> {
    if headers.get("x-openrouter-app-visibility").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"hidden")) {
        return None;
    }
    let value = names.iter().find_map(|name| headers.get(*name))?.to_str().ok()?.trim();
    if value.is_empty() { None } else { Some(value.chars().take(ATTRIBUTION_CHARS_MAX).collect()) }
}
