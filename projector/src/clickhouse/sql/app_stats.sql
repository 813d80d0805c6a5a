-- Parameters as in usage_daily.sql.
INSERT INTO stored_app_stats (date, app, title, request_count, token_count, total_cost_nanos, version)
SELECT toDate(hour) AS date, app, max(app_title), sum(request_count), sum(prompt_tokens + completion_tokens), sum(charge_nanos),
       {version:UInt64}
FROM usage_hourly
WHERE hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({past:UInt32}, 'UTC')
  AND toUnixTimestamp(toStartOfDay(hour)) IN {buckets:Array(UInt32)}
  AND app <> '' AND account_id <> toUUID('00000000-0000-0000-0000-000000000000')
GROUP BY date, app
