-- Attempts by endpoint and hour, so that the uptime of a day does not read every request of the day.

CREATE TABLE attempts_hourly (
    hour          TEXT    NOT NULL,
    channel       TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    outcome       TEXT    NOT NULL, -- ok, or the error type
    http_status   INTEGER NOT NULL, -- the upstream's; 0 when none came
    attempt_count INTEGER NOT NULL,
    PRIMARY KEY (hour, channel, model, outcome, http_status)
) STRICT, WITHOUT ROWID;

-- Hours that were derived before this table existed.
INSERT OR IGNORE INTO dirty_buckets (level, bucket) SELECT DISTINCT 'hour', hour FROM usage_hourly;
