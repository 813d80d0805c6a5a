-- What routing knows of a channel beside its address: limits, budgets, region and data policy as JSON, further keys sealed
-- like the first one.
ALTER TABLE control_channels ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE control_channels ADD COLUMN sealed_api_keys BLOB;

-- How channels do, as each gateway sees them: every gateway writes its own rows and reads those of the others. Analysts may
-- read it too, so its name is short. Times are microseconds since 1970 UTC, NULL where a thing never happened.
CREATE TABLE channel_health (
    channel_id           TEXT    NOT NULL,
    node_id              TEXT    NOT NULL,
    channel_name         TEXT    NOT NULL,
    status               TEXT    NOT NULL CHECK (status IN ('healthy', 'degraded', 'unhealthy')),
    consecutive_failures INTEGER NOT NULL,
    last_check_at        INTEGER,
    last_success_at      INTEGER,
    last_failure_at      INTEGER,
    open_until           INTEGER,           -- the breaker lets nothing through before
    cool_until           INTEGER,           -- asked by the provider to wait
    details              TEXT    NOT NULL,  -- JSON: counts by minute, speed by model, refused keys by fingerprint
    updated_at           INTEGER NOT NULL,
    PRIMARY KEY (channel_id, node_id)
) STRICT;
CREATE INDEX channel_health_by_age ON channel_health (updated_at);
