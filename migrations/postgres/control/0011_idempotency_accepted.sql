-- Whether a word's request was accepted: one that was is charged some day, also when nobody knows of it yet.

ALTER TABLE control_idempotency ADD COLUMN accepted BOOLEAN NOT NULL DEFAULT FALSE;
