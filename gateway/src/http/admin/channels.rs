//! Channels: what the configuration file says of them, as JSON. A key goes in and never comes out.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use schemas::{ChannelId, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use super::health::{ChannelHealth, channel_health};
use crate::control::ChangedChannel;
use crate::control::catalog::Catalog;
use crate::control::channel::ChannelSpec;
use crate::control::secrets::Secret;
use crate::control::services::Services;
use crate::control::store::{ManagedBy, StoreError, StoredChannel};
use crate::http::caller::{Administrator, PlatformAdministrator};
use crate::http::envelope::{Data, DataPage, JsonBody, UrlPath, created, field_error};
use crate::http::error::ApiError;
use crate::providers::addresses::check_host;

/// A channel as the API shows it.
#[derive(Debug, Serialize)]
struct ChannelView {
    id: String,
    #[serde(flatten)]
    spec: ChannelSpec,
    has_api_key: bool,
    managed_by: ManagedBy,
    health: ChannelHealth,
    created_at: Timestamp,
    updated_at: Option<Timestamp>,
}

impl ChannelView {
    fn of(channel: StoredChannel, catalog: &Catalog, now: Timestamp) -> Self {
        Self {
            id: channel.id.to_string(),
            health: channel_health(&channel, catalog, now),
            has_api_key: channel.sealed_api_key.is_some() || channel.sealed_api_keys.is_some(),
            managed_by: channel.managed_by,
            created_at: channel.created_at,
            updated_at: channel.updated_at,
            spec: channel.spec,
        }
    }
}

/// Every channel, in the order of trial.
#[utoipa::path(get, path = "/admin/channels", tag = "administration", security(("key" = [])), responses((status = 200, body = ref("#/components/schemas/ChannelPage"))))]
pub async fn list_channels(
    PlatformAdministrator(administrator): PlatformAdministrator,
    State(services): State<Arc<Services>>,
) -> Result<DataPage<impl Serialize>, ApiError> {
    let (catalog, now) = (services.control.catalog_full(), administrator.0.now);
    let channels = services.control.store().channels().await?;
    Ok(DataPage { data: channels.into_iter().map(|channel| ChannelView::of(channel, &catalog, now)).collect(), next_cursor: None })
}

/// One channel.
#[utoipa::path(get, path = "/admin/channels/{id}", tag = "administration", params(("id" = String, Path)), security(("key" = [])), responses((status = 200, body = ref("#/components/schemas/ChannelAnswer"))))]
pub async fn get_channel(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
) -> Result<Data<impl Serialize>, ApiError> {
    let channel = known_channel(&administrator, &services, &id).await?;
    let (catalog, now) = (services.control.catalog_full(), administrator.0.now);
    Ok(Data { data: ChannelView::of(channel, &catalog, now) })
}

/// Adds a channel; its key goes in and never comes out.
#[utoipa::path(post, path = "/admin/channels", tag = "administration", request_body(content = ref("#/components/schemas/ChannelInput"), content_type = "application/json"), security(("key" = [])), responses((status = 201, body = ref("#/components/schemas/ChannelAnswer"))))]
pub async fn create_channel(
    PlatformAdministrator(administrator): PlatformAdministrator,
    State(services): State<Arc<Services>>,
    JsonBody(spec): JsonBody<ChannelSpec>,
) -> Result<Response, ApiError> {
    let spec = with_resolved_key(spec.with_shipped_models())?;
    check_address(&spec, services.routing().allow_private)?;
    let channel = services.control.create_channel(&administrator.act(), spec).await?;
    services.announce().await;
    let (catalog, now) = (services.control.catalog_full(), administrator.0.now);
    Ok(created(ChannelView::of(channel, &catalog, now)))
}

/// Replaces the fields that are given, `models` as a whole; `null` sets a field back to its default.
#[utoipa::path(patch, path = "/admin/channels/{id}", tag = "administration", params(("id" = String, Path)), request_body(content = ref("#/components/schemas/ChannelInput"), content_type = "application/json"), security(("key" = [])), responses((status = 200, body = ref("#/components/schemas/ChannelAnswer"))))]
pub async fn update_channel(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
    JsonBody(changes): JsonBody<Map<String, Value>>,
) -> Result<Data<impl Serialize>, ApiError> {
    let id = known_channel(&administrator, &services, &id).await?.id;
    let act = administrator.act();
    let allow_private = services.routing().allow_private;
    let change = |channel: &StoredChannel| {
        let spec = changed_spec(&channel.spec, changes.clone())?;
        check_address(&spec, allow_private)?;
        Ok::<_, ApiError>(ChangedChannel { spec, loses_api_key: changes.get("api_key").is_some_and(Value::is_null) })
    };
    let channel = services.control.change_channel(&act, id, change).await?;
    services.announce().await;
    let (catalog, now) = (services.control.catalog_full(), administrator.0.now);
    Ok(Data { data: ChannelView::of(channel, &catalog, now) })
}

/// 204: the channel takes no more requests; running ones end as they would have. Its prices stay on record.
#[utoipa::path(delete, path = "/admin/channels/{id}", tag = "administration", params(("id" = String, Path)), security(("key" = [])), responses((status = 204)))]
pub async fn delete_channel(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
) -> Result<StatusCode, ApiError> {
    let channel = known_channel(&administrator, &services, &id).await?;
    services.control.delete_channel(&administrator.act(), channel.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The channel of a path, for administrators of the platform.
pub async fn known_channel(administrator: &Administrator, services: &Services, id: &str) -> Result<StoredChannel, ApiError> {
    administrator.platform()?;
    let missing = || ApiError::from(StoreError::Missing { what: "channel", name: id.to_owned() });
    let parsed: ChannelId = id.parse().map_err(|_| missing())?;
    services.control.store().channel(parsed).await?.ok_or_else(missing)
}

/// Lays the changed members over the written form of a channel and reads that as a channel.
fn changed_spec(before: &ChannelSpec, changes: Map<String, Value>) -> Result<ChannelSpec, ApiError> {
    let Value::Object(mut members) = serde_json::to_value(before).map_err(ApiError::internal)? else {
        return Err(ApiError::internal("a channel is not an object"));
    };
    for (name, value) in changes {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    let spec = serde_path_to_error::deserialize(Value::Object(members));
    with_resolved_key(spec.map_err(|error| field_error(&error.path().to_string(), error.inner()))?)
}

/// A base URL must not lead into the operator's own network. What its name resolves to is checked at every connection.
fn check_address(spec: &ChannelSpec, allow_private: bool) -> Result<(), ApiError> {
    let uri: Option<http::Uri> = spec.base_url.as_deref().and_then(|url| url.parse().ok());
    match uri.as_ref().and_then(http::Uri::host).filter(|_| !allow_private) {
        Some(host) => check_host(host).map_err(|error| ApiError::bad_request("base_url", format!("`base_url`: {error}"))),
        None => Ok(()),
    }
}

/// Over the network a key is given itself, or named by the variable that holds a provider's key.
///
/// Other references are refused: whoever may add a channel could otherwise have any file or variable of
/// this machine sent to an address of their choice.
fn with_resolved_key(spec: ChannelSpec) -> Result<ChannelSpec, ApiError> {
    let api_key = spec.api_key.as_ref().map(|reference| resolved_key("api_key", reference)).transpose()?;
    let more = spec.api_keys.as_ref().map(|keys| keys.iter().map(|reference| resolved_key("api_keys", reference)).collect());
    Ok(ChannelSpec { api_key, api_keys: more.transpose()?, ..spec })
}

fn resolved_key(field: &'static str, reference: &Secret) -> Result<Secret, ApiError> {
    let refused = |message: &str| Err(ApiError::bad_request(field, format!("`{field}`: {message}")));
    if reference.expose().starts_with("file:") {
        return refused("files are read for channels of the configuration file only; send the key itself");
    }
    if let Some(name) = reference.expose().strip_prefix("env:")
        && (!name.ends_with("_API_KEY") || name.starts_with("TOLLGATE_"))
    {
        return refused("only variables named …_API_KEY can be named here; send the key itself");
    }
    Secret::resolve(reference).map_err(|error| ApiError::bad_request(field, format!("`{field}`: {error}")))
}
