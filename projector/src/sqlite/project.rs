//! A batch, written: rows, quarantine, marks of what became stale, and the log position, in one transaction.

use std::collections::HashMap;
use std::sync::LazyLock;

use schemas::{RequestId, Timestamp};
use sqlx::Row;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

use super::text::{hour_text, json_texts, parse, signed, unsigned};
use super::{SqliteAnalytics, row};
use crate::error::AnalyticsError;
use crate::fold::{Fact, Unreadable};
use crate::plan::{Known, Plan};
use crate::row::UsageRow;
use crate::store::ProjectOutcome;
use crate::tail::Tail;

/// Rows a statement inserts. Two sizes, so that only two statements are ever prepared.
const ROWS_MANY: usize = 64;
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| row::insert_sql(ROWS_MANY));
static INSERT_ONE: LazyLock<String> = LazyLock::new(|| row::insert_sql(1));

impl SqliteAnalytics {
    pub(crate) async fn project(&self, facts: Vec<(u64, Fact)>) -> Result<ProjectOutcome, AnalyticsError> {
        let mut transaction = self.begin_write().await?;
        let before = read_position(&mut transaction).await?;
        let known = read_known(&mut transaction, &facts).await?;
        let mut plan = Plan::new(before);
        for (position, fact) in facts {
            plan.take(position, fact, &known)?;
        }
        if plan.outcome.position > before {
            write_rows(&mut transaction, &plan.rows).await?;
            write_quarantine(&mut transaction, &plan.quarantine).await?;
            mark_hours(&mut transaction, plan.dirty_hours.iter().copied()).await?;
            advance(&mut transaction, before, plan.outcome.position).await?;
            transaction.commit().await?;
        }
        Ok(plan.outcome)
    }
}

impl SqliteAnalytics {
    pub(crate) async fn tail(&self) -> Result<Option<Tail>, AnalyticsError> {
        let sql = "SELECT position, event_sha256 FROM projection_tail WHERE id = 1";
        let Some(row) = sqlx::query(sql).fetch_optional(&self.readers).await? else { return Ok(None) };
        Ok(Tail::read(unsigned("position", row.try_get("position")?)?, row.try_get("event_sha256")?))
    }

    pub(crate) async fn note_tail(&self, tail: Tail) -> Result<(), AnalyticsError> {
        let sql = "INSERT INTO projection_tail (id, position, event_sha256) VALUES (1, $1, $2) ON CONFLICT (id) DO UPDATE \
                   SET position = excluded.position, event_sha256 = excluded.event_sha256 WHERE excluded.position > position";
        sqlx::query(sql).bind(signed("position", tail.position)?).bind(tail.text()).execute(self.writer()?).await?;
        Ok(())
    }
}

pub(super) async fn read_position(connection: &mut SqliteConnection) -> Result<u64, AnalyticsError> {
    let position: i64 = sqlx::query_scalar("SELECT position FROM projection_position WHERE id = 1").fetch_one(connection).await?;
    unsigned("position", position)
}

/// Compare and set: whoever else moved the position meanwhile has projected these entries, too.
async fn advance(connection: &mut SqliteConnection, from: u64, to: u64) -> Result<(), AnalyticsError> {
    let sql = "UPDATE projection_position SET position = $2 WHERE id = 1 AND position = $1";
    let updated = sqlx::query(sql).bind(signed("position", from)?).bind(signed("position", to)?).execute(connection).await?;
    if updated.rows_affected() == 1 { Ok(()) } else { Err(AnalyticsError::Moved(from)) }
}

/// What the store has of the requests in a batch.
async fn read_known(connection: &mut SqliteConnection, facts: &[(u64, Fact)]) -> Result<HashMap<RequestId, Known>, AnalyticsError> {
    let ids = facts.iter().filter_map(|(_, fact)| match fact {
        Fact::Usage { row, .. } => Some(row.request_id.uuid().hyphenated()),
        _ => None,
    });
    let sql = "SELECT request_id, account_id, terminal, recovered, admitted_at FROM usage_events WHERE request_id IN (SELECT value FROM json_each($1))";
    let rows = sqlx::query(sql).bind(json_texts(ids)).fetch_all(connection).await?;
    rows.iter()
        .map(|found| {
            let known = Known {
                account_id: parse("account_id", found.try_get("account_id")?)?,
                terminal: row::terminal(found)?,
                admitted_at: parse("admitted_at", found.try_get("admitted_at")?)?,
            };
            Ok((row::request_id(found)?, known))
        })
        .collect()
}

async fn write_rows(connection: &mut SqliteConnection, rows: &[UsageRow]) -> Result<(), AnalyticsError> {
    let mut chunks = rows.chunks_exact(ROWS_MANY);
    for chunk in &mut chunks {
        insert(connection, &INSERT_MANY, chunk).await?;
    }
    for one in chunks.remainder().chunks(1) {
        insert(connection, &INSERT_ONE, one).await?;
    }
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, sql: &'static str, rows: &[UsageRow]) -> Result<(), AnalyticsError> {
    let mut arguments = SqliteArguments::default();
    for row in rows {
        row::bind(&mut arguments, row)?;
    }
    sqlx::query_with(sql, arguments).execute(connection).await?;
    Ok(())
}

async fn write_quarantine(connection: &mut SqliteConnection, quarantine: &[Unreadable]) -> Result<(), AnalyticsError> {
    for unreadable in quarantine {
        let sql = "INSERT INTO projection_quarantine (position, reason, detail, event_sha256, event_bytes) VALUES ($1, $2, $3, $4, $5)";
        sqlx::query(sql)
            .bind(signed("position", unreadable.position)?)
            .bind(unreadable.reason)
            .bind(&unreadable.detail)
            .bind(&unreadable.event_sha256)
            .bind(signed("event_bytes", unreadable.event_bytes)?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn mark_hours(connection: &mut SqliteConnection, hours: impl Iterator<Item = Timestamp>) -> Result<(), AnalyticsError> {
    let sql = "INSERT OR IGNORE INTO dirty_buckets (level, bucket) SELECT 'hour', value FROM json_each($1)";
    sqlx::query(sql).bind(json_texts(hours.map(hour_text))).execute(connection).await?;
    Ok(())
}
