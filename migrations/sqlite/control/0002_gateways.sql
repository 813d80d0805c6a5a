-- Gateways that are running, as far as their leases say. One in an embedded deployment.
CREATE TABLE control_gateways (
    node_id       TEXT    NOT NULL PRIMARY KEY,
    boot_id       TEXT    NOT NULL,
    started_at    INTEGER NOT NULL,
    lease_ends_at INTEGER NOT NULL
) STRICT;
