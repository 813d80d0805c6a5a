-- Which request an `Idempotency-Key` of a paying call stands for. Rows are forgotten after `timeouts.idempotency`; no
-- request or answer is kept, only the hash that tells two requests apart.

CREATE TABLE control_idempotency (
    api_key_id      TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    request_id      TEXT    NOT NULL,
    input_sha256    TEXT    NOT NULL CHECK (length(input_sha256) = 64),
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (api_key_id, idempotency_key)
);

CREATE INDEX control_idempotency_by_age ON control_idempotency (created_at);
