-- What is derived from usage_events, a bucket at a time: hours from rows, days from hours, rankings from days.
--
-- A bucket is computed anew as a whole and written with the log position as of which it was (`version`), never added to. A group that
-- a bucket no longer has keeps its row of the older version: **a row counts if its version is at least its bucket's
-- `computed`**, which is what the views ask. Whoever computes late, with an older position, changes nothing.
-- Keys hold '' where usage_events has NULL.

CREATE TABLE IF NOT EXISTS stored_usage_hourly (
    hour                        DateTime('UTC'),
    account_id                  UUID,
    key_id                      String,
    model                       LowCardinality(String),
    channel                     LowCardinality(String),
    provider                    LowCardinality(String),
    app                         String,
    app_title                   Nullable(String),
    request_count               UInt64,
    ok_count                    UInt64,
    error_count                 UInt64,
    cancelled_count             UInt64,
    released_count              UInt64,
    expired_count               UInt64,
    prompt_tokens               UInt64,
    completion_tokens           UInt64,
    reasoning_tokens            UInt64,
    cached_tokens               UInt64,
    cache_write_tokens          UInt64,
    tool_calls                  UInt64,
    charge_nanos                Int64,
    provider_cost_nanos         Int64,
    provider_cost_unknown_count UInt64,
    duration_ms_sum             UInt64,
    ttft_ms_sum                 UInt64,
    ttft_count                  UInt64,
    version                     UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, account_id, key_id, model, channel, provider, app)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE OR REPLACE VIEW usage_hourly AS
SELECT r.* EXCEPT (version)
FROM stored_usage_hourly AS r FINAL
INNER JOIN (
    SELECT bucket AS start, max(computed) AS computed FROM bucket_versions WHERE level = 'hour' GROUP BY start
) AS known ON known.start = r.hour
WHERE r.version >= known.computed
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE TABLE IF NOT EXISTS stored_usage_daily (
    day                         Date,
    account_id                  UUID,
    key_id                      String,
    model                       LowCardinality(String),
    channel                     LowCardinality(String),
    provider                    LowCardinality(String),
    app                         String,
    app_title                   Nullable(String),
    request_count               UInt64,
    ok_count                    UInt64,
    error_count                 UInt64,
    cancelled_count             UInt64,
    released_count              UInt64,
    expired_count               UInt64,
    prompt_tokens               UInt64,
    completion_tokens           UInt64,
    reasoning_tokens            UInt64,
    cached_tokens               UInt64,
    cache_write_tokens          UInt64,
    tool_calls                  UInt64,
    charge_nanos                Int64,
    provider_cost_nanos         Int64,
    provider_cost_unknown_count UInt64,
    duration_ms_sum             UInt64,
    ttft_ms_sum                 UInt64,
    ttft_count                  UInt64,
    version                     UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (day, account_id, key_id, model, channel, provider, app)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE OR REPLACE VIEW usage_daily AS
SELECT r.* EXCEPT (version)
FROM stored_usage_daily AS r FINAL
INNER JOIN (
    SELECT bucket AS start, max(computed) AS computed FROM bucket_versions WHERE level = 'day' GROUP BY start
) AS known ON known.start = toDateTime(r.day, 'UTC')
WHERE r.version >= known.computed
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Fixed-bucket histograms of customers' requests; `bucket` is the lower bound (docs/analytics.md).
CREATE TABLE IF NOT EXISTS stored_latency_hourly (
    hour          DateTime('UTC'),
    model         LowCardinality(String),
    channel       LowCardinality(String),
    metric        LowCardinality(String),
    bucket        UInt64,
    request_count UInt64,
    version       UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, model, channel, metric, bucket)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE OR REPLACE VIEW latency_hourly AS
SELECT r.* EXCEPT (version)
FROM stored_latency_hourly AS r FINAL
INNER JOIN (
    SELECT bucket AS start, max(computed) AS computed FROM bucket_versions WHERE level = 'hour' GROUP BY start
) AS known ON known.start = r.hour
WHERE r.version >= known.computed
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Attempts by endpoint and hour, so that the uptime of a day does not read every request of the day.
CREATE TABLE IF NOT EXISTS stored_attempts_hourly (
    hour          DateTime('UTC'),
    channel       LowCardinality(String),
    model         LowCardinality(String),
    outcome       LowCardinality(String),
    http_status   UInt16,
    attempt_count UInt64,
    version       UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, channel, model, outcome, http_status)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE OR REPLACE VIEW attempts_hourly AS
SELECT r.* EXCEPT (version)
FROM stored_attempts_hourly AS r FINAL
INNER JOIN (
    SELECT bucket AS start, max(computed) AS computed FROM bucket_versions WHERE level = 'hour' GROUP BY start
) AS known ON known.start = r.hour
WHERE r.version >= known.computed
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- One row a model and UTC day, of customers' requests (the system account's health probes are left out).
CREATE TABLE IF NOT EXISTS stored_model_stats (
    date                        Date,
    model                       LowCardinality(String),
    request_count               UInt64,
    token_count                 UInt64,
    prompt_tokens               UInt64,
    completion_tokens           UInt64,
    reasoning_tokens            UInt64,
    cached_tokens               UInt64,
    tool_calls                  UInt64,
    total_cost_nanos            Int64,
    provider_cost_nanos         Int64,
    provider_cost_unknown_count UInt64,
    ok_count                    UInt64,
    error_count                 UInt64,
    cancelled_count             UInt64,
    released_count              UInt64,
    duration_ms_sum             UInt64,
    ttft_ms_sum                 UInt64,
    ttft_count                  UInt64,
    ttft_histogram              String,
    throughput_histogram        String,
    version                     UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(date)
ORDER BY (date, model)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE OR REPLACE VIEW model_stats AS
SELECT r.* EXCEPT (version),
       if(position(model, '/') = 0, '', substring(model, 1, position(model, '/') - 1)) AS author,
       toDecimal128(total_cost_nanos, 9) / 1000000000 AS total_cost,
       toDecimal128(provider_cost_nanos, 9) / 1000000000 AS provider_cost,
       toFloat64(duration_ms_sum) / request_count AS avg_latency_ms,
       if(ttft_count > 0, toFloat64(ttft_ms_sum) / ttft_count, NULL) AS avg_ttft_ms
FROM stored_model_stats AS r FINAL
INNER JOIN (
    SELECT bucket AS start, max(computed) AS computed FROM bucket_versions WHERE level = 'day' GROUP BY start
) AS known ON known.start = toDateTime(r.date, 'UTC')
WHERE r.version >= known.computed
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- One row a calling app and UTC day, of customers' requests that name an app.
CREATE TABLE IF NOT EXISTS stored_app_stats (
    date             Date,
    app              String,
    title            Nullable(String),
    request_count    UInt64,
    token_count      UInt64,
    total_cost_nanos Int64,
    version          UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(date)
ORDER BY (date, app)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE OR REPLACE VIEW app_stats AS
SELECT r.* EXCEPT (version),
       toDecimal128(total_cost_nanos, 9) / 1000000000 AS total_cost
FROM stored_app_stats AS r FINAL
INNER JOIN (
    SELECT bucket AS start, max(computed) AS computed FROM bucket_versions WHERE level = 'day' GROUP BY start
) AS known ON known.start = toDateTime(r.date, 'UTC')
WHERE r.version >= known.computed
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Who used most tokens, by day, ISO week and month.
CREATE TABLE IF NOT EXISTS stored_rankings (
    period_start    Date,
    period          String,
    period_kind     LowCardinality(String),
    kind            LowCardinality(String),
    rank            UInt32,
    subject         String,
    tokens          UInt64,
    requests        UInt64,
    share           Float64,
    previous_tokens UInt64,
    change          Nullable(Float64),
    version         UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(period_start)
ORDER BY (period_kind, period_start, kind, rank)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE OR REPLACE VIEW rankings AS
SELECT r.* EXCEPT (version)
FROM stored_rankings AS r FINAL
INNER JOIN (
    SELECT level, bucket AS start, max(computed) AS computed FROM bucket_versions WHERE level LIKE 'ranking%' GROUP BY level, start
) AS known ON known.start = toDateTime(r.period_start, 'UTC') AND known.level = concat('ranking_', r.period_kind)
WHERE r.version >= known.computed
SETTINGS do_not_merge_across_partitions_select_final = 1;
