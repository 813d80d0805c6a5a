-- $1 period, $2 its kind, days from $3 (previous period) to $4 (this one) to $5 (past it), $6 rows at most
WITH days AS (
    SELECT 'model' AS kind, model AS subject, date, token_count, request_count FROM model_stats WHERE date >= $3 AND date < $5
    UNION ALL
    SELECT 'author', author, date, token_count, request_count FROM model_stats WHERE date >= $3 AND date < $5 AND author <> ''
    UNION ALL
    SELECT 'app', app, date, token_count, request_count FROM app_stats WHERE date >= $3 AND date < $5
), subjects AS (
    SELECT kind, subject,
           sum(CASE WHEN date >= $4 THEN token_count ELSE 0 END) AS tokens,
           sum(CASE WHEN date >= $4 THEN request_count ELSE 0 END) AS requests,
           sum(CASE WHEN date < $4 THEN token_count ELSE 0 END) AS previous_tokens
    FROM days
    GROUP BY kind, subject
), ranked AS (
    SELECT *,
           row_number() OVER (PARTITION BY kind ORDER BY tokens DESC, subject) AS rank,
           sum(tokens) OVER (PARTITION BY kind) AS all_tokens
    FROM subjects
    WHERE tokens > 0
)
INSERT INTO rankings (period, period_kind, period_start, kind, rank, subject, tokens, requests, share, previous_tokens, change)
SELECT $1, $2, $4, kind, rank, subject, tokens, requests,
       CAST(tokens AS REAL) / all_tokens,
       previous_tokens,
       CASE WHEN previous_tokens > 0 THEN CAST(tokens - previous_tokens AS REAL) / previous_tokens END
FROM ranked
WHERE rank <= $6
