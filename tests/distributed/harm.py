"""Everything that is done to the deployment, one method a fault: it harms, waits and mends, while traffic goes on.

Owns no checks of the books; a fault only says when it could not be caused, or when its own promise was not kept (a
cluster of three that stands still without one). `Harm.ALL` is the order. Times that a run may take longer over:
FAULT_NATS_SECONDS and FAULT_CLICKHOUSE_SECONDS, how long these are away.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from pathlib import Path

import broker
from balances import copy_files, put_files_back
from cluster import GATEWAYS, Cluster
from lost_log import LostLog
from points import kill_at, points_of
from replicas import POSITION
from spool import terminals

NATS_SECONDS = float(os.environ.get("FAULT_NATS_SECONDS") or 6)
CLICKHOUSE_SECONDS = float(os.environ.get("FAULT_CLICKHOUSE_SECONDS") or 3)
KILLS = 3
FLUSHES = 20
EVENTS = 120
INSERTS = 2
TAKE_OVERS = 2
TWO_LEDGERS_FLUSHES = 4
ACTIVE = "tollgate_ledger_active"
#: Entries of the log that no reader can make sense of.
POISON = [
    b"",
    b"\xff\xfe\x00 not text",
    b"{}",
    b'{"id":"a\x00b","part":3}',
    b'{"data":{},"id":"later","part":3,"pseq":1,"source":"node/x/y","specversion":"1.0","subject":"z","time":"t","type":"usage.settled","v":99}',
    b'{"data":{},"id":"nul","part":3,"pseq":1,"source":"node/x/y","specversion":"1.0","subject":"z","time":"t","type":"usage.settled\\u0000","v":1}',
    b"[" * 2_000,
]


class Harm(LostLog):
    """What can be done to a cluster. `told` says more about the fault that was caused last."""

    ALL = [
        "roles", "rolling_restart", "gateway_points", "ledger_points", "projector_points", "two_ledgers",
        "nats", "nats_one_by_one", "nats_parted", "nats_paused", "nats_truncated", "nats_replaced", "nats_put_back", "messages", "poison",
        "flush", "flush_two_ledgers", "redis", "restored", "restored_files",
        "postgres", "clickhouse", "clickhouse_insert",
    ]  # fmt: skip

    def __init__(self, cluster: Cluster, seed: int, slow: bool):
        self.cluster = cluster
        self.points = {role: points_of(role, seed, slow) for role in ("gateway-1", "ledger", "projector")}
        self.told = ""

    # Roles.

    def roles(self, rng: random.Random) -> None:
        """Each at a moment of its own."""
        names = ["gateway-1", "ledger", "projector"]
        rng.shuffle(names)
        self.told = ", ".join(names)
        for name in names:
            self.kill_and_start(name, rng.uniform(0, 1))
            time.sleep(rng.uniform(0, 2))

    def rolling_restart(self, rng: random.Random) -> None:
        """One process after the other ends in its own time and comes back, as an upgrade would have it."""
        longest = 0.0
        for name in [*GATEWAYS, "ledger", "projector"]:
            begin = time.monotonic()
            self.cluster.stop_role(name)
            longest = max(longest, time.monotonic() - begin)
            self.cluster.start_role(name)
            self.wait_ready(name)
            time.sleep(rng.uniform(0, 0.5))
        self.told = f"ended within {longest:.1f} s"

    def kill_and_start(self, role: str, pause: float) -> None:
        self.cluster.kill_role(role)
        time.sleep(pause)
        self.cluster.start_role(role)

    def gateway_points(self, rng: random.Random) -> None:
        self.at_points("gateway-1", rng)

    def ledger_points(self, rng: random.Random) -> None:
        self.at_points("ledger", rng)

    def projector_points(self, rng: random.Random) -> None:
        self.at_points("projector", rng)

    def at_points(self, role: str, rng: random.Random) -> None:
        """Dies at one point, comes back to die at the next."""
        points = [next(self.points[role]) for _ in range(KILLS)]
        self.told = ", ".join(points)
        self.cluster.kill_role(role)
        for point in points:
            kill_at(self.cluster, rng, role, point)
        self.cluster.start_role(role)

    def two_ledgers(self, rng: random.Random) -> None:
        """The worker that books is stopped in the middle of it, and goes on when another has taken over."""
        cluster, both = self.cluster, ["ledger", "ledger-2"]
        self.told = ""
        cluster.start_role("ledger-2")
        for _ in range(TAKE_OVERS):
            cluster.until(lambda: sum(cluster.metric(name, ACTIVE) for name in both) == 1, "one ledger books", 30)
            active, other = sorted(both, key=lambda name: -cluster.metric(name, ACTIVE))
            cluster.pause_role(active)
            try:
                cluster.until(lambda: cluster.metric(other, ACTIVE) == 1, f"{other} books instead of {active}", 60)
                time.sleep(rng.uniform(0, 1))
            finally:
                cluster.resume_role(active)
        cluster.stop_role("ledger-2")

    # The event log.

    def nats(self, rng: random.Random) -> None:
        self.told = f"away for {NATS_SECONDS:.0f} s"
        self.cluster.kill_brokers()
        time.sleep(NATS_SECONDS)
        self.cluster.start_brokers()

    def nats_one_by_one(self, rng: random.Random) -> None:
        """The leader of three is killed, comes back, and the next leader is killed: the books go on."""
        cluster, killed = self.cluster, []
        for _ in range(2):
            name = self.stream_leader()
            killed.append(name)
            cluster.kill_server(name)
            before = cluster.metric("ledger", POSITION)
            cluster.until(lambda: cluster.metric("ledger", POSITION) > before + 20, f"the books go on without {name}", 45)
            cluster.start_server(name)
        self.told = " then ".join(killed)

    def messages(self, rng: random.Random) -> None:
        """What a gateway has not shipped yet comes from a second shipper first: late, in any order, some of it again and again."""
        cluster = self.cluster
        cluster.kill_brokers()
        time.sleep(rng.uniform(1.5, 3))
        cluster.kill_role("gateway-1")
        # The newest are not in the log yet; of those before them some are, and have been for a while.
        events = terminals(cluster.tollgate.deployment.folder / "gateway-1" / "spool")[-EVENTS:]
        assert events, "the gateway has nothing to ship"
        events += rng.choices(events, k=len(events) // 2)
        rng.shuffle(events)
        self.told = f"{len(events)} published in any order"
        cluster.start_brokers()
        half = len(events) // 2
        broker.publish_all(cluster.broker_port(), events[:half], lambda: rng.choice([0, 0, 0.02]))
        cluster.start_role("gateway-1")
        broker.publish_all(cluster.broker_port(), events[half:], lambda: rng.choice([0, 0, 0.02]))

    def poison(self, rng: random.Random) -> None:
        cluster, count = self.cluster, 3 * len(POISON)
        counters = {"ledger": "tollgate_ledger_entries_total", "projector": "tollgate_projector_events_total"}
        quarantined = {role: name + '{outcome="quarantined"}' for role, name in counters.items()}
        before = {role: cluster.metric(role, name) for role, name in quarantined.items()}
        events = [(rng.randrange(16), rng.choice([b"", b" "]) + payload) for payload in POISON for _ in range(3)]
        rng.shuffle(events)
        broker.publish_all(cluster.broker_port(), events, lambda: rng.uniform(0, 0.1))
        for role, name in quarantined.items():
            cluster.until(lambda: cluster.metric(role, name) - before[role] >= count, f"{role} quarantines {count} entries", 30)
        self.told = f"{count} put aside"

    # The balance gate.

    def flush(self, rng: random.Random) -> None:
        self.told = f"{FLUSHES} times"
        for _ in range(FLUSHES):
            with self.cluster.balances() as balances:
                balances.flush()
            time.sleep(rng.choice([0, 0.05, 0.5, 1]))

    def flush_two_ledgers(self, rng: random.Random) -> None:
        """Either of the ledgers could rebuild the gate; one of them does, and soon."""
        longest = 0.0
        self.cluster.start_role("ledger-2")
        self.wait_ready("ledger-2")
        for _ in range(TWO_LEDGERS_FLUSHES):
            with self.cluster.balances() as balances:
                balances.flush()
            begin = time.monotonic()
            # A second within which everybody has noticed.
            time.sleep(1)
            for role in GATEWAYS:
                self.wait_ready(role)
            longest = max(longest, time.monotonic() - begin)
            time.sleep(rng.uniform(0, 1))
        self.cluster.stop_role("ledger-2")
        self.told = f"open again within {longest:.1f} s"

    def redis(self, rng: random.Random) -> None:
        """While it is away, roles that can do their work without it begin to."""
        self.told = "a projector and a ledger began without it"
        self.cluster.kill_server("valkey")
        for role in ("projector", "ledger"):
            self.cluster.kill_role(role)
            self.cluster.start_role(role)
        for role in ("projector", "ledger"):
            self.wait_ready(role)
        self.cluster.start_server("valkey")

    def wait_ready(self, role: str) -> None:
        deployment = self.cluster.tollgate.deployment
        self.cluster.until(lambda: deployment.is_ready(role) or not deployment.runs(role), f"{role} is ready", 30)
        assert deployment.runs(role), f"{role} did not start:\n{deployment.log_tail(role)}"

    def restored(self, rng: random.Random) -> None:
        """An older state, put back in one step while the server runs."""
        with self.cluster.balances() as balances:
            kept = balances.keep()
            time.sleep(rng.uniform(1, 3))
            balances.put_back(kept)
        self.told = f"{len(kept)} keys"

    def restored_files(self, rng: random.Random) -> None:
        """An older append-only file, found by a server that is started."""
        self.told = ""
        folder = self.cluster.server_folder("valkey")
        copied = folder.parent / "valkey-copied"
        copy_files(folder, copied)
        time.sleep(rng.uniform(1, 3))
        self.cluster.kill_server("valkey")
        put_files_back(folder, copied)
        self.cluster.start_server("valkey")

    # The databases.

    def postgres(self, rng: random.Random) -> None:
        self.told = ""
        self.cluster.kill_server("postgres")
        time.sleep(rng.uniform(0, 2))
        self.cluster.start_server("postgres")

    def clickhouse(self, rng: random.Random) -> None:
        """While it is away, a gateway begins without statistics."""
        self.told = f"away for {CLICKHOUSE_SECONDS:.0f} s; a gateway began without it"
        self.cluster.kill_server("clickhouse")
        self.kill_and_start("gateway-1", 0)
        self.wait_ready("gateway-1")
        time.sleep(CLICKHOUSE_SECONDS)
        self.cluster.start_server("clickhouse")

    def clickhouse_insert(self, rng: random.Random) -> None:
        """Killed while it writes: the engine reads what it inserts from a file that is there for just so long."""
        scratch = self.cluster.server_folder("clickhouse") / "data" / "scratch"
        for _ in range(INSERTS):
            deadline = time.monotonic() + 30
            while not is_inserting(scratch):
                assert time.monotonic() < deadline, "nothing is inserted"
            time.sleep(rng.choice([0, 0.002, 0.01]))
            self.cluster.kill_server("clickhouse")
            self.cluster.start_server("clickhouse")
        self.told = f"{INSERTS} times"


def is_inserting(scratch: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return any(file.stat().st_size for file in scratch.iterdir())
    return False
