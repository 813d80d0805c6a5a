//! The books themselves, for people of finance: entries with their legs and their place in the chain.

use std::sync::Arc;

use axum::extract::State;
use ledger::store::{JournalEntry, JournalQuery};
use schemas::{NanoUsd, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::money::UsdText;
use super::paging::page_limit;
use super::{Dashboard, Member};
use crate::http::envelope::{DataPage, UrlQuery};
use crate::http::error::ApiError;
use crate::signin::SignedIn;

/// Accounts of the books that tell what providers charge.
const PROVIDER_ACCOUNTS: [&str; 2] = ["payable", "provider_cost"];

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

impl EntryView {
    /// What the platform owes its providers is the platform's to know; those two legs sum to zero by themselves.
    fn of(entry: JournalEntry, shows_provider_cost: bool) -> Self {
        let is_shown = |(account, _): &(String, NanoUsd)| shows_provider_cost || !PROVIDER_ACCOUNTS.contains(&account.as_str());
        let posting = |(account, amount)| PostingView { account, amount: UsdText(amount) };
        Self {
            event_id: entry.event_id,
            kind: entry.event_type,
            position: entry.position,
            recorded_at: entry.recorded_at,
            generation_id: entry.request_id.map(|request| request.to_string()),
            postings: entry.postings.into_iter().filter(is_shown).map(posting).collect(),
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
    signed_in: SignedIn,
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
    Ok(DataPage {
        data: page.items.into_iter().map(|entry| EntryView::of(entry, signed_in.user.is_platform_admin)).collect(),
        next_cursor: page.next_cursor,
    })
}
