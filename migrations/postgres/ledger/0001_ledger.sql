-- The books. Amounts are integers of nano-dollars (10^-9 USD), instants are microseconds since 1970 UTC,
-- hashes are 32 bytes. Names and columns are those of the embedded store, so that digests agree.
-- Nothing here names a schema: everything lives in the first one of the search path. docs/ledger.md.

-- The last log position that was applied: the compare-and-set that makes applying exactly once.
CREATE TABLE ledger_position (
    singleton SMALLINT PRIMARY KEY CHECK (singleton = 1),
    position BIGINT NOT NULL
) WITH (fillfactor = 50);
INSERT INTO ledger_position (singleton, position) VALUES (1, 0);

-- The chart of accounts.
CREATE TABLE ledger_accounts (
    code SMALLINT PRIMARY KEY,
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

-- One row per fact, written once, in log order. Duplicates have none. Partitioned by the month in the
-- request id (a UUIDv7): one unique index a month is unique for ever, because an id has one month.
CREATE TABLE ledger_entries (
    position BIGINT NOT NULL,
    partition SMALLINT NOT NULL,
    ordinal BIGINT NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    event_type TEXT NOT NULL,
    verdict TEXT NOT NULL,
    rejection TEXT,
    account_id UUID NOT NULL,
    request_id UUID,
    key_id UUID,
    admission_day INTEGER,
    amount_nanos BIGINT NOT NULL,
    balance_after_nanos BIGINT NOT NULL,
    provider_cost_nanos BIGINT,
    provisional BOOLEAN NOT NULL,
    occurred_at_micros BIGINT NOT NULL,
    event_sha256 BYTEA NOT NULL CHECK (octet_length(event_sha256) = 32),
    head BYTEA NOT NULL CHECK (octet_length(head) = 32)
) PARTITION BY RANGE (request_id);
-- One fact of a kind per request, for ever. Positions are looked up in every month.
CREATE UNIQUE INDEX ledger_entries_request ON ledger_entries (request_id, event_type);
CREATE UNIQUE INDEX ledger_entries_position ON ledger_entries (position, request_id) NULLS NOT DISTINCT;
CREATE INDEX ledger_entries_statement ON ledger_entries (account_id, position) WHERE amount_nanos <> 0;

-- The legs. They sum to zero per position; none is zero. Customers have an id, platform accounts a
-- partition. The request id is here for the month alone.
CREATE TABLE ledger_postings (
    position BIGINT NOT NULL,
    leg SMALLINT NOT NULL,
    account_code SMALLINT NOT NULL,
    account_id UUID,
    partition SMALLINT NOT NULL,
    amount_nanos BIGINT NOT NULL CHECK (amount_nanos <> 0),
    request_id UUID
) PARTITION BY RANGE (request_id);
CREATE UNIQUE INDEX ledger_postings_position ON ledger_postings (position, leg, request_id) NULLS NOT DISTINCT;

-- Facts that are about no request, and requests of a month that has no partition.
CREATE TABLE ledger_entries_other PARTITION OF ledger_entries DEFAULT;
CREATE TABLE ledger_postings_other PARTITION OF ledger_postings DEFAULT;
-- One result per event id of everything that is not about a request: such rows have no other home.
CREATE UNIQUE INDEX ledger_entries_other_event ON ledger_entries_other (event_id) WHERE request_id IS NULL;

-- What was ordered under an idempotency key, granted or not.
CREATE TABLE ledger_orders (
    position BIGINT PRIMARY KEY,
    ordered_nanos BIGINT NOT NULL,
    actor TEXT NOT NULL,
    input_sha256 TEXT NOT NULL,
    reason TEXT,
    reference TEXT,
    request_id UUID,
    expires_at_micros BIGINT,
    grant_id TEXT COLLATE "C"
);
CREATE INDEX ledger_orders_request ON ledger_orders (request_id) WHERE request_id IS NOT NULL;

-- Entries that could not be booked, with their bytes.
CREATE TABLE ledger_quarantine (
    position BIGINT PRIMARY KEY,
    reason TEXT NOT NULL,
    payload BYTEA NOT NULL
);

-- From here on: sums over the rows above, kept so that reading is cheap. The audit recomputes them.
-- Hot rows are updated in place: room is left on every page, and no index holds a changing column.
CREATE TABLE ledger_balances (
    account_id UUID PRIMARY KEY,
    balance_nanos BIGINT NOT NULL,
    credits_nanos BIGINT NOT NULL,
    usage_nanos BIGINT NOT NULL,
    position BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE ledger_key_spend (
    key_id UUID NOT NULL,
    day INTEGER NOT NULL,
    account_id UUID NOT NULL,
    spent_nanos BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (key_id, day)
) WITH (fillfactor = 50);

CREATE TABLE ledger_lots (
    grant_id TEXT COLLATE "C" PRIMARY KEY,
    account_id UUID NOT NULL,
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
    head BYTEA NOT NULL,
    latest_day INTEGER,
    position BIGINT NOT NULL
) WITH (fillfactor = 20);

-- Producers' sequences. `ahead` is a JSON list of ranges seen beyond the contiguous part.
CREATE TABLE ledger_producers (
    node_id UUID NOT NULL,
    boot_id UUID NOT NULL,
    partition SMALLINT NOT NULL,
    contiguous BIGINT NOT NULL,
    ahead TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (node_id, boot_id, partition)
) WITH (fillfactor = 50);

-- What was written stays, for the owner of the tables too. Statement triggers hold for the table that is
-- named, so every partition has its own.
CREATE FUNCTION ledger_is_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER ledger_entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_insert_only();
CREATE TRIGGER ledger_entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries_other
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_insert_only();
CREATE TRIGGER ledger_postings_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_postings
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_insert_only();
CREATE TRIGGER ledger_postings_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_postings_other
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_insert_only();
CREATE TRIGGER ledger_orders_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_orders
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_insert_only();
CREATE TRIGGER ledger_quarantine_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_quarantine
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_insert_only();

-- The least UUIDv7 of an instant.
CREATE FUNCTION ledger_first_id(instant TIMESTAMPTZ) RETURNS UUID LANGUAGE sql STABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM instant) * 1000)::BIGINT), 12, '0') || repeat('0', 20))::UUID
$$;

-- Gives a month (its first day) its partitions; does nothing where it has them. Tables are made apart and
-- attached, because that lets readers and the writer of the parent go on; only the partition of the others
-- is locked, and briefly. Fails where the others hold rows of that month: they then stay there for good.
CREATE FUNCTION ledger_add_month(first_day DATE) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    suffix TEXT := to_char(first_day, 'YYYY_MM');
    first_id UUID := ledger_first_id(first_day::TIMESTAMP AT TIME ZONE 'UTC');
    next_id UUID := ledger_first_id((first_day + INTERVAL '1 month')::TIMESTAMP AT TIME ZONE 'UTC');
    parent TEXT;
    month TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ledger_add_month', 0));
    FOREACH parent IN ARRAY ARRAY['ledger_entries', 'ledger_postings'] LOOP
        month := parent || '_' || suffix;
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = parent::REGCLASS AND c.relname = month
        );
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', month, parent);
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_insert_only()', parent || '_stay', month);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, month, first_id, next_id);
    END LOOP;
END $$;

-- For finance. Stable: columns are only ever added, at the end.
CREATE VIEW transactions AS
SELECT e.event_id AS id,
    'acct_' || replace(e.account_id::TEXT, '-', '') AS account,
    CASE e.event_type
        WHEN 'usage.settled' THEN 'usage' WHEN 'balance.topup' THEN 'topup' WHEN 'balance.grant' THEN 'grant'
        WHEN 'balance.refund' THEN 'refund' WHEN 'balance.adjust' THEN 'adjustment' ELSE 'expiry' END AS kind,
    (e.amount_nanos * 0.000000001)::NUMERIC(28, 9) AS amount,
    (e.balance_after_nanos * 0.000000001)::NUMERIC(28, 9) AS balance_after,
    (e.provider_cost_nanos * 0.000000001)::NUMERIC(28, 9) AS provider_cost,
    replace(coalesce(e.request_id, o.request_id)::TEXT, '-', '') AS request,
    'key_' || replace(e.key_id::TEXT, '-', '') AS api_key,
    o.reference AS reference,
    o.reason AS reason,
    o.actor AS actor,
    TIMESTAMPTZ 'epoch' + e.occurred_at_micros * INTERVAL '1 microsecond' AS created_at,
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
    'acct_' || replace(p.account_id::TEXT, '-', '') AS account,
    p.partition AS partition,
    (p.amount_nanos * 0.000000001)::NUMERIC(28, 9) AS amount,
    p.amount_nanos AS amount_nanos,
    p.position AS position
FROM ledger_postings p
JOIN ledger_entries e ON e.position = p.position
JOIN ledger_accounts a ON a.code = p.account_code;

CREATE VIEW account_balances AS
SELECT 'acct_' || replace(account_id::TEXT, '-', '') AS account,
    (balance_nanos * 0.000000001)::NUMERIC(28, 9) AS balance,
    (credits_nanos * 0.000000001)::NUMERIC(28, 9) AS credits,
    (usage_nanos * 0.000000001)::NUMERIC(28, 9) AS usage,
    balance_nanos, credits_nanos, usage_nanos, position
FROM ledger_balances;
