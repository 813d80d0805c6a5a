-- What is derived from usage_events, a bucket at a time: hours from rows, days from hours, rankings from days.
--
-- A bucket is deleted and computed anew as a whole, never added to. Keys hold '' where usage_events has NULL.

CREATE TABLE usage_hourly (
    hour                        TEXT    NOT NULL, -- 2026-11-23T01:00:00Z
    account_id                  TEXT    NOT NULL,
    key_id                      TEXT    NOT NULL,
    model                       TEXT    NOT NULL,
    channel                     TEXT    NOT NULL,
    provider                    TEXT    NOT NULL,
    app                         TEXT    NOT NULL,
    app_title                   TEXT,             -- the greatest of the bucket
    request_count               INTEGER NOT NULL,
    ok_count                    INTEGER NOT NULL,
    error_count                 INTEGER NOT NULL,
    cancelled_count             INTEGER NOT NULL,
    released_count              INTEGER NOT NULL,
    expired_count               INTEGER NOT NULL,
    prompt_tokens               INTEGER NOT NULL,
    completion_tokens           INTEGER NOT NULL,
    reasoning_tokens            INTEGER NOT NULL,
    cached_tokens               INTEGER NOT NULL,
    cache_write_tokens          INTEGER NOT NULL,
    tool_calls                  INTEGER NOT NULL,
    charge_nanos                INTEGER NOT NULL,
    provider_cost_nanos         INTEGER NOT NULL, -- of the requests whose cost is known
    provider_cost_unknown_count INTEGER NOT NULL,
    duration_ms_sum             INTEGER NOT NULL,
    ttft_ms_sum                 INTEGER NOT NULL,
    ttft_count                  INTEGER NOT NULL,
    PRIMARY KEY (hour, account_id, key_id, model, channel, provider, app)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_daily (
    day                         TEXT    NOT NULL, -- 2026-11-23
    account_id                  TEXT    NOT NULL,
    key_id                      TEXT    NOT NULL,
    model                       TEXT    NOT NULL,
    channel                     TEXT    NOT NULL,
    provider                    TEXT    NOT NULL,
    app                         TEXT    NOT NULL,
    app_title                   TEXT,
    request_count               INTEGER NOT NULL,
    ok_count                    INTEGER NOT NULL,
    error_count                 INTEGER NOT NULL,
    cancelled_count             INTEGER NOT NULL,
    released_count              INTEGER NOT NULL,
    expired_count               INTEGER NOT NULL,
    prompt_tokens               INTEGER NOT NULL,
    completion_tokens           INTEGER NOT NULL,
    reasoning_tokens            INTEGER NOT NULL,
    cached_tokens               INTEGER NOT NULL,
    cache_write_tokens          INTEGER NOT NULL,
    tool_calls                  INTEGER NOT NULL,
    charge_nanos                INTEGER NOT NULL,
    provider_cost_nanos         INTEGER NOT NULL,
    provider_cost_unknown_count INTEGER NOT NULL,
    duration_ms_sum             INTEGER NOT NULL,
    ttft_ms_sum                 INTEGER NOT NULL,
    ttft_count                  INTEGER NOT NULL,
    PRIMARY KEY (account_id, day, key_id, model, channel, provider, app)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_daily_by_day ON usage_daily (day);

-- Fixed-bucket histograms of customers' requests; `bucket` is the lower bound (docs/analytics.md).
CREATE TABLE latency_hourly (
    hour          TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    channel       TEXT    NOT NULL,
    metric        TEXT    NOT NULL CHECK (metric IN ('ttft', 'throughput')),
    bucket        INTEGER NOT NULL,
    request_count INTEGER NOT NULL,
    PRIMARY KEY (hour, model, channel, metric, bucket)
) STRICT, WITHOUT ROWID;

-- One row a model and UTC day, of customers' requests (the system account's health probes are left out).
CREATE TABLE model_stats (
    model                       TEXT    NOT NULL,
    date                        TEXT    NOT NULL,
    request_count               INTEGER NOT NULL,
    token_count                 INTEGER NOT NULL,
    prompt_tokens               INTEGER NOT NULL,
    completion_tokens           INTEGER NOT NULL,
    reasoning_tokens            INTEGER NOT NULL,
    cached_tokens               INTEGER NOT NULL,
    tool_calls                  INTEGER NOT NULL,
    total_cost_nanos            INTEGER NOT NULL, -- what customers were charged
    provider_cost_nanos         INTEGER NOT NULL, -- what providers charge us, where known
    provider_cost_unknown_count INTEGER NOT NULL,
    ok_count                    INTEGER NOT NULL,
    error_count                 INTEGER NOT NULL,
    cancelled_count             INTEGER NOT NULL,
    released_count              INTEGER NOT NULL,
    duration_ms_sum             INTEGER NOT NULL,
    ttft_ms_sum                 INTEGER NOT NULL,
    ttft_count                  INTEGER NOT NULL,
    ttft_histogram              TEXT    NOT NULL, -- {"lower bound in ms": requests, …}
    throughput_histogram        TEXT    NOT NULL, -- {"lower bound in tokens per 1,000 s": requests, …}

    author         TEXT GENERATED ALWAYS AS (CASE instr(model, '/') WHEN 0 THEN '' ELSE substr(model, 1, instr(model, '/') - 1) END) VIRTUAL,
    total_cost     TEXT GENERATED ALWAYS AS (printf('%d.%09d', total_cost_nanos / 1000000000, total_cost_nanos % 1000000000)) VIRTUAL,
    provider_cost  TEXT GENERATED ALWAYS AS (printf('%d.%09d', provider_cost_nanos / 1000000000, provider_cost_nanos % 1000000000)) VIRTUAL,
    avg_latency_ms REAL GENERATED ALWAYS AS (CAST(duration_ms_sum AS REAL) / request_count) VIRTUAL,
    avg_ttft_ms    REAL GENERATED ALWAYS AS (CASE WHEN ttft_count > 0 THEN CAST(ttft_ms_sum AS REAL) / ttft_count END) VIRTUAL,
    PRIMARY KEY (date, model)
) STRICT, WITHOUT ROWID;

-- One row a calling app and UTC day, of customers' requests that name an app.
CREATE TABLE app_stats (
    app              TEXT    NOT NULL, -- its URL, or its title when it has none
    date             TEXT    NOT NULL,
    title            TEXT,
    request_count    INTEGER NOT NULL,
    token_count      INTEGER NOT NULL,
    total_cost_nanos INTEGER NOT NULL,

    total_cost TEXT GENERATED ALWAYS AS (printf('%d.%09d', total_cost_nanos / 1000000000, total_cost_nanos % 1000000000)) VIRTUAL,
    PRIMARY KEY (date, app)
) STRICT, WITHOUT ROWID;

-- Who used most tokens, by day, ISO week and month.
CREATE TABLE rankings (
    period          TEXT    NOT NULL, -- ISO 8601: 2026-11-23, 2026-W48, 2026-11
    period_kind     TEXT    NOT NULL CHECK (period_kind IN ('day', 'week', 'month')),
    period_start    TEXT    NOT NULL, -- first day
    kind            TEXT    NOT NULL CHECK (kind IN ('model', 'author', 'app')),
    rank            INTEGER NOT NULL, -- 1, 2, 3 …; equals are ordered by subject
    subject         TEXT    NOT NULL,
    tokens          INTEGER NOT NULL, -- prompt + completion
    requests        INTEGER NOT NULL,
    share           REAL    NOT NULL, -- of all tokens of this kind in the period, 0 to 1
    previous_tokens INTEGER NOT NULL, -- in the period before
    change          REAL,             -- (tokens − previous) ÷ previous; NULL for a newcomer
    PRIMARY KEY (period, kind, rank)
) STRICT, WITHOUT ROWID;
