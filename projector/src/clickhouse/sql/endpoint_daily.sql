-- Parameters as in usage_daily.sql; from hours for the reason in model_stats.sql.
INSERT INTO stored_endpoint_daily
    (day, model, channel, provider, request_count, ok_count, error_count, cancelled_count, prompt_tokens, completion_tokens,
     reasoning_tokens, cached_tokens, charge_nanos, version)
SELECT toDate(hour) AS day, model, channel, provider,
       sum(u.request_count),
       sum(u.ok_count),
       sum(u.error_count),
       sum(u.cancelled_count),
       sum(u.prompt_tokens),
       sum(u.completion_tokens),
       sum(u.reasoning_tokens),
       sum(u.cached_tokens),
       sum(u.charge_nanos),
       {version:UInt64}
FROM usage_hourly AS u
WHERE hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({past:UInt32}, 'UTC')
  AND toUnixTimestamp(toStartOfDay(hour)) IN {buckets:Array(UInt32)}
  AND model <> '' AND account_id <> toUUID('00000000-0000-0000-0000-000000000000')
GROUP BY day, model, channel, provider
