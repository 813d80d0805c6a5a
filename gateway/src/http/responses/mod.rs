//! OpenAI's Responses dialect for clients: `POST /responses`, for any model of any provider. Stateless: nothing is kept
//! between two requests, the whole conversation stands in `input`.
//!
//! Owns a translation at the door, nothing else: the request becomes a chat request ([`request`]) and takes the way of
//! every chat request (admission, relay, metering, settlement); what the relay lets out becomes a response object or its
//! events on its way to the client. Both are put together by [`answer`], so that a stream and a whole answer say the same.
//! **No bytes leave here that the relay has not released**, so nothing is known to a client before it is settled.

mod answer;
mod chunk;
mod echo;
mod event_writer;
mod events;
mod failure;
mod namespaces;
mod output;
mod request;
mod too_long;
mod usage;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Request, StatusCode};

use self::answer::{Answer, now};
use self::events::Events;
use crate::app::AppState;
use crate::http::chat::{self, Inbound, RequestKind};
use crate::http::error::{ApiError, Dialect};
use crate::http::translated::translated;

/// Answers a Responses request, streaming or not.
#[utoipa::path(post, path = "/responses", tag = "inference", security(("key" = [])),
    request_body(content = ref("#/components/schemas/ResponseRequest"), content_type = "application/json"),
    responses((status = 200, description = "The response, or its events with `stream: true`.", content(
        (ref("#/components/schemas/Response") = "application/json"), (ref("#/components/schemas/ResponseEvent") = "text/event-stream")))))]
pub async fn create_response(State(app): State<AppState>, request: Request<Body>) -> Response {
    match answer(&app, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn answer(app: &AppState, request: Request<Body>) -> Result<Response, ApiError> {
    let depth_max = app.options.body_depth_max;
    let mut asked = None;
    let translate = |body: Bytes| {
        let translated = request::translate(&body, depth_max)?;
        asked = Some((translated.echo, translated.chat.clone()));
        // Errors have chat's envelope: it is OpenAI's in both of its dialects.
        Ok(Inbound { body: translated.chat, native: None, dialect: Dialect::OpenAi, kind: RequestKind::Chat })
    };
    let response = match chat::begin(app, request, translate).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    let Some((echo, chat)) = asked else { return Ok(response) };
    let response = if response.status() == StatusCode::OK { response } else { too_long::cut_off(response, &chat, depth_max).await? };
    if response.status() != StatusCode::OK {
        return Ok(response);
    }
    translated(response, echo, |echo| Events::new(Answer::new(echo, now)), answer::response).await
}
