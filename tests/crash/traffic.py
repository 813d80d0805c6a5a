"""Mixed traffic: clients that ask, read, leave and top up, and remember exactly what they were told.

Owns what a client can know: whether its answer was complete, and what it was said to cost. Start at `Traffic`.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import urllib.parse
from dataclasses import dataclass, field
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stack import UNEVEN, Api, Tollgate, charge_nanos, nanos  # noqa: E402

MODEL = "crash/any"


@dataclass(frozen=True)
class Kind:
    """A way to ask. `completion` is what a whole answer bills; None where the upstream does not say."""

    name: str
    script: str
    weight: int
    stream: bool = False
    completion: int | None = 8
    fails: bool = False
    leaves_after_bytes: int | None = None

    def whole_cost(self) -> int | None:
        return None if self.completion is None else charge_nanos(UNEVEN, completion=self.completion)


def script(**keys) -> str:
    return urllib.parse.urlencode(keys)


KINDS = [
    Kind("plain", script(chunks=8), 20),
    Kind("slow", script(chunks=30, first_byte_ms=120), 10, completion=30),
    Kind("stream", script(chunks=20), 20, stream=True, completion=20),
    Kind("slow stream", script(chunks=40, delay_ms=15), 15, stream=True, completion=40),
    Kind("long stream", script(chunks=150, chunk_text=" a", delay_ms=20), 5, stream=True, completion=150),
    Kind("no usage", script(usage="absent", chunks=10), 8, completion=None),
    Kind("no usage stream", script(usage="absent", chunks=10, delay_ms=5), 8, stream=True, completion=None),
    Kind("leaves", script(chunks=100, chunk_text=" a", delay_ms=10), 10, stream=True, completion=100, leaves_after_bytes=2000),
    Kind("fails", script(status=500), 5, fails=True),
    Kind("cut", script(chunks=20, cut="reset", cut_after=6, delay_ms=3), 5, stream=True, completion=None),
]


@dataclass
class Asked:
    """One request and what its client saw."""

    tag: str
    account: str
    kind: Kind
    generation: str | None = None
    status: int | None = None
    complete: bool = False
    told_nanos: int | None = None


@dataclass
class Credit:
    """One top-up; until it is answered its outcome is unknown and it is sent again with the same key."""

    account: str
    amount: str
    key: str
    answered: bool = False


@dataclass
class Customer:
    account: str
    key: str
    credited: int


@dataclass
class Traffic:
    """Clients that go on until `stop` is set; each sends one request after the other."""

    tollgate: Tollgate
    customers: list[Customer]
    seed: int
    clients: int = 12
    asked: list[Asked] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> "Traffic":
        for client in range(self.clients):
            self.threads.append(threading.Thread(target=self.client, args=(client,)))
        self.threads.append(threading.Thread(target=self.payer))
        for thread in self.threads:
            thread.start()
        return self

    def join(self) -> None:
        for thread in self.threads:
            thread.join(90)
            assert not thread.is_alive(), "a client hangs"

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
                self.ask(customer, asked)
            except (OSError, HTTPException, ValueError) as error:
                # Only a server that was killed may break a connection; what fails by script fails inside the protocol.
                if not self.stop.wait(2):
                    self.unexpected.append(f"{asked}: {error!r}")
                return

    def ask(self, customer: Customer, asked: Asked) -> None:
        message = f"mock:{asked.kind.script} [tag:{asked.tag}]"
        body = {"model": MODEL, "stream": asked.kind.stream, "messages": [{"role": "user", "content": message}]}
        api = Api(self.tollgate.url, customer.key, timeout=60)
        connection = api.connect()
        try:
            response = api.send(connection, "POST", "/api/v1/chat/completions", body)
            asked.status, asked.generation = response.status, response.getheader("x-generation-id")
            if asked.kind.leaves_after_bytes is not None and response.status == 200:
                response.read1(asked.kind.leaves_after_bytes)
                return
            answer = response.read()
        finally:
            connection.close()
        if asked.status == 200:
            asked.complete, asked.told_nanos = understood(answer, asked.kind.stream)
        elif not asked.kind.fails and not self.is_turned_away(asked, answer):
            self.unexpected.append(f"{asked}: {answer[:500]!r}")

    def is_turned_away(self, asked: Asked, answer: bytes) -> bool:
        """Whether a gateway that was asked to end refused to begin another request."""
        return self.stop.is_set() and asked.status == 503 and b"shutdown" in answer

    def payer(self) -> None:
        """Tops up now and then, with a key of its own for every payment."""
        rng = random.Random(f"{self.seed}-payer")
        count = 0
        while not self.stop.wait(rng.uniform(0.01, 0.2)):
            customer = rng.choice(self.customers)
            credit = Credit(customer.account, f"0.{rng.randint(1, 999_999_999):09}", f"{self.seed}-{count}")
            count += 1
            self.credits.append(credit)
            try:
                self.pay(credit)
            except (OSError, HTTPException, ValueError) as error:
                if not self.stop.wait(2):
                    self.unexpected.append(f"{credit}: {error!r}")
                return

    def pay(self, credit: Credit) -> None:
        path = f"/api/v1/admin/accounts/{credit.account}/credits"
        body = {"amount": credit.amount, "reason": "crash test", "idempotency_key": credit.key}
        answer = self.tollgate.admin.post(path, body)
        if answer.status in (200, 201):
            credit.answered = True
        elif answer.status != 503:
            self.unexpected.append(f"{credit}: {answer}")


def understood(body: bytes, stream: bool) -> tuple[bool, int | None]:
    """Whether an answer came to its proper end, and what it says it cost."""
    if not stream:
        answer = json.loads(body, parse_float=Decimal)
        return "error" not in answer, nanos(answer["usage"]["cost"]) if "usage" in answer else None
    complete, cost = False, None
    for line in body.split(b"\n"):
        if line == b"data: [DONE]":
            complete = True
        elif line.startswith(b"data: "):
            event = json.loads(line.removeprefix(b"data: "), parse_float=Decimal)
            if event.get("usage"):
                cost = nanos(event["usage"]["cost"])
    return complete, cost
