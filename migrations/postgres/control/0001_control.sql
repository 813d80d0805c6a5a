-- What administrators change: accounts, keys, channels, prices. Balances are the ledger's, in the same
-- schema under other names; nothing here moves money. Every name begins with control_.
-- Ids are the text of UUIDs, times microseconds since 1970 UTC, amounts nano-dollars. Types are those of
-- the embedded store, so that one SQL text reads both; texts are ordered by their bytes, as there.

CREATE TABLE control_accounts (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('active', 'suspended', 'closed')),
    created_at BIGINT  NOT NULL
);

CREATE TABLE control_users (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account_id TEXT COLLATE "C" NOT NULL REFERENCES control_accounts (id),
    email      TEXT    NOT NULL UNIQUE,
    role       TEXT    NOT NULL CHECK (role IN ('admin', 'member')),
    created_at BIGINT  NOT NULL
);

-- A key itself is never stored: only its SHA-256, and a label to recognise it by.
CREATE TABLE control_api_keys (
    id                    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account_id            TEXT COLLATE "C" NOT NULL REFERENCES control_accounts (id),
    hash                  TEXT    NOT NULL UNIQUE CHECK (length(hash) = 64),
    label                 TEXT    NOT NULL,
    name                  TEXT COLLATE "C" NOT NULL,
    kind                  TEXT    NOT NULL CHECK (kind IN ('inference', 'management')),
    scope                 TEXT    NOT NULL CHECK (scope IN ('account', 'platform')),
    disabled              BOOLEAN NOT NULL,
    limit_nanos           BIGINT           CHECK (limit_nanos >= 0),
    limit_reset           TEXT             CHECK (limit_reset IN ('daily', 'weekly', 'monthly')),
    include_byok_in_limit BOOLEAN NOT NULL,
    requests_per_minute   BIGINT           CHECK (requests_per_minute > 0),
    tokens_per_minute     BIGINT           CHECK (tokens_per_minute > 0),
    concurrency           BIGINT           CHECK (concurrency > 0),
    allowed_models        TEXT,            -- JSON array of model ids; NULL allows all
    creator_user_id       TEXT,
    expires_at            BIGINT,
    created_at            BIGINT  NOT NULL,
    updated_at            BIGINT,
    last_used_at          BIGINT,
    deleted_at            BIGINT
);
CREATE INDEX control_api_keys_by_account ON control_api_keys (account_id, id);

-- The upstream key is sealed with the deployment's secret key and this row's id.
CREATE TABLE control_channels (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name           TEXT COLLATE "C" NOT NULL UNIQUE,
    provider       TEXT    NOT NULL,
    base_url       TEXT,
    sealed_api_key BYTEA,
    provider_name  TEXT,
    priority       BIGINT  NOT NULL,
    weight         BIGINT  NOT NULL CHECK (weight > 0),
    health_check   TEXT    NOT NULL,        -- JSON
    status         TEXT    NOT NULL CHECK (status IN ('enabled', 'disabled')),
    managed_by     TEXT    NOT NULL CHECK (managed_by IN ('file', 'api')),
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT
);

-- Append-only: a charge names the version it was made with for ever, whatever became of its channel.
CREATE TABLE control_price_versions (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    channel_id   TEXT COLLATE "C" NOT NULL,
    channel_name TEXT    NOT NULL,
    model        TEXT COLLATE "C" NOT NULL,
    price        TEXT    NOT NULL,          -- JSON, pico-dollars per unit
    cost         TEXT    NOT NULL,
    effective_at BIGINT  NOT NULL,
    created_by   TEXT    NOT NULL
);
CREATE INDEX control_price_versions_by_endpoint ON control_price_versions (channel_id, model, effective_at);

CREATE TABLE control_channel_models (
    channel_id       TEXT COLLATE "C" NOT NULL REFERENCES control_channels (id) ON DELETE CASCADE,
    model            TEXT COLLATE "C" NOT NULL,
    position         BIGINT  NOT NULL,      -- order in the channel, as it was written
    spec             TEXT    NOT NULL,      -- JSON of everything but the prices
    price_version_id TEXT    NOT NULL REFERENCES control_price_versions (id),
    created_at       BIGINT  NOT NULL,
    PRIMARY KEY (channel_id, model)
);

CREATE TABLE control_settings (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value      TEXT    NOT NULL,
    updated_at BIGINT  NOT NULL
);

-- Facts that are due in the event log. Written with the change they tell of, deleted once the event is
-- durable; announcing one twice is harmless, because its event id is the same.
CREATE TABLE control_announcements (
    event_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind     TEXT    NOT NULL CHECK (kind IN ('account.opened', 'price.published')),
    subject  TEXT COLLATE "C" NOT NULL,              -- id of the account or price version
    due_at   BIGINT  NOT NULL
);

-- Append-only: who did what, when. Written in the transaction of the change itself.
CREATE TABLE control_audit_records (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at      BIGINT  NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    before  TEXT,                           -- JSON
    after   TEXT
);
CREATE INDEX control_audit_records_by_subject ON control_audit_records (subject, id);

-- What is append-only refuses everything else, for the owner of the tables too.
CREATE FUNCTION control_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER control_price_versions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON control_price_versions
    FOR EACH STATEMENT EXECUTE FUNCTION control_is_append_only();
CREATE TRIGGER control_audit_records_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON control_audit_records
    FOR EACH STATEMENT EXECUTE FUNCTION control_is_append_only();

-- Counts acts: every gateway looks at it, and reads everything anew when it moved. An act is whatever
-- leaves an audit record, so the count moves in the transaction of the change itself.
CREATE TABLE control_version (
    singleton SMALLINT PRIMARY KEY CHECK (singleton = 1),
    version   BIGINT   NOT NULL
) WITH (fillfactor = 20);
INSERT INTO control_version (singleton, version) VALUES (1, 0);
CREATE FUNCTION control_count_acts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE control_version SET version = version + 1 WHERE singleton = 1;
    RETURN NULL;
END $$;
CREATE TRIGGER control_audit_records_count AFTER INSERT ON control_audit_records
    FOR EACH STATEMENT EXECUTE FUNCTION control_count_acts();

-- Gateways that are running, as far as their leases say.
CREATE TABLE control_gateways (
    node_id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    boot_id       TEXT   NOT NULL,
    started_at    BIGINT NOT NULL,
    lease_ends_at BIGINT NOT NULL
) WITH (fillfactor = 50);
