//! Models with what they cost and cost us, and every version of that.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::control::ChangedChannel;
use crate::control::channel::{Availability, PriceSpec};
use crate::control::store::{PriceVersionRow, ScheduledPrice, StoredChannel, Withdrawn};
use crate::dashboard::Dashboard;
use crate::http::admin::channels::known_channel;
use crate::http::caller::Administrator;
use crate::http::envelope::{Data, DataPage, JsonBody, UrlPath, UrlQuery, created};
use crate::http::error::ApiError;

/// A public model and every channel that offers it, disabled ones included.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferedModel {
    id: String,
    name: String,
    channels: Vec<ModelChannel>,
    /// Versions its price had, on all channels.
    price_versions: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelChannel {
    channel_id: String,
    channel_name: String,
    #[schema(value_type = Object)]
    price: Option<PriceSpec>,
    #[schema(value_type = Object)]
    cost: Option<PriceSpec>,
    #[schema(value_type = String)]
    status: Availability,
}

/// Every model that a channel offers, by its id.
#[utoipa::path(get, path = "/api/app/admin/models", tag = "administration",
    responses((status = 200, body = DataPage<OfferedModel>), (status = 403)))]
pub async fn list_offered_models(
    State(dashboard): State<Arc<Dashboard>>,
    _administrator: Administrator,
) -> Result<DataPage<OfferedModel>, ApiError> {
    let store = dashboard.services.control.store();
    let counts: BTreeMap<String, u64> = store.price_version_counts().await?.into_iter().collect();
    let mut models: BTreeMap<String, OfferedModel> = BTreeMap::new();
    for channel in store.channels().await? {
        for spec in channel.spec.models {
            let model = models.entry(spec.id.clone()).or_insert_with(|| OfferedModel {
                name: spec.name.clone().unwrap_or_else(|| spec.id.clone()),
                price_versions: counts.get(&spec.id).copied().unwrap_or_default(),
                channels: Vec::new(),
                id: spec.id,
            });
            let status = if channel.spec.status.is_enabled() { spec.status } else { channel.spec.status };
            model.channels.push(ModelChannel {
                channel_id: channel.id.to_string(),
                channel_name: channel.spec.name.clone(),
                cost: spec.cost.clone().or_else(|| spec.price.clone()),
                price: spec.price,
                status,
            });
        }
    }
    Ok(DataPage { data: models.into_values().collect(), next_cursor: None })
}

/// A price as it was from some moment on; versions are never changed, and old charges keep theirs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceVersionView {
    id: String,
    channel_id: String,
    channel_name: String,
    model: String,
    #[schema(value_type = Object)]
    price: PriceSpec,
    #[schema(value_type = Object)]
    cost: PriceSpec,
    #[schema(value_type = String, format = DateTime)]
    effective_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
    /// `published`: it is in force, or was; `scheduled`: its moment comes; `withdrawn`: it never came into force.
    status: &'static str,
}

impl PriceVersionView {
    fn of(row: PriceVersionRow, now: Timestamp) -> Self {
        let status = match row.withdrawn_at {
            Some(_) => "withdrawn",
            None if row.effective_at > now => "scheduled",
            None => "published",
        };
        Self {
            status,
            id: row.id,
            channel_id: row.channel_id.to_string(),
            channel_name: row.channel_name,
            model: row.model,
            price: PriceSpec::of(&row.price),
            cost: PriceSpec::of(&row.cost),
            effective_at: row.effective_at,
            created_at: row.created_at,
            created_by: row.created_by,
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct VersionsQuery {
    model: Option<String>,
}

/// The versions of a model's prices on all channels, newest first, those to come before them; without a model, of all models.
#[utoipa::path(get, path = "/api/app/admin/price-versions", tag = "administration", params(("model" = Option<String>, Query)),
    responses((status = 200, body = DataPage<PriceVersionView>), (status = 403)))]
pub async fn list_price_versions(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    UrlQuery(query): UrlQuery<VersionsQuery>,
) -> Result<DataPage<PriceVersionView>, ApiError> {
    let rows = dashboard.services.control.store().price_version_rows(query.model.as_deref()).await?;
    Ok(DataPage { data: rows.into_iter().map(|row| PriceVersionView::of(row, administrator.0.now)).collect(), next_cursor: None })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePriceVersion {
    channel_id: String,
    model: String,
    #[schema(value_type = Object)]
    price: PriceSpec,
    /// What the provider charges us; absent, it stays what it is.
    #[schema(value_type = Option<Object>)]
    cost: Option<PriceSpec>,
    /// From when on; absent: now. A later moment schedules the price.
    #[schema(value_type = Option<String>, format = DateTime)]
    effective_at: Option<Timestamp>,
}

/// Gives a model on a channel another price: from now on, on every gateway within a second; or from a later moment on, on every
/// gateway at that moment. Charges keep the version they were made with. Without `cost` the cost stays what it is now.
#[utoipa::path(post, path = "/api/app/admin/price-versions", tag = "administration", request_body = CreatePriceVersion,
    responses((status = 201, body = Data<PriceVersionView>), (status = 400), (status = 403), (status = 404), (status = 409)))]
pub async fn create_price_version(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    JsonBody(body): JsonBody<CreatePriceVersion>,
) -> Result<Response, ApiError> {
    let (services, now) = (&dashboard.services, administrator.0.now);
    if body.effective_at.is_some_and(|at| at < now.plus_micros(-CLOCKS_DIFFER_MICROS)) {
        return Err(ApiError::bad_request("effective_at", "`effective_at` lies in the past; charges keep the price they were made with"));
    }
    if body.effective_at.is_some_and(|at| at > now.plus_micros(AHEAD_MAX_MICROS)) {
        return Err(ApiError::bad_request("effective_at", "`effective_at` is more than five years ahead"));
    }
    let channel = known_channel(&administrator, services, &body.channel_id).await?;
    let (id, model) = (channel.id, body.model.clone());
    let version = match body.effective_at.filter(|at| *at > now) {
        Some(at) => schedule(&dashboard, &administrator, &channel, (body, at)).await?,
        None => {
            let change = move |channel: &StoredChannel| {
                let mut spec = channel.spec.clone();
                let known = spec.models.iter_mut().find(|known| known.id == body.model);
                let known = known.ok_or_else(|| no_model(&body.model))?;
                // An absent cost follows the price; what is to stay has to be said.
                known.cost = body.cost.clone().or_else(|| known.cost.clone().or_else(|| known.price.clone()));
                known.price = Some(body.price.clone());
                Ok::<_, ApiError>(ChangedChannel { spec, loses_api_key: false })
            };
            let changed = services.control.change_channel(&administrator.act(), id, change).await?;
            services.announce().await;
            let place = changed.spec.models.iter().position(|known| known.id == model).ok_or_else(|| no_model(&model))?;
            changed.models[place].price.id.to_string()
        }
    };
    let rows = services.control.store().price_version_rows(Some(&model)).await?;
    let made = rows.into_iter().find(|row| row.id == version);
    let made = made.ok_or_else(|| ApiError::internal("a price that was just set has no version"))?;
    Ok(created(PriceVersionView::of(made, now)))
}

async fn schedule(
    dashboard: &Dashboard,
    administrator: &Administrator,
    channel: &StoredChannel,
    (body, effective_at): (CreatePriceVersion, Timestamp),
) -> Result<String, ApiError> {
    let place = channel.spec.models.iter().position(|known| known.id == body.model).ok_or_else(|| no_model(&body.model))?;
    let table =
        |field: &'static str, spec: &PriceSpec| spec.table().map_err(|error| ApiError::bad_request(field, format!("`{field}`: {error}")));
    let cost = body.cost.as_ref().map(|cost| table("cost", cost)).transpose()?;
    let scheduled = ScheduledPrice {
        channel_id: channel.id,
        channel_name: channel.spec.name.clone(),
        price: table("price", &body.price)?,
        cost: cost.unwrap_or_else(|| channel.models[place].cost.as_ref().clone()),
        model: body.model,
        effective_at,
    };
    Ok(dashboard.services.control.schedule_price(&administrator.act(), &scheduled).await?)
}

/// Withdraws a scheduled price before it comes into force.
#[utoipa::path(delete, path = "/api/app/admin/price-versions/{version}", tag = "administration", params(("version" = String, Path)),
    responses((status = 204, description = "It will not come into force."), (status = 403),
        (status = 404, description = "Nothing is scheduled under that id."), (status = 409, description = "It is in force, or was.")))]
pub async fn withdraw_price_version(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    UrlPath(version): UrlPath<String>,
) -> Result<StatusCode, ApiError> {
    match dashboard.services.control.withdraw_price(&administrator.act(), &version).await? {
        Withdrawn::Now => Ok(StatusCode::NO_CONTENT),
        Withdrawn::InForce => Err(ApiError::conflict("The price is in force, or was; charges name it. Set another one.")),
        Withdrawn::Unknown => Err(ApiError::not_found("No price is scheduled under that id.")),
    }
}

fn no_model(model: &str) -> ApiError {
    ApiError::not_found(format!("The channel offers no model `{model}`.")).with_param("model")
}

/// Clocks of browsers and servers may differ by so much.
const CLOCKS_DIFFER_MICROS: i64 = 60 * 1_000_000;
/// Prices are scheduled at most so far ahead: later ones are mistakes.
const AHEAD_MAX_MICROS: i64 = 5 * 366 * 86_400 * 1_000_000;
