//! Ordering credits.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use schemas::{RequestId, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::accounts::known_account;
use super::transactions::TransactionView;
use crate::control::credits::{CreditKind, CreditOrder};
use crate::control::services::Services;
use crate::http::caller::PlatformAdministrator;
use crate::http::envelope::{Data, JsonBody, UrlPath, UsdAmount, created};
use crate::http::error::ApiError;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCredit {
    #[serde(default)]
    kind: CreditKind,
    #[schema(value_type = String)]
    amount: UsdAmount,
    /// Or the header `Idempotency-Key`. Without either one is made up, and repeating is not safe.
    idempotency_key: Option<String>,
    reason: Option<String>,
    reference: Option<String>,
    expires_at: Option<Timestamp>,
    generation_id: Option<String>,
}

/// 201 with the transaction; 200 when the same order was booked before.
#[utoipa::path(post, path = "/admin/accounts/{id}/credits", tag = "administration", params(("id" = String, Path)), request_body = CreateCredit, security(("key" = [])),
    responses((status = 201, body = Data<TransactionView>), (status = 200, body = Data<TransactionView>, description = "Booked before.")))]
pub async fn create_credit(
    PlatformAdministrator(administrator): PlatformAdministrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<CreateCredit>,
) -> Result<Response, ApiError> {
    let account = known_account(&administrator, &services, &id).await?;
    let order = CreditOrder {
        account_id: account.id,
        kind: body.kind,
        amount: body.amount.0,
        idempotency_key: idempotency_key(body.idempotency_key, &headers)?,
        reason: body.reason,
        reference: body.reference,
        expires_at: body.expires_at,
        request_id: body.generation_id.as_deref().map(generation_id).transpose()?,
        actor: administrator.act().actor,
    };
    let booked = services.credit(&administrator.act(), &order).await?;
    let data = TransactionView::from(booked.transaction);
    Ok(if booked.repeated { Data { data }.into_response() } else { created(data) })
}

pub fn generation_id(text: &str) -> Result<RequestId, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request("generation_id", format!("`generation_id`: {error}")))
}

fn idempotency_key(in_body: Option<String>, headers: &HeaderMap) -> Result<String, ApiError> {
    if let Some(key) = in_body {
        return Ok(key);
    }
    match headers.get("idempotency-key") {
        Some(value) => value
            .to_str()
            .map(str::to_owned)
            .map_err(|_| ApiError::bad_request("Idempotency-Key", "`Idempotency-Key` must be visible ASCII")),
        None => Ok(Uuid::now_v7().to_string()),
    }
}
