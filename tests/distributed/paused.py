"""A gateway that stops in the middle of its requests for three lives of a hold, and then goes on as if nothing had been.

Start at `gateway_paused`.
"""

from __future__ import annotations

import random
import time

from asking import customer, error_of
from cluster import Cluster
from harm import Harm

from stack import UNEVEN, charge_nanos, nanos  # noqa: E402
from traffic import MODEL  # noqa: E402

#: Shorter than the deployment's, so that three of them pass soon.
TTL, RENEWAL = 5, 1
LIVES = 3
#: The reaper waits five seconds longer than a hold says, and looks every two.
GRACE_SECONDS, REAPER_SECONDS = 5, 2
#: A machine that is busy with other things.
SLACK_SECONDS = 10
STREAMS = 6
#: A token every 50 ms: with the pause, not over before half a minute.
CHUNKS, DELAY_MS = 700, 50
REAPED = "tollgate_reaper_expired_total"
CREDIT = "0.05"


def gateway_paused(cluster: Cluster, harm: Harm, rng: random.Random) -> str:
    """Its holds end by their deadline, visibly; others spend what they held. Awake again it ends its streams at once, and each is paid for once."""
    account, asker = customer(cluster, "paused", CREDIT)
    first, second = cluster.tollgate.urls()
    name = "gateway-1"
    cluster.stop_role(name)
    cluster.start_role(name, {"TOLLGATE_STREAM__HOLD_TTL": f"{TTL}s", "TOLLGATE_STREAM__RENEWAL_INTERVAL": f"{RENEWAL}s"})
    harm.wait_ready(name)
    script = f"chunks={CHUNKS}&delay_ms={DELAY_MS}&chunk_text=+a"
    threads = [asker.begin(first, script=script, stream=True, model=MODEL) for _ in range(STREAMS)]
    cluster.until(lambda: nanos(cluster.tollgate.account(account)["held"]) > 0, "streams hold something", 30)
    time.sleep(2 * TTL)
    held = nanos(cluster.tollgate.account(account)["held"])
    assert held > 0, "what is renewed is held for longer than a life"
    reaped = cluster.metric("ledger", REAPED)
    cluster.pause_role(name)
    begun = time.monotonic()
    longest = TTL + GRACE_SECONDS + 2 * REAPER_SECONDS + SLACK_SECONDS
    try:
        cluster.until(lambda: nanos(cluster.tollgate.account(account)["held"]) == 0, "the holds of a paused gateway end", longest)
        gone = time.monotonic() - begun
        assert cluster.metric("ledger", REAPED) - reaped == STREAMS, "every hold is ended by an event"
        # What was held is there for others, and they spend it.
        before = nanos(cluster.tollgate.account(account)["available"])
        spent = asker.ask(second, script="chunks=2000", model=MODEL)
        assert spent.status == 200, spent
        time.sleep(max(0.0, begun + LIVES * TTL - time.monotonic()))
    finally:
        cluster.resume_role(name)
    awake = time.monotonic()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a stream of the paused gateway does not end"
    ended = time.monotonic() - awake
    # What is left of them would have taken longer by far.
    assert ended < SLACK_SECONDS, f"the streams went on for {ended:.0f} s without a hold"
    return check(cluster, account, asker, before, f"holds gone after {gone:.1f} s, streams ended {ended:.1f} s after {LIVES * TTL} s of pause")


def check(cluster: Cluster, account: str, asker, before: int, told: str) -> str:
    """Each stream is charged once, for less than all of it, and the books are as far below zero as that."""
    done = cluster.tollgate.idle_account(account, 150)
    charges = cluster.tollgate.charges(account)
    streams = [one for one in asker.told if one.body.startswith(b"data:") or one.body.startswith(b":")]
    assert len(streams) == STREAMS and all(one.status == 200 for one in streams), asker.told
    assert all(error_of(one.body) for one in streams), "a stream without a hold says that it was ended"
    assert all(len(each) == 1 for each in charges.values()), f"charged twice: {charges}"
    most = charge_nanos(UNEVEN, completion=CHUNKS)
    for one in streams:
        delivered = one.body.count(b'"content":" a"')
        (charge,) = charges.get(one.generation, [0])
        assert 0 < charge < most, f"{one.generation}: {delivered} pieces were delivered, {charge} charged, all of it costs {most}"
        least = charge_nanos(UNEVEN, prompt=0, completion=delivered)
        assert charge >= least, f"{one.generation}: {delivered} pieces cost {least}, {charge} charged"
    total = sum(sum(each) for each in charges.values())
    assert nanos(done["balance"]) == nanos(CREDIT) - total, f"{done} after {total}"
    overdraft = max(0, -nanos(done["balance"]))
    assert overdraft <= STREAMS * most, f"overdrawn by {overdraft}"
    return f"{told}; {total / 1e9:.6f} of {CREDIT} spent"
