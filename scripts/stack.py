"""The distributed deployment without containers: private servers and the roles as processes of their own.

Owns the roles' configuration, their data folders and their processes; the servers are servers.py's. Everything is in one folder
(.stack) and nothing outside it is touched. `up` twice starts only what is missing: after a `kill -9` it is the way back.
Start at `main`.

    stack.py up | down | status | logs NAME | kill NAME | clean
    stack.py up --until-stdin-ends      the same, and down again when whoever started it has gone
    stack.py run audit                  a command of tollgate with the settings of the deployment
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from servers import SERVERS, Stack as Servers, free_port, is_running, say, started_at  # noqa: E402

# In the order of their start: the ledger opens the balance gate.
ROLES = {"ledger": "ledger", "projector": "projector", "gateway-1": "gateway", "gateway-2": "gateway"}
START_SECONDS = 60
STOP_SECONDS = 60


class Deployment:
    """The roles of one folder, remembered in its `roles.json`."""

    def __init__(self, folder: Path, executable: Path, config: Path | None = None, more: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.executable = executable
        self.config = config or ROOT / "tollgate.toml"
        self.more = more or {}
        self.servers = Servers(folder / "servers", bound_to_parent=False)
        self.file = folder / "roles.json"
        self.known: dict[str, dict] = json.loads(self.file.read_text()) if self.file.is_file() else {}

    def up(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self.start_servers()
        self.run("migrate", "migrate")
        for name in ROLES:
            if not self.runs(name):
                self.start(name)
                self.wait_ready(name)

    def start_servers(self) -> None:
        self.servers.up(SERVERS)

    def server_urls(self) -> dict[str, str]:
        return {server.name: os.environ.get(server.variable) or self.server_url(server) for server in SERVERS}

    def environment(self, name: str) -> dict[str, str]:
        urls = self.server_urls()
        entry = self.known.setdefault(name, {"port": free_port()})
        return os.environ | self.more | {
            "TOLLGATE_DATABASE_URL": urls["postgres"],
            "TOLLGATE_EVENTS_URL": urls["nats"],
            "TOLLGATE_BALANCE_URL": urls["valkey"],
            "TOLLGATE_ANALYTICS_URL": urls["clickhouse"],
            "TOLLGATE_DATA_DIR": str(self.folder / name),
            "TOLLGATE_LISTEN": f"127.0.0.1:{entry['port']}",
            "TOLLGATE_SECRET_KEY": f"file:{self.secret('secret_key', secrets.token_hex(32))}",
            "TOLLGATE_MANAGEMENT_KEY": f"file:{self.secret('management_key', 'sk-tg-v1-' + secrets.token_hex(32))}",
        }

    def server_url(self, server) -> str:
        entry = self.servers.entries[server.name]
        return server.url(entry["port"], entry["password"])

    def secret(self, name: str, fresh: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            path.touch(mode=0o600)
            path.write_text(fresh)
        return path

    def run(self, name: str, *command: str) -> None:
        subprocess.run([self.executable, *self.configuration(), *command], env=self.environment(name), check=True, stdout=subprocess.DEVNULL, cwd="/")

    def configuration(self) -> list[str]:
        """An operator's own channels, where there are any."""
        return ["--config", str(self.config)] if self.config.is_file() else []

    def start(self, name: str, more: dict[str, str] | None = None) -> None:
        environment = self.environment(name) | (more or {})
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                [self.executable, *self.configuration(), role_of(name)],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
            )
        self.known[name] |= {"pid": process.pid, "started_at": started_at(process.pid)}
        self.remember()

    def runs(self, name: str) -> bool:
        entry = self.known.get(name, {})
        if "pid" not in entry or is_running(entry):
            return "pid" in entry
        # Its first thread may be gone before the others let go of the data folder: it has ended when it can be reaped.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(entry["pid"], 0)
        return False

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.known[name]['port']}"

    def is_ready(self, name: str) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url(name)}/readyz", timeout=2) as answer:
            return answer.status == 200
        return False

    def wait_ready(self, name: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready(name):
            if not self.runs(name) or time.monotonic() > deadline:
                raise SystemExit(f"{name} did not start:\n{self.log_tail(name)}")
            time.sleep(0.05)

    def log_tail(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def down(self) -> None:
        """Gateways first, so that what they have reaches the books; then who books, then the servers."""
        for name in [*reversed(ROLES), *(self.known.keys() - ROLES.keys())]:
            self.stop(name, signal.SIGTERM)
        self.servers.down()

    def stop(self, name: str, number: int) -> None:
        if not self.runs(name):
            return
        entry = self.known[name]
        os.kill(entry["pid"], number)
        deadline = time.monotonic() + STOP_SECONDS
        while is_running(entry):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(entry["pid"], os.WNOHANG)
            if time.monotonic() > deadline:
                say(f"{name} did not stop by itself and was killed")
                os.kill(entry["pid"], signal.SIGKILL)
                break
            time.sleep(0.02)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(entry["pid"], 0)

    def remember(self) -> None:
        self.file.write_text(json.dumps(self.known, indent=1))

    def print_state(self) -> None:
        for name in ROLES:
            state = "stopped" if not self.runs(name) else f"{'ready' if self.is_ready(name) else 'not ready'}, pid {self.known[name]['pid']}, {self.url(name)}"
            print(f"{name:<12}{state}")

    def print_welcome(self) -> None:
        self.print_state()
        first = self.url("gateway-1")
        json_header = "-H 'Content-Type: application/json'"
        print(f"\nDashboard: {first}   Management key: {self.folder / 'management_key'}   Logs: {self.folder}/*.log\n\nFirst request:\n")
        print(f"  MANAGEMENT_KEY=$(cat {self.folder / 'management_key'})")
        print(f"  curl -s {first}/api/v1/keys -H \"Authorization: Bearer $MANAGEMENT_KEY\" {json_header} -d '{{\"name\":\"first\"}}'")
        print(f"  curl {first}/api/v1/chat/completions -H \"Authorization: Bearer $KEY\" {json_header} \\")
        print("    -d '{\"model\":\"demo/quick\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}]}'")


def role_of(name: str) -> str:
    """A second process of a role has a number behind its name."""
    return name.partition("-")[0]


def executable() -> Path:
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    named = os.environ.get("TOLLGATE_BIN")
    found = [Path(named)] if named else [target / profile / "tollgate" for profile in ("release", "debug")]
    for path in found:
        if path.is_file():
            return path.resolve()
    raise SystemExit(f"{found[0]} does not exist: cargo build --release --package tollgate")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=ROOT / ".stack")
    parser.add_argument("--config", type=Path, help="the roles' configuration (default: tollgate.toml of the repository, if it exists)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up").add_argument("--until-stdin-ends", action="store_true")
    for name in ("down", "status", "clean"):
        commands.add_parser(name)
    commands.add_parser("run").add_argument("command_line", nargs=argparse.REMAINDER)
    for name in ("logs", "kill"):
        commands.add_parser(name).add_argument("name", choices=list(ROLES))
    arguments = parser.parse_args()
    needs_executable = arguments.command in ("up", "run")
    deployment = Deployment(arguments.dir.resolve(), executable() if needs_executable else Path("tollgate"), arguments.config)
    match arguments.command:
        case "up" if arguments.until_stdin_ends:
            try:
                deployment.up()
                deployment.print_welcome()
                sys.stdout.flush()
                sys.stdin.read()
            finally:
                deployment.down()
        case "up":
            deployment.up()
            deployment.print_welcome()
        case "run":
            # As beside the ledger, whose data folder no command opens.
            return subprocess.run(
                [deployment.executable, *deployment.configuration(), *arguments.command_line], env=deployment.environment("ledger"), cwd="/"
            ).returncode
        case "down":
            deployment.down()
        case "status":
            deployment.print_state()
        case "logs":
            print(deployment.log_tail(arguments.name))
        case "kill":
            deployment.stop(arguments.name, signal.SIGKILL)
        case "clean":
            deployment.down()
            shutil.rmtree(deployment.folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
