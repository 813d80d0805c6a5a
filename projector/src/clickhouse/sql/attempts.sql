-- Attempts of requests admitted in {from}..{to} (microseconds). The whole hours {first}..{past} (seconds) among them come from
-- attempts_hourly unless they are in {stale}; the rest, before and after them, from usage_events.
SELECT channel, model, outcome, http_status, sum(attempt_count) AS attempts
FROM (
    SELECT channel, model, outcome, http_status, attempt_count
    FROM attempts_hourly
    WHERE hour >= toDateTime({first:UInt32}, 'UTC') AND hour < toDateTime({past:UInt32}, 'UTC')
      AND toUnixTimestamp(hour) NOT IN {stale:Array(UInt32)}
    UNION ALL
    SELECT attempt.channel, attempt.model, attempt.outcome, attempt.status, 1
    FROM (
        SELECT arrayJoin(JSONExtract(attempts, 'Array(Tuple(channel String, model String, outcome String, status UInt16))')) AS attempt
        FROM stored_usage_events FINAL
        WHERE admitted_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND admitted_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
          AND (admitted_at < toDateTime64({first:UInt32}, 6, 'UTC') OR admitted_at >= toDateTime64({past:UInt32}, 6, 'UTC')
               OR toUnixTimestamp(hour) IN {stale:Array(UInt32)})
    )
)
GROUP BY channel, model, outcome, http_status
