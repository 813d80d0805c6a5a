-- People: how they sign in, which accounts they belong to, what they prefer. An account is a wallet; a person
-- belongs to any number of them, with a role in each. `control_users.role` 'admin' is the platform's administrator;
-- `control_users.account_id` is the account a person came with.
-- Nothing here can be turned back into a password, a session or an invitation: only hashes are kept.

ALTER TABLE control_users ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE control_users ADD COLUMN password_hash TEXT;        -- Argon2id in PHC form; NULL signs in elsewhere only
ALTER TABLE control_users ADD COLUMN status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled'));
ALTER TABLE control_users ADD COLUMN updated_at INTEGER;
ALTER TABLE control_users ADD COLUMN last_sign_in_at INTEGER;
UPDATE control_users SET email = lower(email);

CREATE TABLE control_memberships (
    account_id TEXT    NOT NULL REFERENCES control_accounts (id),
    user_id    TEXT    NOT NULL REFERENCES control_users (id),
    role       TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'finance', 'analyst')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, user_id)
) STRICT;
CREATE INDEX control_memberships_by_user ON control_memberships (user_id);
INSERT INTO control_memberships (account_id, user_id, role, created_at)
    SELECT account_id, id, 'owner', created_at FROM control_users;

-- Somebody at an identity provider, by the provider's own subject. `google` is Google, `oidc:NAME` a configured one.
CREATE TABLE control_identities (
    provider   TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    user_id    TEXT    NOT NULL REFERENCES control_users (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (provider, subject)
) STRICT;
CREATE UNIQUE INDEX control_identities_by_user ON control_identities (user_id, provider);

-- A browser that signed in: revoked here, it is signed out everywhere at once.
CREATE TABLE control_sessions (
    id             TEXT    NOT NULL PRIMARY KEY,
    user_id        TEXT    NOT NULL REFERENCES control_users (id),
    refresh_sha256 TEXT    NOT NULL UNIQUE CHECK (length(refresh_sha256) = 64),
    user_agent     TEXT    NOT NULL,
    address        TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    last_seen_at   INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    revoked_at     INTEGER
) STRICT;
CREATE INDEX control_sessions_by_user ON control_sessions (user_id, created_at);
CREATE INDEX control_sessions_by_expiry ON control_sessions (expires_at);

-- NULL is not set: the account's applies, then the deployment's.
CREATE TABLE control_user_preferences (
    user_id          TEXT    NOT NULL PRIMARY KEY REFERENCES control_users (id),
    theme            TEXT             CHECK (theme IN ('system', 'light', 'dark')),
    language         TEXT             CHECK (language IN ('zh-CN', 'en')),
    default_model    TEXT,
    routing_strategy TEXT             CHECK (routing_strategy IN ('weighted_random', 'lowest_latency', 'lowest_cost')),
    data_collection  TEXT             CHECK (data_collection IN ('allow', 'deny')),
    zdr              INTEGER          CHECK (zdr IN (0, 1)),
    updated_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE control_account_preferences (
    account_id       TEXT    NOT NULL PRIMARY KEY REFERENCES control_accounts (id),
    default_model    TEXT,
    routing_strategy TEXT             CHECK (routing_strategy IN ('weighted_random', 'lowest_latency', 'lowest_cost')),
    data_collection  TEXT             CHECK (data_collection IN ('allow', 'deny')),
    zdr              INTEGER          CHECK (zdr IN (0, 1)),
    updated_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE control_invitations (
    id           TEXT    NOT NULL PRIMARY KEY,
    account_id   TEXT    NOT NULL REFERENCES control_accounts (id),
    email        TEXT    NOT NULL,
    role         TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'finance', 'analyst')),
    token_sha256 TEXT    NOT NULL UNIQUE CHECK (length(token_sha256) = 64),
    invited_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    accepted_at  INTEGER,
    revoked_at   INTEGER
) STRICT;
CREATE INDEX control_invitations_by_account ON control_invitations (account_id, created_at);
