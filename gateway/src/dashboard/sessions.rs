//! Where somebody is signed in, and ending that.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use schemas::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Dashboard;
use crate::control::store::Sessions;
use crate::http::envelope::{DataPage, UrlPath};
use crate::http::error::ApiError;
use crate::signin::{SignedIn, with_cookies};

/// A browser that is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionRow {
    id: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    user_agent: String,
    address: String,
    /// The one that asks.
    current: bool,
}

/// The sessions of the person who is signed in, newest first.
#[utoipa::path(get, path = "/api/app/sessions", tag = "web app", responses((status = 200, body = DataPage<SessionRow>), (status = 401)))]
pub async fn list_sessions(State(dashboard): State<Arc<Dashboard>>, signed_in: SignedIn) -> Result<DataPage<SessionRow>, ApiError> {
    let sessions = dashboard.services.control.store().sessions_of(signed_in.user.id, signed_in.now).await?;
    let rows = sessions.into_iter().map(|session| SessionRow {
        id: session.id.to_string(),
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        user_agent: session.user_agent,
        address: session.address,
        current: session.id == signed_in.session.id,
    });
    Ok(DataPage { data: rows.collect(), next_cursor: None })
}

/// Signs out everywhere, here included.
#[utoipa::path(delete, path = "/api/app/sessions", tag = "web app", responses((status = 204), (status = 401)))]
pub async fn sign_out_everywhere(State(dashboard): State<Arc<Dashboard>>, signed_in: SignedIn) -> Result<Response, ApiError> {
    dashboard.services.control.store().revoke_sessions(&signed_in.act(), signed_in.user.id, Sessions::All).await?;
    Ok((StatusCode::NO_CONTENT, with_cookies(dashboard.sign_in.no_cookies())).into_response())
}

/// Ends one session.
#[utoipa::path(delete, path = "/api/app/sessions/{session}", tag = "web app", params(("session" = String, Path)),
    responses((status = 204), (status = 401), (status = 404)))]
pub async fn end_session(
    State(dashboard): State<Arc<Dashboard>>,
    signed_in: SignedIn,
    UrlPath(session): UrlPath<String>,
) -> Result<StatusCode, ApiError> {
    let missing = || ApiError::not_found("There is no such session of yours.");
    let id = Uuid::parse_str(&session).map_err(|_| missing())?;
    let store = dashboard.services.control.store();
    match store.revoke_sessions(&signed_in.act(), signed_in.user.id, Sessions::One(id)).await? {
        0 => Err(missing()),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}
