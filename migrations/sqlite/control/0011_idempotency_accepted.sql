-- Whether a word's request was accepted: one that was is charged some day, also when nobody knows of it yet.

ALTER TABLE control_idempotency ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1));
