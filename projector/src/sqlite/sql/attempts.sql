-- Attempts of requests admitted in $1..$2. The whole hours $3..$4 among them, instants $5..$6, come from attempts_hourly
-- unless they are stale; the rest, before and after them, from usage_events.
WITH stale (hour) AS (
    SELECT bucket FROM dirty_buckets WHERE level = 'hour' AND bucket >= $3 AND bucket < $4
), ranges (first, past) AS (
    SELECT $1, $5 UNION ALL SELECT $6, $2 UNION ALL SELECT substr(hour, 1, 13), substr(hour, 1, 13) || '~' FROM stale
), counted (channel, model, outcome, http_status, attempt_count) AS (
    SELECT channel, model, outcome, http_status, attempt_count
    FROM attempts_hourly
    WHERE hour >= $3 AND hour < $4 AND hour NOT IN (SELECT hour FROM stale)
    UNION ALL
    SELECT attempt.value ->> 'channel', attempt.value ->> 'model', attempt.value ->> 'outcome', coalesce(attempt.value ->> 'status', 0), 1
    FROM ranges
    CROSS JOIN usage_events ON admitted_at >= ranges.first AND admitted_at < ranges.past
    JOIN json_each(usage_events.attempts) AS attempt
)
SELECT channel, model, outcome, http_status, sum(attempt_count) AS attempts
FROM counted
GROUP BY channel, model, outcome, http_status
