//! Who is told when an account's balance runs low, and what was told.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use schemas::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::money::UsdText;
use super::{Dashboard, Member};
use crate::control::balance_alert::{BalanceAlert, BalanceAlertChange};
use crate::control::secrets::Secret;
use crate::http::admin::balance_alerts::{DeliveriesQuery, DeliveryView, UpdateBalanceAlert, deliveries, known_alert};
use crate::http::envelope::{Data, DataPage, JsonBody, UrlQuery};
use crate::http::error::ApiError;
use crate::signin::SignedIn;

/// Who is told when the balance runs low.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppBalanceAlertView)]
pub struct BalanceAlertView {
    /// US dollars.
    #[schema(value_type = String)]
    threshold: UsdText,
    url: String,
    /// It was told, and the balance is not well above the threshold again: a tenth of it.
    is_low: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    /// What messages are signed with; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl BalanceAlertView {
    fn of(alert: BalanceAlert, secret: Option<&Secret>) -> Self {
        Self {
            threshold: UsdText(alert.threshold),
            url: alert.url,
            is_low: alert.is_low,
            created_at: alert.created_at,
            updated_at: alert.updated_at,
            secret: secret.map(|secret| secret.expose().to_owned()),
        }
    }
}

/// The account's alert; `null` where nobody is told.
#[utoipa::path(get, path = "/api/app/accounts/{account}/balance-alert", tag = "money", params(("account" = String, Path)),
    responses((status = 200, body = Data<Option<BalanceAlertView>>), (status = 403), (status = 404)))]
pub async fn get_app_balance_alert(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
) -> Result<Data<Option<BalanceAlertView>>, ApiError> {
    let alert = dashboard.services.control.store().balance_alert(member.account_id).await?;
    Ok(Data { data: alert.map(|alert| BalanceAlertView::of(alert, None)) })
}

/// Sets who is told when the balance falls below a threshold. The secret of the signatures is in the first answer, and never
/// again.
#[utoipa::path(patch, path = "/api/app/accounts/{account}/balance-alert", tag = "money", params(("account" = String, Path)),
    request_body = UpdateBalanceAlert, responses((status = 200, body = Data<BalanceAlertView>),
        (status = 400, description = "An amount or an address that cannot be."), (status = 403)))]
pub async fn set_app_balance_alert(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<UpdateBalanceAlert>,
) -> Result<Data<BalanceAlertView>, ApiError> {
    let change = body.checked(&dashboard.services)?;
    change_alert(&dashboard, member, &signed_in, change).await
}

/// Makes a new secret for the signatures, at once and for good; it is in this answer only.
#[utoipa::path(post, path = "/api/app/accounts/{account}/balance-alert/secret", tag = "money", params(("account" = String, Path)),
    responses((status = 200, body = Data<BalanceAlertView>), (status = 403), (status = 404, description = "There is no alert.")))]
pub async fn rotate_app_balance_alert_secret(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
) -> Result<Data<BalanceAlertView>, ApiError> {
    known_alert(&dashboard.services, member.account_id).await?;
    let change = BalanceAlertChange { new_secret: true, ..BalanceAlertChange::default() };
    change_alert(&dashboard, member, &signed_in, change).await
}

async fn change_alert(
    dashboard: &Dashboard,
    member: Member,
    signed_in: &SignedIn,
    change: BalanceAlertChange,
) -> Result<Data<BalanceAlertView>, ApiError> {
    let (alert, secret) = dashboard.services.control.change_balance_alert(&signed_in.act(), member.account_id, change).await?;
    Ok(Data { data: BalanceAlertView::of(alert, secret.as_ref()) })
}

/// Removes the alert; what is not delivered yet is given up.
#[utoipa::path(delete, path = "/api/app/accounts/{account}/balance-alert", tag = "money", params(("account" = String, Path)),
    responses((status = 204, description = "It is gone."), (status = 403), (status = 404, description = "There is none.")))]
pub async fn delete_app_balance_alert(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
) -> Result<StatusCode, ApiError> {
    dashboard.services.control.store().delete_balance_alert(&signed_in.act(), member.account_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was sent in the last 30 days, newest first.
#[utoipa::path(get, path = "/api/app/accounts/{account}/balance-alert/deliveries", tag = "money",
    params(("account" = String, Path), DeliveriesQuery), responses((status = 200, body = DataPage<DeliveryView>), (status = 403)))]
pub async fn list_app_balance_alert_deliveries(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    UrlQuery(query): UrlQuery<DeliveriesQuery>,
) -> Result<DataPage<DeliveryView>, ApiError> {
    deliveries(&dashboard.services, member.account_id, &query).await
}
