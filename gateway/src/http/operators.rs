//! What operators and their machines ask: alive, ready, metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::app::AppState;

/// Renders the process's metrics as Prometheus text.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// `GET /healthz`: the process runs.
pub async fn get_liveness() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: requests can be served and billed, or what is waited for.
pub async fn get_readiness(State(app): State<AppState>) -> Response {
    let waiting_for = app.waiting_for();
    let status = if waiting_for.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "ready": waiting_for.is_empty(), "waiting_for": waiting_for });
    (status, [(CACHE_CONTROL, "no-store")], axum::Json(body)).into_response()
}

/// `GET /metrics`: Prometheus text.
pub async fn get_metrics(metrics_text: MetricsText) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics_text()).into_response()
}
