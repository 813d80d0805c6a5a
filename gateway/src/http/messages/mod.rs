//! Anthropic's dialect for clients: `POST /messages` and `/messages/count_tokens`, for any model of any provider.
//!
//! Owns a translation at the door, nothing else: the request becomes a chat request ([`request`]) and takes the
//! way of every chat request (admission, relay, metering, settlement); what the relay lets out becomes Anthropic's
//! message ([`message`]) or events ([`events`]) on its way to the client. **No bytes leave here that the relay has
//! not released**, so nothing is known to a client before it is settled. Where the provider speaks the same dialect,
//! its blocks are handed through as they came: see [`crate::providers::anthropic::native`].

mod events;
pub(in crate::http) mod lenient;
mod message;
mod request;
mod usage;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::HeaderValue;
use http::{HeaderMap, HeaderName, Request, StatusCode};
use schemas::Timestamp;
use serde::Serialize;

use self::events::Events;
use crate::access;
use crate::app::AppState;
use crate::control::catalog::Catalog;
use crate::http::body::read_body;
use crate::http::chat::{self, ChatRequest, Inbound, RequestKind};
use crate::http::error::{ApiError, Dialect};
use crate::http::translated::translated;
use crate::metering::count::count_prompt;

/// What Anthropic's SDKs show as the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const GENERATION_ID: HeaderName = HeaderName::from_static("x-generation-id");
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// Answers a Messages request, streaming or not.
#[utoipa::path(post, path = "/messages", tag = "inference", security(("key" = [])),
    request_body(content = ref("#/components/schemas/MessageRequest"), content_type = "application/json"),
    responses((status = 200, description = "The message, or its events with `stream: true`.", content(
        (ref("#/components/schemas/Message") = "application/json"), (ref("#/components/schemas/MessageEvent") = "text/event-stream")))))]
pub async fn create_message(State(app): State<AppState>, request: Request<Body>) -> Response {
    match answer(&app, request).await {
        Ok(response) => response,
        Err(error) => error.render(Dialect::Anthropic),
    }
}

async fn answer(app: &AppState, request: Request<Body>) -> Result<Response, ApiError> {
    let beta = betas(request.headers());
    let catalog = app.control.catalog();
    let translate = |body: Bytes| {
        let depth_max = app.options.body_depth_max;
        let read = request::read(&body, depth_max)?;
        let chat = request::chat_body(&read, &|name| full_name(&catalog, name))?;
        let native = Some(request::native(body.clone(), &read, beta));
        Ok(Inbound { body: chat, native, dialect: Dialect::Anthropic, kind: RequestKind::Chat })
    };
    let mut response = chat::begin(app, request, translate).await?;
    if let Some(id) = response.headers().get(GENERATION_ID).cloned() {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if response.status() != StatusCode::OK {
        // Errors are rendered in this dialect where they arise.
        return Ok(response);
    }
    translated(response, (), |()| Events::default(), |answer, ()| message::message(answer)).await
}

/// What a client wants to try, in one line: it may name each in a header of its own.
fn betas(headers: &HeaderMap) -> Option<HeaderValue> {
    let named: Vec<&[u8]> = headers.get_all(BETA).iter().map(HeaderValue::as_bytes).filter(|names| !names.is_empty()).collect();
    if named.is_empty() {
        return None;
    }
    // What were headers are one as well, with commas between them.
    HeaderValue::from_bytes(&named.join(&b","[..])).ok()
}

/// How many tokens a request's prompt is, about: counted here with an open vocabulary, because most providers count
/// for nobody. Costs nothing.
#[utoipa::path(post, path = "/messages/count_tokens", tag = "inference", security(("key" = [])),
    request_body(content = ref("#/components/schemas/MessageRequest"), content_type = "application/json"),
    responses((status = 200, body = TokenCount)))]
pub async fn count_message_tokens(State(app): State<AppState>, request: Request<Body>) -> Response {
    match count(&app, request).await {
        Ok(input_tokens) => axum::Json(TokenCount { input_tokens }).into_response(),
        Err(error) => error.render(Dialect::Anthropic),
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct TokenCount {
    input_tokens: u64,
}

async fn count(app: &AppState, request: Request<Body>) -> Result<u64, ApiError> {
    app.readiness.check()?;
    let (head, body) = request.into_parts();
    let catalog = app.control.catalog();
    access::authenticate_inference(&catalog, &head.headers, Timestamp::now())?;
    let _place = app.places.take()?;
    let body = read_body(&head.headers, body, app.options.body_bytes_max, app.options.body_timeout).await?;
    let read = request::read(&body, app.options.body_depth_max)?;
    let name = full_name(&catalog, &read.model);
    if app.routing.rules.resolve(&catalog, &[&name]).0.is_empty() {
        return Err(ApiError::bad_request("model", format!("{name} is not a valid model ID")));
    }
    let chat = request::chat_body(&read, &|_| name.clone())?;
    let depth_max = app.options.body_depth_max;
    let counting = move || {
        let chat = ChatRequest::parse(&chat, depth_max)?;
        Ok(count_prompt(chat.messages.get(), &chat.read_by_the_model()).total())
    };
    tokio::task::spawn_blocking(counting).await.map_err(ApiError::internal)?
}

/// Anthropic's clients name models without their author: `claude-sonnet-4-5` is found as the public model of that
/// slug, or of that name upstream, with or without a date.
fn full_name(catalog: &Catalog, name: &str) -> String {
    if name.contains('/') || catalog.model(name).is_some() {
        return name.to_owned();
    }
    let of_anthropic = format!("anthropic/{name}");
    if catalog.model(&of_anthropic).is_some() {
        return of_anthropic;
    }
    let undated = name.rsplit_once('-').filter(|(_, date)| date.len() == 8 && date.bytes().all(|digit| digit.is_ascii_digit()));
    let names = [Some(name), undated.map(|(name, _)| name)];
    let is_named = |upstream: &str| names.contains(&Some(upstream));
    let known = catalog.models().iter().find(|model| model.endpoints.iter().any(|endpoint| is_named(&endpoint.upstream)));
    known.map_or_else(|| name.to_owned(), |model| model.id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beta_header_is_kept() {
        let mut headers = HeaderMap::new();
        assert_eq!(betas(&headers), None);
        for names in ["context-1m-2025-08-07", "a-1, b-2", ""] {
            headers.append(BETA, HeaderValue::from_static(names));
        }
        assert_eq!(betas(&headers), Some(HeaderValue::from_static("context-1m-2025-08-07,a-1, b-2")));
    }
}
