//! Models with what they cost and cost us, and every version of that.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schemas::{ChannelId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::control::channel::{Availability, PriceSpec};
use crate::control::store::PriceVersionRow;
use crate::dashboard::Dashboard;
use crate::http::admin::channels::known_channel;
use crate::http::caller::Administrator;
use crate::http::envelope::{Data, DataPage, JsonBody, UrlQuery, created};
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
}

impl From<PriceVersionRow> for PriceVersionView {
    fn from(row: PriceVersionRow) -> Self {
        Self {
            id: row.id,
            channel_id: row.channel_id.to_string(),
            channel_name: row.channel_name,
            model: row.model,
            price: PriceSpec::of(&row.price),
            cost: PriceSpec::of(&row.cost),
            effective_at: row.effective_at,
            created_at: row.effective_at,
            created_by: row.created_by,
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct VersionsQuery {
    model: Option<String>,
}

/// The versions of a model's prices on all channels, newest first; without a model, of all models.
#[utoipa::path(get, path = "/api/app/admin/price-versions", tag = "administration", params(("model" = Option<String>, Query)),
    responses((status = 200, body = DataPage<PriceVersionView>), (status = 403)))]
pub async fn list_price_versions(
    State(dashboard): State<Arc<Dashboard>>,
    _administrator: Administrator,
    UrlQuery(query): UrlQuery<VersionsQuery>,
) -> Result<DataPage<PriceVersionView>, ApiError> {
    let rows = dashboard.services.control.store().price_version_rows(query.model.as_deref()).await?;
    Ok(DataPage { data: rows.into_iter().map(PriceVersionView::from).collect(), next_cursor: None })
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
    /// Absent: now. A later moment is refused: prices are not changed ahead of time.
    #[schema(value_type = Option<String>, format = DateTime)]
    effective_at: Option<Timestamp>,
}

/// Gives a model on a channel another price from now on; every gateway follows within a second.
#[utoipa::path(post, path = "/api/app/admin/price-versions", tag = "administration", request_body = CreatePriceVersion,
    responses((status = 201, body = Data<PriceVersionView>), (status = 400), (status = 403), (status = 404), (status = 409)))]
pub async fn create_price_version(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    JsonBody(body): JsonBody<CreatePriceVersion>,
) -> Result<Response, ApiError> {
    if body.effective_at.is_some_and(|at| at > administrator.0.now.plus_micros(CLOCKS_DIFFER_MICROS)) {
        return Err(ApiError::bad_request("effective_at", "`effective_at` must be now or absent; prices cannot be changed ahead of time"));
    }
    let services = &dashboard.services;
    let id: ChannelId = known_channel(&administrator, services, &body.channel_id).await?.id;
    let (model, price, cost) = (body.model.clone(), body.price, body.cost);
    let change = move |channel: &crate::control::store::StoredChannel| {
        let mut spec = channel.spec.clone();
        let known = spec.models.iter_mut().find(|known| known.id == model);
        let known = known.ok_or_else(|| ApiError::not_found(format!("The channel offers no model `{model}`.")).with_param("model"))?;
        // An absent cost follows the price; what is to stay has to be said.
        known.cost = cost.or_else(|| known.cost.clone().or_else(|| known.price.clone()));
        known.price = Some(price);
        Ok::<_, ApiError>(spec)
    };
    services.control.change_channel(&administrator.act(), id, change).await?;
    services.announce().await;
    let rows = services.control.store().price_version_rows(Some(&body.model)).await?;
    let newest = rows.into_iter().find(|row| row.channel_id == id);
    let newest = newest.ok_or_else(|| ApiError::internal("a price that was just set has no version"))?;
    Ok(created(PriceVersionView::from(newest)))
}

/// Clocks of browsers and servers may differ by so much.
const CLOCKS_DIFFER_MICROS: i64 = 60 * 1_000_000;
