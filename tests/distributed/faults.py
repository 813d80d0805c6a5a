"""Faults under traffic against the distributed deployment, each followed by the comparison of every nano-dollar.

After every fault: what upstream and client both know to be complete is billed exactly once, at the cost the client was
told; nothing is billed twice; every credit counts once; nothing stays held; `audit` finds nothing in log, ledger,
analytics and balance gate. At the end `replay --verify` rebuilds the same. What is done stands in `harm.py`. Start at `main`.
"""

from __future__ import annotations

import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

from bank import bank
from channels import channels_everywhere
from clocks import wrong_clocks
from cluster import Cluster
from harm import Harm
from hot import hot_account
from overgrown import overgrown
from paused import gateway_paused

from crash import ACCOUNTS, CREDIT, Books  # noqa: E402  (tests/crash)
from stack import UNEVEN, Api, Channel, Model, nanos  # noqa: E402
from traffic import KINDS, MODEL, Asked, Credit, Customer, Traffic  # noqa: E402

ROUNDS = int(os.environ.get("FAULT_ROUNDS") or 1)
SEED = int(os.environ.get("FAULT_SEED") or time.time_ns() % 1_000_000_000)
# A gate that learns waits for the lease of a gateway that was killed, and holds of its requests end by their deadline.
IDLE_SECONDS = 150
# Nothing is lost but the time: every answer that began comes to its end.
PLANNED = {"rolling_restart"}
#: What runs before the faults, each with its own requests. They answer in words what they saw.
SCENARIOS = {"hot_account": hot_account, "gateway_paused": gateway_paused, "wrong_clocks": wrong_clocks, "bank": bank, "overgrown": overgrown}
NAMES = [*SCENARIOS, *Harm.ALL]
# A second is promised; the machine that tests may be busy.
KNOWN_SECONDS = 5


class Tolerant(Traffic):
    """Clients that take a broken connection and a 503 for what they are, and go on, at either gateway."""

    def client(self, number: int) -> None:
        rng = random.Random(f"{self.seed}-{number}")
        count = 0
        while not self.stop.is_set():
            customer = rng.choice(self.customers)
            (kind,) = rng.choices(KINDS, [kind.weight for kind in KINDS])
            asked = Asked(f"{self.seed}-{number}-{count}", customer.account, kind)
            count += 1
            self.asked.append(asked)
            try:
                self.at_any_gateway(rng).ask(customer, asked)
            except (OSError, HTTPException, ValueError):
                self.stop.wait(0.05)

    def at_any_gateway(self, rng: random.Random) -> "Tolerant":
        gateway = Elsewhere(rng.choice(self.tollgate.urls()), self.tollgate.admin)
        return Tolerant(gateway, self.customers, self.seed, unexpected=self.unexpected, stop=self.stop)

    def is_turned_away(self, asked: Asked, answer: bytes) -> bool:
        return asked.status == 503

    def payer(self) -> None:
        rng = random.Random(f"{self.seed}-payer")
        count = 0
        while not self.stop.wait(rng.uniform(0.05, 0.3)):
            customer = rng.choice(self.customers)
            credit = Credit(customer.account, f"0.{rng.randint(1, 999_999_999):09}", f"{self.seed}-{count}")
            count += 1
            self.credits.append(credit)
            try:
                self.at_any_gateway(rng).pay(credit)
            except (OSError, HTTPException, ValueError):
                self.stop.wait(0.05)


def broken_answers(traffic: Traffic) -> list[Asked]:
    """Answers that began and did not come to the end that their upstream gave them."""
    whole = [asked for asked in traffic.asked if asked.status == 200 and not asked.kind.fails and asked.kind.leaves_after_bytes is None]
    return [asked for asked in whole if not asked.complete and "cut=" not in asked.kind.script]


class Elsewhere:
    """Another gateway of the same deployment."""

    def __init__(self, url: str, admin: Api):
        self.url, self.admin = url, Api(url, admin.key)


def fault_round(cluster: Cluster, books: Books, fault, seed: int) -> None:
    rng = random.Random(seed)
    traffic = Tolerant(cluster.tollgate, books.customers, seed, clients=8).start()
    try:
        time.sleep(rng.uniform(0.5, 1.5))
        fault(rng)
        time.sleep(rng.uniform(0.5, 1.5))
        cluster.tollgate.wait_ready()
        time.sleep(0.5)
    finally:
        # Clients that go on asking would keep a run that has failed from ending.
        traffic.stop.set()
    traffic.join()
    for customer in books.customers:
        cluster.tollgate.idle_account(customer.account, IDLE_SECONDS)
    books.check(traffic)
    if fault.__name__ in PLANNED:
        books.expect(not (broken := broken_answers(traffic)), f"answers were broken off: {broken[:5]}")


def wait_known(urls: list[str], key: str) -> None:
    """A key works on every gateway within a second."""
    deadline = time.monotonic() + KNOWN_SECONDS
    while any(Api(url, key).get("/api/v1/key").status != 200 for url in urls):
        assert time.monotonic() < deadline, f"a key was not known to every gateway within {KNOWN_SECONDS} s"
        time.sleep(0.02)


def shared_balance(cluster: Cluster) -> None:
    """Two gateways, one balance that fits exactly ten requests: ten are served."""
    account = cluster.tollgate.create_account("ten", "0.1")
    key = cluster.tollgate.create_key(account)
    body = {"model": "mock/flat", "messages": [{"role": "user", "content": "mock:first_byte_ms=200"}], "max_tokens": 1}
    urls = cluster.tollgate.urls()
    wait_known(urls, key)

    def ask(number: int) -> int:
        return Api(urls[number % 2], key).post("/api/v1/chat/completions", body).status

    with ThreadPoolExecutor(60) as pool:
        statuses = list(pool.map(ask, range(60)))
    assert sorted(set(statuses)) == [200, 402] and statuses.count(200) == 10, statuses
    assert cluster.tollgate.idle_account(account, IDLE_SECONDS)["balance"] == 0


def scenario_round(cluster: Cluster, harm: Harm, name: str, seed: int) -> list[str]:
    """A scenario asks, waits and counts for itself; then the books are compared as after every fault."""
    try:
        harm.told = SCENARIOS[name](cluster, harm, random.Random(seed))
    except AssertionError as failure:
        return [str(failure)]
    cluster.tollgate.wait_ready()
    return []


def chosen_names() -> list[str]:
    """What FAULTS names, else everything that has to pass."""
    chosen = (os.environ.get("FAULTS") or " ".join(NAMES)).split()
    if unknown := set(chosen) - set(NAMES):
        raise SystemExit(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    return chosen


def main() -> int:
    chosen = chosen_names()
    print(f"{ROUNDS} rounds of {', '.join(chosen)} with FAULT_SEED={SEED}", flush=True)
    flat = Model("mock", {"prompt": "0", "completion": "0", "request": "0.01"})
    with Cluster([Channel("mock", {MODEL: Model("mock", UNEVEN), "mock/flat": flat})]) as cluster:
        shared_balance(cluster)
        print("a balance for ten, two gateways, sixty requests: ten were served", flush=True)
        longest = channels_everywhere(cluster, KNOWN_SECONDS)
        print(f"a channel's changes at one gateway reached the other within {longest * 1000:.0f} ms", flush=True)
        customers = []
        for number in range(ACCOUNTS):
            account = cluster.tollgate.create_account(f"fault {number}", CREDIT)
            customers.append(Customer(account, cluster.tollgate.create_key(account), nanos(CREDIT)))
            wait_known(cluster.tollgate.urls(), customers[-1].key)
        books, done = Books(cluster, customers), 1
        harm = Harm(cluster, SEED, slow=ROUNDS > 1)
        for number in range(ROUNDS):
            for place, name in enumerate(NAMES):
                # Of its own: tags and payment keys are made from it.
                seed = SEED + number * len(NAMES) + place
                if name not in chosen:
                    continue
                begin, before = time.monotonic(), len(books.asked)
                if name in SCENARIOS:
                    books.failures += scenario_round(cluster, harm, name, seed)
                else:
                    fault_round(cluster, books, getattr(harm, name), seed)
                # After a scenario that failed nobody knows what the audit should find.
                if name in Harm.ALL or not books.failures:
                    code, audit = cluster.tollgate.run("audit", "--json")
                    books.expect(code == 0 and audit["ok"], f"audit: exit {code}: {audit}")
                if books.failures:
                    print(f"{name} (seed {seed}):")
                    print("\n".join(f"  {failure}" for failure in books.failures[:20]), flush=True)
                    print(f"{done} passed, 1 failed")
                    os.environ["KEEP_STACK"] = "1"
                    return 1
                done += 1
                fresh = books.asked[before:]
                complete = sum(request.complete for request in fresh)
                told = f" ({harm.told})" if harm.told else ""
                counted = f"{len(fresh)} requests, {complete} complete, " if fresh else ""
                print(f"{name}{told}: {counted}{time.monotonic() - begin:.0f} s", flush=True)
        cluster.tollgate.verify_books()
        done += 1
    print(f"{done} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
