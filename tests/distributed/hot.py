"""All traffic on one account, through every gateway, as fast as the machine goes.

Correctness is asserted: nothing beyond the balance is served, every answer is charged once, the books' lag stays bounded and
ends. Speed is only told. FAULT_HOT_REQUESTS says how many the balance is for. Start at `hot_account`.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

from asking import CENT_NANOS, FLAT, customer
from cluster import Cluster
from harm import Harm

from stack import NANO, Api  # noqa: E402

REQUESTS = int(os.environ.get("FAULT_HOT_REQUESTS") or 1_500)
#: More are asked for than the balance has.
TOO_MANY = 150
CLIENTS = 32
IDLE_SECONDS = 150
LAG = "tollgate_ledger_lag_entries"
LAG_SECONDS = "tollgate_ledger_lag_seconds"


class Watch:
    """Reads balance and lag while requests run."""

    def __init__(self, cluster: Cluster, account: str):
        self.cluster, self.account = cluster, account
        self.overdrafts: list[dict] = []
        self.lag = 0.0
        self.reads = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> "Watch":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop.set()
        self.thread.join()

    def run(self) -> None:
        while not self.stop.wait(0.1):
            now = self.cluster.tollgate.account(self.account)
            self.reads += 1
            if now["balance"] < 0 or now["available"] < 0:
                self.overdrafts.append(now)
            self.lag = max(self.lag, self.cluster.metric("ledger", LAG))


def hot_account(cluster: Cluster, harm: Harm, rng: random.Random) -> str:
    account, asker = customer(cluster, "hot", str(REQUESTS * CENT_NANOS / NANO))
    urls = cluster.tollgate.urls()
    body = json.dumps({"model": FLAT, "max_tokens": 1, "messages": [{"role": "user", "content": "mock:chunks=1"}]}).encode()
    answers: list[tuple[int, str | None, float]] = []
    left = iter(range(REQUESTS + TOO_MANY))
    taking = threading.Lock()

    def client(number: int) -> None:
        """Asks over one connection, again and again."""
        api = Api(urls[number % len(urls)], asker.key, timeout=120)
        connection = api.connect()
        while True:
            with taking:
                if next(left, None) is None:
                    return connection.close()
            begun = time.monotonic()
            try:
                response = api.send(connection, "POST", "/api/v1/chat/completions", body)
                response.read()
            except (OSError, HTTPException) as error:
                raise AssertionError(f"nothing was harmed, and a request broke: {error!r}") from error
            answers.append((response.status, response.getheader("x-generation-id"), time.monotonic() - begun))

    lag_before = lags(cluster)
    with Watch(cluster, account) as watch:
        begun = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(client, range(CLIENTS)))
        took = time.monotonic() - begun
        done = cluster.tollgate.idle_account(account, IDLE_SECONDS)
        settled = time.monotonic() - begun - took
    statuses = [status for status, _, _ in answers]
    assert sorted(set(statuses)) == [200, 402], f"only the balance refuses: {sorted(set(statuses))}"
    assert statuses.count(200) == REQUESTS, f"a balance for {REQUESTS} served {statuses.count(200)}"
    assert done["balance"] == 0 and not watch.overdrafts, f"overdrawn: {watch.overdrafts[:3]}, at the end {done}"
    charges = cluster.tollgate.charges(account)
    assert charges == {generation: [CENT_NANOS] for status, generation, _ in answers if status == 200}, "every answer is charged once"
    assert watch.lag <= len(answers), f"the books were {watch.lag:.0f} events behind"
    cluster.until(lambda: cluster.metric("ledger", LAG) == 0, "the books are behind nothing", 30)
    seconds = sorted(took for _, _, took in answers)
    p50, p99 = (seconds[int(len(seconds) * part)] * 1000 for part in (0.5, 0.99))
    behind = f"{watch.lag:.0f} events and on average {average(lag_before, lags(cluster)):.0f} ms"
    return (
        f"{len(answers)} requests of {CLIENTS} clients at {len(answers) / took:.0f}/s, {REQUESTS} served, p50 {p50:.0f} ms, p99 {p99:.0f} ms; "
        f"books at most {behind} behind, idle {settled:.1f} s after the last answer"
    )


def lags(cluster: Cluster) -> tuple[float, float]:
    """Sum and count of how long events took to the books."""
    return cluster.metric("ledger", LAG_SECONDS + "_sum"), cluster.metric("ledger", LAG_SECONDS + "_count")


def average(before: tuple[float, float], after: tuple[float, float]) -> float:
    return 1000 * (after[0] - before[0]) / max(1.0, after[1] - before[1])
