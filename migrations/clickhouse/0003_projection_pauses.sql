-- Whoever hashes all tables asks projectors to begin no batch meanwhile. A pause ends by itself when its owner dies.

CREATE TABLE IF NOT EXISTS projection_pauses (
    token   UUID,
    version UInt32,
    until   DateTime('UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY token
TTL until + INTERVAL 1 DAY;
