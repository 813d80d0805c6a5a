//! All accounts, and credits for them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use schemas::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::control::account::{AccountChange, AccountStatus};
use crate::control::administration::ControlError;
use crate::control::credits::{CreditKind, CreditOrder};
use crate::control::store::StoreError;
use crate::dashboard::Dashboard;
use crate::dashboard::accounts::AccountView;
use crate::dashboard::money::UsdText;
use crate::dashboard::paging::{page_limit, page_of};
use crate::http::caller::Administrator;
use crate::http::envelope::{Data, DataPage, JsonBody, UrlPath, UrlQuery, UsdAmount, created, given};
use crate::http::error::ApiError;

#[derive(Debug, Deserialize)]
pub struct ListQuery {
    q: Option<String>,
    cursor: Option<AccountId>,
    limit: Option<u32>,
}

/// Every account, newest first; `q` looks into names and ids.
#[utoipa::path(get, path = "/api/app/admin/accounts", tag = "administration",
    params(("q" = Option<String>, Query), ("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = DataPage<AccountView>), (status = 403)))]
pub async fn list_all_accounts(
    State(dashboard): State<Arc<Dashboard>>,
    _administrator: Administrator,
    UrlQuery(query): UrlQuery<ListQuery>,
) -> Result<DataPage<AccountView>, ApiError> {
    let limit = page_limit(query.limit)?;
    let store = dashboard.services.control.store();
    let accounts = match query.q.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => store.accounts_holding(text, query.cursor, limit + 1).await?,
        None => store.accounts_page(query.cursor, limit + 1).await?,
    };
    let (accounts, next_cursor) = page_of(accounts, limit, |account| account.id.to_string());
    let mut data = Vec::with_capacity(accounts.len());
    for account in accounts {
        data.push(AccountView::of(&dashboard.services, account).await?);
    }
    Ok(DataPage { data, next_cursor })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppCreateAccount)]
pub struct CreateAccount {
    name: String,
}

/// Opens an account.
#[utoipa::path(post, path = "/api/app/admin/accounts", tag = "administration", request_body = CreateAccount,
    responses((status = 201, body = Data<AccountView>), (status = 400), (status = 403)))]
pub async fn create_customer_account(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    JsonBody(body): JsonBody<CreateAccount>,
) -> Result<Response, ApiError> {
    let account = dashboard.services.control.create_account(&administrator.act(), &body.name).await?;
    dashboard.services.announce().await;
    Ok(created(AccountView::of(&dashboard.services, account).await?))
}

/// An account by its id.
#[utoipa::path(get, path = "/api/app/admin/accounts/{id}", tag = "administration", params(("id" = String, Path)),
    responses((status = 200, body = Data<AccountView>), (status = 403), (status = 404)))]
pub async fn get_any_account(
    State(dashboard): State<Arc<Dashboard>>,
    _administrator: Administrator,
    UrlPath(id): UrlPath<String>,
) -> Result<Data<AccountView>, ApiError> {
    let known = dashboard.services.control.store().account(account_id(&id)?).await?.ok_or_else(no_account)?;
    Ok(Data { data: AccountView::of(&dashboard.services, known).await? })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAnyAccount {
    name: Option<String>,
    #[schema(value_type = Option<String>)]
    status: Option<AccountStatus>,
    #[serde(default, deserialize_with = "given")]
    rpm: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    tpm: Option<Option<u64>>,
    #[serde(default, deserialize_with = "given")]
    concurrency: Option<Option<u32>>,
}

/// Renames, suspends, closes or reactivates an account, and limits what all its keys together may ask; its balance stays.
#[utoipa::path(patch, path = "/api/app/admin/accounts/{id}", tag = "administration", params(("id" = String, Path)),
    request_body = UpdateAnyAccount, responses((status = 200, body = Data<AccountView>), (status = 400), (status = 403), (status = 404)))]
pub async fn update_any_account(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<UpdateAnyAccount>,
) -> Result<Data<AccountView>, ApiError> {
    let UpdateAnyAccount { name, status, rpm: requests_per_minute, tpm: tokens_per_minute, concurrency } = body;
    let change = AccountChange { name, status, requests_per_minute, tokens_per_minute, concurrency };
    let account = dashboard.services.control.change_account(&administrator.act(), account_id(&id)?, change).await.map_err(in_short)?;
    Ok(Data { data: AccountView::of(&dashboard.services, account).await? })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditAccount {
    #[serde(default)]
    #[schema(value_type = String)]
    kind: CreditKind,
    #[schema(value_type = String)]
    amount: UsdAmount,
    /// Why: it stands in the customer's statement.
    reason: String,
    /// The same key with the same order gives the first result; a payment's own id is a good one.
    idempotency_key: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CreditView {
    transaction_id: String,
    kind: &'static str,
    #[schema(value_type = String)]
    amount: UsdText,
    #[schema(value_type = String)]
    balance: UsdText,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Orders a top-up, grant, refund or adjustment: an event in the ledger. 200 when the same order was booked before.
#[utoipa::path(post, path = "/api/app/admin/accounts/{id}/credits", tag = "administration", params(("id" = String, Path)),
    request_body = CreditAccount, responses((status = 201, body = Data<CreditView>), (status = 200, body = Data<CreditView>),
        (status = 400), (status = 403), (status = 404), (status = 409)))]
pub async fn credit_account(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<CreditAccount>,
) -> Result<Response, ApiError> {
    let id = account_id(&id)?;
    dashboard.services.control.store().account(id).await?.ok_or_else(no_account)?;
    if body.reason.trim().is_empty() {
        return Err(ApiError::bad_request("reason", "`reason` must say why"));
    }
    let order = CreditOrder {
        account_id: id,
        kind: body.kind,
        amount: body.amount.0,
        idempotency_key: body.idempotency_key,
        reason: Some(body.reason),
        reference: None,
        expires_at: body.expires_at,
        request_id: None,
        actor: administrator.act().actor,
    };
    let booked = dashboard.services.credit(&administrator.act(), &order).await?;
    let transaction = booked.transaction;
    let data = CreditView {
        kind: transaction.kind.name(),
        amount: UsdText(transaction.amount),
        balance: UsdText(transaction.balance_after),
        created_at: transaction.created_at,
        transaction_id: transaction.id,
    };
    Ok(if booked.repeated { Data { data }.into_response() } else { created(data) })
}

/// Limits by their names here.
fn in_short(error: ControlError) -> ApiError {
    match error {
        ControlError::Store(StoreError::InvalidField(invalid)) => {
            let field = match invalid.field {
                "requests_per_minute" => "rpm",
                "tokens_per_minute" => "tpm",
                field => field,
            };
            ApiError::bad_request(field, format!("`{field}` {}", invalid.message))
        }
        error => error.into(),
    }
}

fn account_id(text: &str) -> Result<AccountId, ApiError> {
    text.parse().map_err(|_| no_account())
}

fn no_account() -> ApiError {
    ApiError::not_found("There is no such account.")
}
