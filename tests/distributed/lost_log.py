"""Losses that reach the event log itself: all its servers are put back to an older state, as after a restored snapshot or a power
cut of disks that lied.

What is promised then is that somebody says so within a minute, and that nothing is lost that a gateway's spool still has. Owns
putting the servers' files back and reading who noticed. Start at `LostLog`.
"""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import time
import urllib.error
import urllib.request

import broker
from cluster import GATEWAYS, READY_SECONDS, ROLES
from replicas import ReplicaHarm

NOTICED_SECONDS = 60
HEALTHY = 'tollgate_eventlog_healthy{instance="log"}'
HALTED = "tollgate_ledger_halted"
#: Events between the older state and the newer one: more than a gateway gathers while the servers are away.
LOST_EVENTS = 60
#: How a role says that the log is not what it was.
WORDS = re.compile(
    r"event log ends at position \d+, but position \d+ was there before"
    r"|event log has another event at position \d+ than the one"
    r"|the ledger stands at log position \d+, but the log ends at \d+"
    r"|the books stand at position \d+ of the event log, which ends at \d+"
)


class LostLog(ReplicaHarm):
    """One method a fault; for a class that has a `cluster` and a `told`."""

    def nats_put_back(self, rng: random.Random) -> None:
        """What nobody has booked yet is lost, then what is booked is."""
        older = self.lose_tail()
        tail = self.told
        self.lose_booked(older)
        self.told = f"{tail}; {self.told}"

    def lose_tail(self) -> int:
        """The gateways notice, and what their spools still have is booked once they begin anew."""
        cluster = self.cluster
        # What they have taken from the log is all in the older state.
        for name in ("ledger", "projector"):
            cluster.kill_role(name)
        older = self.keep_older()
        cluster.until(lambda: self.end_of_log() > older + LOST_EVENTS, f"{LOST_EVENTS} events are shipped", READY_SECONDS)
        begun = self.put_older_back(keep_newer=False)
        for name in ("ledger", "projector"):
            cluster.start_role(name)
        noticed = {}

        def is_noticed() -> bool:
            for name in GATEWAYS:
                with contextlib.suppress(OSError):
                    if name not in noticed and self.is_unhealthy(name):
                        noticed[name] = time.monotonic() - begun
            return len(noticed) == len(GATEWAYS)

        cluster.until(is_noticed, "every gateway notices that the log lost its events", NOTICED_SECONDS)
        said = [self.last_words(name) for name in GATEWAYS]
        assert all(said), f"the gateways' logs say {said}"
        for name in GATEWAYS:
            cluster.kill_role(name)
            cluster.start_role(name)
        self.told = f"gateways noticed within {max(noticed.values()):.0f} s: {said[0]}"
        return older

    def lose_booked(self, older: int) -> None:
        """The log ends before the books: the ledger halts and says why, and no role begins on it. Then what was lost is found again."""
        cluster = self.cluster
        cluster.until(lambda: self.position() > older + LOST_EVENTS, "the books went on", READY_SECONDS)
        # Nobody makes the log long again: what the books have and the log has not stays to be seen.
        for name in GATEWAYS:
            cluster.kill_role(name)
        begun = self.put_older_back(keep_newer=True)
        cluster.until(lambda: cluster.metric("ledger", HALTED) == 1, "the ledger halts on a log that lost its end", NOTICED_SECONDS)
        took = time.monotonic() - begun
        ready, said = self.readiness("ledger"), self.last_words("ledger")
        assert ready == 503 and said, f"the halted ledger's /readyz answers {ready}, its log says {said}"
        self.refuses_to_begin(GATEWAYS[0])
        for name in ("ledger", "projector"):
            cluster.kill_role(name)
        self.put_newer_back()
        for name in ROLES:
            cluster.start_role(name)
            self.wait_ready(name)
        self.told = f"the ledger halted within {took:.0f} s: {said}"

    # Noticing.

    def is_unhealthy(self, name: str) -> bool:
        """It says that the log lost something; a role that has not started yet says nothing."""
        return any(line.startswith(HEALTHY) and float(line.rsplit(" ", 1)[1]) == 0 for line in self.cluster.metrics(name))

    def last_words(self, name: str) -> str:
        log = (self.cluster.tollgate.deployment.folder / f"{name}.log").read_text(errors="replace")
        found = WORDS.findall(log)
        return found[-1] if found else ""

    def readiness(self, name: str) -> int:
        try:
            with urllib.request.urlopen(f"{self.cluster.tollgate.deployment.url(name)}/readyz", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def refuses_to_begin(self, name: str) -> None:
        deployment = self.cluster.tollgate.deployment
        self.cluster.start_role(name)
        deadline = time.monotonic() + NOTICED_SECONDS
        while deployment.runs(name):
            assert time.monotonic() < deadline, f"{name} began on a log that ends before the books"
            time.sleep(0.05)
        assert WORDS.search(deployment.log_tail(name)), f"{name} does not say why it ended:\n{deployment.log_tail(name)}"

    # The servers' files.

    def keep_older(self) -> int:
        """What the servers have at this moment is kept, and they go on. Where it ends at least."""
        end = self.end_of_log()
        self.cluster.kill_brokers()
        for name in broker.NAMES:
            self.keep(name, "older")
        self.cluster.start_brokers()
        return end

    def keep(self, name: str, what: str) -> None:
        folder = self.cluster.server_folder(name)
        shutil.rmtree(folder / what, ignore_errors=True)
        shutil.copytree(folder / "data", folder / what)

    def put_older_back(self, keep_newer: bool) -> float:
        """When the older servers began."""
        self.cluster.kill_brokers()
        for name in broker.NAMES:
            if keep_newer:
                self.keep(name, "newer")
            self.use(name, "older")
        begun = time.monotonic()
        self.cluster.start_brokers()
        return begun

    def put_newer_back(self) -> None:
        self.cluster.kill_brokers()
        for name in broker.NAMES:
            self.use(name, "newer")
        self.cluster.start_brokers()

    def use(self, name: str, what: str) -> None:
        folder = self.cluster.server_folder(name)
        shutil.rmtree(folder / "data")
        shutil.copytree(folder / what, folder / "data")

    def end_of_log(self) -> int:
        return self.ask(f"$JS.API.STREAM.INFO.{broker.STREAM}").get("state", {}).get("last_seq", 0)
