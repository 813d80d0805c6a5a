-- $1 day, $1..$2 its hours. Expired holds name no model; the nil account is the platform itself.
WITH buckets AS MATERIALIZED (
    SELECT model, metric, bucket, sum(request_count) AS request_count
    FROM latency_hourly
    WHERE hour >= $1 AND hour < $2
    GROUP BY model, metric, bucket
), histograms AS MATERIALIZED (
    SELECT model, metric, json_group_object(CAST(bucket AS TEXT), request_count ORDER BY bucket) AS histogram
    FROM buckets
    GROUP BY model, metric
), totals AS (
    SELECT model,
           sum(request_count) AS request_count,
           sum(prompt_tokens) AS prompt_tokens,
           sum(completion_tokens) AS completion_tokens,
           sum(reasoning_tokens) AS reasoning_tokens,
           sum(cached_tokens) AS cached_tokens,
           sum(tool_calls) AS tool_calls,
           sum(charge_nanos) AS charge_nanos,
           sum(provider_cost_nanos) AS provider_cost_nanos,
           sum(provider_cost_unknown_count) AS provider_cost_unknown_count,
           sum(ok_count) AS ok_count,
           sum(error_count) AS error_count,
           sum(cancelled_count) AS cancelled_count,
           sum(released_count) AS released_count,
           sum(duration_ms_sum) AS duration_ms_sum,
           sum(ttft_ms_sum) AS ttft_ms_sum,
           sum(ttft_count) AS ttft_count
    FROM usage_daily
    WHERE day = $1 AND model <> '' AND account_id <> '00000000-0000-0000-0000-000000000000'
    GROUP BY model
)
INSERT INTO model_stats
    (model, date, request_count, token_count, prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens, tool_calls,
     total_cost_nanos, provider_cost_nanos, provider_cost_unknown_count, ok_count, error_count, cancelled_count, released_count,
     duration_ms_sum, ttft_ms_sum, ttft_count, ttft_histogram, throughput_histogram)
SELECT totals.model, $1, request_count, prompt_tokens + completion_tokens, prompt_tokens, completion_tokens, reasoning_tokens,
       cached_tokens, tool_calls, charge_nanos, provider_cost_nanos, provider_cost_unknown_count, ok_count, error_count,
       cancelled_count, released_count, duration_ms_sum, ttft_ms_sum, ttft_count,
       coalesce(ttft.histogram, '{}'), coalesce(throughput.histogram, '{}')
FROM totals
LEFT JOIN histograms AS ttft ON ttft.model = totals.model AND ttft.metric = 'ttft'
LEFT JOIN histograms AS throughput ON throughput.model = totals.model AND throughput.metric = 'throughput'
