-- A management key gives apps codes, too: a code is a person's or a key's. SQLite lifts no NOT NULL, so the table is made anew.

CREATE TABLE control_authorization_codes_by_giver (
    code_sha256      TEXT    NOT NULL PRIMARY KEY CHECK (length(code_sha256) = 64),
    account_id       TEXT    NOT NULL REFERENCES control_accounts (id),
    user_id          TEXT             REFERENCES control_users (id),
    key_id           TEXT             REFERENCES control_api_keys (id),
    challenge        TEXT,
    challenge_method TEXT             CHECK (challenge_method IN ('S256', 'plain')),
    key_name         TEXT    NOT NULL,
    limit_nanos      INTEGER          CHECK (limit_nanos >= 0),
    limit_reset      TEXT             CHECK (limit_reset IN ('daily', 'weekly', 'monthly')),
    key_expires_at   INTEGER,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    CHECK ((user_id IS NULL) <> (key_id IS NULL))
) STRICT;
INSERT INTO control_authorization_codes_by_giver
    (code_sha256, account_id, user_id, challenge, challenge_method, key_name, limit_nanos, limit_reset, key_expires_at, created_at, expires_at)
    SELECT code_sha256, account_id, user_id, challenge, challenge_method, key_name, limit_nanos, limit_reset, key_expires_at, created_at,
           expires_at FROM control_authorization_codes;
DROP TABLE control_authorization_codes;
ALTER TABLE control_authorization_codes_by_giver RENAME TO control_authorization_codes;
CREATE INDEX control_authorization_codes_by_expiry ON control_authorization_codes (expires_at);
CREATE INDEX control_authorization_codes_by_account ON control_authorization_codes (account_id, expires_at);
