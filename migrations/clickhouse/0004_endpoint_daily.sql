-- Days by endpoint, of all customers together: what everybody used is read from few rows, however many accounts there are.

CREATE TABLE IF NOT EXISTS stored_endpoint_daily (
    day               Date,
    model             LowCardinality(String),
    channel           LowCardinality(String),
    provider          LowCardinality(String),
    request_count     UInt64,
    ok_count          UInt64,
    error_count       UInt64,
    cancelled_count   UInt64,
    prompt_tokens     UInt64,
    completion_tokens UInt64,
    reasoning_tokens  UInt64,
    cached_tokens     UInt64,
    charge_nanos      Int64,
    version           UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (day, model, channel, provider)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE OR REPLACE VIEW endpoint_daily AS
SELECT r.* EXCEPT (version)
FROM stored_endpoint_daily AS r FINAL
INNER JOIN (
    SELECT bucket AS start, max(computed) AS computed FROM bucket_versions WHERE level = 'day' GROUP BY start
) AS known ON known.start = toDateTime(r.day, 'UTC')
WHERE r.version >= known.computed
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Days that were derived before this table existed, as of the position they were computed as of. A projector of the version before
-- must not run beside this: it would compute days without their endpoints.
INSERT INTO stored_endpoint_daily
SELECT u.day, u.model, u.channel, u.provider,
       sum(u.request_count),
       sum(u.ok_count),
       sum(u.error_count),
       sum(u.cancelled_count),
       sum(u.prompt_tokens),
       sum(u.completion_tokens),
       sum(u.reasoning_tokens),
       sum(u.cached_tokens),
       sum(u.charge_nanos),
       max(known.computed)
FROM usage_daily AS u
INNER JOIN (
    SELECT bucket AS start, max(computed) AS computed FROM bucket_versions WHERE level = 'day' GROUP BY start
) AS known ON known.start = toDateTime(u.day, 'UTC')
WHERE u.model <> '' AND u.account_id <> toUUID('00000000-0000-0000-0000-000000000000')
GROUP BY u.day, u.model, u.channel, u.provider;
