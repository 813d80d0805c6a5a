-- $1 hour, $2..$3 admissions in it. An attempt counts in the hour its request was admitted.
INSERT INTO attempts_hourly (hour, channel, model, outcome, http_status, attempt_count)
SELECT $1, attempt.value ->> 'channel', attempt.value ->> 'model', attempt.value ->> 'outcome', coalesce(attempt.value ->> 'status', 0), count(*)
FROM usage_events JOIN json_each(usage_events.attempts) AS attempt
WHERE admitted_at >= $2 AND admitted_at < $3
GROUP BY 2, 3, 4, 5
