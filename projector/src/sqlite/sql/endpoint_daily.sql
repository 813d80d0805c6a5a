-- $1 day. Expired holds name no model; the nil account is the platform itself.
INSERT INTO endpoint_daily
    (day, model, channel, provider, request_count, ok_count, error_count, cancelled_count, prompt_tokens, completion_tokens,
     reasoning_tokens, cached_tokens, charge_nanos)
SELECT day, model, channel, provider,
       sum(request_count),
       sum(ok_count),
       sum(error_count),
       sum(cancelled_count),
       sum(prompt_tokens),
       sum(completion_tokens),
       sum(reasoning_tokens),
       sum(cached_tokens),
       sum(charge_nanos)
FROM usage_daily
WHERE day = $1 AND model <> '' AND account_id <> '00000000-0000-0000-0000-000000000000'
GROUP BY day, model, channel, provider
