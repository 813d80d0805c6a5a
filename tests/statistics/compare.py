"""Demo traffic on the built executable, its events exported, and every statistic computed again and compared to the last digit.

TEST_SHAPE=distributed does the same against roles as processes of their own on real servers; there the past cannot be played,
so that all traffic is of now. Start at `main`; `recompute.py` is the other computation.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import sqlite3
import sys
import time
import uuid
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from recompute import Request, customers, grouped, histograms, period, ranking, requests_of  # noqa: E402
from stack import Channel, Model, Stack, UNEVEN, chosen_stack, nanos  # noqa: E402

SEED = os.environ.get("STATISTICS_SEED", "7")
PAST_DAYS = os.environ.get("STATISTICS_DAYS", "8")
PAST_REQUESTS = os.environ.get("STATISTICS_REQUESTS", "480")
NOW_REQUESTS = "120"
SETTLE_SECONDS = 60
KINDS = ("tokens", "requests", "spend", "accounts", "growth")


class Compared:
    """Counts what was compared; the first difference ends the run."""

    def __init__(self) -> None:
        self.values = 0

    def same(self, what: str, found, expected) -> None:
        assert found == expected, f"{what}:\nfound    {found}\nexpected {expected}"
        self.values += 1 + (len(expected) if isinstance(expected, (list, dict)) else 0)


def number(value: float | None) -> Decimal | None:
    """As JSON prints it."""
    return None if value is None else Decimal(repr(value))


def usd(amount: int) -> Decimal:
    return Decimal(amount) / 10**9


def account_id(account: str) -> str:
    return "acct_" + account.replace("-", "")


def query(tollgate, **body) -> list[dict]:
    answer = tollgate.admin.post("/api/v1/analytics/query", body)
    assert answer.status == 200, answer
    assert answer.data["metadata"]["truncated"] is False
    return answer.data["data"]


def get(tollgate, path: str):
    answer = tollgate.admin.get(path)
    assert answer.status == 200, (path, answer)
    return answer.json


def wait_projected(tollgate, requests: list[Request]) -> None:
    """Until analytics have seen them all."""
    wanted, deadline = len(customers(requests)), time.monotonic() + SETTLE_SECONDS
    while (seen := sum(row["request_count"] for row in query(tollgate, metrics=["request_count"]))) < wanted:
        assert time.monotonic() < deadline, f"analytics have seen {seen} of {wanted} requests"
        time.sleep(0.1)


METRICS = {
    "total_usage": lambda sums: usd(sums.charge), "request_count": lambda sums: sums.requests, "tokens_total": lambda sums: sums.tokens,
    "tokens_prompt": lambda sums: sums.prompt, "tokens_completion": lambda sums: sums.completion,
    "reasoning_tokens": lambda sums: sums.reasoning, "cached_tokens": lambda sums: sums.cached, "error_count": lambda sums: sums.errors,
    "cancelled_count": lambda sums: sums.cancelled,
    "error_rate": lambda sums: number(sums.errors / sums.requests),
    "cache_hit_rate": lambda sums: number(sums.cached / sums.prompt) if sums.prompt else None,
}  # fmt: skip


def compare_analytics(tollgate, compared: Compared, requests: list[Request]) -> None:
    dimensions = {
        "model": lambda r: r.model, "author": lambda r: r.author, "provider": lambda r: r.provider, "app": lambda r: r.app,
        "channel": lambda r: r.channel, "account_id": lambda r: account_id(r.account),
    }  # fmt: skip
    dates = {
        "hour": lambda r: r.admitted_at[:13] + ":00:00.000000Z", "day": lambda r: r.date,
        "week": lambda r: period("week", r.day)[0].isoformat(), "month": lambda r: period("month", r.day)[0].isoformat(),
    }  # fmt: skip
    asked = [[], *([name] for name in dimensions), ["account_id", "model"], ["model", "app"]]
    for names in asked:
        for granularity in (None, *dates):
            of_date = dates[granularity] if granularity else lambda r: ""
            expected = grouped(requests, lambda r: (of_date(r), *(dimensions[name](r) for name in names)))
            body = {"metrics": list(METRICS), "dimensions": names, "limit": 10_000}
            rows = query(tollgate, **body | ({"granularity": granularity} if granularity else {}))
            found = {(row.get("date", ""), *(row[name] for name in names)): row for row in rows}
            compared.same(f"groups by {names} and {granularity}", sorted(found), sorted(expected))
            for key, sums in expected.items():
                compared.same(f"{key}", {name: found[key][name] for name in METRICS}, {name: of(sums) for name, of in METRICS.items()})
    some = sorted({r.model for r in requests})[:2]
    filters = [{"field": "model", "operator": "not_in", "value": some}, {"field": "app", "operator": "neq", "value": ""}]
    expected = grouped((r for r in requests if r.model not in some and r.app), lambda r: r.provider)
    rows = query(tollgate, metrics=["total_usage"], dimensions=["provider"], filters=filters)
    compared.same("filters", {row["provider"]: row["total_usage"] for row in rows}, {name: usd(s.charge) for name, s in expected.items()})


def compare_activity(tollgate, compared: Compared, requests: list[Request], now) -> None:
    for account in [None, *sorted({r.account for r in requests})]:
        own = [r for r in requests if account is None or r.account == account]
        for date in [None, *sorted({r.date for r in own})]:
            dated = [r for r in own if (r.date == date if date else r.day < now)]
            expected = grouped(dated, lambda r: (r.date, r.model, r.provider, r.channel))
            # A channel is told by its endpoint's id only.
            parameters = "&".join([*([f"account_id={account_id(account)}"] if account else []), *([f"date={date}"] if date else [])])
            found = [
                (row["date"], row["model"], row["provider_name"], row["requests"], row["prompt_tokens"], row["completion_tokens"],
                 row["reasoning_tokens"], row["usage"])
                for row in get(tollgate, f"/api/v1/activity?{parameters}")["data"]
            ]  # fmt: skip
            wanted = [
                (*key[:3], sums.requests, sums.prompt, sums.completion, sums.reasoning, usd(sums.charge)) for key, sums in expected.items()
            ]
            compared.same(f"activity of {account} on {date}", sorted(found), sorted(wanted))


def compare_ledger(tollgate, compared: Compared, requests: list[Request]) -> None:
    """What analytics say an account was charged is what its transactions say, request by request, and its balance."""
    for account, own in {a: [r for r in requests if r.account == a] for a in {r.account for r in requests}}.items():
        booked, credits = {}, 0
        for row in tollgate.transactions(account_id(account)):
            if row["kind"] == "usage":
                assert row["generation_id"] not in booked, f"charged twice: {row}"
                booked[row["generation_id"]] = -nanos(row["amount"])
            else:
                credits += nanos(row["amount"])
        compared.same(f"charges of {account}", booked, {generation_id(r.id): r.charge for r in own if r.charge})
        state = tollgate.idle_account(account_id(account))
        compared.same(f"balance of {account}", nanos(state["balance"]), credits - sum(r.charge for r in own))
        rows = query(tollgate, metrics=["total_usage"], filters=[{"field": "account_id", "operator": "eq", "value": account_id(account)}])
        compared.same(f"usage of {account}", sum(nanos(row["total_usage"]) for row in rows), sum(booked.values()))


def generation_id(request: str) -> str:
    """OpenRouter's printed form of a UUIDv7 (docs/decisions/0002)."""
    bits = uuid.UUID(request).int
    millis, random = bits >> 80, ((bits >> 64) & 0xFFF) << 62 | (bits & ((1 << 62) - 1))
    rest, digits = (millis % 1000) << 74 | random, ""
    for _ in range(20):
        rest, digit = divmod(rest, 62)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[digit] + digits
    return f"gen-{millis // 1000}-{digits}"


def compare_rankings(tollgate, compared: Compared, requests: list[Request], now) -> None:
    for kind in ("day", "week", "month"):
        for value in KINDS:
            shown = (lambda amount: str(usd(amount).normalize().__format__("f"))) if value == "spend" else (lambda amount: amount)
            for path, subject, name in (("", lambda r: r.model, "model"), ("/authors", lambda r: r.author, "author")):
                places = ranking(requests, kind, now, subject, value)
                expected = [
                    [p["rank"], p["subject"], shown(p["value"]), number(p["share"]), number(p["change"]), p["previous_rank"]] for p in places
                ]
                rows = get(tollgate, f"/api/app/rankings{path}?period={kind}&kind={value}&limit=200")["data"]
                found = [[row["rank"], row[name], row["value"], row["share"], row["change"], row["previous_rank"]] for row in rows]
                compared.same(f"{kind} {value} of {name}s", found, expected)
        for value in KINDS:
            shown = (lambda amount: str(usd(amount).normalize().__format__("f"))) if value == "spend" else (lambda amount: amount)
            places = ranking(requests, kind, now, lambda r: r.app, value)
            rows = get(tollgate, f"/api/app/rankings/apps?period={kind}&kind={value}&limit=200")["data"]
            found = [[row["rank"], row["app"]["url"] or row["app"]["name"], row["app"]["name"], row["value"], row["share"], row["change"]] for row in rows]
            expected = [
                [p["rank"], p["subject"], app_name(requests, p["subject"]), shown(p["value"]), number(p["share"]), number(p["change"])]
                for p in places
            ]
            compared.same(f"{kind} {value} of apps", found, expected)


def app_name(requests: list[Request], app: str) -> str:
    """The title an app gave itself on the latest day that it gave one; else its host."""
    titles = [(r.day, r.title) for r in requests if r.app == app and r.title]
    return max(titles)[1] if titles else app.split("://")[-1].split("/")[0]


def compare_datasets(tollgate, compared: Compared, requests: list[Request], now) -> None:
    first = min(r.day for r in requests)
    for kind in ("day", "week", "month"):
        answer = get(tollgate, f"/api/v1/datasets/rankings-daily?start_date={first}&end_date={now}&period={kind}")
        groups = grouped(requests, lambda r: (period(kind, r.day)[0].isoformat(), r.model))
        rows = [(date, model, sums.tokens) for (date, model), sums in groups.items() if sums.tokens]
        expected = [(d, m, str(tokens)) for d, m, tokens in sorted(rows, key=lambda row: (row[0], -row[2], row[1].encode()))]
        compared.same(f"data set by {kind}", [(r["date"], r["model_permaslug"], r["total_tokens"]) for r in answer["data"]], expected)
        compared.same("its days", (answer["meta"]["start_date"], answer["meta"]["end_date"]), (first.isoformat(), now.isoformat()))
    for sort in ("popular", "trending"):
        # The last two days, and the six before.
        start = now.fromordinal(now.toordinal() - 1)
        answer = get(tollgate, f"/api/v1/datasets/app-rankings?start_date={start}&end_date={now}&sort={sort}&limit=100")
        within = grouped((r for r in requests if r.app and start <= r.day <= now), lambda r: r.app)
        before = grouped((r for r in requests if r.app and now.fromordinal(start.toordinal() - 6) <= r.day < start), lambda r: r.app)
        growth = {app: 3 * sums.tokens - (before[app].tokens if app in before else 0) for app, sums in within.items()}
        value = growth if sort == "trending" else {app: sums.tokens for app, sums in within.items()}
        order = sorted(within, key=lambda app: (-value[app], app.encode()))
        order = [app for app in order if sort == "popular" or growth[app] > 0]
        expected = [(rank, app_name(requests, app), within[app].requests, str(within[app].tokens)) for rank, app in enumerate(order, 1)]
        found = [(row["rank"], row["app_name"], row["total_requests"], row["total_tokens"]) for row in answer["data"]]
        compared.same(f"{sort} apps", found, expected)


def compare_tables(database: Path, compared: Compared, requests: list[Request]) -> None:
    """The tables people may query, in the file of a stopped deployment."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
        assert store.execute("SELECT count(*) FROM dirty_buckets").fetchone() == (0,)
        groups: dict[tuple[str, str], list[Request]] = {}
        for request in requests:
            groups.setdefault((request.date, request.model), []).append(request)
        sums = grouped(requests, lambda r: (r.date, r.model))
        expected = []
        for (date, model), s in sorted(sums.items()):
            ttft, throughput = histograms(groups[date, model])
            expected.append((
                date, model, s.requests, s.ok, s.errors, s.cancelled, s.released, s.tokens, s.prompt, s.completion, s.reasoning, s.cached,
                s.tool_calls, s.charge, f"{s.charge // 10**9}.{s.charge % 10**9:09}", s.cost, s.cost_unknown, s.duration_ms / s.requests,
                s.ttft_ms / s.ttft_count if s.ttft_count else None, ttft, throughput,
            ))  # fmt: skip
        found = [
            (*row[:-2], json.loads(row[-2]), json.loads(row[-1]))
            for row in store.execute(
                "SELECT date, model, request_count, ok_count, error_count, cancelled_count, released_count, token_count, prompt_tokens, "
                "completion_tokens, reasoning_tokens, cached_tokens, tool_calls, total_cost_nanos, total_cost, provider_cost_nanos, "
                "provider_cost_unknown_count, avg_latency_ms, avg_ttft_ms, ttft_histogram, throughput_histogram "
                "FROM model_stats ORDER BY date, model"
            )
        ]
        compared.same("model_stats", found, expected)
        subjects = {"model": lambda r: r.model, "author": lambda r: r.author, "app": lambda r: r.app}
        for kind in ("day", "week", "month"):
            for start in sorted({period(kind, r.day)[0] for r in requests}):
                for name, subject in subjects.items():
                    places = ranking(requests, kind, start, subject, "tokens")
                    rows = store.execute(
                        "SELECT rank, subject, tokens, share, change FROM rankings WHERE period_kind = ? AND period_start = ? AND kind = ? "
                        "ORDER BY rank",
                        (kind, start.isoformat(), name),
                    ).fetchall()
                    compared.same(f"rankings {kind} {start} {name}", rows, [(p["rank"], p["subject"], p["value"], p["share"], p["change"]) for p in places])


def export(tollgate, name: str) -> list[Request]:
    code, report = tollgate.run("export", "--into", str(tollgate.folder / name), "--json")
    assert code == 0, report
    return requests_of(tollgate.folder / name)


def compare_running(tollgate, compared: Compared, requests: list[Request]) -> None:
    own = customers(requests)
    # One day for all questions: should midnight pass meanwhile, the answers are of another one.
    now = dt.datetime.now(dt.timezone.utc).date()
    compare_ledger(tollgate, compared, own)
    compare_activity(tollgate, compared, own, now)
    compare_analytics(tollgate, compared, own)
    compare_rankings(tollgate, compared, own, now)
    compare_datasets(tollgate, compared, own, now)


def play_now(tollgate) -> dict:
    code, played = tollgate.run("demo-traffic", "--over", "4s", "--requests", NOW_REQUESTS, "--seed", SEED, "--url", tollgate.url, "--json")
    assert code == 0 and played["requests"] == int(NOW_REQUESTS), played
    return played


def settled(tollgate, name: str) -> list[Request]:
    """Every request of the log, once all of them are booked and projected."""
    for account in tollgate.admin.get("/api/v1/admin/accounts?limit=1000").data:
        tollgate.idle_account(account["id"])
    requests = export(tollgate, name)
    wait_projected(tollgate, requests)
    return requests


def check_cost(compared: Compared, played: dict, requests: list[Request]) -> None:
    """Answers said what they cost; those whose readers left a moment too late were charged without being heard."""
    told, charged = nanos(played["cost"]), sum(r.charge for r in requests)
    assert 0 < told <= charged, f"answers told of {told}, charged were {charged}"
    compared.values += 1


def embedded(compared: Compared) -> int:
    """Days of the past on a new folder, then traffic of now beside them, on the demo provider and the mock."""
    script = "mock?chunks=6&delay_ms=2"
    with_mock = [Channel("mock", {"mock/steady": Model(script, UNEVEN), "mock/broken": Model("mock?status=500", UNEVEN)})]
    stack = Stack(with_mock)
    tollgate = stack.tollgate
    code, played = tollgate.run("demo-traffic", "--days", PAST_DAYS, "--requests", PAST_REQUESTS, "--seed", SEED, "--json")
    assert code == 0 and played["requests"] == int(PAST_REQUESTS) and played["answered"] > played["failed"], played
    assert tollgate.exit_code("demo-traffic", "--days", "1") == 1, "the past was played twice on one folder"
    with stack:
        past = settled(tollgate, "past")
        days = {r.date for r in past}
        assert len(days) >= int(PAST_DAYS), days
        assert {r.status for r in past} >= {"ok", "cancelled"}, "nobody left"
        check_cost(compared, played, past)
        play_now(tollgate)
        requests = settled(tollgate, "all")
        compare_running(tollgate, compared, requests)
        stack.verify_stopped()
        compare_tables(tollgate.folder / "tollgate-data" / "analytics.db", compared, customers(requests))
    return len(requests)


def distributed(compared: Compared) -> int:
    channels = [
        Channel("demo", {"demo/quick": Model("quick", UNEVEN), "play/thinker": Model("thinker", UNEVEN)}, provider="demo"),
        Channel("mock", {"mock/steady": Model("mock?chunks=6&delay_ms=2", UNEVEN), "mock/broken": Model("mock?status=500", UNEVEN)}),
    ]
    with chosen_stack(channels) as stack:
        played = play_now(stack.tollgate)
        requests = settled(stack.tollgate, "all")
        check_cost(compared, played, requests)
        compare_running(stack.tollgate, compared, requests)
        stack.tollgate.verify_books()
    return len(requests)


def main() -> int:
    compared = Compared()
    shape = os.environ.get("TEST_SHAPE") or "embedded"
    requests = distributed(compared) if shape == "distributed" else embedded(compared)
    print(f"{shape}: {requests} requests, {compared.values} values computed again and equal (seed {SEED})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
