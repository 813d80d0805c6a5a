//! Requests: one by id, many by filter. Both read `stored_usage_events`, which is never behind the position.

use clickhouse::Row;
use clickhouse::query::Query;
use schemas::{AccountId, NanoUsd, RequestId, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::ClickHouseAnalytics;
use super::row::{StoredRow, micros, minted_hour};
use crate::error::AnalyticsError;
use crate::query::{ChargeTotal, Cursor, GenerationQuery, PAGE_ROWS_MAX, Page};
use crate::row::{UsageRow, within_times};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// How far back a page is looked for before everything is.
const WINDOWS_DAYS: [i64; 3] = [1, 8, 64];

#[derive(Row, Deserialize)]
struct Total {
    #[serde(with = "clickhouse::serde::uuid")]
    account_id: Uuid,
    day: u16,
    charged: i64,
    requests: u64,
}

impl ClickHouseAnalytics {
    pub(crate) async fn generation(&self, request: RequestId) -> Result<Option<UsageRow>, AnalyticsError> {
        let sql = "SELECT ?fields FROM stored_usage_events FINAL \
                   WHERE minted_hour = toDateTime({hour:UInt32}, 'UTC') AND request_id = {request:UUID}";
        let query = self.client.query(sql).param("hour", minted_hour(request)).param("request", id_text(request.uuid()));
        let row: Option<StoredRow> = self.answer(query.fetch_optional()).await?;
        row.map(StoredRow::read).transpose()
    }

    pub(crate) async fn generations(&self, query: GenerationQuery) -> Result<Page<UsageRow>, AnalyticsError> {
        let limit = query.limit.clamp(1, PAGE_ROWS_MAX) as usize;
        let mut rows = self.newest_rows(&query, limit).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let items = rows.into_iter().map(StoredRow::read).collect::<Result<Vec<_>, _>>()?;
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|row| Cursor { admitted_at: row.admitted_at, request_id: row.request_id }.write());
        Ok(Page { items, next_cursor })
    }

    /// One row more than a page has, if there are as many. Pages are about the newest requests: as long as a short window
    /// before the page's end fills it, the years before need not be read.
    async fn newest_rows(&self, query: &GenerationQuery, limit: usize) -> Result<Vec<StoredRow>, AnalyticsError> {
        let cursor = query.cursor.as_deref().map(Cursor::read).transpose()?;
        let end = match cursor.map(|cursor| cursor.admitted_at).or(query.to) {
            Some(end) => within_times(end),
            None => self.newest_hour().await?,
        };
        for days in WINDOWS_DAYS {
            let start = end.plus_micros(-days * MICROS_PER_DAY);
            if query.from.is_some_and(|from| from >= start) {
                break;
            }
            let window = GenerationQuery { from: Some(start), ..query.clone() };
            let rows = self.fetch_all(self.generations_query(&window, limit)?).await?;
            if rows.len() > limit {
                return Ok(rows);
            }
        }
        self.fetch_all(self.generations_query(query, limit)?).await
    }

    /// From the parts' own minima and maxima; no row is read.
    async fn newest_hour(&self) -> Result<Timestamp, AnalyticsError> {
        let sql = "SELECT toInt64(toUnixTimestamp(max(minted_hour))) FROM stored_usage_events";
        let seconds: i64 = self.fetch_one(self.client.query(sql)).await?;
        Ok(Timestamp::from_micros(seconds * MICROS_PER_SECOND))
    }

    /// Ids are compared as text: ClickHouse orders a UUID by its second half.
    fn generations_query(&self, query: &GenerationQuery, limit: usize) -> Result<Query, AnalyticsError> {
        let cursor = query.cursor.as_deref().map(Cursor::read).transpose()?;
        let mut sql = "SELECT ?fields FROM stored_usage_events FINAL WHERE true".to_owned();
        for (wanted, condition) in [
            (query.account.is_some(), " AND account_id = {account:UUID}"),
            (query.key.is_some(), " AND key_id = {key:UUID}"),
            (query.model.is_some(), " AND model = {model:String}"),
            (query.status.is_some(), " AND status = {status:String}"),
            (query.app.is_some(), " AND app = {app:String}"),
            (query.from.is_some(), " AND admitted_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')"),
            (query.to.is_some(), " AND admitted_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')"),
            (
                cursor.is_some(),
                " AND admitted_at <= fromUnixTimestamp64Micro({cursor_at:Int64}, 'UTC') \
                 AND (admitted_at, toString(request_id)) < (fromUnixTimestamp64Micro({cursor_at:Int64}, 'UTC'), {cursor_id:String})",
            ),
        ] {
            if wanted {
                sql.push_str(condition);
            }
        }
        // One more than asked for tells whether there is a next page.
        sql.push_str(" ORDER BY admitted_at DESC, toString(request_id) DESC LIMIT {limit:UInt64}");
        let mut bound = self.client.query(&sql).param("limit", limit as u64 + 1);
        if let Some(account) = query.account {
            bound = bound.param("account", id_text(account.uuid()));
        }
        if let Some(key) = query.key {
            bound = bound.param("key", id_text(key.uuid()));
        }
        if let Some(model) = &query.model {
            bound = bound.param("model", model);
        }
        if let Some(status) = query.status {
            bound = bound.param("status", status.as_str());
        }
        if let Some(app) = &query.app {
            bound = bound.param("app", app);
        }
        if let Some(from) = query.from {
            bound = bound.param("from", micros(from));
        }
        if let Some(to) = query.to {
            bound = bound.param("to", micros(to));
        }
        if let Some(cursor) = cursor {
            bound = bound.param("cursor_at", micros(cursor.admitted_at)).param("cursor_id", id_text(cursor.request_id.uuid()));
        }
        Ok(bound)
    }

    /// `position`: as of an earlier log position. What was superseded later had no charge then, so rows suffice.
    pub(crate) async fn charge_totals(&self, position: Option<u64>) -> Result<Vec<ChargeTotal>, AnalyticsError> {
        let sql = "SELECT account_id, day, sum(charge_nanos) AS charged, count() AS requests FROM stored_usage_events FINAL \
                   WHERE charge_nanos > 0 AND log_position <= {position:UInt64} GROUP BY account_id, day \
                   ORDER BY toString(account_id), day";
        let query = self.client.query(sql).param("position", position.unwrap_or(u64::MAX));
        let totals: Vec<Total> = self.fetch_all(query).await?;
        let total = |total: Total| ChargeTotal {
            account_id: AccountId::from_uuid(total.account_id),
            day: schemas::Day::from_number(i32::from(total.day)),
            charged: NanoUsd::from_nanos(total.charged),
            requests: total.requests,
        };
        Ok(totals.into_iter().map(total).collect())
    }
}

fn id_text(id: Uuid) -> String {
    id.hyphenated().to_string()
}
