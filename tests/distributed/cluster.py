"""The distributed deployment as the suites drive it: private servers (three of NATS), a process for every role, the mock as
upstream.

Owns starting it with the suites' channels, and doing harm to one part of it. Start at `Cluster`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "crash"), str(ROOT / "scripts")]

import broker  # noqa: E402
from balances import Balances  # noqa: E402
from servers import SERVERS, free_port, is_running  # noqa: E402
from stack import SURROUNDINGS, Api, Channel, MockProvider, Tollgate  # noqa: E402

# scripts/stack.py has the name of tests/stack.py.
import importlib.util  # noqa: E402

_spec = importlib.util.spec_from_file_location("distributed_stack", ROOT / "scripts" / "stack.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
Deployment, ROLES = _module.Deployment, _module.ROLES

GATEWAYS = [name for name, role in ROLES.items() if role == "gateway"]
READY_SECONDS = 120


class Replicated(Deployment):
    """Its event log has three copies."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.brokers, self.routes = broker.nats_servers()
        self.spares: list = []
        self.spares_made = 0

    def all_servers(self) -> list:
        return [server for server in SERVERS if server.name != "nats"] + self.brokers + self.spares

    def spare_broker(self) -> str:
        """The name of a fourth server, to be started. A new one every time: the cluster does not take one back that was removed."""
        self.spares_made += 1
        name = f"nats-{len(broker.NAMES) + self.spares_made}"
        self.spares = [broker.nats_server(name, free_port(), self.routes.to_all())]
        return name

    def forget_spare(self) -> None:
        self.spares = []

    def start_servers(self) -> None:
        self.servers.up(self.all_servers())
        for port in self.broker_ports():
            broker.wait_for_jetstream(port)

    def broker_ports(self) -> list[int]:
        return [self.servers.entries[name]["port"] for name in broker.NAMES]

    def server_urls(self) -> dict[str, str]:
        urls = {server.name: self.server_url(server) for server in SERVERS if server.name != "nats"}
        return urls | {"nats": "nats://" + ",".join(f"127.0.0.1:{port}" for port in self.broker_ports())}


class Distributed(Tollgate):
    """The deployment behind the administrative calls that `Tollgate` has; commands run beside the ledger."""

    def __init__(self, folder: Path, mock_url: str, channels: list[Channel], surroundings: dict[str, str]):
        super().__init__(folder, mock_url, channels)
        # The servers do; and holds of a gateway that was killed are ended soon.
        settings = {"TOLLGATE_EVENTS__SERVERS_SYNC_ALWAYS": "true", "TOLLGATE_STREAM__HOLD_TTL": "15s", "TOLLGATE_STREAM__RENEWAL_INTERVAL": "3s"}
        # The mock is on this machine, also for channels of the API.
        settings |= {"TOLLGATE_UPSTREAMS__ALLOW_PRIVATE": "true"}
        more = SURROUNDINGS | settings | surroundings
        self.deployment = Replicated(folder / "stack", Path(self.command), folder / "tollgate.toml", more)

    def start(self) -> "Distributed":
        self.deployment.up()
        key = (self.deployment.folder / "management_key").read_text()
        # The second gateway is never harmed: it is asked what is true.
        self.url = self.deployment.url(GATEWAYS[1])
        self.management_key = key
        self.admin = Api(self.url, key)
        return self

    def environment(self) -> dict[str, str]:
        return self.deployment.environment("ledger")

    def urls(self) -> list[str]:
        return [self.deployment.url(name) for name in GATEWAYS]

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while waiting := [name for name in ROLES if not self.deployment.is_ready(name)]:
            dead = [name for name in waiting if not self.deployment.runs(name)]
            if dead or time.monotonic() > deadline:
                raise AssertionError("\n".join(f"{name} is not ready:\n{self.deployment.log_tail(name)}" for name in dead or waiting))
            time.sleep(0.05)

    def stop(self) -> int:
        self.deployment.down()
        return 0


class Cluster:
    """A mock and a distributed deployment that uses it, in one temporary folder that is removed unless something failed."""

    def __init__(self, channels: list[Channel], surroundings: dict[str, str] | None = None):
        self.mock = MockProvider()
        self.folder = Path(tempfile.mkdtemp(prefix="tollgate-cluster-"))
        # PostgreSQL runs as somebody else.
        self.folder.chmod(0o755)
        self.tollgate = Distributed(self.folder, self.mock.url, channels, surroundings or {})

    def __enter__(self) -> "Cluster":
        try:
            self.tollgate.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, traceback) -> None:
        try:
            self.tollgate.stop()
        finally:
            self.mock.stop()
            if kind is None and not os.environ.get("KEEP_STACK"):
                shutil.rmtree(self.folder, ignore_errors=True)
            else:
                print(f"kept: {self.folder}", file=sys.stderr)

    def verify_stopped(self) -> None:
        """The roles end in order, and the books are right without them."""
        for name in reversed(ROLES):
            self.stop_role(name)
        self.tollgate.verify_books()

    # Harm.

    def kill_role(self, name: str) -> None:
        self.tollgate.deployment.stop(name, signal.SIGKILL)

    def start_role(self, name: str, more: dict[str, str] | None = None) -> None:
        self.tollgate.deployment.start(name, more)

    def stop_role(self, name: str) -> None:
        self.tollgate.deployment.stop(name, signal.SIGTERM)

    def pause_role(self, name: str) -> None:
        os.kill(self.tollgate.deployment.known[name]["pid"], signal.SIGSTOP)

    def resume_role(self, name: str) -> None:
        os.kill(self.tollgate.deployment.known[name]["pid"], signal.SIGCONT)

    def metrics(self, name: str) -> list[str]:
        """The lines of a role's /metrics."""
        with urllib.request.urlopen(f"{self.tollgate.deployment.url(name)}/metrics", timeout=5) as answer:
            return answer.read().decode().splitlines()

    def metric(self, name: str, metric: str) -> float:
        """One number of them; 0 where it was never counted."""
        lines = [line for line in self.metrics(name) if line.startswith((metric + " ", metric + "{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def until(self, condition, what: str, seconds: float) -> None:
        """Waits for something to become true; what cannot be asked is not true yet."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError):
                if condition():
                    return
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.05)

    def kill_server(self, name: str) -> None:
        """One that is dead already stays so."""
        entry = self.tollgate.deployment.servers.entries[name]
        if is_running(entry):
            os.kill(entry["pid"], signal.SIGKILL)
        while is_running(entry):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(entry["pid"], os.WNOHANG)
            time.sleep(0.01)

    def start_server(self, name: str) -> None:
        deployment = self.tollgate.deployment
        deployment.servers.up([server for server in deployment.all_servers() if server.name == name])

    def server_folder(self, name: str) -> Path:
        return self.tollgate.deployment.servers.folder / name

    def pause_server(self, name: str) -> None:
        os.kill(self.tollgate.deployment.servers.entries[name]["pid"], signal.SIGSTOP)

    def resume_server(self, name: str) -> None:
        os.kill(self.tollgate.deployment.servers.entries[name]["pid"], signal.SIGCONT)

    def running_brokers(self) -> list[str]:
        entries = self.tollgate.deployment.servers.entries
        return [name for name in entries if name.startswith("nats-") and is_running(entries[name])]

    def kill_brokers(self) -> None:
        for name in broker.NAMES:
            self.kill_server(name)

    def start_brokers(self) -> None:
        for name in broker.NAMES:
            self.start_server(name)
        broker.wait_for_jetstream(self.broker_port())

    def broker_port(self, name: str = broker.NAMES[0]) -> int:
        return self.tollgate.deployment.servers.entries[name]["port"]

    def balances(self) -> Balances:
        return Balances(self.tollgate.deployment.servers.entries["valkey"]["port"])
