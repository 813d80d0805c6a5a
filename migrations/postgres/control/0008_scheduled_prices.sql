-- Prices that come into force at a later moment. Their versions are rows like all others, and as unchangeable; here is when
-- they were withdrawn, where they were. Of a model's version and its scheduled ones the latest that is due counts.

CREATE TABLE control_scheduled_prices (
    version_id   TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES control_price_versions (id),
    channel_id   TEXT COLLATE "C" NOT NULL,
    model        TEXT COLLATE "C" NOT NULL,
    effective_at BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    withdrawn_at BIGINT
);
CREATE INDEX control_scheduled_prices_by_endpoint ON control_scheduled_prices (channel_id, model, effective_at) WHERE withdrawn_at IS NULL;
