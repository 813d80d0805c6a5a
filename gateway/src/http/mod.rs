//! Routes and dialects: how a request comes in and how an answer or an error goes out.
//!
//! Owns the addresses of `/api/v1`, `/v1` and the operators' routes. Handlers are thin: they read,
//! call the room that knows, and write. Start at [`router`].

pub mod account;
pub mod admin;
mod analytics;
pub mod assets;
pub mod body;
pub mod caller;
pub mod catalog;
mod causes;
pub mod chat;
pub mod completions;
mod cors;
pub mod csv;
pub mod datasets;
pub mod embeddings;
pub mod entrance;
pub mod envelope;
pub mod error;
pub mod generation;
pub mod idempotency;
pub mod keys;
pub mod lanes;
pub mod messages;
pub mod openapi;
pub mod operators;
pub mod peer;
pub mod responses;
pub mod routes;
mod security_headers;
mod server;
mod translated;

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::routing::get;
use tower::util::MapResponseLayer;

use crate::app::AppState;
use crate::dashboard::{self, Dashboard};
use crate::http::error::ApiError;
use crate::http::security_headers::SecurityHeaders;

/// Every route of a gateway. `metrics_text` renders the process's metrics.
pub fn router(app: AppState, dashboard: Arc<Dashboard>, metrics_text: operators::MetricsText) -> Router {
    let api = routes::documented_inference_routes().split_for_parts().0.merge(routes::control_routes(Arc::clone(&dashboard.services)));
    let api = api.merge(routes::code_routes(Arc::clone(&dashboard)));
    let api = api
        .fallback(unknown_route)
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(cors::layer())
        .layer(MapResponseLayer::new(cors::without_content));
    let headers = SecurityHeaders::new(&app.options.public_url);
    Router::new()
        .nest("/api/v1", api.clone())
        .nest("/v1", api)
        .merge(openapi::routes())
        .merge(dashboard::router(dashboard))
        .fallback_service(assets::web_app())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .with_state(app.clone())
        .merge(operators_router(app, metrics_text))
        .layer(MapResponseLayer::new(move |response| headers.add_to(response)))
        .layer(axum::middleware::from_fn(async |request: Request, next: Next| {
            body::read_left_over(request, |request| next.run(request)).await
        }))
}

/// What a process answers that takes no requests of clients: alive, ready, metrics.
pub fn operators_router(app: AppState, metrics_text: operators::MetricsText) -> Router {
    Router::new()
        .route("/healthz", get(operators::get_liveness))
        .route("/readyz", get(operators::get_readiness))
        .route("/metrics", get(move || operators::get_metrics(metrics_text.clone())))
        .with_state(app)
}

/// An address below the API that is none of its routes.
async fn unknown_route(method: Method, uri: OriginalUri) -> ApiError {
    ApiError::not_found(format!("no such route: {method} {}", uri.path()))
}
