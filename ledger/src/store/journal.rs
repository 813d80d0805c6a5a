//! The journal of one account: its entries with their legs, for people who look into the books.

use std::collections::HashMap;

use schemas::{AccountId, NanoUsd, RequestId, Timestamp};
use sqlx::{Database, Encode, QueryBuilder, Type};
use uuid::Uuid;

use super::columns::{Columns, SqlRow};
use super::queries::{read_cursor, write_cursor};
use super::query::{PAGE_LIMIT_MAX, Page};
use super::{LedgerError, LedgerStore};
use crate::chain::Head;

/// Which entries, newest first.
#[derive(Debug, Clone)]
pub struct JournalQuery {
    pub account: AccountId,
    pub event_id: Option<String>,
    pub request: Option<RequestId>,
    /// By the event's time, inclusive.
    pub from: Option<Timestamp>,
    /// By the event's time, exclusive.
    pub to: Option<Timestamp>,
    /// From the page before.
    pub cursor: Option<String>,
    /// At least 1, at most [`PAGE_LIMIT_MAX`]; values outside are brought inside.
    pub limit: usize,
}

/// One fact that moved the account's balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    pub position: u64,
    pub event_id: String,
    pub event_type: String,
    /// Whose charge it is, or what a credit gives back for.
    pub request_id: Option<RequestId>,
    pub recorded_at: Timestamp,
    /// Account of the chart and amount; they sum to zero.
    pub postings: Vec<(String, NanoUsd)>,
    /// Of the partition's chain, this entry included.
    pub head: Head,
}

impl LedgerStore {
    /// The entries of an account that moved its balance, newest first.
    pub async fn journal(&self, query: JournalQuery) -> Result<Page<JournalEntry>, LedgerError> {
        match self {
            Self::Sqlite(store) => {
                let limit = query.limit.clamp(1, PAGE_LIMIT_MAX);
                let found = entries_sql(&query, limit)?.build().fetch_all(&store.readers).await?;
                let mut entries = read_entries(&found)?;
                let next_cursor = cut(&mut entries, limit);
                let legs = if entries.is_empty() { Vec::new() } else { legs_sql(&entries).build().fetch_all(&store.readers).await? };
                Ok(Page { items: with_legs(entries, &legs)?, next_cursor })
            }
            Self::Postgres(store) => {
                let limit = query.limit.clamp(1, PAGE_LIMIT_MAX);
                let found = entries_sql(&query, limit)?.build().fetch_all(&store.readers).await?;
                let mut entries = read_entries(&found)?;
                let next_cursor = cut(&mut entries, limit);
                let legs = if entries.is_empty() { Vec::new() } else { legs_sql(&entries).build().fetch_all(&store.readers).await? };
                Ok(Page { items: with_legs(entries, &legs)?, next_cursor })
            }
        }
    }
}

fn entries_sql<DB: Database>(query: &JournalQuery, limit: usize) -> Result<QueryBuilder<DB>, LedgerError>
where
    for<'v> i64: Encode<'v, DB> + Type<DB>,
    for<'v> Uuid: Encode<'v, DB> + Type<DB>,
    for<'v> String: Encode<'v, DB> + Type<DB>,
{
    let before = query.cursor.as_deref().map(read_cursor).transpose()?.unwrap_or(i64::MAX);
    let mut sql = QueryBuilder::new(
        "SELECT e.position, e.event_id, e.event_type, COALESCE(e.request_id, o.request_id) AS request_id, e.occurred_at_micros, e.head \
         FROM ledger_entries e LEFT JOIN ledger_orders o ON o.position = e.position WHERE e.amount_nanos <> 0 AND e.account_id = ",
    );
    sql.push_bind(query.account.uuid()).push(" AND e.position < ").push_bind(before);
    if let Some(event_id) = &query.event_id {
        sql.push(" AND e.event_id = ").push_bind(event_id.clone());
    }
    if let Some(request) = query.request {
        // A refund is a credit: its order names the request, the entry does not.
        sql.push(" AND (e.request_id = ").push_bind(request.uuid()).push(" OR o.request_id = ").push_bind(request.uuid()).push(")");
    }
    if let Some(from) = query.from {
        sql.push(" AND e.occurred_at_micros >= ").push_bind(from.micros());
    }
    if let Some(to) = query.to {
        sql.push(" AND e.occurred_at_micros < ").push_bind(to.micros());
    }
    sql.push(" ORDER BY e.position DESC LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1));
    Ok(sql)
}

fn legs_sql<DB: Database>(entries: &[JournalEntry]) -> QueryBuilder<DB>
where
    for<'v> i64: Encode<'v, DB> + Type<DB>,
{
    let mut sql = QueryBuilder::new(
        "SELECT p.position, p.amount_nanos, a.name FROM ledger_postings p JOIN ledger_accounts a ON a.code = p.account_code \
         WHERE p.position IN (",
    );
    let mut list = sql.separated(", ");
    for entry in entries {
        list.push_bind(i64::try_from(entry.position).unwrap_or(i64::MAX));
    }
    sql.push(") ORDER BY p.position, p.leg");
    sql
}

fn read_entries<R: SqlRow>(rows: &[R]) -> Result<Vec<JournalEntry>, LedgerError> {
    let read = |row| {
        let columns = Columns { table: "ledger_entries", row };
        Ok(JournalEntry {
            position: columns.count("position")?,
            event_id: columns.text("event_id")?,
            event_type: columns.text("event_type")?,
            request_id: columns.optional_request("request_id")?,
            recorded_at: columns.time("occurred_at_micros")?,
            postings: Vec::new(),
            head: columns.head("head")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Takes away the row that only says that there are more, and answers with the cursor to it.
fn cut(entries: &mut Vec<JournalEntry>, limit: usize) -> Option<String> {
    let more = entries.len() > limit;
    entries.truncate(limit);
    entries.last().filter(|_| more).map(|entry| write_cursor(i64::try_from(entry.position).unwrap_or(i64::MAX)))
}

fn with_legs<R: SqlRow>(mut entries: Vec<JournalEntry>, rows: &[R]) -> Result<Vec<JournalEntry>, LedgerError> {
    let mut legs: HashMap<u64, Vec<(String, NanoUsd)>> = HashMap::with_capacity(entries.len());
    for row in rows {
        let columns = Columns { table: "ledger_postings", row };
        legs.entry(columns.count("position")?).or_default().push((columns.text("name")?, columns.nanos("amount_nanos")?));
    }
    for entry in &mut entries {
        entry.postings = legs.remove(&entry.position).unwrap_or_default();
    }
    Ok(entries)
}
