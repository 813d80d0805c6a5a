//! An account's statement.

use std::sync::Arc;

use axum::extract::State;
use ledger::apply::TransactionKind;
use ledger::store::{Transaction, TransactionQuery};
use schemas::{Timestamp, UsdNumber};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::accounts::known_account;
use super::credits::generation_id;
use crate::control::services::Services;
use crate::http::caller::Administrator;
use crate::http::envelope::{DataPage, UrlPath, UrlQuery};
use crate::http::error::ApiError;

const PAGE_TRANSACTIONS_DEFAULT: usize = 100;

/// A change of a balance as the API shows it; charges are negative.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransactionView {
    id: String,
    account_id: String,
    kind: &'static str,
    amount: UsdNumber,
    balance_after: UsdNumber,
    generation_id: Option<String>,
    reference: Option<String>,
    reason: Option<String>,
    created_at: Timestamp,
}

impl From<Transaction> for TransactionView {
    fn from(transaction: Transaction) -> Self {
        Self {
            id: transaction.id,
            account_id: transaction.account_id.to_string(),
            kind: transaction.kind.name(),
            amount: UsdNumber(transaction.amount),
            balance_after: UsdNumber(transaction.balance_after),
            generation_id: transaction.request_id.map(|request| request.to_string()),
            reference: transaction.reference,
            reason: transaction.reason,
            created_at: transaction.created_at,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    cursor: Option<String>,
    limit: Option<usize>,
    /// Kinds with commas between them.
    kind: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// Those of one request.
    generation_id: Option<String>,
}

/// Newest first.
#[utoipa::path(get, path = "/admin/accounts/{id}/transactions", tag = "administration", params(("id" = String, Path), ListQuery), security(("key" = [])),
    responses((status = 200, body = DataPage<TransactionView>)))]
pub async fn list_transactions(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
    UrlQuery(query): UrlQuery<ListQuery>,
) -> Result<DataPage<TransactionView>, ApiError> {
    let account = known_account(&administrator, &services, &id).await?;
    let kinds = query.kind.as_deref().unwrap_or_default().split(',').filter(|word| !word.is_empty()).map(kind).collect::<Result<_, _>>()?;
    let request = query.generation_id.as_deref().map(generation_id).transpose()?;
    let query = TransactionQuery {
        account: Some(account.id),
        cursor: query.cursor,
        limit: page_size(query.limit)?,
        kinds,
        from: query.from,
        to: query.to,
        request,
    };
    let page = services.ledger.transactions(query).await?;
    Ok(DataPage { data: page.items.into_iter().map(TransactionView::from).collect(), next_cursor: page.next_cursor })
}

fn page_size(asked: Option<usize>) -> Result<usize, ApiError> {
    if asked == Some(0) {
        return Err(ApiError::bad_request("limit", "`limit` must be at least 1"));
    }
    Ok(asked.unwrap_or(PAGE_TRANSACTIONS_DEFAULT))
}

fn kind(word: &str) -> Result<TransactionKind, ApiError> {
    TransactionKind::from_name(word).ok_or_else(|| {
        ApiError::bad_request("kind", format!("`kind`: `{word}` is not one of usage, topup, grant, refund, adjustment, expiry"))
    })
}
