//! A request that is longer than its model takes is, in this dialect, an answer that ends before its first word: as OpenRouter
//! documents it, a success with finish reason `length`.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http_body_util::BodyExt;
use schemas::RequestId;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::now;
use super::failure::Failure;
use crate::http::chat::ChatRequest;
use crate::http::error::{ApiError, ErrorType};

/// The errors that say so.
const TOO_LONG: [ErrorType; 4] =
    [ErrorType::ContextLengthExceeded, ErrorType::MaxTokensExceeded, ErrorType::TokenLimitExceeded, ErrorType::StringTooLong];

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: &'a RawValue,
}

/// The relay's refusal of a chat request, or, where it was too long, chat's answer to it that says nothing and costs nothing.
pub(super) async fn cut_off(refused: Response, chat: &Bytes, depth_max: usize) -> Result<Response, ApiError> {
    if refused.status() != StatusCode::BAD_REQUEST && refused.status() != StatusCode::PAYLOAD_TOO_LARGE {
        return Ok(refused);
    }
    let (mut head, body) = refused.into_parts();
    let text = body.collect().await.map_err(ApiError::internal)?.to_bytes();
    let refusal = serde_json::from_slice::<Refusal<'_>>(&text).ok().map(|refusal| Failure::read(refusal.error.get()));
    let is_too_long = refusal.is_some_and(|refusal| TOO_LONG.iter().any(|kind| refusal.is(*kind)));
    let asked = ChatRequest::parse(chat, depth_max).ok().filter(|_| is_too_long);
    let Some(asked) = asked else { return Ok(Response::from_parts(head, Body::from(text))) };
    let id =
        head.headers.get("x-generation-id").and_then(|id| id.to_str().ok()).map_or_else(|| RequestId::mint().to_string(), str::to_owned);
    let model = asked.models.first().map_or_else(String::new, ToString::to_string);
    let (member, kind) = if asked.stream { ("delta", "text/event-stream") } else { ("message", "application/json") };
    let answer = serde_json::json!({
        "id": id,
        "created": now(),
        "model": model,
        "choices": [{ "index": 0, member: { "role": "assistant", "content": null }, "finish_reason": "length" }],
    });
    let mut told = answer.clone();
    told["usage"] = serde_json::json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "cost": 0 });
    let body = if asked.stream { format!("data: {answer}\n\ndata: {told}\n\ndata: [DONE]\n\n") } else { told.to_string() };
    head.status = StatusCode::OK;
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(Response::from_parts(head, Body::from(body)))
}
