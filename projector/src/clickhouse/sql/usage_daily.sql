-- {buckets} are starts of days in seconds, within {first}..{past}; {version} is the log position as of which they are computed
INSERT INTO stored_usage_daily
    (day, account_id, key_id, model, channel, provider, app, app_title, request_count, ok_count, error_count, cancelled_count,
     released_count, expired_count, prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens, cache_write_tokens, tool_calls,
     charge_nanos, provider_cost_nanos, provider_cost_unknown_count, duration_ms_sum, ttft_ms_sum, ttft_count, version)
SELECT toDate(hour) AS day, account_id, key_id, model, channel, provider, app, max(app_title),
       sum(request_count),
       sum(ok_count),
       sum(error_count),
       sum(cancelled_count),
       sum(released_count),
       sum(expired_count),
       sum(prompt_tokens),
       sum(completion_tokens),
       sum(reasoning_tokens),
       sum(cached_tokens),
       sum(cache_write_tokens),
       sum(tool_calls),
       sum(charge_nanos),
       sum(provider_cost_nanos),
       sum(provider_cost_unknown_count),
       sum(duration_ms_sum),
       sum(ttft_ms_sum),
       sum(ttft_count),
       {version:UInt64}
FROM usage_hourly
WHERE hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({past:UInt32}, 'UTC')
  AND toUnixTimestamp(toStartOfDay(hour)) IN {buckets:Array(UInt32)}
GROUP BY day, account_id, key_id, model, channel, provider, app
