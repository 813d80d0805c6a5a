-- Whom an account tells when its balance runs low, and what was told.

CREATE TABLE control_balance_alerts (
    account_id      TEXT    NOT NULL PRIMARY KEY REFERENCES control_accounts (id),
    id              TEXT    NOT NULL UNIQUE,        -- another one after it was removed
    threshold_nanos INTEGER NOT NULL CHECK (threshold_nanos > 0),
    url             TEXT    NOT NULL,
    sealed_secret   BLOB    NOT NULL,
    is_low          INTEGER NOT NULL CHECK (is_low IN (0, 1)),      -- told, and not yet well above again
    crossings       INTEGER NOT NULL CHECK (crossings >= 0),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER
) STRICT;

-- One row a crossing, written with the decision; its id is the webhook-id of every attempt.
CREATE TABLE control_webhook_deliveries (
    id              TEXT    NOT NULL PRIMARY KEY,
    account_id      TEXT    NOT NULL REFERENCES control_accounts (id),
    event_type      TEXT    NOT NULL,
    body            TEXT    NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts        INTEGER NOT NULL CHECK (attempts >= 0),
    next_attempt_at INTEGER NOT NULL,
    last_attempt_at INTEGER,
    last_status     INTEGER,                        -- of the receiver's answer, where there was one
    last_error      TEXT,
    created_at      INTEGER NOT NULL,
    delivered_at    INTEGER
) STRICT;
CREATE INDEX control_webhook_deliveries_due ON control_webhook_deliveries (next_attempt_at) WHERE status = 'pending';
CREATE INDEX control_webhook_deliveries_by_account ON control_webhook_deliveries (account_id, created_at);
