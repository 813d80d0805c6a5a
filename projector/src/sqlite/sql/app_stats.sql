-- $1 day
INSERT INTO app_stats (app, date, title, request_count, token_count, total_cost_nanos)
SELECT app, $1, max(app_title), sum(request_count), sum(prompt_tokens + completion_tokens), sum(charge_nanos)
FROM usage_daily
WHERE day = $1 AND app <> '' AND account_id <> '00000000-0000-0000-0000-000000000000'
GROUP BY app
