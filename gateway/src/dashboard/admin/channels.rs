//! Channels: the same handlers as for management keys, behind the web app's door.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::control::channel::{ChannelSpec, ModelSpec, ProviderKind};
use crate::control::shipped::models_of;
use crate::dashboard::Dashboard;
use crate::http::admin::{channels, health, probe};
use crate::http::caller::{Administrator, PlatformAdministrator};
use crate::http::envelope::{Data, JsonBody, UrlPath};
use crate::http::error::ApiError;

/// Every channel; never its key.
#[utoipa::path(get, path = "/api/app/admin/channels", tag = "administration", responses((status = 200), (status = 403)))]
pub async fn list_all_channels(State(dashboard): State<Arc<Dashboard>>, administrator: Administrator) -> Result<Response, ApiError> {
    Ok(channels::list_channels(PlatformAdministrator(administrator), State(Arc::clone(&dashboard.services))).await?.into_response())
}

/// Adds a channel; it takes requests on every gateway within a second.
#[utoipa::path(post, path = "/api/app/admin/channels", tag = "administration", request_body = Object,
    responses((status = 201), (status = 400), (status = 403), (status = 409)))]
pub async fn add_channel(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    spec: JsonBody<ChannelSpec>,
) -> Result<Response, ApiError> {
    channels::create_channel(PlatformAdministrator(administrator), State(Arc::clone(&dashboard.services)), spec).await
}

/// One channel.
#[utoipa::path(get, path = "/api/app/admin/channels/{id}", tag = "administration", params(("id" = String, Path)),
    responses((status = 200), (status = 403), (status = 404)))]
pub async fn get_any_channel(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    id: UrlPath<String>,
) -> Result<Response, ApiError> {
    Ok(channels::get_channel(administrator, State(Arc::clone(&dashboard.services)), id).await?.into_response())
}

/// Changes a channel; a changed price is a new version.
#[utoipa::path(patch, path = "/api/app/admin/channels/{id}", tag = "administration", params(("id" = String, Path)), request_body = Object,
    responses((status = 200), (status = 400), (status = 403), (status = 404), (status = 409)))]
pub async fn change_any_channel(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    id: UrlPath<String>,
    changes: JsonBody<Map<String, Value>>,
) -> Result<Response, ApiError> {
    Ok(channels::update_channel(administrator, State(Arc::clone(&dashboard.services)), id, changes).await?.into_response())
}

/// Removes a channel; its price versions stay on record.
#[utoipa::path(delete, path = "/api/app/admin/channels/{id}", tag = "administration", params(("id" = String, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 409)))]
pub async fn remove_channel(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    id: UrlPath<String>,
) -> Result<StatusCode, ApiError> {
    channels::delete_channel(administrator, State(Arc::clone(&dashboard.services)), id).await
}

/// Sends one tiny real request through a channel; nobody is charged.
#[utoipa::path(post, path = "/api/app/admin/channels/{id}/test", tag = "administration", params(("id" = String, Path)),
    responses((status = 200), (status = 403), (status = 404), (status = 409)))]
pub async fn probe_channel(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    id: UrlPath<String>,
) -> Result<Response, ApiError> {
    Ok(probe::test_channel(administrator, State(Arc::clone(&dashboard.services)), id).await?.into_response())
}

/// How a channel is doing.
#[utoipa::path(get, path = "/api/app/admin/channels/{id}/health", tag = "administration", params(("id" = String, Path)),
    responses((status = 200), (status = 403), (status = 404)))]
pub async fn get_any_channel_health(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    id: UrlPath<String>,
) -> Result<Response, ApiError> {
    Ok(health::get_channel_health(administrator, State(Arc::clone(&dashboard.services)), id).await?.into_response())
}

/// A kind of provider that a channel can be at.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderKindView {
    id: &'static str,
    name: &'static str,
    default_base_url: Option<&'static str>,
    /// Models that come with the program.
    #[schema(value_type = Vec<Object>)]
    models: Vec<ModelSpec>,
}

/// The kinds of providers there are, with the models that come with the program.
#[utoipa::path(get, path = "/api/app/admin/providers", tag = "administration",
    responses((status = 200, body = Data<Vec<ProviderKindView>>), (status = 403)))]
pub async fn list_provider_kinds(_administrator: Administrator) -> Data<Vec<ProviderKindView>> {
    let kinds =
        [ProviderKind::OpenAi, ProviderKind::Anthropic, ProviderKind::OpenRouter, ProviderKind::OpenAiCompatible, ProviderKind::Demo];
    let views = kinds.into_iter().map(|kind| ProviderKindView {
        id: kind.as_str(),
        name: kind.display_name().unwrap_or("OpenAI-compatible"),
        default_base_url: kind.default_base_url(),
        models: models_of(kind),
    });
    Data { data: views.collect() }
}
