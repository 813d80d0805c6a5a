-- What analytics know: one row a request, and where in the log they stand.
--
-- People query the views, which have the columns of docs/analytics.md; the tables behind them are `stored_…`. Every
-- statement here can run twice, because two starters may run it at once. Every value comes from event bytes: no default asks a
-- clock. Parts are synced when they are written, so that a power cut cannot keep a position and lose its rows.

-- A request may be written more than once, after a crash and when it is superseded. The highest position wins whatever the
-- order of writing, because only what was in effect at its position is ever written. Key and partition are functions
-- of the request id, so that every row of a request meets the others; a UUID never leads a key.
CREATE TABLE IF NOT EXISTS stored_usage_events (
    minted_hour            DateTime('UTC'), -- of the request id
    request_id             UUID,
    event_id               String,
    log_position           UInt64,
    account_id             UUID,
    key_id                 Nullable(UUID),
    user_id                Nullable(UUID),
    model                  LowCardinality(String),
    model_requested        String,
    channel                LowCardinality(String),
    provider               LowCardinality(String),
    api_type               LowCardinality(String),
    app_url                Nullable(String),
    app_title              Nullable(String),
    admitted_at            DateTime64(6, 'UTC'),
    ended_at               DateTime64(6, 'UTC'),
    terminal               LowCardinality(String),
    recovered              Bool,
    provisional            Bool,
    release_reason         LowCardinality(Nullable(String)),
    status                 LowCardinality(String),
    http_status            Nullable(UInt16),
    error_type             LowCardinality(Nullable(String)),
    finish_reason          LowCardinality(Nullable(String)),
    native_finish_reason   LowCardinality(Nullable(String)),
    streamed               Bool,
    cancelled              Bool,
    uncached_input_tokens  UInt64,
    cache_read_tokens      UInt64,
    cache_write_5m_tokens  UInt64,
    cache_write_1h_tokens  UInt64,
    image_input_tokens     UInt64,
    audio_input_tokens     UInt64,
    text_output_tokens     UInt64,
    reasoning_tokens       UInt64,
    image_output_tokens    UInt64,
    audio_output_tokens    UInt64,
    tool_calls             UInt64,
    usage_source           LowCardinality(String),
    charge_nanos           Int64,
    provider_cost_nanos    Nullable(Int64),
    rounding_picos         Int64,
    hold_nanos             Int64,
    ttft_ms                Nullable(UInt64),
    duration_ms            UInt64,
    ttft_bucket            Nullable(UInt64),
    throughput_bucket      Nullable(UInt64),
    price_version          LowCardinality(Nullable(String)),
    upstream_id            Nullable(String),
    epoch                  UInt64,
    attempts               String,
    cost_lines             String,

    day               Date           ALIAS toDate(admitted_at),
    hour              DateTime('UTC') ALIAS toStartOfHour(admitted_at),
    author            String         ALIAS if(position(model, '/') = 0, '', substring(model, 1, position(model, '/') - 1)),
    app               String         ALIAS coalesce(app_url, app_title, ''),
    prompt_tokens     UInt64         ALIAS uncached_input_tokens + cache_read_tokens + cache_write_5m_tokens
                                         + cache_write_1h_tokens + image_input_tokens + audio_input_tokens,
    completion_tokens UInt64         ALIAS text_output_tokens + reasoning_tokens + image_output_tokens + audio_output_tokens,
    token_count       UInt64         ALIAS prompt_tokens + completion_tokens,
    charge            Decimal(18, 9) ALIAS CAST(toDecimal128(charge_nanos, 9) / 1000000000 AS Decimal(18, 9)),
    provider_cost     Nullable(Decimal(18, 9)) ALIAS CAST(toDecimal128(provider_cost_nanos, 9) / 1000000000 AS Nullable(Decimal(18, 9))),

    INDEX by_admission admitted_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(log_position)
PARTITION BY toYYYYMM(minted_hour)
ORDER BY (minted_hour, account_id, request_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE OR REPLACE VIEW usage_events AS
SELECT request_id, event_id, log_position, account_id, key_id, user_id, model, model_requested, channel, provider, api_type, app_url,
       app_title, admitted_at, ended_at, terminal, recovered, provisional, release_reason, status, http_status, error_type,
       finish_reason, native_finish_reason, streamed, cancelled, uncached_input_tokens, cache_read_tokens, cache_write_5m_tokens,
       cache_write_1h_tokens, image_input_tokens, audio_input_tokens, text_output_tokens, reasoning_tokens, image_output_tokens,
       audio_output_tokens, tool_calls, usage_source, charge_nanos, provider_cost_nanos, rounding_picos, hold_nanos, ttft_ms,
       duration_ms, ttft_bucket, throughput_bucket, price_version, upstream_id, epoch, attempts, cost_lines, day, hour, author, app,
       prompt_tokens, completion_tokens, token_count, charge, provider_cost
FROM stored_usage_events FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- How far into the log the rows above reach. Written after they are: a crash between leads to rows that are known already.
CREATE TABLE IF NOT EXISTS projection_position (
    id       UInt8,
    position UInt64
)
ENGINE = ReplacingMergeTree(position)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

-- Log entries that are not events this build can read. They cost nobody anything here and stop nothing.
CREATE TABLE IF NOT EXISTS stored_projection_quarantine (
    position     UInt64,
    reason       LowCardinality(String), -- a stable word
    detail       String,                 -- for people; may change between versions
    event_sha256 String,
    event_bytes  UInt64                  -- length; the bytes stay in the log
)
ENGINE = ReplacingMergeTree
ORDER BY position
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE OR REPLACE VIEW projection_quarantine AS
SELECT position, reason, detail, event_sha256, event_bytes FROM stored_projection_quarantine FINAL;

-- Of every bucket: the highest log position that changed it, and the position as of which it was last recomputed. It is stale while
-- the first exceeds the second. Maxima do not mind repeats, order or two writers.
CREATE TABLE IF NOT EXISTS bucket_versions (
    level    LowCardinality(String), -- hour, day, ranking_day, ranking_week, ranking_month
    bucket   DateTime('UTC'),        -- its start
    marked   SimpleAggregateFunction(max, UInt64),
    computed SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (level, bucket)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;
