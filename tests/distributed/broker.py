"""Three NATS servers as one cluster, and a client that publishes what no gateway would.

Owns the servers' configuration (every write synced, as a deployment must have it) and a few lines of NATS' own
protocol. Start at `nats_servers`.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))

from routes import Routes  # noqa: E402
from servers import Server, answers, free_port, installed  # noqa: E402

NAMES = ["nats-1", "nats-2", "nats-3"]
STREAM = "USAGE"
SYSTEM_USER, SYSTEM_PASSWORD = "system", "of the tests"
CONNECT = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True}
SYSTEM = {"user": SYSTEM_USER, "pass": SYSTEM_PASSWORD}
ANSWER_SECONDS = 10
LEADER_SECONDS = 60


def nats_servers() -> tuple[list[Server], Routes]:
    """Three servers that know each other, for a `servers.Stack`, and the ways between them."""
    cluster = {name: free_port() for name in NAMES}
    routes = Routes(cluster)
    return [nats_server(name, cluster[name], routes.of(name)) for name in NAMES], routes


def nats_server(name: str, cluster_port: int, others: list[str]) -> Server:
    quoted = ", ".join(f'"{url}"' for url in others)

    def prepare(folder: Path, port: int, _password: str) -> None:
        (folder / "nats.conf").write_text(
            f'listen: "127.0.0.1:{port}"\nserver_name: "{name}"\n'
            f'jetstream {{\n  store_dir: "{folder / "data"}"\n  sync_interval: always\n}}\n'
            # Servers tell each other of a third one's address: it must not be a way around the proxies.
            f'cluster {{\n  name: "tollgate"\n  listen: "127.0.0.1:{cluster_port}"\n  advertise: "127.0.0.1:1"\n'
            f"  routes: [{quoted}]\n}}\n"
            # Who may remove a server from the cluster; everybody else comes without a name, as the roles do.
            f'accounts {{\n  $SYS {{ users: [{{ user: "{SYSTEM_USER}", password: "{SYSTEM_PASSWORD}" }}] }}\n}}\n'
        )

    return Server(
        name,
        "",
        lambda folder, _port, _password: [str(installed() / "bin" / "nats-server"), "-c", str(folder / "nats.conf")],
        lambda port, _password: f"nats://127.0.0.1:{port}",
        lambda port: answers(port, b"", b"INFO"),
        prepare,
    )


class Broker:
    """One connection to one server. Everything it sends is acknowledged, or an error."""

    def __init__(self, port: int, who: dict[str, str] | None = None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.socket.sendall(b"CONNECT " + json.dumps(CONNECT | (who or {})).encode() + b"\r\nSUB _INBOX.tests.* 1\r\n")
        self.count = 0

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def ask(self, subject: str, payload: bytes = b"") -> dict:
        """Publishes and waits for the answer to this message."""
        self.count += 1
        inbox = f"_INBOX.tests.{self.count}"
        self.socket.sendall(f"PUB {subject} {inbox} {len(payload)}\r\n".encode() + payload + b"\r\n")
        while True:
            line = self.file.readline()
            if not line:
                raise ConnectionError("the server closed the connection")
            if line.startswith(b"PING"):
                self.socket.sendall(b"PONG\r\n")
            elif line.startswith((b"MSG ", b"HMSG ")):
                body = self.file.read(int(line.split()[-1]) + 2)[:-2]
                if line.split()[1].decode() == inbox:
                    if line.startswith(b"HMSG "):
                        raise ConnectionError(f"nobody answers {subject}")
                    return json.loads(body)
            elif line.startswith(b"-ERR"):
                raise ConnectionError(line.decode())

    def publish(self, partition: int, payload: bytes) -> int:
        """Appends to the event log, without an id by which the server would know it again. The position."""
        answer = self.ask(f"usage.v1.{partition:03}", payload)
        if "error" in answer:
            raise ConnectionError(str(answer["error"]))
        return answer["seq"]

    def leader(self) -> str | None:
        """The name of the server that leads the stream."""
        info = self.ask(f"$JS.API.STREAM.INFO.{STREAM}")
        return info.get("cluster", {}).get("leader")


def wait_for_jetstream(port: int) -> None:
    """A cluster answers for JetStream once it has elected a leader."""
    deadline = time.monotonic() + LEADER_SECONDS
    while True:
        with contextlib.suppress(OSError, ValueError), Broker(port) as broker:
            if "error" not in broker.ask("$JS.API.INFO"):
                return
        if time.monotonic() > deadline:
            raise AssertionError(f"the NATS cluster has no leader after {LEADER_SECONDS} s")
        time.sleep(0.1)


def publish_all(port: int, events: list[tuple[int, bytes]], pauses) -> None:
    """Publishes events one by one, in the order given; one that got no answer is sent again."""
    broker = None
    for partition, payload in events:
        for _ in range(30):
            try:
                broker = broker or Broker(port)
                broker.publish(partition, payload)
                break
            except (OSError, ValueError):
                # No leader yet. It may be in the log by now: then it is in it twice.
                broker = None
                time.sleep(0.3)
        else:
            raise AssertionError("the event log did not take an event")
        time.sleep(pauses())
