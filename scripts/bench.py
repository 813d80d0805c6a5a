"""Measures the gateway beside its references and prints what docs/performance.md shows.

Contestants run interleaved, round after round, against one mock provider on one machine; every figure is the median over
rounds. `direct` is the mock asked without anything between; nginx is a plain reverse proxy with kept connections, which
neither authenticates nor bills. Only what this script starts is ever ended. Start at `main`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from stack import UNEVEN, Api, Channel, MockProvider, Model, Tollgate, built, die_with_parent, free_port  # noqa: E402

DURABILITIES = ("process", "disk", "log")
CHUNKS = "mock?chunks=64&role_chunk=0&usage=always"


@dataclass(frozen=True)
class Kind:
    """What is asked for, by how many connections at once, and what it takes to be warm."""

    title: str
    script: str
    stream: bool
    connections: tuple[int, ...] = (1, 16, 64)
    warmup_requests: int = 300


KINDS = {
    "whole": Kind("Whole answers", CHUNKS, stream=False),
    "burst": Kind("Streams of 64 chunks, as fast as they can be written", CHUNKS, stream=True),
    # As real providers write them: every chunk is its own wake-up. One connection would be nothing but waiting.
    "paced": Kind("Streams of 64 chunks, 1 ms apart", CHUNKS + "&delay_ms=1", stream=True, connections=(16, 64), warmup_requests=64),
}
HELD = "mock?cut=hang&cut_after=1"
HELD_STREAMS = 5000
# What the distributed shape is measured with beside nginx and the embedded one.
DISTRIBUTED_RUNS = (("whole", 1), ("whole", 64), ("burst", 16))
LAG_RATES = (250, 500, 1000)
LAG_SECONDS = 60
BENCH_SECONDS_MAX = 300
CRATE_BENCHES = (
    ("tollgate-eventlog", "append"),
    ("tollgate-ledger", "gate"),
    ("tollgate-ledger", "apply"),
    ("tollgate-projector", "project"),
    ("tollgate-projector", "query"),
    ("tollgate-gateway", "wire"),
    ("tollgate-gateway", "routing"),
)
NGINX_CONF = """
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    client_body_buffer_size 1m;
    keepalive_requests 100000000;
    upstream mock {{ server {mock}; keepalive 256; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 600s;
        }}
    }}
}}
"""


@dataclass
class Contestant:
    """Something that answers chat completions; `pids` are measured."""

    name: str
    url: str
    key: str = ""
    pids: list[int] = field(default_factory=list)
    tollgate: Tollgate | None = None
    account: str = ""

    def arguments(self) -> list[str]:
        found = ["--url", f"{self.url}/v1/chat/completions", "--key", self.key]
        if self.pids:
            found += ["--process", f"{self.name}={','.join(map(str, self.pids))}"]
        return found

    def settle(self) -> float:
        """Waits until everything is booked, so that nobody else pays for it; gives the seconds."""
        begin = time.monotonic()
        if self.tollgate:
            self.tollgate.idle_account(self.account, 120)
        return time.monotonic() - begin

    def model(self, kind: str) -> str:
        """The name to ask for: the mock's own script, or the gateway's public model that stands for it."""
        script = HELD if kind == "held" else KINDS[kind].script
        return f"mock/{kind}" if self.tollgate else script

    def cpu_micros(self) -> float:
        return sum(cpu_micros(pid) for pid in self.pids)


    def lanes_micros(self) -> float | None:
        """Of it the threads that carry requests: the gateway role, without the ledger and the projector beside it."""
        return sum(cpu_micros(pid, "gateway-") for pid in self.pids) if self.tollgate else None


def cpu_micros(pid: int, name: str = "") -> float:
    """What the threads have used that live and whose name begins so."""
    threads = [thread for thread in Path(f"/proc/{pid}/task").iterdir() if (thread / "comm").read_text().startswith(name)]
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1000


class Field:
    """All contestants, running in one temporary folder; ends them on exit."""

    def __init__(self, durabilities: tuple[str, ...]):
        self.durabilities = durabilities
        self.nginx: subprocess.Popen | None = None
        self.running: list[Tollgate] = []
        self.mock = MockProvider("release")
        self.folder = Path(tempfile.mkdtemp(prefix="tollgate-bench-"))
        self.contestants = [Contestant("direct", self.mock.url)]

    def __enter__(self) -> "Field":
        try:
            self.start_nginx()
            for durability in self.durabilities:
                self.start_tollgate(durability)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start_nginx(self) -> None:
        if not os.environ.get("NGINX"):
            return
        folder, port = self.folder / "nginx", free_port()
        folder.mkdir()
        conf = folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(folder=folder, port=port, mock=self.mock.url.removeprefix("http://")))
        self.nginx = subprocess.Popen(
            [os.environ["NGINX"], "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(conf)], preexec_fn=die_with_parent
        )
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: Api(url).get("/v1/models").status == 200, "nginx", lambda: (folder / "error.log").read_text())
        children = Path(f"/proc/{self.nginx.pid}/task/{self.nginx.pid}/children").read_text().split()
        self.contestants.append(Contestant("nginx", url, pids=[self.nginx.pid, *map(int, children)]))

    def start_tollgate(self, durability: str) -> None:
        name = f"tollgate {durability}"
        folder = self.folder / f"tollgate-{durability}"
        folder.mkdir()
        models = {f"mock/{kind}": Model(what.script, UNEVEN) for kind, what in KINDS.items()} | {"mock/held": Model(HELD, UNEVEN)}
        tollgate = Tollgate(folder, self.mock.url, [Channel("mock", models)], f'durability = "{durability}"', "release")
        self.running.append(tollgate.start())
        account = tollgate.create_account("bench", "1000000")
        key = tollgate.create_key(account)
        self.contestants.append(Contestant(name, tollgate.url, key, [tollgate.process.pid], tollgate, account))

    def __exit__(self, *_) -> None:
        try:
            for tollgate in self.running:
                tollgate.stop()
        finally:
            if self.nginx:
                self.nginx.terminate()
                self.nginx.wait(30)
            self.mock.stop()
            shutil.rmtree(self.folder)


def wait_for(condition, what: str, tail) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{what} did not start:\n{tail()}")


def load(*arguments: str) -> dict:
    done = subprocess.run(
        [built("tollgate-load", "TOLLGATE_LOAD_BIN", "release"), *arguments],
        capture_output=True, text=True, timeout=BENCH_SECONDS_MAX, preexec_fn=die_with_parent,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def measure(contestant: Contestant, kind: str, connections: int, seconds: int) -> dict:
    """One run; adds what the process went on to spend until everything was booked."""
    before, lanes_before = contestant.cpu_micros(), contestant.lanes_micros()
    warmup = KINDS[kind].warmup_requests
    arguments = ["--model", contestant.model(kind), "--connections", str(connections), "--seconds", str(seconds), "--warmup", str(warmup)]
    arguments += ["--stream"] if KINDS[kind].stream else []
    report = load(*contestant.arguments(), *arguments)
    if report["truncated"] or report["errors"] or set(report["statuses"]) != {"200"}:
        seen = {name: report[name] for name in ("statuses", "errors", "truncated")}
        raise RuntimeError(f"{contestant.name}: not every answer was good: {seen}")
    if lanes_before is not None:
        report["lanes_cpu_us"] = (contestant.lanes_micros() - lanes_before) / (report["requests"] + warmup)
    report["booked_after_seconds"] = round(contestant.settle(), 2)
    report["cpu_us_until_booked"] = (contestant.cpu_micros() - before) / (report["requests"] + warmup)
    # The measured processes of one contestant are one entry; the mock asked directly has none.
    report["cost"] = report["processes"].get(contestant.name)
    return report


def http(field: Field, rounds: int, seconds: int) -> list[dict]:
    """Every contestant in every scenario, round by round; one row of medians for each."""
    reports: dict[tuple, list[dict]] = {}
    for number in range(rounds):
        for kind, what in KINDS.items():
            for connections in what.connections:
                # Whoever goes first is another one every round.
                turn = number % len(field.contestants)
                for contestant in field.contestants[turn:] + field.contestants[:turn]:
                    report = measure(contestant, kind, connections, seconds)
                    reports.setdefault((kind, connections, contestant.name), []).append(report)
                    progress(f"round {number + 1}/{rounds} {contestant.name:>16} {kind} {connections}")
    return [row(kind, connections, name, reports) for kind, connections, name in reports]


def row(kind: str, connections: int, name: str, reports: dict) -> dict:
    """The medians of a contestant in a scenario; added times and ratios are taken round by round."""
    runs = reports[kind, connections, name]
    direct = reports[kind, connections, "direct"]
    nginx = reports.get((kind, connections, "nginx"), [])
    latency = lambda run, share: run["latency_us"][share]  # noqa: E731
    cpu = lambda run: run["cost"]["cpu_us_per_request"]  # noqa: E731
    found = {
        "name": name,
        "kind": kind,
        "connections": connections,
        "requests_per_second": median(run["requests_per_second"] for run in runs),
        "p50_us": median(latency(run, "p50") for run in runs),
        "p99_us": median(latency(run, "p99") for run in runs),
        "added_p50_us": median(latency(run, "p50") - latency(base, "p50") for run, base in zip(runs, direct)),
        "added_p99_us": median(latency(run, "p99") - latency(base, "p99") for run, base in zip(runs, direct)),
        "added_first_byte_p50_us": median(run["first_byte_us"]["p50"] - base["first_byte_us"]["p50"] for run, base in zip(runs, direct)),
        "booked_after_seconds": median(run["booked_after_seconds"] for run in runs),
        "runs": [{"latency_us": run["latency_us"], "requests": run["requests"], "cost": run["cost"], "load": run["own"]} for run in runs],
    }
    if all(run["cost"] for run in runs):
        found |= {
            "cpu_us": median(cpu(run) for run in runs),
            "cpu_to_nginx": median(cpu(run) / cpu(base) for run, base in zip(runs, nginx) if cpu(base)),
            "lanes_cpu_us": median(run.get("lanes_cpu_us") for run in runs),
            "lanes_to_nginx": median(run["lanes_cpu_us"] / cpu(base) for run, base in zip(runs, nginx) if cpu(base) and "lanes_cpu_us" in run),
            "cpu_us_until_booked": median(run["cpu_us_until_booked"] for run in runs),
            "rss_bytes": median(run["cost"]["rss_bytes"] for run in runs),
        }
    return found


def median(values) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 2) if known else None


def memory(field: Field) -> list[dict]:
    """What an open stream takes in each contestant."""
    rows = []
    for contestant in field.contestants:
        if not contestant.pids:
            continue
        report = load(*contestant.arguments(), "--model", contestant.model("held"), "--hold-open", str(HELD_STREAMS), "--seconds", "20")
        contestant.settle()
        held = report["processes"][contestant.name]
        rows.append({"name": contestant.name, "open": report["streams_alive"], **held, "failed": report["streams_failed"], "refused": report["streams_refused"]})
        progress(f"{contestant.name}: {report['streams_alive']} streams open")
    return rows


def distributed(field: Field, rounds: int, seconds: int) -> dict:
    """A gateway among roles of their own on real servers, three of NATS: its own CPU, and how long a charge takes to the books."""
    for name, variable in (("tollgate", "TOLLGATE_BIN"), ("mock-provider", "MOCK_PROVIDER_BIN")):
        os.environ.setdefault(variable, built(name, variable, "release"))
    sys.path.insert(0, str(ROOT / "tests" / "distributed"))
    from cluster import GATEWAYS, ROLES, Cluster

    models = {f"mock/{kind}": Model(what.script, UNEVEN) for kind, what in KINDS.items()}
    with Cluster([Channel("mock", models)], {"TOLLGATE_DURABILITY": "process"}) as cluster:
        tollgate = cluster.tollgate
        account = tollgate.create_account("bench", "1000000")
        key, gateway = tollgate.create_key(account), GATEWAYS[0]
        pid = tollgate.deployment.known[gateway]["pid"]
        contestant = Contestant("gateway, distributed", tollgate.deployment.url(gateway), key, [pid], tollgate, account)
        others = [other for other in field.contestants if other.name in ("direct", "nginx", "tollgate process")]
        reports: dict[tuple, list[dict]] = {}
        for number in range(rounds):
            for kind, connections in DISTRIBUTED_RUNS:
                for one in [*others, contestant]:
                    reports.setdefault((kind, connections, one.name), []).append(measure(one, kind, connections, seconds))
                    progress(f"round {number + 1}/{rounds} {one.name:>22} {kind} {connections}")
        workers = [name for name, role in ROLES.items() if role == "ledger"]
        lag = [booking_lag(cluster, contestant, workers, rate) for rate in LAG_RATES]
    return {"http": [row(kind, connections, name, reports) for kind, connections, name in reports], "lag": lag}


def booking_lag(cluster, contestant: Contestant, workers: list[str], rate: int) -> dict:
    """Requests at a steady rate, longer than the ledger's summary looks back."""
    model = contestant.model("whole")
    report = load(*contestant.arguments(), "--model", model, "--connections", "64", "--rate", str(rate), "--seconds", str(LAG_SECONDS))
    found = [quantiles(cluster.metrics(worker), "tollgate_ledger_lag_seconds") for worker in workers]
    # One worker books; the others stand by.
    lag = max(found, key=len)
    progress(f"{rate} requests a second asked, {report['requests_per_second']:.0f} made: lag {lag}")
    contestant.settle()
    return {"rate": rate, "requests_per_second": report["requests_per_second"], "latency_us": report["latency_us"], "lag_seconds": lag}


def quantiles(metrics: list[str], name: str) -> dict[str, float]:
    lines = [line for line in metrics if line.startswith(name + "{") and 'quantile="' in line]
    return {line.split('quantile="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in lines}


def crates() -> list[dict]:
    """The benches that live beside the code they measure; each prints its own lines."""
    rows = []
    for package, bench in CRATE_BENCHES:
        folder = package.removeprefix("tollgate-")
        if not (ROOT / folder / "benches" / f"{bench}.rs").is_file():
            continue
        progress(f"{package} {bench}")
        command = ["cargo", "bench", "--quiet", "--package", package, "--bench", bench]
        subprocess.run([*command, "--no-run"], cwd=ROOT, check=True, preexec_fn=die_with_parent)
        # With PostgreSQL, Valkey, NATS and ClickHouse of its own beside it.
        command = [sys.executable, "scripts/servers.py", "run", "--", *command]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BENCH_SECONDS_MAX, preexec_fn=die_with_parent)
        rows.append({"package": package, "bench": bench, "code": done.returncode, "lines": done.stdout.splitlines(), "errors": done.stderr.splitlines()[-20:]})
    return rows


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def table(heads: list[str], rows: list[list]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    return "\n".join(lines + ["| " + " | ".join(map(shown, row)) + " |" for row in rows])


def shown(value) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def mebibytes(count: float | None) -> float | None:
    return None if count is None else count / 2**20


def print_http(rows: list[dict]) -> None:
    heads = ["", "requests/s", "p50 µs", "p99 µs", "added p50 µs", "added p99 µs", "added first byte p50 µs"]
    heads += ["gateway CPU µs", "to nginx", "whole process CPU µs", "to nginx", "until booked µs", "RSS MiB"]
    for kind, what in KINDS.items():
        for connections in what.connections:
            chosen = [row for row in rows if (row["kind"], row["connections"]) == (kind, connections)]
            if not chosen:
                continue
            print(f"\n{what.title}, {connections} connection{'s' if connections > 1 else ''}\n")
            print(table(heads, [http_cells(row) for row in chosen]))


def http_cells(row: dict) -> list:
    ratio, lanes_ratio = (f"{row[name]:.2f} ×" if row.get(name) else None for name in ("cpu_to_nginx", "lanes_to_nginx"))
    is_direct = row["name"] == "direct"
    added = [None if is_direct else row[name] for name in ("added_p50_us", "added_p99_us", "added_first_byte_p50_us")]
    times = [row["requests_per_second"], row["p50_us"], row["p99_us"]]
    return [row["name"], *times, *added, row.get("lanes_cpu_us"), lanes_ratio, row.get("cpu_us"), ratio, row.get("cpu_us_until_booked"), mebibytes(row.get("rss_bytes"))]


def print_memory(rows: list[dict]) -> None:
    print(f"\nMemory with {HELD_STREAMS:,} open streams\n")
    cells = [
        [row["name"], row["open"], mebibytes(row["rss_before_bytes"]), mebibytes(row["rss_open_bytes"]), row["rss_per_stream_bytes"] / 1024]
        for row in rows
    ]
    print(table(["", "open", "RSS before MiB", "RSS open MiB", "KiB a stream"], cells))


def print_distributed(results: dict) -> None:
    print("\nDistributed")
    print_http(results["http"])
    print("\nFrom an event to the books and back to the gate, seconds\n")
    rows = [
        [run["rate"], run["requests_per_second"], *(run["latency_us"][share] for share in ("p50", "p99")), *(in_seconds(run["lag_seconds"], share) for share in ("0.5", "0.99"))]
        for run in results["lag"]
    ]
    print(table(["asked a second", "made a second", "p50 µs", "p99 µs", "lag p50", "lag p99"], rows))


def in_seconds(quantiles: dict[str, float], share: str) -> str | None:
    return f"{quantiles[share]:.3f}" if share in quantiles else None


def print_crates(rows: list[dict]) -> None:
    for row in rows:
        print(f"\n{row['package']}, {row['bench']}\n")
        print("\n".join(f"    {line}" for line in row["lines"]))
        if row["code"] != 0:
            print("\n".join(f"    {line}" for line in [f"FAILED with {row['code']}", *row["errors"]]))


def machine() -> dict:
    models = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return {"cpu": models[0] if models else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(), "commit": commit}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=["http", "memory", "distributed", "crates", []], help="what to measure; everything by default")
    parser.add_argument("--quick", action="store_true", help="one short round: whether it works, not how fast it is")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of every run")
    parser.add_argument("--durability", nargs="*", default=list(DURABILITIES), choices=DURABILITIES)
    options = parser.parse_args()
    rounds, seconds = (1, 1) if options.quick else (options.rounds, options.seconds)
    parts = options.parts or ["http", "memory", "distributed", "crates"]
    results: dict = {"machine": machine(), "taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "rounds": rounds, "seconds": seconds}
    if {"http", "memory", "distributed"} & set(parts):
        with Field(tuple(options.durability)) as field:
            if "http" in parts:
                results["http"] = http(field, rounds, seconds)
            if "memory" in parts:
                results["memory"] = memory(field)
            if "distributed" in parts:
                results["distributed"] = distributed(field, rounds, seconds)
    if "crates" in parts:
        results["crates"] = crates()
    print("{cpu}, {cores} cores, Linux {kernel}, commit {commit}".format(**results["machine"]))
    for part, show in (("http", print_http), ("memory", print_memory), ("distributed", print_distributed), ("crates", print_crates)):
        if part in results:
            show(results[part])
    folder = ROOT / ".cache" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{results['taken'].replace(':', '')}.json"
    path.write_text(json.dumps(results, indent=2))
    progress(f"\n{path}")
    failed = any(row["code"] != 0 for row in results.get("crates", []))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
