-- Parameters as in usage_hourly.sql. An attempt counts in the hour its request was admitted.
INSERT INTO stored_attempts_hourly (hour, channel, model, outcome, http_status, attempt_count, version)
SELECT hour, attempt.channel AS tried_channel, attempt.model AS tried_model, attempt.outcome AS outcome, attempt.status AS http_status,
       count(), {version:UInt64}
FROM (
    SELECT hour,
           arrayJoin(JSONExtract(attempts, 'Array(Tuple(channel String, model String, outcome String, status UInt16))')) AS attempt
    FROM stored_usage_events FINAL
    WHERE admitted_at >= toDateTime64({first:UInt32}, 6, 'UTC') AND admitted_at < toDateTime64({past:UInt32}, 6, 'UTC')
      AND toUnixTimestamp(hour) IN {buckets:Array(UInt32)}
)
GROUP BY hour, tried_channel, tried_model, outcome, http_status
