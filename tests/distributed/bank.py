"""The bank test: writers pay in, refund, adjust and spend on ten accounts while parts of the deployment die, and somebody reads the books.

At every read the legs of all postings sum to zero, as a whole and in every transaction, and every balance is what the books, read to the
end, say it was at that log position: no read shows anything that never was. At the end every order counts once and every answer is
charged once. FAULT_SECONDS says for how long. Start at `bank`.
"""

from __future__ import annotations

import os
import random
import secrets
import threading
import time
from dataclasses import dataclass, field
from decimal import Decimal
from http.client import HTTPException

import harm as harms
from asking import CENT_NANOS, Asker
from cluster import READY_SECONDS, ROLES, Cluster
from ledger_reads import Books, Reader
from stack import Api, nanos  # noqa: E402

SECONDS = float(os.environ.get("FAULT_SECONDS") or 15)
ACCOUNTS, WRITERS = 10, 8
CREDIT = "20"
IDLE_SECONDS = 150
#: What is done meanwhile, in an order of its own; each takes some seconds.
NEMESES = ["ledger", "flush", "nats_leader", "postgres", "gateway", "valkey"]


@dataclass
class Order:
    """A credit, refund or adjustment; repeated with its key until somebody says what became of it."""

    account: str
    body: dict
    #: Set once it is known: whether it was granted.
    granted: bool | None = None


@dataclass
class Writer:
    """One of those who change balances, through any gateway."""

    urls: list[str]
    admin_key: str
    askers: dict[str, Asker]
    rng: random.Random
    orders: list[Order] = field(default_factory=list)
    #: Answers that were charged by now, as far as this writer knows, and could be refunded.
    spent: list[tuple[str, str]] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            account = self.rng.choice(list(self.askers))
            match self.rng.choices(["spend", "topup", "refund", "adjustment"], [6, 2, 2, 1])[0]:
                case "spend":
                    told = self.askers[account].ask(self.rng.choice(self.urls))
                    if told.status == 200:
                        self.spent.append((account, told.generation))
                    elif told.status is None or told.status >= 500:
                        stop.wait(0.05)
                case "refund" if self.spent:
                    account, generation = self.rng.choice(self.spent)
                    self.order(account, {"kind": "refund", "amount": f"0.00{self.rng.randint(1, 9)}", "generation_id": generation})
                case "adjustment":
                    self.order(account, {"kind": "adjustment", "amount": f"{self.rng.choice('-+').strip('+')}0.{self.rng.randint(1, 99):02}"})
                case _:
                    self.order(account, {"kind": "topup", "amount": f"0.{self.rng.randint(1, 999_999_999):09}"})

    def order(self, account: str, body: dict) -> None:
        order = Order(account, body | {"reason": "bank test", "idempotency_key": f"bank-{secrets.token_hex(8)}"})
        self.orders.append(order)
        self.send(order, self.rng.choice(self.urls))

    def send(self, order: Order, url: str) -> None:
        try:
            answer = Api(url, self.admin_key, timeout=30).post(f"/api/v1/admin/accounts/{order.account}/credits", order.body)
        except (OSError, HTTPException, ValueError):
            return
        if answer.status in (200, 201):
            order.granted = True
        elif answer.status < 500:
            # Of a charge that is not booked yet, or more than was charged: for this key that is final.
            order.granted = False

    def settle(self, url: str) -> None:
        """What nobody answered for is asked again, with its key."""
        for order in self.orders:
            for _ in range(20):
                if order.granted is not None:
                    break
                self.send(order, url)
            assert order.granted is not None, f"nobody says what became of {order}"


def bank(cluster: Cluster, harm: harms.Harm, rng: random.Random) -> str:
    tollgate = cluster.tollgate
    askers = {}
    for number in range(ACCOUNTS):
        account = tollgate.create_account(f"bank {number}", CREDIT)
        askers[account] = Asker(cluster, tollgate.create_key(account))
    last = list(askers.values())[-1].key
    cluster.until(lambda: all(Api(url, last).get("/api/v1/key").status == 200 for url in tollgate.urls()), "the keys are known", 30)
    writers = [Writer(tollgate.urls(), tollgate.management_key, askers, random.Random(rng.random())) for _ in range(WRITERS)]
    stop = threading.Event()
    threads = [threading.Thread(target=writer.run, args=(stop,)) for writer in writers]
    done: list[str] = []
    with Reader(cluster) as reader:
        for thread in threads:
            thread.start()
        end = time.monotonic() + SECONDS
        try:
            while time.monotonic() < end:
                # All of them before any comes again.
                this_time = done[len(done) // len(NEMESES) * len(NEMESES) :]
                done.append(rng.choice([name for name in NEMESES if name not in this_time]))
                cause(cluster, harm, rng, done[-1])
                time.sleep(rng.uniform(1, 2.5))
                all_run(cluster)
        finally:
            stop.set()
            for thread in threads:
                thread.join(120)
        cluster.until(lambda: all_run(cluster), "every role is ready again", READY_SECONDS)
        for writer in writers:
            writer.settle(tollgate.url)
        for account in askers:
            tollgate.idle_account(account, IDLE_SECONDS)
    books = Books.read(cluster)
    reader.check(books)
    orders = [order for writer in writers for order in writer.orders]
    check_history(books, askers, orders)
    answered = sum(len(asker.answered()) for asker in askers.values())
    refused = sum(order.granted is False for order in orders)
    return f"{', '.join(done)}; {answered} answers, {len(orders)} orders, {refused} refused, {len(reader.reads)} reads, each of them explained"


def cause(cluster: Cluster, harm: harms.Harm, rng: random.Random, name: str) -> None:
    match name:
        case "ledger":
            harm.kill_and_start("ledger", rng.uniform(0, 1))
        case "gateway":
            harm.kill_and_start("gateway-1", rng.uniform(0, 1))
        case "flush":
            with cluster.balances() as balances:
                balances.flush()
        case "nats_leader":
            leader = harm.stream_leader()
            cluster.kill_server(leader)
            time.sleep(rng.uniform(0.5, 2))
            cluster.start_server(leader)
        case "postgres" | "valkey":
            cluster.kill_server(name)
            time.sleep(rng.uniform(0, 1))
            cluster.start_server(name)


def all_run(cluster: Cluster) -> bool:
    """Whether every role is ready. One that ended, because what it needs at its start was away, is started again, as a service manager does."""
    deployment = cluster.tollgate.deployment
    for name in ROLES:
        if not deployment.runs(name):
            cluster.start_role(name)
    return all(deployment.is_ready(name) for name in ROLES)


def check_history(books: Books, askers: dict[str, Asker], orders: list[Order]) -> None:
    """What was ordered and answered is what is booked, each of it once."""
    booked = {row["id"].rsplit(":", 1)[-1]: row for row in books.transactions if row["kind"] != "usage"}
    for order in orders:
        row = booked.get(order.body["idempotency_key"])
        assert bool(row) == order.granted, f"{order} is booked as {row}"
        amount = nanos(Decimal(order.body["amount"]))
        assert row is None or (row["account"], row["amount_nanos"]) == (order.account, amount), f"{order} is booked as {row}"
    for account, asker in askers.items():
        rows = [row for row in books.transactions if row["account"] == account]
        charges: dict[str, list[int]] = {}
        for row in rows:
            if row["kind"] == "usage":
                charges.setdefault(row["request"], []).append(-row["amount_nanos"])
        assert all(each == [CENT_NANOS] for each in charges.values()), f"{account} was charged {charges}"
        answered, unheard = len(asker.answered()), sum(told.status is None for told in asker.told)
        counts = f"{account}: {len(charges)} charges for {answered} answers and {unheard} requests without one"
        assert answered <= len(charges) <= answered + unheard, counts
        assert sum(row["amount_nanos"] for row in rows) == books.balances[account], f"{account} does not add up"
    refunds: dict[str, int] = {}
    for row in books.transactions:
        if row["kind"] == "refund":
            refunds[row["request"]] = refunds.get(row["request"], 0) + row["amount_nanos"]
    assert all(total <= CENT_NANOS for total in refunds.values()), "more was refunded than charged"
