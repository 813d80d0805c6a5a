-- A management key gives apps codes, too: a code is a person's or a key's.

ALTER TABLE control_authorization_codes ALTER COLUMN user_id DROP NOT NULL;
ALTER TABLE control_authorization_codes ADD COLUMN key_id TEXT COLLATE "C" REFERENCES control_api_keys (id);
ALTER TABLE control_authorization_codes
    ADD CONSTRAINT control_authorization_codes_giver CHECK ((user_id IS NULL) <> (key_id IS NULL));
CREATE INDEX control_authorization_codes_by_account ON control_authorization_codes (account_id, expires_at);
