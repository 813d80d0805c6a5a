//! How endpoints did in a window: SQL counts, the classes and percentiles are ours. Uptime takes whole hours from
//! `attempts_hourly` where they are not stale; everything else comes from `usage_events`.

use std::collections::BTreeMap;

use schemas::Timestamp;
use sqlx::Row;

use super::SqliteAnalytics;
use super::row::count;
use super::text::{hour_text, unsigned};
use crate::endpoint::{AttemptClass, EndpointAttempts, EndpointSpeed, whole_hours};
use crate::error::AnalyticsError;

impl SqliteAnalytics {
    /// An attempt counts for the endpoint it was made at, whoever served in the end.
    pub(crate) async fn endpoint_attempts(&self, from: Timestamp, to: Timestamp) -> Result<Vec<EndpointAttempts>, AnalyticsError> {
        // Where there is none, nothing at the window's end.
        let hours = whole_hours(from, to).unwrap_or(to..to);
        let rows = sqlx::query(include_str!("sql/attempts.sql"))
            .bind(from.to_string())
            .bind(to.to_string())
            .bind(hour_text(hours.start))
            .bind(hour_text(hours.end))
            .bind(hours.start.to_string())
            .bind(hours.end.to_string())
            .fetch_all(&self.readers)
            .await?;
        let mut endpoints = BTreeMap::<(String, String), EndpointAttempts>::new();
        for row in rows {
            let (channel, model): (String, String) = (row.try_get("channel")?, row.try_get("model")?);
            let status = Some(unsigned("http_status", row.try_get("http_status")?)?).filter(|status| *status > 0);
            let endpoint = endpoints.entry((channel.clone(), model.clone()));
            let endpoint = endpoint.or_insert_with(|| EndpointAttempts { channel, model, ..EndpointAttempts::default() });
            endpoint.add(AttemptClass::of(row.try_get("outcome")?, status), count(&row, "attempts")?);
        }
        Ok(endpoints.into_values().collect())
    }

    pub(crate) async fn endpoint_speed(&self, from: Timestamp, to: Timestamp) -> Result<Vec<EndpointSpeed>, AnalyticsError> {
        let sql = "SELECT channel, model, ttft_bucket, throughput_bucket, count(*) AS requests FROM usage_events \
                   WHERE admitted_at >= $1 AND admitted_at < $2 AND channel <> '' GROUP BY 1, 2, 3, 4";
        let rows = sqlx::query(sql).bind(from.to_string()).bind(to.to_string()).fetch_all(&self.readers).await?;
        let mut endpoints = BTreeMap::<(String, String), EndpointSpeed>::new();
        for row in rows {
            let (channel, model): (String, String) = (row.try_get("channel")?, row.try_get("model")?);
            let endpoint = endpoints.entry((channel.clone(), model.clone()));
            let endpoint = endpoint.or_insert_with(|| EndpointSpeed { channel, model, ..EndpointSpeed::default() });
            let requests = count(&row, "requests")?;
            if let Some(floor) = row.try_get::<Option<i64>, _>("ttft_bucket")? {
                endpoint.ttft.add(unsigned("ttft_bucket", floor)?, requests);
            }
            if let Some(floor) = row.try_get::<Option<i64>, _>("throughput_bucket")? {
                endpoint.throughput.add(unsigned("throughput_bucket", floor)?, requests);
            }
        }
        Ok(endpoints.into_values().collect())
    }
}
