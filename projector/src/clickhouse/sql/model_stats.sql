-- Parameters as in usage_daily.sql. Expired holds name no model; the nil account is the platform itself. From hours, not from
-- usage_daily, whose bucket still shows the groups it is about to lose.
INSERT INTO stored_model_stats
    (date, model, request_count, token_count, prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens, tool_calls,
     total_cost_nanos, provider_cost_nanos, provider_cost_unknown_count, ok_count, error_count, cancelled_count, released_count,
     duration_ms_sum, ttft_ms_sum, ttft_count, ttft_histogram, throughput_histogram, version)
WITH totals AS (
    SELECT toDate(hour) AS date, model,
           sum(u.request_count) AS request_count,
           sum(u.prompt_tokens) AS prompt_tokens,
           sum(u.completion_tokens) AS completion_tokens,
           sum(u.reasoning_tokens) AS reasoning_tokens,
           sum(u.cached_tokens) AS cached_tokens,
           sum(u.tool_calls) AS tool_calls,
           sum(u.charge_nanos) AS charge_nanos,
           sum(u.provider_cost_nanos) AS provider_cost_nanos,
           sum(u.provider_cost_unknown_count) AS provider_cost_unknown_count,
           sum(u.ok_count) AS ok_count,
           sum(u.error_count) AS error_count,
           sum(u.cancelled_count) AS cancelled_count,
           sum(u.released_count) AS released_count,
           sum(u.duration_ms_sum) AS duration_ms_sum,
           sum(u.ttft_ms_sum) AS ttft_ms_sum,
           sum(u.ttft_count) AS ttft_count
    FROM usage_hourly AS u
    WHERE hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({past:UInt32}, 'UTC')
      AND toUnixTimestamp(toStartOfDay(hour)) IN {buckets:Array(UInt32)}
      AND model <> '' AND account_id <> toUUID('00000000-0000-0000-0000-000000000000')
    GROUP BY date, model
), cells AS (
    SELECT toDate(hour) AS date, model, metric, bucket, sum(l.request_count) AS requests
    FROM latency_hourly AS l
    WHERE hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({past:UInt32}, 'UTC')
      AND toUnixTimestamp(toStartOfDay(hour)) IN {buckets:Array(UInt32)}
    GROUP BY date, model, metric, bucket
), histograms AS (
    SELECT date, model,
           arraySort(groupArrayIf((bucket, requests), metric = 'ttft')) AS ttft,
           arraySort(groupArrayIf((bucket, requests), metric = 'throughput')) AS throughput
    FROM cells
    GROUP BY date, model
)
SELECT totals.date, totals.model, request_count, prompt_tokens + completion_tokens, prompt_tokens, completion_tokens, reasoning_tokens,
       cached_tokens, tool_calls, charge_nanos, provider_cost_nanos, provider_cost_unknown_count, ok_count, error_count,
       cancelled_count, released_count, duration_ms_sum, ttft_ms_sum, ttft_count,
       concat('{', arrayStringConcat(arrayMap(cell -> concat('"', toString(cell.1), '":', toString(cell.2)), ttft), ','), '}'),
       concat('{', arrayStringConcat(arrayMap(cell -> concat('"', toString(cell.1), '":', toString(cell.2)), throughput), ','), '}'),
       {version:UInt64}
FROM totals
LEFT JOIN histograms ON histograms.date = totals.date AND histograms.model = totals.model
