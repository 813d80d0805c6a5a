//! The local administration API of a deployment, running or opened for one command.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use super::core::Core;
use super::{archiving, jobs};
use crate::local_api::{AUDIT_PATH, AuditRequest, EXPORT_PATH, ExportRequest, MIGRATE_PATH, REPLAY_PATH, ReplayRequest, job};

/// Everything an administrator may ask on the deployment's own machine. **For the socket only**: it asks for no key.
pub fn local_router(core: &Arc<Core>) -> Router {
    let jobs = Router::new()
        .route(AUDIT_PATH, post(verify_books))
        .route(REPLAY_PATH, post(replay_log))
        .route(EXPORT_PATH, post(export_log))
        .route(MIGRATE_PATH, post(migrate_stores))
        .with_state(Arc::clone(core));
    gateway::http::routes::local_routes(Arc::clone(&core.services)).merge(jobs)
}

async fn verify_books(State(core): State<Arc<Core>>, Json(request): Json<AuditRequest>) -> Response {
    job::respond(|progress| jobs::audit(core, request, progress))
}

async fn replay_log(State(core): State<Arc<Core>>, Json(request): Json<ReplayRequest>) -> Response {
    job::respond(|progress| jobs::replay(core, request, progress))
}

async fn export_log(State(core): State<Arc<Core>>, Json(request): Json<ExportRequest>) -> Response {
    job::respond(|progress| archiving::export(core, request, progress))
}

/// Migrations were applied when the stores were opened.
async fn migrate_stores() -> Response {
    Json(json!({ "data": { "control": "up to date", "ledger": "up to date", "analytics": "up to date" } })).into_response()
}
