-- What is not there is NULL in the views for finance, as in PostgreSQL: hex(NULL) is an empty text.
DROP VIEW transactions;
DROP VIEW postings;

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
    nullif(lower(hex(coalesce(e.request_id, o.request_id))), '') AS request,
    CASE WHEN e.key_id IS NOT NULL THEN 'key_' || lower(hex(e.key_id)) END AS api_key,
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
    CASE WHEN p.account_id IS NOT NULL THEN 'acct_' || lower(hex(p.account_id)) END AS account,
    p.partition AS partition,
    printf('%s%d.%09d', CASE WHEN p.amount_nanos < 0 THEN '-' ELSE '' END, abs(p.amount_nanos) / 1000000000,
        abs(p.amount_nanos) % 1000000000) AS amount,
    p.amount_nanos AS amount_nanos,
    p.position AS position
FROM ledger_postings p
JOIN ledger_entries e ON e.position = p.position
JOIN ledger_accounts a ON a.code = p.account_code;
