-- What analytics know: one row a request, and where in the log they stand.
--
-- Column names are public and stable (docs/analytics.md). Every value comes from event bytes: there is no
-- default that asks a clock. Money is integer nano-dollars; beside it stands a generated column with the
-- same amount as decimal text in dollars, always nine fraction digits, exact.

CREATE TABLE usage_events (
    request_id             TEXT    NOT NULL PRIMARY KEY, -- UUIDv7, hyphenated: sorts by time
    event_id               TEXT    NOT NULL,             -- of the terminal event in effect
    log_position           INTEGER NOT NULL,             -- of the same event
    account_id             TEXT    NOT NULL,
    key_id                 TEXT,
    user_id                TEXT,
    model                  TEXT    NOT NULL,             -- that served; empty for an expired hold
    model_requested        TEXT    NOT NULL,
    channel                TEXT    NOT NULL,             -- empty when none served
    provider               TEXT    NOT NULL,
    api_type               TEXT    NOT NULL,
    app_url                TEXT,
    app_title              TEXT,
    admitted_at            TEXT    NOT NULL,             -- UTC, 2026-11-23T01:40:11.123456Z
    ended_at               TEXT    NOT NULL,
    terminal               TEXT    NOT NULL CHECK (terminal IN ('settled', 'released', 'expired')),
    recovered              INTEGER NOT NULL,             -- 1: released by crash recovery
    provisional            INTEGER NOT NULL,             -- 1: a later report may correct the amount
    release_reason         TEXT,
    status                 TEXT    NOT NULL CHECK (status IN ('ok', 'error', 'cancelled', 'released', 'expired')),
    http_status            INTEGER,
    error_type             TEXT,
    finish_reason          TEXT,
    native_finish_reason   TEXT,
    streamed               INTEGER NOT NULL,
    cancelled              INTEGER NOT NULL,
    uncached_input_tokens  INTEGER NOT NULL,
    cache_read_tokens      INTEGER NOT NULL,
    cache_write_5m_tokens  INTEGER NOT NULL,
    cache_write_1h_tokens  INTEGER NOT NULL,
    image_input_tokens     INTEGER NOT NULL,
    audio_input_tokens     INTEGER NOT NULL,
    text_output_tokens     INTEGER NOT NULL,
    reasoning_tokens       INTEGER NOT NULL,
    image_output_tokens    INTEGER NOT NULL,
    audio_output_tokens    INTEGER NOT NULL,
    tool_calls             INTEGER NOT NULL,
    usage_source           TEXT    NOT NULL CHECK (usage_source IN ('provider', 'partial', 'estimate', 'recovered')),
    charge_nanos           INTEGER NOT NULL CHECK (charge_nanos >= 0),
    provider_cost_nanos    INTEGER CHECK (provider_cost_nanos >= 0), -- NULL: cannot be known
    rounding_picos         INTEGER NOT NULL,
    hold_nanos             INTEGER NOT NULL,
    ttft_ms                INTEGER,
    duration_ms            INTEGER NOT NULL,
    ttft_bucket            INTEGER,                      -- lower bound in ms of its histogram bucket
    throughput_bucket      INTEGER,                      -- likewise, completion tokens per 1,000 s
    price_version          TEXT,
    upstream_id            TEXT,
    epoch                  INTEGER NOT NULL,
    attempts               TEXT    NOT NULL,             -- JSON array, as in the event
    cost_lines             TEXT    NOT NULL,             -- JSON array, as in the event

    day               TEXT    GENERATED ALWAYS AS (substr(admitted_at, 1, 10)) VIRTUAL,
    hour              TEXT    GENERATED ALWAYS AS (substr(admitted_at, 1, 13) || ':00:00Z') VIRTUAL,
    author            TEXT    GENERATED ALWAYS AS (CASE instr(model, '/') WHEN 0 THEN '' ELSE substr(model, 1, instr(model, '/') - 1) END) VIRTUAL,
    app               TEXT    GENERATED ALWAYS AS (coalesce(app_url, app_title, '')) VIRTUAL,
    prompt_tokens     INTEGER GENERATED ALWAYS AS (uncached_input_tokens + cache_read_tokens + cache_write_5m_tokens
                                                   + cache_write_1h_tokens + image_input_tokens + audio_input_tokens) VIRTUAL,
    completion_tokens INTEGER GENERATED ALWAYS AS (text_output_tokens + reasoning_tokens + image_output_tokens + audio_output_tokens) VIRTUAL,
    token_count       INTEGER GENERATED ALWAYS AS (prompt_tokens + completion_tokens) VIRTUAL,
    charge            TEXT    GENERATED ALWAYS AS (printf('%d.%09d', charge_nanos / 1000000000, charge_nanos % 1000000000)) VIRTUAL,
    provider_cost     TEXT    GENERATED ALWAYS AS (CASE WHEN provider_cost_nanos IS NOT NULL
                          THEN printf('%d.%09d', provider_cost_nanos / 1000000000, provider_cost_nanos % 1000000000) END) VIRTUAL
) STRICT;

CREATE INDEX usage_events_by_time ON usage_events (admitted_at);
CREATE INDEX usage_events_by_account ON usage_events (account_id, admitted_at);

-- How far into the log the rows above reach. Written in the same transaction as they are.
CREATE TABLE projection_position (
    id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL
) STRICT;

INSERT INTO projection_position (id, position) VALUES (1, 0);

-- Log entries that are not events this build can read. They cost nobody anything here and stop nothing.
CREATE TABLE projection_quarantine (
    position     INTEGER NOT NULL PRIMARY KEY,
    reason       TEXT    NOT NULL, -- a stable word
    detail       TEXT    NOT NULL, -- for people; may change between versions
    event_sha256 TEXT    NOT NULL,
    event_bytes  INTEGER NOT NULL  -- length; the bytes stay in the log
) STRICT;

-- Buckets whose derived rows are older than their sources. Marked in the transaction that changes the
-- source and cleared in the one that recomputes the bucket, so that a crash between them loses nothing.
CREATE TABLE dirty_buckets (
    level  TEXT NOT NULL CHECK (level IN ('hour', 'day', 'ranking_day', 'ranking_week', 'ranking_month')),
    bucket TEXT NOT NULL, -- the hour, or the first day
    PRIMARY KEY (level, bucket)
) STRICT, WITHOUT ROWID;
