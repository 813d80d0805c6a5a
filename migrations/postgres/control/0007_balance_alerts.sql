-- Whom an account tells when its balance runs low, and what was told.

CREATE TABLE control_balance_alerts (
    account_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES control_accounts (id),
    id              TEXT COLLATE "C" NOT NULL UNIQUE,        -- another one after it was removed
    threshold_nanos BIGINT  NOT NULL CHECK (threshold_nanos > 0),
    url             TEXT    NOT NULL,
    sealed_secret   BYTEA   NOT NULL,
    is_low          BOOLEAN NOT NULL,                               -- told, and not yet well above again
    crossings       BIGINT  NOT NULL CHECK (crossings >= 0),
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT
);

-- One row a crossing, written with the decision; its id is the webhook-id of every attempt.
CREATE TABLE control_webhook_deliveries (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account_id      TEXT COLLATE "C" NOT NULL REFERENCES control_accounts (id),
    event_type      TEXT    NOT NULL,
    body            TEXT    NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts        BIGINT  NOT NULL CHECK (attempts >= 0),
    next_attempt_at BIGINT  NOT NULL,
    last_attempt_at BIGINT,
    last_status     BIGINT,                        -- of the receiver's answer, where there was one
    last_error      TEXT,
    created_at      BIGINT  NOT NULL,
    delivered_at    BIGINT
);
CREATE INDEX control_webhook_deliveries_due ON control_webhook_deliveries (next_attempt_at) WHERE status = 'pending';
CREATE INDEX control_webhook_deliveries_by_account ON control_webhook_deliveries (account_id, created_at);
