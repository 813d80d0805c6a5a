-- What stood at the position the rows reach: the log that is followed has to have the same there.
CREATE TABLE IF NOT EXISTS projection_tail (
    id           UInt8,
    position     UInt64,
    event_sha256 String
)
ENGINE = ReplacingMergeTree(position)
ORDER BY id;
