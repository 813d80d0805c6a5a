"""Statistics computed again from an exported event log, in the plainest way: one pass, dictionaries, integers.

Owns which event of a request counts and what is summed; nothing here asks a deployment. Start at `requests_of`.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import zstandard

SYSTEM = "00000000-0000-0000-0000-000000000000"
INPUTS = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "image_input", "audio_input")
OUTPUTS = ("text_output", "reasoning", "image_output", "audio_output")


@dataclass(frozen=True)
class Request:
    """What the terminal event in effect says."""

    id: str
    terminal: str
    recovered: bool
    account: str
    key: str
    model: str
    channel: str
    provider: str
    app: str
    title: str
    admitted_at: str
    status: str
    prompt: int
    completion: int
    reasoning: int
    cached: int
    tool_calls: int
    charge: int
    cost: int | None
    duration_ms: int
    ttft_ms: int | None

    @property
    def tokens(self) -> int:
        return self.prompt + self.completion

    @property
    def author(self) -> str:
        return self.model.split("/", 1)[0] if "/" in self.model else ""

    @property
    def date(self) -> str:
        return self.admitted_at[:10]

    @property
    def day(self) -> dt.date:
        return dt.date.fromisoformat(self.date)


def events_of(archive: Path):
    """Every event of an archive, in log order."""
    for part in sorted(archive.glob("events-*.ndjson.zst")):
        with part.open("rb") as file:
            for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8"):
                yield json.loads(line)


def requests_of(archive: Path) -> list[Request]:
    """One a request id. The first terminal event counts, unless it was an expiry or recovery's release and a settlement follows."""
    found: dict[str, Request] = {}
    for event in events_of(archive):
        match event["type"]:
            case "usage.settled" | "usage.released":
                request = ended(event)
            case "hold.expired":
                request = expired(event)
            case _:
                continue
        known = found.get(request.id)
        supersedes = known is not None and request.terminal == "usage.settled" and (
            known.terminal == "hold.expired" or (known.terminal == "usage.released" and known.recovered)
        )
        if known is None or supersedes:
            found[request.id] = request
    return list(found.values())


def ended(event: dict) -> Request:
    data, record = event["data"], event["data"]["request"]
    usage, cost = record["usage"], record.get("provider_cost_nanos")
    if record["cancelled"]:
        status = "cancelled"
    elif record.get("error_type") or record["http_status"] >= 400:
        status = "error"
    else:
        status = "ok" if event["type"] == "usage.settled" else "released"
    return Request(
        id=record["request_id"], terminal=event["type"], recovered=data.get("recovered", False), account=event["subject"],
        key=record.get("api_key_id", ""), model=record["model"], channel=record["channel"], provider=record["provider"],
        app=record.get("app_url") or record.get("app_title") or "", title=record.get("app_title") or "", admitted_at=record["admitted_at"], status=status,
        prompt=sum(usage[name] for name in INPUTS), completion=sum(usage[name] for name in OUTPUTS), reasoning=usage["reasoning"],
        cached=usage["cache_read"], tool_calls=usage["tool_calls"], charge=int(data.get("charge_nanos", "0")),
        cost=None if cost is None else int(cost), duration_ms=record["duration_ms"], ttft_ms=record.get("ttft_ms"),
    )  # fmt: skip


def expired(event: dict) -> Request:
    data = event["data"]
    millis = int(data["request_id"].replace("-", "")[:12], 16)
    minted = dt.datetime.fromtimestamp(millis / 1000, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    nothing = dict.fromkeys(("prompt", "completion", "reasoning", "cached", "tool_calls", "charge", "duration_ms"), 0)
    return Request(
        id=data["request_id"], terminal="hold.expired", recovered=False, account=event["subject"], key=data.get("api_key_id", ""),
        model="", channel="", provider="", app="", title="", admitted_at=minted, status="expired", cost=None, ttft_ms=None, **nothing,
    )  # fmt: skip


@dataclass
class Sums:
    """What a group of requests adds up to."""

    requests: int = 0
    ok: int = 0
    errors: int = 0
    cancelled: int = 0
    released: int = 0
    prompt: int = 0
    completion: int = 0
    reasoning: int = 0
    cached: int = 0
    tool_calls: int = 0
    charge: int = 0
    cost: int = 0
    cost_unknown: int = 0
    duration_ms: int = 0
    ttft_ms: int = 0
    ttft_count: int = 0

    def __post_init__(self):
        self.accounts: set[str] = set()

    @property
    def tokens(self) -> int:
        return self.prompt + self.completion

    def add(self, request: Request) -> None:
        self.requests += 1
        self.ok += request.status == "ok"
        self.errors += request.status == "error"
        self.cancelled += request.status == "cancelled"
        self.released += request.status == "released"
        self.prompt += request.prompt
        self.completion += request.completion
        self.reasoning += request.reasoning
        self.cached += request.cached
        self.tool_calls += request.tool_calls
        self.charge += request.charge
        self.cost += request.cost or 0
        self.cost_unknown += request.cost is None
        self.duration_ms += request.duration_ms
        self.ttft_ms += request.ttft_ms or 0
        self.ttft_count += request.ttft_ms is not None
        self.accounts.add(request.account)


def grouped(requests, by) -> dict:
    """Sums by whatever `by` says of a request."""
    groups: dict = defaultdict(Sums)
    for request in requests:
        groups[by(request)].add(request)
    return dict(groups)


def customers(requests: list[Request]) -> list[Request]:
    """Those statistics are of: not the platform's own, and not expired holds, which name no model."""
    return [request for request in requests if request.account != SYSTEM and request.model]


def bucket(value: int) -> int:
    """The lower bound of a histogram's bucket: five significant bits."""
    bits = min(value, 1 << 32).bit_length()
    value = min(value, 1 << 32)
    return value if bits <= 5 else value >> (bits - 5) << (bits - 5)


def histograms(requests: list[Request]) -> tuple[dict[str, int], dict[str, int]]:
    """Of the time to the first token, and of throughput."""
    ttft, throughput = defaultdict(int), defaultdict(int)
    for request in requests:
        if request.ttft_ms is not None:
            ttft[str(bucket(request.ttft_ms))] += 1
        if request.status == "ok" and request.completion and request.duration_ms:
            throughput[str(bucket(request.completion * 1_000_000 // request.duration_ms))] += 1
    return dict(ttft), dict(throughput)


def period(kind: str, day: dt.date) -> tuple[dt.date, dt.date]:
    """First day, and the day past the last."""
    if kind == "day":
        return day, day + dt.timedelta(days=1)
    if kind == "week":
        monday = day - dt.timedelta(days=day.weekday())
        return monday, monday + dt.timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + dt.timedelta(days=31)).replace(day=1)


def ranking(requests: list[Request], kind: str, day: dt.date, subject, value: str) -> list[dict]:
    """The places of a period, best first, equals by name."""
    start, end = period(kind, day)
    before_start, _ = period(kind, start - dt.timedelta(days=1))
    within = lambda first, past: grouped((r for r in requests if first <= r.day < past and subject(r)), subject)  # noqa: E731
    now, before = within(start, end), within(before_start, start)
    measures = {
        "tokens": lambda sums: sums.tokens, "requests": lambda sums: sums.requests, "spend": lambda sums: sums.charge,
        "accounts": lambda sums: len(sums.accounts),
    }  # fmt: skip
    measure = measures.get(value, measures["tokens"])
    old = {name: measure(sums) for name, sums in before.items()}
    new = {name: measure(sums) for name, sums in now.items()}
    ranked = {name: amount - old.get(name, 0) for name, amount in new.items()} if value == "growth" else new
    order = lambda values: sorted(((n, v) for n, v in values.items() if v > 0), key=lambda pair: (-pair[1], pair[0].encode()))  # noqa: E731
    places, total = order(ranked), sum(amount for amount in ranked.values() if amount > 0)
    old_places = {} if value == "growth" else {name: rank for rank, (name, _) in enumerate(order(old), 1)}
    return [
        {
            "rank": rank, "subject": name, "value": amount, "share": amount / total,
            "change": (new[name] - old[name]) / old[name] if old.get(name, 0) > 0 else None, "previous_rank": old_places.get(name),
        }
        for rank, (name, amount) in enumerate(places, 1)
    ]  # fmt: skip
