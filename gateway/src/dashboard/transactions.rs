//! An account's statement: a page at a time, or all of it as CSV.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use ledger::LedgerError;
use ledger::apply::TransactionKind;
use ledger::store::{Transaction, TransactionQuery};
use projector::{AnalyticsError, GenerationQuery};
use schemas::{AccountId, KeyId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::money::UsdText;
use super::paging::page_limit;
use super::{Dashboard, Member};
use crate::http::csv;
use crate::http::envelope::{DataPage, UrlQuery};
use crate::http::error::ApiError;

/// Rows that are read at once for a download.
const CSV_PAGE: usize = 1_000;
/// Requests looked through at once for the models of one page, and how often.
const MODELS_MAX: u32 = 1_000;
const MODEL_PAGES_MAX: usize = 50;
const SECOND_MICROS: i64 = 1_000_000;

/// A change of a balance; charges are negative.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppTransactionView)]
pub struct TransactionView {
    id: String,
    kind: &'static str,
    #[schema(value_type = String)]
    amount: UsdText,
    #[schema(value_type = String)]
    balance_after: UsdText,
    generation_id: Option<String>,
    reference: Option<String>,
    reason: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The key of the request, where it is one.
    key: Option<KeyName>,
    /// The model of the request, where statistics know it already.
    model: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyName {
    /// `None` of a key that was deleted.
    hash: Option<String>,
    name: String,
}

#[derive(Debug, Deserialize)]
pub struct Filters {
    cursor: Option<String>,
    limit: Option<u32>,
    /// Kinds with commas between them.
    kind: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    generation_id: Option<String>,
}

impl Filters {
    fn query(self, account: AccountId, limit: usize) -> Result<TransactionQuery, ApiError> {
        let words = self.kind.as_deref().unwrap_or_default().split(',').filter(|word| !word.is_empty());
        let kinds = words.map(|word| {
            TransactionKind::from_name(word).ok_or_else(|| {
                ApiError::bad_request("kind", format!("`kind`: `{word}` is not one of usage, topup, grant, refund, adjustment, expiry"))
            })
        });
        let request = self.generation_id.map(|text| {
            text.parse::<RequestId>().map_err(|error| ApiError::bad_request("generation_id", format!("`generation_id`: {error}")))
        });
        Ok(TransactionQuery {
            account: Some(account),
            cursor: self.cursor,
            limit,
            kinds: kinds.collect::<Result<_, _>>()?,
            from: self.from,
            to: self.to,
            request: request.transpose()?,
        })
    }
}

/// An account's transactions, newest first.
#[utoipa::path(get, path = "/api/app/accounts/{account}/transactions", tag = "money",
    params(("account" = String, Path), ("kind" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("generation_id" = Option<String>, Query), ("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = DataPage<TransactionView>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_account_transactions(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    UrlQuery(filters): UrlQuery<Filters>,
) -> Result<DataPage<TransactionView>, ApiError> {
    let limit = page_limit(filters.limit)? as usize;
    let page = dashboard.services.ledger.transactions(filters.query(member.account_id, limit)?).await?;
    let models = models_of(&dashboard, member.account_id, &page.items).await;
    let view = |transaction: Transaction| TransactionView {
        kind: transaction.kind.name(),
        amount: UsdText(transaction.amount),
        balance_after: UsdText(transaction.balance_after),
        generation_id: transaction.request_id.map(|request| request.to_string()),
        model: transaction.request_id.and_then(|request| models.get(&request).cloned()),
        key: transaction.key_id.map(|key| key_name(&dashboard, key)),
        id: transaction.id,
        reference: transaction.reference,
        reason: transaction.reason,
        created_at: transaction.created_at,
    };
    Ok(DataPage { data: page.items.into_iter().map(view).collect(), next_cursor: page.next_cursor })
}

fn key_name(dashboard: &Dashboard, id: KeyId) -> KeyName {
    let catalog = dashboard.services.control.catalog();
    let known = catalog.keys().find(|key| key.record.id == id);
    known.map_or_else(
        || KeyName { hash: None, name: id.to_string() },
        |key| KeyName { hash: Some(key.record.hash.to_string()), name: key.record.name.clone() },
    )
}

/// The models of charged requests, by one look at the statistics. A statement is shown without them when there are none.
async fn models_of(dashboard: &Dashboard, account: AccountId, items: &[Transaction]) -> HashMap<RequestId, String> {
    let minted = items.iter().filter_map(|item| item.request_id).map(|request| i64::try_from(request.minted_millis()).unwrap_or_default());
    let Some((first, last)) = minted.fold(None, |range: Option<(i64, i64)>, millis| {
        Some(range.map_or((millis, millis), |(first, last)| (first.min(millis), last.max(millis))))
    }) else {
        return HashMap::new();
    };
    let query = GenerationQuery {
        account: Some(account),
        from: Some(Timestamp::from_micros(first * 1_000 - SECOND_MICROS)),
        to: Some(Timestamp::from_micros(last * 1_000 + SECOND_MICROS)),
        limit: MODELS_MAX,
        ..GenerationQuery::default()
    };
    models_among(dashboard, query, items).await.unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "a statement is shown without models");
        HashMap::new()
    })
}

/// Page by page: at the same time there were other requests, of which nothing was charged.
async fn models_among(
    dashboard: &Dashboard,
    mut query: GenerationQuery,
    items: &[Transaction],
) -> Result<HashMap<RequestId, String>, AnalyticsError> {
    let mut wanted: HashSet<RequestId> = items.iter().filter_map(|item| item.request_id).collect();
    let mut models = HashMap::with_capacity(wanted.len());
    for _ in 0..MODEL_PAGES_MAX {
        let page = dashboard.services.analytics.generations(query.clone()).await?;
        models.extend(page.items.into_iter().filter(|row| wanted.remove(&row.request_id)).map(|row| (row.request_id, row.model)));
        query.cursor = page.next_cursor;
        if wanted.is_empty() || query.cursor.is_none() {
            break;
        }
    }
    Ok(models)
}

/// All of them as a file: what the books have, then the names of key and model as they are now.
#[utoipa::path(get, path = "/api/app/accounts/{account}/transactions.csv", tag = "money",
    params(("account" = String, Path), ("kind" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("generation_id" = Option<String>, Query)),
    responses((status = 200, content_type = "text/csv", body = String), (status = 400), (status = 403), (status = 404)))]
pub async fn export_transactions(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    UrlQuery(filters): UrlQuery<Filters>,
) -> Result<Response, ApiError> {
    let query = TransactionQuery { cursor: None, ..filters.query(member.account_id, CSV_PAGE)? };
    let head =
        Bytes::from_static(b"id,created_at,kind,amount_usd,balance_after_usd,generation_id,key_id,reference,reason,key_name,model\r\n");
    let download = Download { dashboard, account: member.account_id, query, head: Some(head) };
    let pages = stream::unfold(Some(download), next_page);
    Ok((csv::headers("transactions.csv"), Body::from_stream(pages)).into_response())
}

/// What is left of a download.
struct Download {
    dashboard: Arc<Dashboard>,
    account: AccountId,
    query: TransactionQuery,
    head: Option<Bytes>,
}

/// The next piece of a download: a page, with the head before the first one.
async fn next_page(rest: Option<Download>) -> Option<(Result<Bytes, LedgerError>, Option<Download>)> {
    let Download { dashboard, account, query, head } = rest?;
    let page = match dashboard.services.ledger.transactions(query.clone()).await {
        Ok(page) => page,
        Err(error) => return Some((Err(error), None)),
    };
    let models = models_of(&dashboard, account, &page.items).await;
    let mut text = String::from_utf8(head.unwrap_or_default().to_vec()).unwrap_or_default();
    for item in &page.items {
        let key = item.key_id.map(|key| key_name(&dashboard, key).name).unwrap_or_default();
        let model = item.request_id.and_then(|request| models.get(&request));
        write_line(&mut text, item, &key, model.map_or("", String::as_str));
    }
    let rest = page.next_cursor.map(|cursor| Download {
        dashboard,
        account,
        query: TransactionQuery { cursor: Some(cursor), ..query },
        head: None,
    });
    Some((Ok(Bytes::from(text)), rest))
}

fn write_line(out: &mut String, item: &Transaction, key_name: &str, model: &str) {
    let request = item.request_id.map(|request| request.to_string()).unwrap_or_default();
    let key = item.key_id.map(|key| key.to_string()).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{},{},{},{},{},{request},{key},{},{},{},{}\r",
        csv::field(&item.id),
        item.created_at,
        item.kind.name(),
        item.amount,
        item.balance_after,
        csv::field(item.reference.as_deref().unwrap_or_default()),
        csv::field(item.reason.as_deref().unwrap_or_default()),
        csv::field(key_name),
        csv::field(model),
    );
}
