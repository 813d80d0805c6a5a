-- Prices that come into force at a later moment. Their versions are rows like all others, and as unchangeable; here is when
-- they were withdrawn, where they were. Of a model's version and its scheduled ones the latest that is due counts.

CREATE TABLE control_scheduled_prices (
    version_id   TEXT    NOT NULL PRIMARY KEY REFERENCES control_price_versions (id),
    channel_id   TEXT    NOT NULL,
    model        TEXT    NOT NULL,
    effective_at INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    withdrawn_at INTEGER
) STRICT;
CREATE INDEX control_scheduled_prices_by_endpoint ON control_scheduled_prices (channel_id, model, effective_at) WHERE withdrawn_at IS NULL;
