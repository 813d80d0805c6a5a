//! `POST /embeddings`: vectors of texts, tokens and pictures.
//!
//! The request is read here and takes the way of every chat request: access, routing, the hold, settlement. What comes
//! back is relayed byte for byte; see [`crate::wire::embeddings_answer`].

mod request;
mod upstream_body;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::Request;

pub use request::parse;
pub use upstream_body::upstream_body;

use crate::app::AppState;
use crate::http::chat::{self, Inbound, RequestKind};
use crate::http::error::Dialect;

/// Makes an embedding of every input.
#[utoipa::path(post, path = "/embeddings", tag = "inference", security(("key" = [])),
    request_body(content = ref("#/components/schemas/EmbeddingsRequest"), content_type = "application/json"),
    responses((status = 200, description = "The embeddings, in the order of the inputs.",
        content((ref("#/components/schemas/Embeddings") = "application/json")))))]
pub async fn create_embeddings(State(app): State<AppState>, request: Request<Body>) -> Response {
    let as_it_came = |body| Ok(Inbound { body, native: None, dialect: Dialect::OpenAi, kind: RequestKind::Embeddings });
    match chat::begin(&app, request, as_it_came).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}
