-- $1 hour, $2..$3 admissions in it. The nil account is the platform itself: health probes are not customers.
INSERT INTO latency_hourly (hour, model, channel, metric, bucket, request_count)
SELECT $1, model, channel, 'ttft', ttft_bucket, count(*)
FROM usage_events
WHERE admitted_at >= $2 AND admitted_at < $3 AND ttft_bucket IS NOT NULL AND account_id <> '00000000-0000-0000-0000-000000000000'
GROUP BY model, channel, ttft_bucket
UNION ALL
SELECT $1, model, channel, 'throughput', throughput_bucket, count(*)
FROM usage_events
WHERE admitted_at >= $2 AND admitted_at < $3 AND throughput_bucket IS NOT NULL AND account_id <> '00000000-0000-0000-0000-000000000000'
GROUP BY model, channel, throughput_bucket
