-- What stood at the position the rows reach: the log that is followed has to have the same there.
CREATE TABLE projection_tail (
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position     INTEGER NOT NULL,
    event_sha256 TEXT    NOT NULL
) STRICT;
