-- Parameters as in usage_hourly.sql. The nil account is the platform itself: health probes are not customers.
INSERT INTO stored_latency_hourly (hour, model, channel, metric, bucket, request_count, version)
SELECT hour, model, channel, sample.1 AS metric, assumeNotNull(sample.2) AS floor, count(), {version:UInt64}
FROM stored_usage_events FINAL
ARRAY JOIN [('ttft', ttft_bucket), ('throughput', throughput_bucket)] AS sample
WHERE admitted_at >= toDateTime64({first:UInt32}, 6, 'UTC') AND admitted_at < toDateTime64({past:UInt32}, 6, 'UTC')
  AND toUnixTimestamp(hour) IN {buckets:Array(UInt32)}
  AND sample.2 IS NOT NULL AND account_id <> toUUID('00000000-0000-0000-0000-000000000000')
GROUP BY hour, model, channel, metric, floor
