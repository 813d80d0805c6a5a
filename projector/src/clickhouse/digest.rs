//! One hash a table, over its columns in key order: the same bytes as `sqlite/digest.rs` hashes, written by the server.
//!
//! So equal digests mean equal tables whatever the engines: a replay into SQLite proves tables in ClickHouse.

use std::collections::BTreeMap;
use std::time::Duration;

use clickhouse::Row;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

use self::Cell::{Amount, Hour, Instant, Int, Real, Text};
use super::pause::Pause;
use super::{ClickHouseAnalytics, ClickHouseError};
use crate::error::AnalyticsError;
use crate::store::{Access, Digests};

/// Another process may make buckets stale, or move the position, while the tables are read: this many times.
const SNAPSHOT_TRIES: usize = 20;
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(100);
/// A table of a year is sorted before its first byte comes.
const CHUNK_WAIT_MAX: Duration = Duration::from_secs(600);
/// Rows beyond this much memory are sorted on disk.
const SORT_BYTES_IN_MEMORY: &str = "1000000000";

/// How a column is hashed.
#[derive(Clone, Copy)]
enum Cell {
    Int(&'static str),
    Real(&'static str),
    Text(&'static str),
    /// `2026-11-23T01:40:11.123456Z`
    Instant(&'static str),
    /// `2026-11-23T01:00:00Z`
    Hour(&'static str),
    /// Nano-dollars as text in dollars.
    Amount(&'static str),
}

struct Table {
    name: &'static str,
    from: &'static str,
    order: &'static str,
    cells: &'static [Cell],
}

/// Sums of `usage_hourly` and `usage_daily`, after their keys.
macro_rules! usage_cells {
    ($bucket:expr) => {
        &[
            $bucket,
            Text("account_id"),
            Text("key_id"),
            Text("model"),
            Text("channel"),
            Text("provider"),
            Text("app"),
            Text("app_title"),
            Int("request_count"),
            Int("ok_count"),
            Int("error_count"),
            Int("cancelled_count"),
            Int("released_count"),
            Int("expired_count"),
            Int("prompt_tokens"),
            Int("completion_tokens"),
            Int("reasoning_tokens"),
            Int("cached_tokens"),
            Int("cache_write_tokens"),
            Int("tool_calls"),
            Int("charge_nanos"),
            Int("provider_cost_nanos"),
            Int("provider_cost_unknown_count"),
            Int("duration_ms_sum"),
            Int("ttft_ms_sum"),
            Int("ttft_count"),
        ]
    };
}

/// Columns and order as SQLite has them.
const TABLES: [Table; 10] = [
    Table {
        name: "app_stats",
        from: "app_stats",
        order: "date, app",
        cells: &[
            Text("app"),
            Text("date"),
            Text("title"),
            Int("request_count"),
            Int("token_count"),
            Int("total_cost_nanos"),
            Amount("total_cost_nanos"),
        ],
    },
    Table {
        name: "attempts_hourly",
        from: "attempts_hourly",
        order: "hour, channel, model, outcome, http_status",
        cells: &[Hour("hour"), Text("channel"), Text("model"), Text("outcome"), Int("http_status"), Int("attempt_count")],
    },
    Table {
        name: "endpoint_daily",
        from: "endpoint_daily",
        order: "day, model, channel, provider",
        cells: &[
            Text("day"),
            Text("model"),
            Text("channel"),
            Text("provider"),
            Int("request_count"),
            Int("ok_count"),
            Int("error_count"),
            Int("cancelled_count"),
            Int("prompt_tokens"),
            Int("completion_tokens"),
            Int("reasoning_tokens"),
            Int("cached_tokens"),
            Int("charge_nanos"),
        ],
    },
    Table {
        name: "latency_hourly",
        from: "latency_hourly",
        order: "hour, model, channel, metric, bucket",
        cells: &[Hour("hour"), Text("model"), Text("channel"), Text("metric"), Int("bucket"), Int("request_count")],
    },
    Table {
        name: "model_stats",
        from: "model_stats",
        order: "date, model",
        cells: &[
            Text("model"),
            Text("date"),
            Int("request_count"),
            Int("token_count"),
            Int("prompt_tokens"),
            Int("completion_tokens"),
            Int("reasoning_tokens"),
            Int("cached_tokens"),
            Int("tool_calls"),
            Int("total_cost_nanos"),
            Int("provider_cost_nanos"),
            Int("provider_cost_unknown_count"),
            Int("ok_count"),
            Int("error_count"),
            Int("cancelled_count"),
            Int("released_count"),
            Int("duration_ms_sum"),
            Int("ttft_ms_sum"),
            Int("ttft_count"),
            Text("ttft_histogram"),
            Text("throughput_histogram"),
            Text("author"),
            Amount("total_cost_nanos"),
            Amount("provider_cost_nanos"),
            Real("avg_latency_ms"),
            Real("avg_ttft_ms"),
        ],
    },
    // Without `detail`, which is for people and may be worded better one day.
    Table {
        name: "projection_quarantine",
        from: "projection_quarantine",
        order: "position",
        cells: &[Int("position"), Text("reason"), Text("event_sha256"), Int("event_bytes")],
    },
    Table {
        name: "rankings",
        from: "rankings",
        order: "period, kind, rank",
        cells: &[
            Text("period"),
            Text("period_kind"),
            Text("period_start"),
            Text("kind"),
            Int("rank"),
            Text("subject"),
            Int("tokens"),
            Int("requests"),
            Real("share"),
            Int("previous_tokens"),
            Real("change"),
        ],
    },
    Table {
        name: "usage_daily",
        from: "usage_daily",
        order: "toString(account_id), day, key_id, model, channel, provider, app",
        cells: usage_cells!(Text("day")),
    },
    Table {
        name: "usage_events",
        from: "stored_usage_events FINAL",
        order: "toString(request_id)",
        cells: &[
            Text("request_id"),
            Text("event_id"),
            Int("log_position"),
            Text("account_id"),
            Text("key_id"),
            Text("user_id"),
            Text("model"),
            Text("model_requested"),
            Text("channel"),
            Text("provider"),
            Text("api_type"),
            Text("app_url"),
            Text("app_title"),
            Instant("admitted_at"),
            Instant("ended_at"),
            Text("terminal"),
            Int("recovered"),
            Int("provisional"),
            Text("release_reason"),
            Text("status"),
            Int("http_status"),
            Text("error_type"),
            Text("finish_reason"),
            Text("native_finish_reason"),
            Int("streamed"),
            Int("cancelled"),
            Int("uncached_input_tokens"),
            Int("cache_read_tokens"),
            Int("cache_write_5m_tokens"),
            Int("cache_write_1h_tokens"),
            Int("image_input_tokens"),
            Int("audio_input_tokens"),
            Int("text_output_tokens"),
            Int("reasoning_tokens"),
            Int("image_output_tokens"),
            Int("audio_output_tokens"),
            Int("tool_calls"),
            Text("usage_source"),
            Int("charge_nanos"),
            Int("provider_cost_nanos"),
            Int("rounding_picos"),
            Int("hold_nanos"),
            Int("ttft_ms"),
            Int("duration_ms"),
            Int("ttft_bucket"),
            Int("throughput_bucket"),
            Text("price_version"),
            Text("upstream_id"),
            Int("epoch"),
            Text("attempts"),
            Text("cost_lines"),
            Text("session_id"),
            Text("external_user"),
            Text("user_agent"),
        ],
    },
    Table {
        name: "usage_hourly",
        from: "usage_hourly",
        order: "hour, toString(account_id), key_id, model, channel, provider, app",
        cells: usage_cells!(Hour("hour")),
    },
];

/// What the tables stand for: the same before and after they are read, or they moved.
#[derive(Debug, PartialEq, Eq, Row, Deserialize)]
struct Standing {
    position: u64,
    stale: u64,
    fingerprint: u64,
}

impl ClickHouseAnalytics {
    pub(crate) async fn digests(&self) -> Result<Digests, AnalyticsError> {
        if self.access == Access::ReadOnly {
            return self.steady_digests(None).await;
        }
        // Projecting waits: here for the permit, elsewhere for the pause.
        let _writing = self.writer.acquire().await.map_err(|_| AnalyticsError::ReadOnly)?;
        let mut pause = Pause::new();
        let digests = self.steady_digests(Some(&mut pause)).await;
        self.end(&mut pause).await?;
        digests
    }

    async fn steady_digests(&self, mut pause: Option<&mut Pause>) -> Result<Digests, AnalyticsError> {
        let mut tries_left = SNAPSHOT_TRIES;
        loop {
            tries_left -= 1;
            if let Some(pause) = pause.as_deref_mut() {
                self.renew(pause).await?;
                self.refresh().await?;
            }
            let standing = self.standing().await?;
            if standing.stale > 0 && (tries_left == 0 || pause.is_none()) {
                return Err(AnalyticsError::Dirty(standing.stale));
            }
            if standing.stale == 0 {
                let tables = self.hash_tables(pause.as_deref_mut()).await?;
                if self.standing().await? == standing {
                    return Ok(Digests { position: standing.position, tables });
                }
            }
            if tries_left == 0 {
                return Err(AnalyticsError::Moved(standing.position));
            }
            // A batch that had begun before the pause ends meanwhile.
            sleep(SNAPSHOT_PAUSE).await;
        }
    }

    async fn standing(&self) -> Result<Standing, AnalyticsError> {
        let sql = "SELECT assumeNotNull((SELECT max(p.position) FROM projection_position AS p)) AS position, countIf(marked > computed) AS stale, \
                   groupBitXor(cityHash64(level, bucket, marked, computed)) AS fingerprint FROM (SELECT v.level AS level, v.bucket AS bucket, \
                   max(v.marked) AS marked, max(v.computed) AS computed FROM bucket_versions AS v GROUP BY v.level, v.bucket)";
        self.fetch_one(self.client.query(sql)).await
    }

    async fn hash_tables(&self, mut pause: Option<&mut Pause>) -> Result<BTreeMap<String, String>, AnalyticsError> {
        let mut digests = BTreeMap::new();
        for table in &TABLES {
            if let Some(pause) = pause.as_deref_mut() {
                self.renew(pause).await?;
            }
            digests.insert(table.name.to_owned(), self.hash_table(table).await?);
        }
        Ok(digests)
    }

    async fn hash_table(&self, table: &Table) -> Result<String, AnalyticsError> {
        let cells: Vec<String> = table.cells.iter().map(|cell| cell.sql()).collect();
        let sql = format!("SELECT concat({}) FROM {} ORDER BY {}", cells.join(", "), table.from, table.order);
        let failed = |error| AnalyticsError::from(ClickHouseError::of(error, &self.server, &self.database));
        let query = self.client.query_raw(&sql).with_setting("max_bytes_before_external_sort", SORT_BYTES_IN_MEMORY);
        // The rows follow each other without anything between.
        let mut bytes = query.fetch_bytes("RawBLOB").map_err(failed)?;
        let mut hash = Sha256::new();
        loop {
            let chunk = timeout(CHUNK_WAIT_MAX, bytes.next()).await.unwrap_or(Err(clickhouse::error::Error::TimedOut));
            match chunk.map_err(failed)? {
                Some(chunk) => hash.update(&chunk),
                None => return Ok(hex::encode(hash.finalize())),
            }
        }
    }
}

impl Cell {
    /// Every value by type and length, so that no two different rows hash alike.
    fn sql(self) -> String {
        let text = |text: String| format!("concat('t', reverse(reinterpretAsFixedString(toUInt64(length({text})))), {text})");
        let (column, value) = match self {
            Int(column) => (column, format!("concat('i', reverse(reinterpretAsFixedString(toInt64(assumeNotNull({column})))))")),
            Real(column) => (column, format!("concat('r', reverse(reinterpretAsFixedString(assumeNotNull({column}))))")),
            Text(column) => (column, text(format!("toString(assumeNotNull({column}))"))),
            Instant(column) => (column, text(format!("formatDateTime({column}, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC')"))),
            Hour(column) => (column, text(format!("formatDateTime({column}, '%Y-%m-%dT%H:%i:%SZ', 'UTC')"))),
            Amount(column) => {
                let dollars = format!("toString(intDiv({column}, 1000000000))");
                (column, text(format!("concat({dollars}, '.', leftPad(toString({column} % 1000000000), 9, '0'))")))
            }
        };
        format!("if(isNull({column}), 'n', {value})")
    }
}
