"""Where a role of a debug build can be told to die, and how it is brought there.

Owns the names, which are those of `eventlog::fault::point` in the code. Each is a place between two durable acts. Start
at `kill_at`.
"""

from __future__ import annotations

import itertools
import random
import time

from cluster import Cluster

POINTS = {
    "gateway-1": [
        "gateway.after_accept",
        "gateway.before_checkpoint",
        "gateway.before_terminal",
        "gateway.after_terminal",
        "gateway.before_settle",
        "gateway.before_release",
        "gateway.after_settle",
        "gateway.after_credit",
        "shipper.before_append",
        "shipper.after_append",
    ],
    "ledger": [
        "ledger.in_transaction",
        "ledger.before_commit",
        "ledger.after_commit",
        "ledger.before_feedback",
        "ledger.after_feedback",
        "gate.after_begin",
        "gate.before_rebuild",
        "gate.before_open",
        "gate.after_open",
    ],
    "projector": [
        "projector.after_marks",
        "projector.after_rows",
        "projector.before_position",
        "projector.after_position",
        "projector.in_refresh",
        "projector.after_refresh",
    ],
}
#: A hold without a record of its request ends by its deadline, a minute later: only in runs of many rounds.
SLOW_POINTS = {"gateway-1": ["gateway.after_reserve"], "ledger": ["reaper.before_append", "reaper.after_append"], "projector": []}
#: Passed too seldom to wait for a later time.
SELDOM = ("gate.", "reaper.", "projector.", "gateway.before_checkpoint", "gateway.after_credit", "gateway.after_reserve")
PASSES_MAX = 12
DIE_SECONDS = 120
OVERDUE_SECONDS = 120


def points_of(role: str, seed: int, slow: bool):
    """All points of a role in one order, again and again."""
    points = POINTS[role] + (SLOW_POINTS[role] if slow else [])
    random.Random(f"{seed}-{role}").shuffle(points)
    return itertools.cycle(points)


def leave_a_hold(cluster: Cluster, rng: random.Random, role: str) -> None:
    """A gateway dies with one. The ledger lives meanwhile: it may have died before with the balance gate closed."""
    cluster.start_role(role)
    cluster.until(lambda: cluster.tollgate.deployment.is_ready("gateway-2"), "the balance gate is open", OVERDUE_SECONDS)
    cluster.kill_role("gateway-1")
    kill_at(cluster, rng, "gateway-1", "gateway.after_reserve")
    cluster.start_role("gateway-1")
    cluster.kill_role(role)


def kill_at(cluster: Cluster, rng: random.Random, role: str, point: str) -> None:
    """Starts a role that is to die at a point and waits until it has. The role is left dead."""
    passes = 1 if point.startswith(SELDOM) else rng.randint(1, PASSES_MAX)
    if point.startswith("reaper."):
        leave_a_hold(cluster, rng, role)
    deployment = cluster.tollgate.deployment
    deployment.start(role, {"FAULT_POINT": f"{point}:{passes}"})
    deadline = time.monotonic() + (OVERDUE_SECONDS if point.startswith("reaper.") else DIE_SECONDS)
    flushed = False
    while deployment.runs(role):
        assert time.monotonic() < deadline, f"{role} did not come to {point} for the {passes}th time"
        if point.startswith("gate.") and not flushed:
            with cluster.balances() as balances:
                balances.flush()
            flushed = True
        time.sleep(0.01)
    tail = deployment.log_tail(role)
    assert "told to die here" in tail and point in tail, f"{role} died before {point}:\n{tail}"
