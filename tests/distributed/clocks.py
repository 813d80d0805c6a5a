"""A gateway whose clock is ten minutes wrong, beside one whose clock is right.

Owns lying to one process about the time (libfaketime, Debian's package `faketime`; TOLLGATE_TEST_FAKETIME names the library elsewhere),
and reading from the event log when an event says it was made and when the servers took it. Start at `wrong_clocks`.
"""

from __future__ import annotations

import base64
import json
import os
import random
import threading
import time
import urllib.parse
import urllib.request
from datetime import datetime
from pathlib import Path

import broker
from asking import CENT_NANOS, customer, error_of
from cluster import Cluster
from harm import Harm

from stack import UNEVEN, charge_nanos, nanos  # noqa: E402
from traffic import MODEL  # noqa: E402

WRONG_SECONDS = 600
#: How far what the servers note may be from what the gateway notes, on a busy machine.
LATE_SECONDS = 60
#: The reference's bounds of an event's time around the servers': no older than that, and not in the future.
OLDER_SECONDS = 900
TTL, RENEWAL = 5, 1
ASK_SECONDS = 6
#: Between a client's questions: however fast the machine is, four of them do not ask for more than the account has.
PAUSE_SECONDS = 0.02
CREDIT = "20"
#: A stream that is longer than a hold lives: it goes on only by renewing.
CHUNKS, DELAY_MS = 140, 50
REAPED = "tollgate_reaper_expired_total"
NAME = "gateway-1"


def wrong_clocks(cluster: Cluster, harm: Harm, rng: random.Random) -> str:
    library = faketime()
    if library is None:
        text = "SKIPPED: no libfaketime on this machine (Debian: apt-get install faketime), so that no clock was set wrong"
        print(f"*** wrong_clocks {text} ***", flush=True)
        return text
    told = []
    for seconds in rng.sample([WRONG_SECONDS, -WRONG_SECONDS], 2):
        told.append(one_clock(cluster, harm, library, seconds))
    restart(cluster, harm, {})
    return "; ".join(told)


def faketime() -> str | None:
    named = os.environ.get("TOLLGATE_TEST_FAKETIME")
    places = [Path(named)] if named else sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return next((str(place) for place in places if place.is_file()), None)


def restart(cluster: Cluster, harm: Harm, more: dict[str, str]) -> None:
    cluster.stop_role(NAME)
    cluster.start_role(NAME, more)
    harm.wait_ready(NAME)


def one_clock(cluster: Cluster, harm: Harm, library: str, seconds: int) -> str:
    """Everything that is asked at either gateway is answered, nothing expires, and every event says when it was by its gateway's clock."""
    lie = {
        # Not the clock that durations are measured by: an operating system would not change that one either.
        "LD_PRELOAD": library, "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        "TOLLGATE_STREAM__HOLD_TTL": f"{TTL}s", "TOLLGATE_STREAM__RENEWAL_INTERVAL": f"{RENEWAL}s",
    }  # fmt: skip
    restart(cluster, harm, lie)
    first, second = cluster.tollgate.urls()
    # Made at the gateway whose clock is right, known to the other one as well.
    position, since = harm.end_of_log(), time.time()
    account, asker = customer(cluster, f"clock {seconds:+d}", CREDIT)
    # An id says when its gateway made it.
    wrong = int(asker.ask(first).generation.split("-")[1]) - time.time()
    assert abs(wrong - seconds) < LATE_SECONDS, f"the gateway's clock is {wrong:.0f} s wrong instead of {seconds}: the library does not reach it"
    reaped = cluster.metric("ledger", REAPED)
    script = f"chunks={CHUNKS}&delay_ms={DELAY_MS}&chunk_text=+a"
    streams = [asker.begin(url, script=script, stream=True, model=MODEL) for url in (first, first, first, second)]
    stop = threading.Event()
    clients = [threading.Thread(target=ask_on, args=(asker, url, stop)) for url in (first, first, second, second)]
    for thread in clients:
        thread.start()
    time.sleep(ASK_SECONDS)
    stop.set()
    for thread in clients + streams:
        thread.join(120)
    refused = [told for told in asker.told if told.status != 200 or error_of(told.body)]
    assert not refused, f"with a clock {seconds:+d} s wrong {len(refused)} of {len(asker.told)} requests were not served, the first: {refused[0]}"
    assert cluster.metric("ledger", REAPED) == reaped, "a hold that was renewed expired"
    done = cluster.tollgate.idle_account(account, 150)
    charges = cluster.tollgate.charges(account)
    whole = charge_nanos(UNEVEN, completion=CHUNKS)
    expected = {told.generation: [whole if told.body.startswith((b"data:", b":")) else CENT_NANOS] for told in asker.told}
    assert charges == expected, f"charged {sum(map(len, charges.values()))} times for {len(expected)} requests"
    assert nanos(done["balance"]) == nanos(CREDIT) - sum(sum(each) for each in expected.values()), done
    ages = ages_of(harm, account, position)
    assert len(ages) == len(charges), f"{len(ages)} events for {len(charges)} charges"
    # The books and statistics say what the gateway's clock said; nobody may be further off than that clock is.
    earliest, latest = min(0, seconds) - LATE_SECONDS, max(0, seconds) + LATE_SECONDS
    older = f"{min(ages):.0f} to {max(ages):.0f} s older than the log says"
    assert -latest <= min(ages) and max(ages) <= -earliest <= OLDER_SECONDS, f"events are {older}"
    cluster.until(lambda: statistics_of(cluster, account)[0] == len(charges), "statistics have every request", 60)
    _, admitted, hours = statistics_of(cluster, account)
    assert since + earliest <= admitted[0] and admitted[1] <= time.time() + latest, f"admitted at {admitted}, asked since {since}"
    assert all(since + earliest - 3600 <= hour <= time.time() + latest for hour in hours), f"counted in the hours {hours}, asked since {since}"
    return f"{seconds:+d} s: {len(charges)} requests served and charged, events {-max(ages):+.0f} to {-min(ages):+.0f} s from the log's time"


def ask_on(asker, url: str, stop: threading.Event) -> None:
    while not stop.wait(PAUSE_SECONDS):
        asker.ask(url)


def ages_of(harm: Harm, account: str, after: int) -> list[float]:
    """How much older than the servers say every settled request of an account says to be, of what stands behind a position."""
    ages = []
    for position in range(after + 1, harm.end_of_log() + 1):
        kept: list[dict] = []

        def is_told() -> bool:
            # While nobody leads, nobody answers.
            kept.append(harm.ask(f"$JS.API.STREAM.MSG.GET.{broker.STREAM}", {"seq": position}).get("message") or {})
            return bool(kept[-1])

        harm.cluster.until(is_told, f"what stands at position {position}", 60)
        event = json.loads(base64.b64decode(kept[-1]["data"]))
        if event["type"] == "usage.settled" and event["subject"].replace("-", "") == account.removeprefix("acct_"):
            ages.append(seconds_of(kept[-1]["time"]) - seconds_of(event["time"]))
    return ages


def seconds_of(text: str) -> float:
    """Of RFC 3339; the servers write nanoseconds."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + float(f"0.{fraction or 0}")


def statistics_of(cluster: Cluster, account: str) -> tuple[int, list[float], set[float]]:
    """Requests, first and last admission, and the hours that they are counted in."""
    port = cluster.tollgate.deployment.servers.entries["clickhouse"]["port"]
    owner = f"WHERE replaceAll(toString(account_id), '-', '') = '{account.removeprefix('acct_')}'"

    def ask(query: str) -> list[list[float]]:
        address = f"http://127.0.0.1:{port}/?" + urllib.parse.urlencode({"query": query + " FORMAT TabSeparated"})
        with urllib.request.urlopen(address, timeout=30) as answer:
            return [[float(word) for word in line.split("\t")] for line in answer.read().decode().splitlines()]

    ((count, first, last),) = ask(f"SELECT count(), toUnixTimestamp(min(admitted_at)), toUnixTimestamp(max(admitted_at)) FROM usage_events {owner}")
    hours = ask(f"SELECT toUnixTimestamp(hour), sum(request_count) FROM usage_hourly {owner} GROUP BY hour")
    assert sum(requests for _, requests in hours) <= count, f"the hours have {hours}, the rows are {count}"
    return int(count), [first, last], {hour for hour, _ in hours}
