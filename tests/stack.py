"""Starts and stops what the suites and benchmarks drive: the mock provider and tollgate, in a private folder on free ports.

Owns processes, configuration and the administrative calls every suite needs. Only the standard library, so that
a suite without packages can use it. Nothing outlives the caller: the mock ends with its standard input, tollgate
with its parent. Start at `Stack`. As a program it runs a command against a fresh stack: `stack.py -- node --test`.
"""

from __future__ import annotations

import contextlib
import ctypes
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
import urllib.parse
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60
STOP_SECONDS = 30
IDLE_SECONDS = 30
NANO = Decimal(10) ** 9
# What every process of a deployment under test has in its environment.
SURROUNDINGS = {
    "TOLLGATE_ADMIN_PASSWORD": "correct horse battery staple",
    "MOCK_API_KEY": "mock-key",
    "NO_COLOR": "1",
    # The mock is on this machine, and what it is told to do it does once.
    "TOLLGATE_UPSTREAMS__ALLOW_PRIVATE": "true",
    "TOLLGATE_LIMITS__RETRIES_MAX": "0",
}


def built(name: str, variable: str, profile: str = "debug") -> str:
    """Where an executable is: what the variable says, else where cargo put it."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    path = Path(os.environ.get(variable) or target / profile / name)
    if not path.is_file():
        raise SystemExit(f"{path} does not exist: build it (cargo build --package …) or set {variable}")
    return str(path.resolve())


def nanos(amount: Decimal | int | float | str) -> int:
    """An amount in USD as whole nano-dollars; finer amounts are an error. Floats count as they print."""
    exact = Decimal(str(amount)) * NANO
    whole = int(exact)
    if exact != whole:
        raise ValueError(f"{amount} USD is finer than a nano-dollar")
    return whole


def charge_nanos(price: dict[str, str], prompt=10, cached=0, completion=8, reasoning=0) -> int:
    """What a price (USD per million tokens) makes of OpenAI's counts, where details are part of the totals; rounded once."""
    per_token = {kind: Decimal(amount) * 1000 for kind, amount in price.items()}
    tokens = {"prompt": prompt - cached, "cache_read": cached, "completion": completion - reasoning, "reasoning": reasoning}
    exact = sum(per_token[kind] * count for kind, count in tokens.items() if count)
    return int(Decimal(exact).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def die_with_parent() -> None:
    """In a child, before it becomes the program: end when the parent does (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@dataclass
class Answer:
    """An HTTP answer. JSON numbers are exact decimals."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body, parse_float=Decimal)

    @property
    def data(self):
        return self.json["data"]


@dataclass
class Api:
    """Plain HTTP calls with one key."""

    url: str
    key: str | None = None
    timeout: float = 60

    def connect(self) -> HTTPConnection:
        parts = urllib.parse.urlsplit(self.url)
        return HTTPConnection(parts.hostname, parts.port, timeout=self.timeout)

    def send(self, connection: HTTPConnection, method: str, path: str, body=None, headers: dict | None = None) -> HTTPResponse:
        headers = dict(headers or {})
        if self.key is not None:
            headers.setdefault("authorization", f"Bearer {self.key}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("content-type", "application/json")
        connection.request(method, path, body=body, headers=headers)
        return connection.getresponse()

    def request(self, method: str, path: str, body=None, headers: dict | None = None) -> Answer:
        connection = self.connect()
        try:
            response = self.send(connection, method, path, body, headers)
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, body=None, headers: dict | None = None) -> Answer:
        return self.request("POST", path, body if body is not None else {}, headers)


class MockProvider:
    """The scriptable upstream (tools/mock-provider)."""

    def __init__(self, profile: str = "debug"):
        command = [built("mock-provider", "MOCK_PROVIDER_BIN", profile), "--until-stdin-ends"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip().removeprefix("listening on ")
        self.api = Api(self.url)

    def log(self) -> dict[str, list[dict]]:
        """What became of every tagged request, by tag."""
        by_tag: dict[str, list[dict]] = {}
        for entry in self.api.get("/log").json:
            by_tag.setdefault(entry["tag"], []).append(entry)
        return by_tag

    def stats(self) -> dict:
        return self.api.get("/stats").json

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(STOP_SECONDS)
        self.process.stdout.close()


@dataclass
class Model:
    """An endpoint as the configuration writes it; prices in USD per million tokens (`request`: each)."""

    upstream: str = "mock"
    price: dict[str, str] | str = field(default_factory=lambda: {"prompt": "0.15", "completion": "0.6"})
    context_length: int = 128_000
    max_completion_tokens: int = 4096
    embeds: bool = False

    def toml(self, public_id: str) -> str:
        quoted = json.dumps
        price = quoted(self.price)
        if isinstance(self.price, dict):
            price = "{ " + ", ".join(f"{kind} = {quoted(amount)}" for kind, amount in self.price.items()) + " }"
        output = 'output_modalities = ["embeddings"]\n' if self.embeds else f"max_completion_tokens = {self.max_completion_tokens}\n"
        return (
            f"[[channels.models]]\nid = {quoted(public_id)}\nupstream = {quoted(self.upstream)}\n"
            f"context_length = {self.context_length}\n{output}price = {price}\n"
        )


@dataclass
class Channel:
    """A channel of the configuration; without `base_url` it is the mock."""

    name: str
    models: dict[str, Model]
    provider: str = "openai-compatible"
    base_url: str | None = None
    priority: int = 0

    def toml(self, mock_url: str) -> str:
        lines = ["[[channels]]", f"name = {json.dumps(self.name)}", f"provider = {json.dumps(self.provider)}", f"priority = {self.priority}"]
        # Their upstreams fail on purpose, and say so themselves: no breaker shall open between two tests.
        lines += ["health_check = { enabled = false, failure_threshold = 1000 }"]
        if self.provider != "demo":
            lines += [f"base_url = {json.dumps(self.base_url or mock_url + '/v1')}", 'api_key = "env:MOCK_API_KEY"']
        return "\n".join(lines) + "\n\n" + "\n".join(model.toml(public_id) for public_id, model in self.models.items())


class Tollgate:
    """`tollgate serve` in a folder of its own."""

    def __init__(self, folder: Path, mock_url: str, channels: list[Channel], settings: str = "", profile: str = "debug"):
        self.folder = folder
        self.command = built("tollgate", "TOLLGATE_BIN", profile)
        self.management_key = "sk-tg-v1-" + secrets.token_hex(32)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.admin = Api(self.url, self.management_key)
        self.process: subprocess.Popen | None = None
        # Overrides the configuration from the next start on.
        self.durability: str | None = None
        parts = [
            f'listen = "127.0.0.1:{self.port}"\n{settings}\n',
            '[bootstrap]\nadmin_email = "admin@example.com"\nadmin_password = "env:TOLLGATE_ADMIN_PASSWORD"\n'
            'management_key = "env:TOLLGATE_MANAGEMENT_KEY"\n',
            *(channel.toml(mock_url) for channel in channels),
        ]
        (folder / "tollgate.toml").write_text("\n".join(parts))

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOLLGATE_") and not name.endswith("_API_KEY")}
        return kept | SURROUNDINGS | {"TOLLGATE_MANAGEMENT_KEY": self.management_key} | ({"TOLLGATE_DURABILITY": self.durability} if self.durability else {})

    def spawn(self) -> None:
        """Starts it and waits for nothing."""
        with open(self.folder / "serve.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.command, "serve"], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=die_with_parent,
            )

    def start(self) -> "Tollgate":
        """Starts it and waits until it can serve and bill."""
        self.spawn()
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"tollgate serve ended with {self.process.returncode}:\n{self.log_tail()}")
            with contextlib.suppress(OSError):
                if Api(self.url, timeout=5).get("/readyz").status == 200:
                    return self
            time.sleep(0.02)
        raise RuntimeError(f"tollgate was not ready within {READY_SECONDS} s:\n{self.log_tail()}")

    def log_tail(self) -> str:
        lines = (self.folder / "serve.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-40:])

    def kill(self) -> None:
        """As a crash would: no warning, no clean-up."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """Asks it to end and gives its exit code."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else 0
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"tollgate did not end within {STOP_SECONDS} s:\n{self.log_tail()}") from None

    # Administration.

    def create_account(self, name: str, credit: str | None = None) -> str:
        answer = self.admin.post("/api/v1/admin/accounts", {"name": name})
        assert answer.status == 201, answer
        account = answer.data["id"]
        if credit is not None:
            self.credit(account, credit)
        return account

    def credit(self, account: str, amount: str, **more) -> Answer:
        body = {"amount": amount, "reason": "test", "idempotency_key": secrets.token_hex(8)} | more
        answer = self.admin.post(f"/api/v1/admin/accounts/{account}/credits", body)
        assert answer.status in (200, 201), answer
        return answer

    def create_key(self, account: str, **more) -> str:
        answer = self.admin.post("/api/v1/keys", {"name": "test", "account_id": account} | more)
        assert answer.status == 201, answer
        return answer.json["key"]

    def account(self, account: str) -> dict:
        answer = self.admin.get(f"/api/v1/admin/accounts/{account}")
        assert answer.status == 200, answer
        return answer.data

    def idle_account(self, account: str, seconds: float = IDLE_SECONDS) -> dict:
        """The account once nothing is held or pending any more."""
        deadline = time.monotonic() + seconds
        while True:
            now = self.account(account)
            if now["held"] == 0 and now["pending"] == 0:
                return now
            if time.monotonic() > deadline:
                raise AssertionError(f"held or pending remains after {seconds} s: {now}")
            time.sleep(0.02)

    def transactions(self, account: str, known: set[str] = frozenset()) -> list[dict]:
        """All of them, newest first; with `known`, only those before the first that is known."""
        found, cursor = [], None
        while True:
            query = "?" + urllib.parse.urlencode({"cursor": cursor}) if cursor else ""
            answer = self.admin.get(f"/api/v1/admin/accounts/{account}/transactions{query}")
            assert answer.status == 200, answer
            page = answer.json
            fresh = [row for row in page["data"] if row["id"] not in known]
            found += fresh
            cursor = page["next_cursor"]
            if not cursor or len(fresh) < len(page["data"]):
                return found

    def charges(self, account: str) -> dict[str, list[int]]:
        """Nano-dollars charged, by generation id; a list, so that a second charge for one request shows."""
        charges: dict[str, list[int]] = {}
        for row in self.transactions(account):
            if row["kind"] == "usage":
                charges.setdefault(row["generation_id"], []).append(-nanos(row["amount"]))
        return charges

    def run(self, *arguments: str, seconds: float = 300) -> tuple[int, dict]:
        """One of its commands that answers in JSON, in the same folder."""
        done = subprocess.run(
            [self.command, *arguments], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds
        )
        try:
            return done.returncode, json.loads(done.stdout, parse_float=Decimal)
        except ValueError:
            raise AssertionError(f"{arguments}: exit {done.returncode}, no JSON:\n{done.stdout.decode()}\n{done.stderr.decode()}") from None

    def exit_code(self, *arguments: str, seconds: float = 300) -> int:
        """One of its commands, for how it ends only."""
        done = subprocess.run(
            [self.command, *arguments], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds
        )
        return done.returncode

    def verify_books(self) -> dict:
        """`audit` finds nothing and `replay --verify` rebuilds the same; gives what both say."""
        code, audit = self.run("audit", "--json")
        assert code == 0 and audit["ok"], f"audit: exit {code}, {json.dumps(audit, indent=2, default=str)}"
        code, replay = self.run("replay", "--verify", "--json")
        assert code == 0 and replay["ok"], f"replay --verify: exit {code}, {json.dumps(replay, indent=2, default=str)}"
        return {"audit": audit, "replay": replay}


class Stack:
    """A mock and a tollgate that uses it, with what they write in one temporary folder.

    The folder is kept when KEEP_STACK is set or the block ended with an error, and removed otherwise.
    """

    def __init__(self, channels: list[Channel], settings: str = "", profile: str = "debug"):
        built("tollgate", "TOLLGATE_BIN", profile)
        self.mock = MockProvider(profile)
        self.folder = Path(tempfile.mkdtemp(prefix="tollgate-test-"))
        self.tollgate = Tollgate(self.folder, self.mock.url, channels, settings, profile)

    def __enter__(self) -> "Stack":
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
                shutil.rmtree(self.folder)
            else:
                print(f"kept: {self.folder}", file=sys.stderr)

    def verify_stopped(self) -> None:
        """It ends in order, and its books are right without it."""
        assert self.tollgate.stop() == 0, self.tollgate.log_tail()
        self.tollgate.verify_books()


def chosen_stack(channels: list[Channel]):
    """A stack of the shape that TEST_SHAPE names: `embedded`, which is one process on files, or `distributed`."""
    match os.environ.get("TEST_SHAPE") or "embedded":
        case "embedded":
            return Stack(channels)
        case "distributed":
            sys.path.append(str(Path(__file__).resolve().parent / "distributed"))
            from cluster import Cluster

            return Cluster(channels)
        case other:
            raise SystemExit(f"TEST_SHAPE is {other}: it is embedded or distributed")


def main() -> int:
    """Runs a command against a fresh stack: TOLLGATE_URL, TOLLGATE_MANAGEMENT_KEY and MOCK_URL say where it is.

    Afterwards the books are verified, and a difference fails the run.
    """
    command = sys.argv[sys.argv.index("--") + 1 :]
    with chosen_stack(standard_channels()) as stack:
        tollgate = stack.tollgate
        where = {"TOLLGATE_URL": tollgate.url, "TOLLGATE_MANAGEMENT_KEY": tollgate.management_key, "MOCK_URL": stack.mock.url}
        code = subprocess.run(command, env=os.environ | where).returncode
        tollgate.verify_books()
    return code


# Prices at which nearly every charge has to be rounded.
UNEVEN = {"prompt": "0.123457", "completion": "0.654321", "cache_read": "0.012345", "reasoning": "0.777777"}
EMBEDDING = {"prompt": "0.123457", "completion": "0"}


def standard_channels() -> list[Channel]:
    """What the SDK suites use. `mock/…` models speak OpenAI's dialect upstream, `claude/…` Anthropic's. All behave as
    their upstream name says, those named `any` as their message says."""
    script = lambda **keys: "mock?" + urllib.parse.urlencode(keys)  # noqa: E731
    return [
        Channel(
            "mock",
            {
                "mock/any": Model("mock", UNEVEN),
                "mock/chat": Model(script(chunks=12, cached_tokens=4, reasoning=3), UNEVEN),
                "mock/tools": Model(script(tools=1), UNEVEN),
                "mock/person": Model(script(text='{"name":"Ada","age":36}'), UNEVEN),
                "mock/slow": Model(script(first_byte_ms=1500), UNEVEN),
                "mock/trickle": Model(script(chunks=400, chunk_text=" a", delay_ms=10, role_chunk=0), UNEVEN),
                "mock/broken": Model(script(status=500), UNEVEN),
                "mock/silent": Model(script(usage="absent", chunks=20), UNEVEN),
                "mock/flat": Model(script(first_byte_ms=300), {"prompt": "0", "completion": "0", "request": "0.01"}),
                "mock/free": Model("mock", "free"),
                "mock/second-choice": Model(script(status=503), UNEVEN),
                "mock/embed": Model(script(prompt_tokens=1237), EMBEDDING, embeds=True),
                "mock/embed-floats": Model(script(prompt_tokens=1237, encoding="float"), EMBEDDING, embeds=True),
                "mock/embed-broken": Model(script(status=500), EMBEDDING, embeds=True),
            },
        ),
        # A channel that is asked to wait rests with all its models.
        Channel("mock-limited", {"mock/limited": Model(script(status=429, retry_after=7), UNEVEN)}),
        Channel("embed-limited", {"mock/embed-limited": Model(script(status=429, retry_after=7), EMBEDDING, embeds=True)}),
        Channel("claude-limited", {"claude/limited": Model(script(status=429, retry_after=7), UNEVEN)}, provider="anthropic"),
        Channel("mock-fallback", {"mock/second-choice": Model(script(chunks=5), UNEVEN)}, priority=1),
        Channel(
            "claude",
            {
                "claude/any": Model("mock", UNEVEN),
                "claude/chat": Model(script(chunks=12, cached_tokens=4, reasoning=3), UNEVEN),
                "claude/tools": Model(script(tools=1), UNEVEN),
                "claude/trickle": Model(script(chunks=400, chunk_text=" a", delay_ms=10), UNEVEN),
                "claude/overloaded": Model(script(status=529), UNEVEN),
                "claude/person": Model(script(text='{"name":"Ada","age":36}'), UNEVEN),
            },
            provider="anthropic",
        ),
        Channel("router", {"router/any": Model("mock", UNEVEN), "router/broken": Model(script(status=500), UNEVEN)}, provider="openrouter"),
        Channel("demo", {"demo/chat": Model("demo", UNEVEN), "demo/embed": Model("embed", EMBEDDING, embeds=True)}, provider="demo"),
    ]


if __name__ == "__main__":
    sys.exit(main())
