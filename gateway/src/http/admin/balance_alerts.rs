//! Alerts of low balances, for management keys; the web app has the same for people.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use schemas::{AccountId, Timestamp, UsdNumber};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::accounts::known_account;
use crate::control::balance_alert::{BalanceAlert, BalanceAlertChange};
use crate::control::secrets::Secret;
use crate::control::services::Services;
use crate::control::store::{DeliveryCursor, DeliveryStatus, WebhookDelivery};
use crate::dashboard::paging::{page_limit, page_of};
use crate::http::caller::Administrator;
use crate::http::envelope::{Data, DataPage, JsonBody, UrlPath, UrlQuery, UsdAmount};
use crate::http::error::ApiError;

/// Who is told when an account's balance runs low.
#[derive(Debug, Serialize, ToSchema)]
pub struct BalanceAlertView {
    /// US dollars.
    threshold: UsdNumber,
    url: String,
    /// It was told, and the balance is not well above the threshold again: a tenth of it.
    is_low: bool,
    created_at: Timestamp,
    updated_at: Option<Timestamp>,
    /// What messages are signed with; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl BalanceAlertView {
    fn of(alert: BalanceAlert, secret: Option<&Secret>) -> Self {
        Self {
            threshold: UsdNumber(alert.threshold),
            url: alert.url,
            is_low: alert.is_low,
            created_at: alert.created_at,
            updated_at: alert.updated_at,
            secret: secret.map(|secret| secret.expose().to_owned()),
        }
    }
}

/// A message, and what became of it so far.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// The `webhook-id` of every attempt.
    id: String,
    event_type: String,
    status: DeliveryStatus,
    attempts: u32,
    /// While it is pending.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_attempt_at: Option<Timestamp>,
    /// Of the receiver's last answer, where there was one.
    last_status: Option<u16>,
    last_error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    delivered_at: Option<Timestamp>,
}

impl From<WebhookDelivery> for DeliveryView {
    fn from(delivery: WebhookDelivery) -> Self {
        Self {
            id: delivery.id,
            event_type: delivery.event_type,
            next_attempt_at: (delivery.status == DeliveryStatus::Pending).then_some(delivery.next_attempt_at),
            status: delivery.status,
            attempts: delivery.attempts,
            last_attempt_at: delivery.last_attempt_at,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            created_at: delivery.created_at,
            delivered_at: delivery.delivered_at,
        }
    }
}

/// Absent fields stay as they are; both are needed to make an alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateBalanceAlert {
    /// US dollars, as a number or as decimal text.
    #[schema(value_type = Option<String>)]
    threshold: Option<UsdAmount>,
    /// Where messages are sent; https, at a public address.
    url: Option<String>,
}

impl UpdateBalanceAlert {
    /// With its address checked.
    pub fn checked(self, services: &Services) -> Result<BalanceAlertChange, ApiError> {
        if let Some(url) = &self.url
            && let Err(error) = services.webhooks().check_url(url)
        {
            return Err(ApiError::bad_request("url", format!("`url` {error}")));
        }
        Ok(BalanceAlertChange { threshold: self.threshold.map(|amount| amount.0), url: self.url, new_secret: false })
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    #[param(value_type = Option<String>)]
    cursor: Option<DeliveryCursor>,
    limit: Option<u32>,
}

/// The alert of an account.
#[utoipa::path(get, path = "/admin/accounts/{id}/balance-alert", tag = "administration", params(("id" = String, Path)),
    security(("key" = [])), responses((status = 200, body = Data<BalanceAlertView>), (status = 404, description = "There is none.")))]
pub async fn get_balance_alert(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
) -> Result<Data<BalanceAlertView>, ApiError> {
    let account = known_account(&administrator, &services, &id).await?;
    Ok(Data { data: BalanceAlertView::of(known_alert(&services, account.id).await?, None) })
}

/// Sets who is told when an account's balance falls below a threshold. The secret of the signatures is in the first answer, and
/// never again.
#[utoipa::path(patch, path = "/admin/accounts/{id}/balance-alert", tag = "administration", params(("id" = String, Path)),
    request_body = UpdateBalanceAlert, security(("key" = [])),
    responses((status = 200, body = Data<BalanceAlertView>), (status = 400, description = "An amount or an address that cannot be.")))]
pub async fn set_balance_alert(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<UpdateBalanceAlert>,
) -> Result<Data<BalanceAlertView>, ApiError> {
    let account = known_account(&administrator, &services, &id).await?;
    let change = body.checked(&services)?;
    let (alert, secret) = services.control.change_balance_alert(&administrator.act(), account.id, change).await?;
    Ok(Data { data: BalanceAlertView::of(alert, secret.as_ref()) })
}

/// Makes a new secret for the signatures, at once and for good; it is in this answer only.
#[utoipa::path(post, path = "/admin/accounts/{id}/balance-alert/secret", tag = "administration", params(("id" = String, Path)),
    security(("key" = [])), responses((status = 200, body = Data<BalanceAlertView>), (status = 404, description = "There is no alert.")))]
pub async fn rotate_balance_alert_secret(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
) -> Result<Data<BalanceAlertView>, ApiError> {
    let account = known_account(&administrator, &services, &id).await?;
    known_alert(&services, account.id).await?;
    let change = BalanceAlertChange { new_secret: true, ..BalanceAlertChange::default() };
    let (alert, secret) = services.control.change_balance_alert(&administrator.act(), account.id, change).await?;
    Ok(Data { data: BalanceAlertView::of(alert, secret.as_ref()) })
}

/// Removes an account's alert; what is not delivered yet is given up.
#[utoipa::path(delete, path = "/admin/accounts/{id}/balance-alert", tag = "administration", params(("id" = String, Path)),
    security(("key" = [])), responses((status = 204, description = "It is gone."), (status = 404, description = "There is none.")))]
pub async fn delete_balance_alert(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
) -> Result<StatusCode, ApiError> {
    let account = known_account(&administrator, &services, &id).await?;
    services.control.store().delete_balance_alert(&administrator.act(), account.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was sent of an account's alerts in the last 30 days, newest first.
#[utoipa::path(get, path = "/admin/accounts/{id}/balance-alert/deliveries", tag = "administration",
    params(("id" = String, Path), DeliveriesQuery), security(("key" = [])), responses((status = 200, body = DataPage<DeliveryView>)))]
pub async fn list_balance_alert_deliveries(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
    UrlQuery(query): UrlQuery<DeliveriesQuery>,
) -> Result<DataPage<DeliveryView>, ApiError> {
    let account = known_account(&administrator, &services, &id).await?;
    deliveries(&services, account.id, &query).await
}

/// An account's alert; 404 where it has none.
pub async fn known_alert(services: &Services, account: AccountId) -> Result<BalanceAlert, ApiError> {
    let known = services.control.store().balance_alert(account).await?;
    known.ok_or_else(|| ApiError::not_found("The account has no balance alert."))
}

/// A page of messages.
pub async fn deliveries(services: &Services, account: AccountId, query: &DeliveriesQuery) -> Result<DataPage<DeliveryView>, ApiError> {
    let limit = page_limit(query.limit)?;
    let found = services.control.store().webhook_deliveries(account, query.cursor.as_ref(), limit + 1).await?;
    let (found, next_cursor) = page_of(found, limit, |delivery| DeliveryCursor::after(delivery).to_string());
    Ok(DataPage { data: found.into_iter().map(DeliveryView::from).collect(), next_cursor })
}
