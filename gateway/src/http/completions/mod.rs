//! OpenAI's legacy dialect for clients: `POST /completions`, a prompt instead of messages, for any model that chats.
//!
//! Owns a translation at the door, nothing else: the prompt becomes the one message of a chat request ([`request`]) and takes
//! the way of every chat request; what the relay lets out becomes `text_completion` objects ([`answer`]) on its way to the client.

mod answer;
mod logprobs;
mod request;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Request, StatusCode};

use self::answer::Completions;
pub(in crate::http) use self::request::with_messages;
use crate::app::AppState;
use crate::http::chat::{self, Inbound, RequestKind};
use crate::http::error::{ApiError, Dialect};
use crate::http::translated::translated;

/// Completes a prompt, streaming or not.
#[utoipa::path(post, path = "/completions", tag = "inference", security(("key" = [])),
    request_body(content = ref("#/components/schemas/CompletionRequest"), content_type = "application/json"),
    responses((status = 200, description = "The completion, or its chunks with `stream: true`.", content(
        (ref("#/components/schemas/Completion") = "application/json"), (ref("#/components/schemas/Completion") = "text/event-stream")))))]
pub async fn create_completion(State(app): State<AppState>, request: Request<Body>) -> Response {
    match answer(&app, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn answer(app: &AppState, request: Request<Body>) -> Result<Response, ApiError> {
    let translate = |body: Bytes| {
        let body = request::translate(&body, app.options.body_depth_max)?;
        Ok(Inbound { body, native: None, dialect: Dialect::OpenAi, kind: RequestKind::Chat })
    };
    let response = chat::begin(app, request, translate).await?;
    if response.status() != StatusCode::OK {
        return Ok(response);
    }
    translated(response, (), |()| Completions::default(), |body, ()| answer::completion(body, &mut Completions::default())).await
}

/// Adds a member to an object that is being written.
fn push_member(out: &mut Vec<u8>, name: &str, json: &[u8]) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.extend_from_slice(serde_json::Value::from(name).to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(json);
}
