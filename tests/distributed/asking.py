"""Plain questions to a gateway of one's choice, at a flat price: what scenarios use that count every request themselves.

Start at `Asker`.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPException

from cluster import Cluster

from stack import Api  # noqa: E402

#: Every answer of it costs a cent, whatever is asked.
FLAT = "mock/flat"
CENT_NANOS = 10_000_000


@dataclass
class Told:
    """One answer."""

    status: int | None = None
    generation: str | None = None
    seconds: float = 0
    body: bytes = b""


@dataclass
class Asker:
    """Asks as one customer."""

    cluster: Cluster
    key: str
    told: list[Told] = field(default_factory=list)

    def ask(self, url: str, script: str = "chunks=1", stream: bool = False, model: str = FLAT, timeout: float = 120) -> Told:
        """A connection that breaks is an answer without a status."""
        body = {"model": model, "stream": stream, "max_tokens": 4096, "messages": [{"role": "user", "content": f"mock:{script}"}]}
        told, begun = Told(), time.monotonic()
        self.told.append(told)
        api = Api(url, self.key, timeout=timeout)
        connection = api.connect()
        try:
            response = api.send(connection, "POST", "/api/v1/chat/completions", body)
            told.status, told.generation = response.status, response.getheader("x-generation-id")
            told.body = response.read()
        except (OSError, HTTPException) as error:
            told.body = repr(error).encode()
        finally:
            connection.close()
            told.seconds = time.monotonic() - begun
        return told

    def begin(self, url: str, **how) -> threading.Thread:
        thread = threading.Thread(target=self.ask, args=(url,), kwargs=how)
        thread.start()
        return thread

    def answered(self) -> list[Told]:
        return [told for told in self.told if told.status == 200]


def customer(cluster: Cluster, name: str, credit: str) -> tuple[str, Asker]:
    """An account with a key that every gateway knows."""
    account = cluster.tollgate.create_account(name, credit)
    key = cluster.tollgate.create_key(account)
    known = lambda: all(Api(url, key).get("/api/v1/key").status == 200 for url in cluster.tollgate.urls())  # noqa: E731
    cluster.until(known, f"the key of {name} is known to every gateway", 30)
    return account, Asker(cluster, key)


def error_of(body: bytes) -> str | None:
    """What a stream says went wrong."""
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            event = json.loads(line.removeprefix(b"data: "))
            if "error" in event:
                return event["error"].get("message") or "error"
    return None
