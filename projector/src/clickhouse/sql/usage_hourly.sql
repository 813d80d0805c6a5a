-- {buckets} are starts of hours in seconds, within {first}..{past}; {version} is the log position as of which they are computed
INSERT INTO stored_usage_hourly
    (hour, account_id, key_id, model, channel, provider, app, app_title, request_count, ok_count, error_count, cancelled_count,
     released_count, expired_count, prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens, cache_write_tokens, tool_calls,
     charge_nanos, provider_cost_nanos, provider_cost_unknown_count, duration_ms_sum, ttft_ms_sum, ttft_count, version)
SELECT hour, account_id, ifNull(toString(key_id), '') AS key, model, channel, provider, app, max(app_title),
       count(),
       countIf(status = 'ok'),
       countIf(status = 'error'),
       countIf(status = 'cancelled'),
       countIf(status = 'released'),
       countIf(status = 'expired'),
       sum(prompt_tokens),
       sum(completion_tokens),
       sum(reasoning_tokens),
       sum(cache_read_tokens),
       sum(cache_write_5m_tokens + cache_write_1h_tokens),
       sum(tool_calls),
       sum(charge_nanos),
       sum(ifNull(provider_cost_nanos, 0)),
       countIf(provider_cost_nanos IS NULL),
       sum(duration_ms),
       sum(ifNull(ttft_ms, 0)),
       count(ttft_ms),
       {version:UInt64}
FROM stored_usage_events FINAL
WHERE admitted_at >= toDateTime64({first:UInt32}, 6, 'UTC') AND admitted_at < toDateTime64({past:UInt32}, 6, 'UTC')
  AND toUnixTimestamp(hour) IN {buckets:Array(UInt32)}
GROUP BY hour, account_id, key, model, channel, provider, app
