"""A log that lost its end and is long again before those who read it look at where it ends.

Start at `overgrown`.
"""

from __future__ import annotations

import contextlib
import random
import time
from concurrent.futures import ThreadPoolExecutor

from asking import CENT_NANOS, customer
from cluster import Cluster
from harm import Harm
from lost_log import NOTICED_SECONDS

LOST = 30
GATHERED = 80
IDLE_SECONDS = 150
READERS = ["ledger", "projector"]


def overgrown(cluster: Cluster, harm: Harm, rng: random.Random) -> str:
    """One gateway's events are booked, then lost; another one's, which saw nothing of it, take their positions in the log and more.

    Ledger and projector, which died with the servers, must not go on at their positions: what stands before these now was never booked.
    """
    account, asker = customer(cluster, "overgrown", "10")
    first, second = cluster.tollgate.urls()

    def ask(url: str, count: int) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: asker.ask(url), range(count)))

    ask(second, LOST)
    cluster.tollgate.idle_account(account, IDLE_SECONDS)
    older = harm.keep_older()
    ask(second, LOST)
    cluster.tollgate.idle_account(account, IDLE_SECONDS)
    booked = int(harm.position())
    for name in READERS:
        cluster.kill_role(name)
    cluster.kill_brokers()
    ask(first, GATHERED)
    asked = len(asker.told)
    assert len(asker.answered()) == asked == 2 * LOST + GATHERED, "requests go on without the event log"
    harm.put_older_back(keep_newer=True)
    try:
        cluster.until(lambda: harm.end_of_log() > booked, "the log is longer than the books again", 60)
        begun = time.monotonic()
        for name in READERS:
            cluster.start_role(name)
        while silent := [name for name in READERS if not has_noticed(cluster, name)]:
            if time.monotonic() > begun + NOTICED_SECONDS:
                charged = sum(map(len, cluster.tollgate.charges(account).values()))
                raise AssertionError(
                    f"the log lost its positions {older + 1} to {booked}, which are booked, and has other events there. {NOTICED_SECONDS} s later "
                    f"{' and '.join(silent)} said nothing and went on; {charged} of {asked} requests are charged"
                )
            time.sleep(0.5)
        took = time.monotonic() - begun
        words = harm.last_words("ledger")
    finally:
        restore(cluster, harm)
    cluster.tollgate.idle_account(account, IDLE_SECONDS)
    charges = cluster.tollgate.charges(account)
    assert charges == {told.generation: [CENT_NANOS] for told in asker.told}, "every request is charged once"
    return f"{booked - older} booked events lost, noticed after {took:.0f} s: {words}"


def has_noticed(cluster: Cluster, name: str) -> bool:
    """It ended, or is not ready for good: it says that its log is not what it was."""
    deployment = cluster.tollgate.deployment
    if not deployment.runs(name):
        return True
    with contextlib.suppress(OSError):
        return any("_healthy{instance=\"log\"} 0" in line or line == "tollgate_ledger_halted 1" for line in cluster.metrics(name))
    return False


def restore(cluster: Cluster, harm: Harm) -> None:
    """The servers have again what the books were made of."""
    for name in list(cluster.tollgate.deployment.known):
        cluster.kill_role(name)
    harm.put_newer_back()
    for name in ("ledger", "projector", "gateway-1", "gateway-2"):
        cluster.start_role(name)
    cluster.tollgate.wait_ready()
