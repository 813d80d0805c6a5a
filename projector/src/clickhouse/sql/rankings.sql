-- {periods} are (name, kind, first day of the period before, first day, day past the last); {first} and {past} enclose them all;
-- {rows} are kept at most; {version} is the log position as of which they are computed
INSERT INTO stored_rankings
    (period_start, period, period_kind, kind, rank, subject, tokens, requests, share, previous_tokens, change, version)
WITH days AS (
    SELECT 'model' AS kind, toString(model) AS subject, date, token_count, request_count
    FROM model_stats WHERE date >= {first:Date} AND date < {past:Date}
    UNION ALL
    SELECT 'author', author, date, token_count, request_count
    FROM model_stats WHERE date >= {first:Date} AND date < {past:Date} AND author <> ''
    UNION ALL
    SELECT 'app', app, date, token_count, request_count
    FROM app_stats WHERE date >= {first:Date} AND date < {past:Date}
), subjects AS (
    SELECT period, kind, subject,
           sumIf(token_count, date >= period.4) AS tokens,
           sumIf(request_count, date >= period.4) AS requests,
           sumIf(token_count, date < period.4) AS previous_tokens
    FROM days
    ARRAY JOIN {periods:Array(Tuple(String, String, Date, Date, Date))} AS period
    WHERE date >= period.3 AND date < period.5
    GROUP BY period, kind, subject
), ranked AS (
    SELECT *,
           row_number() OVER (PARTITION BY period, kind ORDER BY tokens DESC, subject) AS rank,
           sum(tokens) OVER (PARTITION BY period, kind) AS all_tokens
    FROM subjects
    WHERE tokens > 0
)
SELECT period.4, period.1, period.2, kind, rank, subject, tokens, requests,
       toFloat64(tokens) / all_tokens,
       previous_tokens,
       if(previous_tokens > 0, toFloat64(toInt64(tokens) - toInt64(previous_tokens)) / previous_tokens, NULL),
       {version:UInt64}
FROM ranked
WHERE rank <= {rows:UInt32}
