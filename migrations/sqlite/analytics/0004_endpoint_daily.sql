-- Days by endpoint, of all customers together: what everybody used is read from few rows, however many accounts there are.

CREATE TABLE endpoint_daily (
    day               TEXT    NOT NULL, -- 2026-11-23
    model             TEXT    NOT NULL,
    channel           TEXT    NOT NULL,
    provider          TEXT    NOT NULL,
    request_count     INTEGER NOT NULL,
    ok_count          INTEGER NOT NULL,
    error_count       INTEGER NOT NULL,
    cancelled_count   INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    reasoning_tokens  INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    charge_nanos      INTEGER NOT NULL,
    PRIMARY KEY (day, model, channel, provider)
) STRICT, WITHOUT ROWID;

-- Days that were derived before this table existed; those with a mark are derived anew anyway.
INSERT INTO endpoint_daily
SELECT day, model, channel, provider,
       sum(request_count),
       sum(ok_count),
       sum(error_count),
       sum(cancelled_count),
       sum(prompt_tokens),
       sum(completion_tokens),
       sum(reasoning_tokens),
       sum(cached_tokens),
       sum(charge_nanos)
FROM usage_daily
WHERE model <> '' AND account_id <> '00000000-0000-0000-0000-000000000000'
GROUP BY day, model, channel, provider;
