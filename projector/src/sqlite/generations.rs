//! Requests: one by id, many by filter. Both read `usage_events`, which is never behind the position.

use schemas::{NanoUsd, RequestId, Timestamp};
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite};

use super::row::{COLUMNS, id_text, read};
use super::{SqliteAnalytics, text};
use crate::error::AnalyticsError;
use crate::query::{ChargeTotal, Cursor, GenerationQuery, PAGE_ROWS_MAX, Page};
use crate::row::{UsageRow, within_times};

impl SqliteAnalytics {
    pub(crate) async fn generation(&self, request: RequestId) -> Result<Option<UsageRow>, AnalyticsError> {
        let sql = format!("SELECT {COLUMNS} FROM usage_events WHERE request_id = $1");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id_text(request.uuid())).fetch_optional(&self.readers).await?;
        row.as_ref().map(read).transpose()
    }

    pub(crate) async fn generations(&self, query: GenerationQuery) -> Result<Page<UsageRow>, AnalyticsError> {
        let limit = query.limit.clamp(1, PAGE_ROWS_MAX);
        let mut sql = QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM usage_events WHERE true"));
        push_filters(&mut sql, &query)?;
        // One more than asked for tells whether there is a next page.
        sql.push(" ORDER BY admitted_at DESC, request_id DESC LIMIT ").push_bind(i64::from(limit) + 1);
        let rows = sql.build().fetch_all(&self.readers).await?;
        let wanted = limit as usize;
        let items = rows.iter().take(wanted).map(read).collect::<Result<Vec<_>, _>>()?;
        let last = items.last().filter(|_| rows.len() > wanted);
        let next_cursor = last.map(|row| Cursor { admitted_at: row.admitted_at, request_id: row.request_id }.write());
        Ok(Page { items, next_cursor })
    }

    /// `position`: as of an earlier log position. What was superseded later had no charge then, so rows suffice.
    pub(crate) async fn charge_totals(&self, position: Option<u64>) -> Result<Vec<ChargeTotal>, AnalyticsError> {
        let sql = "SELECT account_id, day, sum(charge_nanos), count(*) FROM usage_events \
                   WHERE charge_nanos > 0 AND log_position <= $1 GROUP BY account_id, day ORDER BY account_id, day";
        let position = position.map_or(Ok(i64::MAX), |position| text::signed("position", position))?;
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(sql).bind(position).fetch_all(&self.readers).await?;
        rows.into_iter()
            .map(|(account, day, nanos, count)| {
                Ok(ChargeTotal {
                    account_id: text::parse("account_id", &account)?,
                    day: text::parse("day", &day)?,
                    charged: NanoUsd::from_nanos(nanos),
                    requests: text::unsigned("count", count)?,
                })
            })
            .collect()
    }
}

fn push_filters(sql: &mut QueryBuilder<Sqlite>, query: &GenerationQuery) -> Result<(), AnalyticsError> {
    if let Some(account) = query.account {
        sql.push(" AND account_id = ").push_bind(id_text(account.uuid()));
    }
    if let Some(key) = query.key {
        sql.push(" AND key_id = ").push_bind(id_text(key.uuid()));
    }
    if let Some(model) = &query.model {
        sql.push(" AND model = ").push_bind(model.clone());
    }
    if let Some(status) = query.status {
        sql.push(" AND status = ").push_bind(status.as_str());
    }
    if let Some(app) = &query.app {
        sql.push(" AND app = ").push_bind(app.clone());
    }
    push_window(sql, query.from, query.to);
    if let Some(cursor) = &query.cursor {
        let cursor = Cursor::read(cursor)?;
        sql.push(" AND (admitted_at, request_id) < (").push_bind(cursor.admitted_at.to_string());
        sql.push(", ").push_bind(id_text(cursor.request_id.uuid())).push(")");
    }
    Ok(())
}

fn push_window(sql: &mut QueryBuilder<Sqlite>, from: Option<Timestamp>, to: Option<Timestamp>) {
    if let Some(from) = from {
        sql.push(" AND admitted_at >= ").push_bind(within_times(from).to_string());
    }
    if let Some(to) = to {
        sql.push(" AND admitted_at < ").push_bind(within_times(to).to_string());
    }
}
