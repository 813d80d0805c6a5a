-- The books. Amounts are integers of nano-dollars (10^-9 USD), instants are microseconds since 1970 UTC,
-- ids are 16-byte UUIDs, hashes are 32 bytes. The views at the end are for people: docs/ledger.md.

-- The last log position that was applied: the compare-and-set that makes applying exactly once.
CREATE TABLE ledger_position (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    position BIGINT NOT NULL
);
INSERT INTO ledger_position (singleton, position) VALUES (1, 0);

-- The chart of accounts.
CREATE TABLE ledger_accounts (
    code INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    meaning TEXT NOT NULL
);
INSERT INTO ledger_accounts (code, name, meaning) VALUES
    (1, 'customer', 'what we owe a customer: the balance'),
    (2, 'revenue', 'charges earned, less refunds'),
    (3, 'provider_cost', 'what the providers'' answers cost us'),
    (4, 'payable', 'what we owe providers'),
    (5, 'clearing', 'money received for top-ups'),
    (6, 'breakage', 'grants that expired unused'),
    (7, 'promotions', 'grants given'),
    (8, 'adjustments', 'the other side of manual adjustments');

-- One row per fact, written once, in log order. Duplicates have none.
CREATE TABLE ledger_entries (
    position INTEGER PRIMARY KEY,
    partition SMALLINT NOT NULL,
    ordinal BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    verdict TEXT NOT NULL,
    rejection TEXT,
    account_id BLOB NOT NULL,
    request_id BLOB,
    key_id BLOB,
    admission_day INTEGER,
    amount_nanos BIGINT NOT NULL,
    balance_after_nanos BIGINT NOT NULL,
    provider_cost_nanos BIGINT,
    provisional BOOLEAN NOT NULL,
    occurred_at_micros BIGINT NOT NULL,
    event_sha256 BLOB NOT NULL,
    head BLOB NOT NULL
);
-- One fact of a kind per request, for ever; one result per event id of everything else.
CREATE UNIQUE INDEX ledger_entries_request ON ledger_entries (request_id, event_type) WHERE request_id IS NOT NULL;
CREATE UNIQUE INDEX ledger_entries_event ON ledger_entries (event_id) WHERE request_id IS NULL;
CREATE INDEX ledger_entries_statement ON ledger_entries (account_id, position) WHERE amount_nanos <> 0;

-- The legs. They sum to zero per position; none is zero. Customers have an id, platform accounts a partition.
CREATE TABLE ledger_postings (
    position BIGINT NOT NULL,
    leg SMALLINT NOT NULL,
    account_code SMALLINT NOT NULL,
    account_id BLOB,
    partition SMALLINT NOT NULL,
    amount_nanos BIGINT NOT NULL CHECK (amount_nanos <> 0),
    PRIMARY KEY (position, leg)
) WITHOUT ROWID;

-- What was ordered under an idempotency key, granted or not.
CREATE TABLE ledger_orders (
    position INTEGER PRIMARY KEY,
    ordered_nanos BIGINT NOT NULL,
    actor TEXT NOT NULL,
    input_sha256 TEXT NOT NULL,
    reason TEXT,
    reference TEXT,
    request_id BLOB,
    expires_at_micros BIGINT,
    grant_id TEXT
);
CREATE INDEX ledger_orders_request ON ledger_orders (request_id) WHERE request_id IS NOT NULL;

-- Entries that could not be booked, with their bytes.
CREATE TABLE ledger_quarantine (
    position INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL
);

-- From here on: sums over the rows above, kept so that reading is cheap. The audit recomputes them.
CREATE TABLE ledger_balances (
    account_id BLOB PRIMARY KEY,
    balance_nanos BIGINT NOT NULL,
    credits_nanos BIGINT NOT NULL,
    usage_nanos BIGINT NOT NULL,
    position BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE ledger_key_spend (
    key_id BLOB NOT NULL,
    day INTEGER NOT NULL,
    account_id BLOB NOT NULL,
    spent_nanos BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (key_id, day)
) WITHOUT ROWID;

CREATE TABLE ledger_lots (
    grant_id TEXT PRIMARY KEY,
    account_id BLOB NOT NULL,
    granted_nanos BIGINT NOT NULL,
    remaining_nanos BIGINT NOT NULL CHECK (remaining_nanos >= 0),
    expires_at_micros BIGINT,
    granted_position BIGINT NOT NULL,
    position BIGINT NOT NULL
);
CREATE INDEX ledger_lots_open ON ledger_lots (account_id) WHERE remaining_nanos > 0;
CREATE INDEX ledger_lots_due ON ledger_lots (expires_at_micros) WHERE remaining_nanos > 0;

CREATE TABLE ledger_partitions (
    partition SMALLINT PRIMARY KEY,
    ordinal BIGINT NOT NULL,
    head BLOB NOT NULL,
    latest_day INTEGER,
    position BIGINT NOT NULL
);

-- Producers' sequences. `ahead` is a JSON list of ranges seen beyond the contiguous part.
CREATE TABLE ledger_producers (
    node_id BLOB NOT NULL,
    boot_id BLOB NOT NULL,
    partition SMALLINT NOT NULL,
    contiguous BIGINT NOT NULL,
    ahead TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (node_id, boot_id, partition)
) WITHOUT ROWID;

-- What was written stays.
CREATE TRIGGER ledger_entries_keep BEFORE UPDATE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'ledger_entries is insert-only'); END;
CREATE TRIGGER ledger_entries_stay BEFORE DELETE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'ledger_entries is insert-only'); END;
CREATE TRIGGER ledger_postings_keep BEFORE UPDATE ON ledger_postings BEGIN SELECT RAISE(ABORT, 'ledger_postings is insert-only'); END;
CREATE TRIGGER ledger_postings_stay BEFORE DELETE ON ledger_postings BEGIN SELECT RAISE(ABORT, 'ledger_postings is insert-only'); END;
CREATE TRIGGER ledger_orders_keep BEFORE UPDATE ON ledger_orders BEGIN SELECT RAISE(ABORT, 'ledger_orders is insert-only'); END;
CREATE TRIGGER ledger_orders_stay BEFORE DELETE ON ledger_orders BEGIN SELECT RAISE(ABORT, 'ledger_orders is insert-only'); END;
CREATE TRIGGER ledger_quarantine_keep BEFORE UPDATE ON ledger_quarantine BEGIN SELECT RAISE(ABORT, 'ledger_quarantine is insert-only'); END;
CREATE TRIGGER ledger_quarantine_stay BEFORE DELETE ON ledger_quarantine BEGIN SELECT RAISE(ABORT, 'ledger_quarantine is insert-only'); END;

-- For finance. Stable: columns are only ever added, at the end.
CREATE VIEW transactions AS
SELECT e.event_id AS id,
    'acct_' || lower(hex(e.account_id)) AS account,
    CASE e.event_type
        WHEN 'usage.settled' THEN 'usage' WHEN 'balance.topup' THEN 'topup' WHEN 'balance.grant' THEN 'grant'
        WHEN 'balance.refund' THEN 'refund' WHEN 'balance.adjust' THEN 'adjustment' ELSE 'expiry' END AS kind,
    printf('%s%d.%09d', CASE WHEN e.amount_nanos < 0 THEN '-' ELSE '' END, abs(e.amount_nanos) / 1000000000,
        abs(e.amount_nanos) % 1000000000) AS amount,
    printf('%s%d.%09d', CASE WHEN e.balance_after_nanos < 0 THEN '-' ELSE '' END, abs(e.balance_after_nanos) / 1000000000,
        abs(e.balance_after_nanos) % 1000000000) AS balance_after,
    CASE WHEN e.provider_cost_nanos IS NOT NULL
        THEN printf('%d.%09d', e.provider_cost_nanos / 1000000000, e.provider_cost_nanos % 1000000000) END AS provider_cost,
    lower(hex(coalesce(e.request_id, o.request_id))) AS request,
    'key_' || lower(hex(e.key_id)) AS api_key,
    o.reference AS reference,
    o.reason AS reason,
    o.actor AS actor,
    strftime('%Y-%m-%dT%H:%M:%S', e.occurred_at_micros / 1000000, 'unixepoch') || printf('.%06dZ', e.occurred_at_micros % 1000000) AS created_at,
    e.provisional AS provisional,
    e.amount_nanos AS amount_nanos,
    e.balance_after_nanos AS balance_after_nanos,
    e.provider_cost_nanos AS provider_cost_nanos,
    e.position AS position,
    e.partition AS partition,
    e.ordinal AS ordinal
FROM ledger_entries e
LEFT JOIN ledger_orders o ON o.position = e.position
WHERE e.amount_nanos <> 0;

CREATE VIEW postings AS
SELECT e.event_id AS transaction_id,
    p.leg AS leg,
    a.name AS ledger_account,
    'acct_' || lower(hex(p.account_id)) AS account,
    p.partition AS partition,
    printf('%s%d.%09d', CASE WHEN p.amount_nanos < 0 THEN '-' ELSE '' END, abs(p.amount_nanos) / 1000000000,
        abs(p.amount_nanos) % 1000000000) AS amount,
    p.amount_nanos AS amount_nanos,
    p.position AS position
FROM ledger_postings p
JOIN ledger_entries e ON e.position = p.position
JOIN ledger_accounts a ON a.code = p.account_code;

CREATE VIEW account_balances AS
SELECT 'acct_' || lower(hex(account_id)) AS account,
    printf('%s%d.%09d', CASE WHEN balance_nanos < 0 THEN '-' ELSE '' END, abs(balance_nanos) / 1000000000,
        abs(balance_nanos) % 1000000000) AS balance,
    printf('%s%d.%09d', CASE WHEN credits_nanos < 0 THEN '-' ELSE '' END, abs(credits_nanos) / 1000000000,
        abs(credits_nanos) % 1000000000) AS credits,
    printf('%s%d.%09d', CASE WHEN usage_nanos < 0 THEN '-' ELSE '' END, abs(usage_nanos) / 1000000000,
        abs(usage_nanos) % 1000000000) AS usage,
    balance_nanos, credits_nanos, usage_nanos, position
FROM ledger_balances;
