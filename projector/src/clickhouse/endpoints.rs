//! How endpoints did in a window: SQL counts, the classes and percentiles are ours. Uptime takes whole hours from
//! `attempts_hourly` where they are not stale; everything else comes from requests.

use std::collections::BTreeMap;

use clickhouse::Row;
use schemas::Timestamp;
use serde::Deserialize;

use super::ClickHouseAnalytics;
use super::buckets::{Level, seconds};
use super::row::micros;
use crate::endpoint::{AttemptClass, EndpointAttempts, EndpointSpeed, whole_hours};
use crate::error::AnalyticsError;

#[derive(Row, Deserialize)]
struct Attempts {
    channel: String,
    model: String,
    outcome: String,
    http_status: u16,
    attempts: u64,
}

#[derive(Row, Deserialize)]
struct Speed {
    channel: String,
    model: String,
    ttft_bucket: Option<u64>,
    throughput_bucket: Option<u64>,
    requests: u64,
}

impl ClickHouseAnalytics {
    /// An attempt counts for the endpoint it was made at, whoever served in the end.
    pub(crate) async fn endpoint_attempts(&self, from: Timestamp, to: Timestamp) -> Result<Vec<EndpointAttempts>, AnalyticsError> {
        let hours = whole_hours(from, to).map_or(0..0, |hours| seconds(hours.start)..seconds(hours.end));
        let rows = self.read_steadily(Level::Hour, hours.clone(), |stale| {
            let query = self.client.query(include_str!("sql/attempts.sql")).param("from", micros(from)).param("to", micros(to));
            let query = query.param("first", hours.start).param("past", hours.end).param("stale", stale);
            self.fetch_all::<Attempts>(query)
        });
        let mut endpoints = BTreeMap::<(String, String), EndpointAttempts>::new();
        for row in rows.await? {
            let status = Some(row.http_status).filter(|status| *status > 0);
            let endpoint = endpoints.entry((row.channel.clone(), row.model.clone()));
            let endpoint =
                endpoint.or_insert_with(|| EndpointAttempts { channel: row.channel, model: row.model, ..EndpointAttempts::default() });
            endpoint.add(AttemptClass::of(&row.outcome, status), row.attempts);
        }
        Ok(endpoints.into_values().collect())
    }

    pub(crate) async fn endpoint_speed(&self, from: Timestamp, to: Timestamp) -> Result<Vec<EndpointSpeed>, AnalyticsError> {
        let sql = "SELECT channel, model, ttft_bucket, throughput_bucket, count() AS requests FROM stored_usage_events FINAL \
                   WHERE admitted_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') \
                   AND admitted_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC') AND channel <> '' \
                   GROUP BY channel, model, ttft_bucket, throughput_bucket";
        let query = self.client.query(sql).param("from", micros(from)).param("to", micros(to));
        let mut endpoints = BTreeMap::<(String, String), EndpointSpeed>::new();
        for row in self.fetch_all::<Speed>(query).await? {
            let endpoint = endpoints.entry((row.channel.clone(), row.model.clone()));
            let endpoint = endpoint.or_insert_with(|| EndpointSpeed { channel: row.channel, model: row.model, ..EndpointSpeed::default() });
            if let Some(floor) = row.ttft_bucket {
                endpoint.ttft.add(floor, row.requests);
            }
            if let Some(floor) = row.throughput_bucket {
                endpoint.throughput.add(floor, row.requests);
            }
        }
        Ok(endpoints.into_values().collect())
    }
}
