"""What is done to one or two of the three NATS servers: kept from each other, paused, their files cut short, replaced.

None of it may cost an event: a majority has it, and the gateways' spools have what nobody acknowledged. Owns asking the
servers how they stand; the books are compared by the runner. Start at `ReplicaHarm`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from pathlib import Path

import broker
from cluster import Cluster

#: A leader without followers gives up after ten seconds; a cut that is shorter ends before anybody was elected.
SHORT_CUT = (2, 5)
#: Long enough that another one was elected.
SLEEP = (6, 9)
LONG_SECONDS = float(os.environ.get("FAULT_CUT_SECONDS") or 12)
GO_ON_SECONDS = 60
REPLICATED_SECONDS = 90
POSITION = "tollgate_ledger_position"
#: What a file loses at its end: inside a record, a few records, many.
CUT_BYTES = [(1, 40), (400, 4_000), (20_000, 80_000)]


class ReplicaHarm:
    """One method a fault; for a class that has a `cluster` and a `told`."""

    cluster: Cluster
    told: str

    def nats_parted(self, rng: random.Random) -> None:
        """The leader, then a follower hears nobody; its clients hear it. Then two do not hear each other, and the third hears both."""
        cuts, stood = [], 0.0
        routes = self.cluster.tollgate.deployment.routes
        leader = self.stream_leader()
        followers = [name for name in broker.NAMES if name != leader]
        rng.shuffle(followers)
        parties = [
            ({leader}, None, LONG_SECONDS),
            ({followers[0]}, None, rng.uniform(*SHORT_CUT)),
            ({leader}, {followers[1]}, rng.uniform(*SHORT_CUT)),
        ]
        for some, others, seconds in parties:
            silently = rng.random() < 0.5
            words = "silent" if silently else "cut"
            cuts.append(f"{'+'.join(some)} {words}" + (f" to {'+'.join(others)}" if others else ""))
            with routes.parted(some, silently, others):
                stood = max(stood, self.longest_stand(seconds))
            self.books_go_on(f"after {cuts[-1]}")
        self.told = f"{', '.join(cuts)}; books stood for at most {stood:.0f} s"

    def nats_paused(self, rng: random.Random) -> None:
        """The leader stops in the middle of everything, and wakes believing that it leads. Then a follower sleeps while the leader dies."""
        leader = self.stream_leader()
        self.cluster.pause_server(leader)
        try:
            stood = self.longest_stand(rng.uniform(*SLEEP))
        finally:
            self.cluster.resume_server(leader)
        self.books_go_on(f"after {leader} slept")
        second = self.stream_leader()
        sleeper = rng.choice([name for name in broker.NAMES if name != second])
        self.cluster.pause_server(sleeper)
        try:
            self.cluster.kill_server(second)
            time.sleep(rng.uniform(*SHORT_CUT))
        finally:
            self.cluster.resume_server(sleeper)
            self.cluster.start_server(second)
        self.books_go_on(f"after {sleeper} slept and {second} died")
        self.told = f"{leader}, then {sleeper} while {second} was dead; books stood for at most {stood:.0f} s"

    def nats_truncated(self, rng: random.Random) -> None:
        """A replica's file lost its end while its server was stopped; then the others are made to need this replica."""
        leader = self.stream_leader()
        followers = [name for name in broker.NAMES if name != leader]
        told = []
        for name, (least, most) in zip([rng.choice(followers), leader], rng.sample(CUT_BYTES, 2)):
            self.cluster.kill_server(name)
            count = cut_end(self.cluster.server_folder(name) / "data", rng.randint(least, most))
            self.cluster.start_server(name)
            self.replicated(f"{name} has back what its file lost")
            told.append(f"{name} lost {count} bytes")
        # Only with it there is a majority now.
        other = rng.choice([one for one in broker.NAMES if one != name])
        self.cluster.kill_server(other)
        self.books_go_on(f"without {other}, with {name}")
        self.cluster.start_server(other)
        self.replicated("all have everything")
        self.told = ", ".join(told)

    def nats_replaced(self, rng: random.Random) -> None:
        """A fourth server comes, one of the three is taken out of the stream, the leader of what is left is killed; then the same back."""
        cluster = self.cluster
        spare = cluster.tollgate.deployment.spare_broker()
        cluster.start_server(spare)
        victim = rng.choice(broker.NAMES)
        self.take_out(victim)
        self.replicated(f"{spare} stands in for {victim}", without=victim)
        leader = self.stream_leader()
        cluster.kill_server(leader)
        self.books_go_on(f"with {spare}, without {victim} and {leader}")
        cluster.start_server(leader)
        self.replicated(f"{leader} is back")
        self.take_out(spare)
        self.replicated(f"{victim} is back", without=spare)
        # Else the cluster would go on counting it, and stand still when the next one of four is killed.
        self.ask("$JS.API.SERVER.REMOVE", {"peer": spare}, broker.SYSTEM)
        cluster.kill_server(spare)
        cluster.tollgate.deployment.forget_spare()
        self.books_go_on(f"without {spare}")
        self.told = f"{spare} for {victim} and back, {leader} killed in between"

    def take_out(self, name: str) -> None:
        """A server of the stream is exchanged for the one that is not in it."""

        def is_taken() -> bool:
            answer = self.ask(f"$JS.API.STREAM.PEER.REMOVE.{broker.STREAM}", {"peer": name})
            # There is nobody yet to exchange it for, or a moment ago it was still exchanged.
            return bool(answer.get("success"))

        self.cluster.until(is_taken, f"{name} is taken out of the stream", REPLICATED_SECONDS)

    # How the servers stand.

    def ask(self, subject: str, payload: dict | None = None, who: dict | None = None) -> dict:
        """The first server that answers does."""
        data = json.dumps(payload).encode() if payload else b""
        failure: Exception = OSError("no server runs")
        for name in self.cluster.running_brokers():
            try:
                with broker.Broker(self.cluster.broker_port(name), who) as connection:
                    return connection.ask(subject, data)
            except (OSError, ValueError) as error:
                failure = error
        raise OSError(str(failure))

    def stream_cluster(self) -> dict:
        return self.ask(f"$JS.API.STREAM.INFO.{broker.STREAM}").get("cluster") or {}

    def stream_leader(self) -> str:
        found: list[str] = []

        def is_known() -> bool:
            found.append(self.stream_cluster().get("leader") or "")
            return bool(found[-1])

        self.cluster.until(is_known, "the stream has a leader", GO_ON_SECONDS)
        return found[-1]

    def replicated(self, what: str, without: str | None = None) -> None:
        """Three servers have everything, and one that was taken out is none of them: a moment after that it still is."""
        caught_up: set[str] = set()

        def is_so() -> bool:
            state = self.stream_cluster()
            others = state.get("replicas") or []
            # One that was just taken in is named before it votes; only what it acknowledged makes it current.
            caught_up.update(one["name"] for one in others if one.get("current"))
            # While traffic goes on, a follower may be a few events behind whenever it is looked at.
            near = [one for one in others if (one.get("current") or one.get("lag", 0) <= 20) and not one.get("offline") and one["active"] < 10**10]
            names = {one["name"] for one in others}
            is_out = without not in names | {state.get("leader")}
            return bool(state.get("leader")) and len(near) == len(others) == 2 and caught_up >= names and is_out

        self.cluster.until(is_so, what, REPLICATED_SECONDS)

    # How the books stand.

    def books_go_on(self, what: str) -> None:
        before = self.position()
        self.cluster.until(lambda: self.position() > before + 20, f"the books go on {what}", GO_ON_SECONDS)

    def position(self) -> float:
        return self.cluster.metric("ledger", POSITION)

    def longest_stand(self, seconds: float) -> float:
        """How long at most the books did not move within some seconds."""
        end = time.monotonic() + seconds
        moved, longest, before = time.monotonic(), 0.0, -1.0
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if (now := self.position()) != before:
                    moved, before = time.monotonic(), now
            longest = max(longest, time.monotonic() - moved)
            time.sleep(0.1)
        return longest


def cut_end(data: Path, count: int) -> int:
    """Cuts the newest block of a stopped server's copy of the stream short; how many bytes it lost."""
    blocks = data.glob(f"jetstream/*/streams/{broker.STREAM}/msgs/*.blk")
    newest = max(blocks, key=lambda path: int(path.stem))
    size = newest.stat().st_size
    with open(newest, "r+b") as file:
        file.truncate(max(0, size - count))
    return size - max(0, size - count)
