-- What administrators change: accounts, keys, channels, prices. Balances are the ledger's, in the same
-- file under other names; nothing here moves money. Every name begins with control_.
-- Ids are the text of UUIDs, times microseconds since 1970 UTC, amounts nano-dollars, switches 0 or 1.

CREATE TABLE control_accounts (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('active', 'suspended', 'closed')),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE control_users (
    id         TEXT    NOT NULL PRIMARY KEY,
    account_id TEXT    NOT NULL REFERENCES control_accounts (id),
    email      TEXT    NOT NULL UNIQUE,
    role       TEXT    NOT NULL CHECK (role IN ('admin', 'member')),
    created_at INTEGER NOT NULL
) STRICT;

-- A key itself is never stored: only its SHA-256, and a label to recognise it by.
CREATE TABLE control_api_keys (
    id                    TEXT    NOT NULL PRIMARY KEY,
    account_id            TEXT    NOT NULL REFERENCES control_accounts (id),
    hash                  TEXT    NOT NULL UNIQUE CHECK (length(hash) = 64),
    label                 TEXT    NOT NULL,
    name                  TEXT    NOT NULL,
    kind                  TEXT    NOT NULL CHECK (kind IN ('inference', 'management')),
    scope                 TEXT    NOT NULL CHECK (scope IN ('account', 'platform')),
    disabled              INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    limit_nanos           INTEGER          CHECK (limit_nanos >= 0),
    limit_reset           TEXT             CHECK (limit_reset IN ('daily', 'weekly', 'monthly')),
    include_byok_in_limit INTEGER NOT NULL CHECK (include_byok_in_limit IN (0, 1)),
    requests_per_minute   INTEGER          CHECK (requests_per_minute > 0),
    tokens_per_minute     INTEGER          CHECK (tokens_per_minute > 0),
    concurrency           INTEGER          CHECK (concurrency > 0),
    allowed_models        TEXT,            -- JSON array of model ids; NULL allows all
    creator_user_id       TEXT,
    expires_at            INTEGER,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER,
    last_used_at          INTEGER,
    deleted_at            INTEGER
) STRICT;
CREATE INDEX control_api_keys_by_account ON control_api_keys (account_id, id);

-- The upstream key is sealed with the deployment's secret key and this row's id.
CREATE TABLE control_channels (
    id             TEXT    NOT NULL PRIMARY KEY,
    name           TEXT    NOT NULL UNIQUE,
    provider       TEXT    NOT NULL,
    base_url       TEXT,
    sealed_api_key BLOB,
    provider_name  TEXT,
    priority       INTEGER NOT NULL,
    weight         INTEGER NOT NULL CHECK (weight > 0),
    health_check   TEXT    NOT NULL,        -- JSON
    status         TEXT    NOT NULL CHECK (status IN ('enabled', 'disabled')),
    managed_by     TEXT    NOT NULL CHECK (managed_by IN ('file', 'api')),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER
) STRICT;

-- Append-only: a charge names the version it was made with for ever, whatever became of its channel.
CREATE TABLE control_price_versions (
    id           TEXT    NOT NULL PRIMARY KEY,
    channel_id   TEXT    NOT NULL,
    channel_name TEXT    NOT NULL,
    model        TEXT    NOT NULL,
    price        TEXT    NOT NULL,          -- JSON, pico-dollars per unit
    cost         TEXT    NOT NULL,
    effective_at INTEGER NOT NULL,
    created_by   TEXT    NOT NULL
) STRICT;
CREATE INDEX control_price_versions_by_endpoint ON control_price_versions (channel_id, model, effective_at);
CREATE TRIGGER control_price_versions_stay BEFORE UPDATE ON control_price_versions
BEGIN SELECT RAISE(ABORT, 'price versions are append-only'); END;
CREATE TRIGGER control_price_versions_last BEFORE DELETE ON control_price_versions
BEGIN SELECT RAISE(ABORT, 'price versions are append-only'); END;

CREATE TABLE control_channel_models (
    channel_id       TEXT    NOT NULL REFERENCES control_channels (id) ON DELETE CASCADE,
    model            TEXT    NOT NULL,
    position         INTEGER NOT NULL,      -- order in the channel, as it was written
    spec             TEXT    NOT NULL,      -- JSON of everything but the prices
    price_version_id TEXT    NOT NULL REFERENCES control_price_versions (id),
    created_at       INTEGER NOT NULL,
    PRIMARY KEY (channel_id, model)
) STRICT;

CREATE TABLE control_settings (
    name       TEXT    NOT NULL PRIMARY KEY,
    value      TEXT    NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- Facts that are due in the event log. Written with the change they tell of, deleted once the event is
-- durable; announcing one twice is harmless, because its event id is the same.
CREATE TABLE control_announcements (
    event_id TEXT    NOT NULL PRIMARY KEY,
    kind     TEXT    NOT NULL CHECK (kind IN ('account.opened', 'price.published')),
    subject  TEXT    NOT NULL,              -- id of the account or price version
    due_at   INTEGER NOT NULL
) STRICT;

-- Append-only: who did what, when. Written in the transaction of the change itself.
CREATE TABLE control_audit_records (
    id      TEXT    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    before  TEXT,                           -- JSON
    after   TEXT
) STRICT;
CREATE INDEX control_audit_records_by_subject ON control_audit_records (subject, id);
CREATE TRIGGER control_audit_records_stay BEFORE UPDATE ON control_audit_records
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;
CREATE TRIGGER control_audit_records_last BEFORE DELETE ON control_audit_records
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;
