//! The books themselves, for people of finance: entries with their legs and their place in the chain.

use std::sync::Arc;

use axum::extract::State;
use ledger::store::{JournalEntry, JournalQuery};
use schemas::{RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::money::UsdText;
use super::paging::page_limit;
use super::{Dashboard, Member};
use crate::http::envelope::{DataPage, UrlQuery};
use crate::http::error::ApiError;

/// One fact in the books.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryView {
    event_id: String,
    kind: String,
    /// Its place in the event log.
    position: u64,
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Timestamp,
    generation_id: Option<String>,
    /// They sum to zero.
    postings: Vec<PostingView>,
    /// Hash of the chain up to here.
    chain_hash: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PostingView {
    account: String,
    #[schema(value_type = String)]
    amount: UsdText,
}

impl From<JournalEntry> for EntryView {
    fn from(entry: JournalEntry) -> Self {
        let posting = |(account, amount)| PostingView { account, amount: UsdText(amount) };
        Self {
            event_id: entry.event_id,
            kind: entry.event_type,
            position: entry.position,
            recorded_at: entry.recorded_at,
            generation_id: entry.request_id.map(|request| request.to_string()),
            postings: entry.postings.into_iter().map(posting).collect(),
            chain_hash: hex::encode(entry.head),
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct Filters {
    event: Option<String>,
    generation_id: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// The entries of an account in the books, newest first.
#[utoipa::path(get, path = "/api/app/accounts/{account}/ledger", tag = "money",
    params(("account" = String, Path), ("event" = Option<String>, Query), ("generation_id" = Option<String>, Query),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = DataPage<EntryView>), (status = 400), (status = 403), (status = 404)))]
pub async fn list_ledger_entries(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    UrlQuery(filters): UrlQuery<Filters>,
) -> Result<DataPage<EntryView>, ApiError> {
    let request = filters
        .generation_id
        .map(|text| text.parse::<RequestId>().map_err(|error| ApiError::bad_request("generation_id", format!("`generation_id`: {error}"))));
    let query = JournalQuery {
        account: member.account_id,
        event_id: filters.event,
        request: request.transpose()?,
        from: filters.from,
        to: filters.to,
        cursor: filters.cursor,
        limit: page_limit(filters.limit)? as usize,
    };
    let page = dashboard.services.ledger.journal(query).await?;
    Ok(DataPage { data: page.items.into_iter().map(EntryView::from).collect(), next_cursor: page.next_cursor })
}
