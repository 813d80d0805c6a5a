//! Redemption codes: made in batches, shown once.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::control::codes::{code_label, mint_code, normal_code};
use crate::control::credits::CREDIT_AMOUNT_MAX;
use crate::control::people::token_sha256;
use crate::control::store::CodeBatch;
use crate::dashboard::Dashboard;
use crate::dashboard::money::UsdText;
use crate::dashboard::paging::{page_limit, page_of};
use crate::http::caller::Administrator;
use crate::http::envelope::{Data, DataPage, JsonBody, UrlPath, UrlQuery, UsdAmount, created};
use crate::http::error::ApiError;

/// Codes of one batch.
const COUNT_MAX: u32 = 1_000;
const NOTE_CHARS_MAX: usize = 500;

/// Codes that were made together.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeBatchView {
    id: String,
    #[schema(value_type = String)]
    amount: UsdText,
    count: u32,
    redeemed: u32,
    note: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// `open`, `redeemed`, `expired`, `voided`
    status: &'static str,
    /// The codes themselves, only in the answer that made them.
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<Vec<String>>,
}

impl CodeBatchView {
    fn of(batch: CodeBatch, codes: Option<Vec<String>>, now: Timestamp) -> Self {
        let status = match () {
            () if batch.voided_at.is_some() => "voided",
            () if batch.redeemed == batch.count => "redeemed",
            () if batch.expires_at.is_some_and(|at| at <= now) => "expired",
            () => "open",
        };
        Self {
            id: batch.id.to_string(),
            amount: UsdText(batch.amount),
            count: batch.count,
            redeemed: batch.redeemed,
            note: batch.note,
            expires_at: batch.expires_at,
            created_at: batch.created_at,
            status,
            codes,
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct ListQuery {
    cursor: Option<Uuid>,
    limit: Option<u32>,
}

/// The batches, newest first.
#[utoipa::path(get, path = "/api/app/admin/codes", tag = "administration",
    params(("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = DataPage<CodeBatchView>), (status = 403)))]
pub async fn list_code_batches(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    UrlQuery(query): UrlQuery<ListQuery>,
) -> Result<DataPage<CodeBatchView>, ApiError> {
    let limit = page_limit(query.limit)?;
    let batches = dashboard.services.control.store().code_batches(query.cursor, limit + 1).await?;
    let (batches, next_cursor) = page_of(batches, limit, |batch| batch.id.to_string());
    let data = batches.into_iter().map(|batch| CodeBatchView::of(batch, None, administrator.0.now)).collect();
    Ok(DataPage { data, next_cursor })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCodes {
    #[schema(value_type = String)]
    amount: UsdAmount,
    count: u32,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    note: String,
}

/// Makes a batch of codes. The answer is the only place that shows them.
#[utoipa::path(post, path = "/api/app/admin/codes", tag = "administration", request_body = CreateCodes,
    responses((status = 201, body = Data<CodeBatchView>), (status = 400), (status = 403)))]
pub async fn create_codes(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    JsonBody(body): JsonBody<CreateCodes>,
) -> Result<Response, ApiError> {
    let (amount, now, act) = (body.amount.0, administrator.0.now, administrator.act());
    if amount.is_zero() || amount.is_negative() || amount > CREDIT_AMOUNT_MAX {
        return Err(ApiError::bad_request("amount", format!("`amount` must be more than 0 and at most {CREDIT_AMOUNT_MAX}")));
    }
    if !(1..=COUNT_MAX).contains(&body.count) {
        return Err(ApiError::bad_request("count", format!("`count` must be from 1 to {COUNT_MAX}")));
    }
    if body.expires_at.is_some_and(|at| at <= now) {
        return Err(ApiError::bad_request("expires_at", "`expires_at` must be in the future"));
    }
    if body.note.chars().count() > NOTE_CHARS_MAX || body.note.chars().any(char::is_control) {
        return Err(ApiError::bad_request("note", format!("`note` must have at most {NOTE_CHARS_MAX} characters")));
    }
    let codes = (0..body.count).map(|_| mint_code()).collect::<Result<Vec<_>, _>>().map_err(ApiError::internal)?;
    let normal: Vec<String> = codes.iter().filter_map(|code| normal_code(code)).collect();
    let kept: Vec<(String, String)> = normal.iter().map(|code| (token_sha256(code), code_label(code))).collect();
    let batch = CodeBatch {
        id: Uuid::now_v7(),
        amount,
        count: body.count,
        redeemed: 0,
        note: body.note,
        expires_at: body.expires_at,
        created_by: act.actor.clone(),
        created_at: now,
        voided_at: None,
    };
    dashboard.services.control.store().insert_codes(&act, &batch, &kept).await?;
    Ok(created(CodeBatchView::of(batch, Some(codes), now)))
}

/// A code as it is kept: its last characters, and who has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeView {
    code: String,
    account_id: Option<String>,
    user_id: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    redeemed_at: Option<Timestamp>,
}

/// The codes of a batch, masked.
#[utoipa::path(get, path = "/api/app/admin/codes/{batch}", tag = "administration", params(("batch" = String, Path)),
    responses((status = 200, body = DataPage<CodeView>), (status = 403), (status = 404)))]
pub async fn list_codes(
    State(dashboard): State<Arc<Dashboard>>,
    _administrator: Administrator,
    UrlPath(batch): UrlPath<String>,
) -> Result<DataPage<CodeView>, ApiError> {
    let codes = dashboard.services.control.store().codes(batch_id(&batch)?).await?;
    if codes.is_empty() {
        return Err(no_batch());
    }
    let views = codes.into_iter().map(|code| CodeView {
        code: format!("TG-…{}", code.label),
        account_id: code.account_id.map(|account| account.to_string()),
        user_id: code.user_id.map(|user| user.to_string()),
        redeemed_at: code.redeemed_at,
    });
    Ok(DataPage { data: views.collect(), next_cursor: None })
}

/// Ends the codes of a batch that nobody has redeemed.
#[utoipa::path(delete, path = "/api/app/admin/codes/{batch}", tag = "administration", params(("batch" = String, Path)),
    responses((status = 204), (status = 403), (status = 404)))]
pub async fn void_codes(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    UrlPath(batch): UrlPath<String>,
) -> Result<StatusCode, ApiError> {
    dashboard.services.control.store().void_codes(&administrator.act(), batch_id(&batch)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn batch_id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| no_batch())
}

fn no_batch() -> ApiError {
    ApiError::not_found("There is no such batch of codes.")
}
