-- What keys prefer; redemption codes; codes of third-party apps; sign-ins at identity providers that are under way.
-- Of every code and token only its hash is kept.

ALTER TABLE control_api_keys ADD COLUMN preferences TEXT;          -- JSON; NULL follows its creator, then its account

CREATE TABLE control_code_batches (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    amount_nanos BIGINT  NOT NULL CHECK (amount_nanos > 0),
    count        BIGINT  NOT NULL CHECK (count > 0),
    note         TEXT    NOT NULL,
    expires_at   BIGINT,
    created_by   TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    voided_at    BIGINT
);

-- Claimed by one account for ever; booked once its credit is in the ledger.
CREATE TABLE control_codes (
    code_sha256 TEXT    NOT NULL PRIMARY KEY CHECK (length(code_sha256) = 64),
    batch_id    TEXT COLLATE "C" NOT NULL REFERENCES control_code_batches (id),
    label       TEXT COLLATE "C" NOT NULL,           -- its last characters
    account_id  TEXT,
    user_id     TEXT,
    claimed_at  BIGINT,
    booked_at   BIGINT
);
CREATE INDEX control_codes_by_batch ON control_codes (batch_id, label);

-- A third-party app's right to one key, for ten minutes and once.
CREATE TABLE control_authorization_codes (
    code_sha256      TEXT    NOT NULL PRIMARY KEY CHECK (length(code_sha256) = 64),
    account_id       TEXT COLLATE "C" NOT NULL REFERENCES control_accounts (id),
    user_id          TEXT COLLATE "C" NOT NULL REFERENCES control_users (id),
    challenge        TEXT,
    challenge_method TEXT             CHECK (challenge_method IN ('S256', 'plain')),
    key_name         TEXT    NOT NULL,
    limit_nanos      BIGINT           CHECK (limit_nanos >= 0),
    limit_reset      TEXT             CHECK (limit_reset IN ('daily', 'weekly', 'monthly')),
    key_expires_at   BIGINT,
    created_at       BIGINT  NOT NULL,
    expires_at       BIGINT  NOT NULL
);
CREATE INDEX control_authorization_codes_by_expiry ON control_authorization_codes (expires_at);

-- A sign-in that a browser began at an identity provider: used once, by that browser, within ten minutes.
CREATE TABLE control_sign_in_states (
    state_sha256   TEXT    NOT NULL PRIMARY KEY CHECK (length(state_sha256) = 64),
    browser_sha256 TEXT    NOT NULL CHECK (length(browser_sha256) = 64),
    provider       TEXT    NOT NULL,
    nonce          TEXT    NOT NULL,
    verifier       TEXT    NOT NULL,
    return_to      TEXT    NOT NULL,
    link_user_id   TEXT,                    -- somebody signed in who links themselves
    expires_at     BIGINT  NOT NULL
);
CREATE INDEX control_sign_in_states_by_expiry ON control_sign_in_states (expires_at);
