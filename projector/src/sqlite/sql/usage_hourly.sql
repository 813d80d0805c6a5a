-- $1 hour, $2..$3 admissions in it
INSERT INTO usage_hourly
    (hour, account_id, key_id, model, channel, provider, app, app_title, request_count, ok_count, error_count, cancelled_count,
     released_count, expired_count, prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens, cache_write_tokens, tool_calls,
     charge_nanos, provider_cost_nanos, provider_cost_unknown_count, duration_ms_sum, ttft_ms_sum, ttft_count)
SELECT $1, account_id, coalesce(key_id, ''), model, channel, provider, app, max(app_title),
       count(*),
       sum(status = 'ok'),
       sum(status = 'error'),
       sum(status = 'cancelled'),
       sum(status = 'released'),
       sum(status = 'expired'),
       sum(prompt_tokens),
       sum(completion_tokens),
       sum(reasoning_tokens),
       sum(cache_read_tokens),
       sum(cache_write_5m_tokens + cache_write_1h_tokens),
       sum(tool_calls),
       sum(charge_nanos),
       coalesce(sum(provider_cost_nanos), 0),
       sum(provider_cost_nanos IS NULL),
       sum(duration_ms),
       coalesce(sum(ttft_ms), 0),
       count(ttft_ms)
FROM usage_events
WHERE admitted_at >= $2 AND admitted_at < $3
GROUP BY account_id, coalesce(key_id, ''), model, channel, provider, app
