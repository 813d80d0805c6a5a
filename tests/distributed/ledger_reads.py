"""Reads the books out of PostgreSQL while they are written, as anybody may who has the views of docs/ledger.md.

Owns what one statement sees at one moment, and the proof that it was ever so. Start at `Reader`.
"""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import dataclass
from typing import Self

from cluster import Cluster
from servers import postgres_binaries  # noqa: E402

PAUSE_SECONDS = 0.2
STATEMENT_SECONDS = 60
#: One statement, hence one moment.
MOMENT = """SELECT json_build_object(
    'position', (SELECT position FROM ledger_position),
    'all_legs', (SELECT coalesce(sum(amount_nanos), 0) FROM ledger_postings),
    'unbalanced', (SELECT count(*) FROM (SELECT position FROM ledger_postings GROUP BY position HAVING sum(amount_nanos) <> 0) AS wrong),
    'customers', (SELECT coalesce(sum(amount_nanos), 0) FROM postings WHERE ledger_account = 'customer'),
    'balances', (SELECT coalesce(json_object_agg(account, json_build_array(balance_nanos, position)), '{}') FROM account_balances))"""
HISTORY = """SELECT coalesce(json_agg(row_to_json(t) ORDER BY t.position), '[]') FROM (
    SELECT id, account, kind, request, amount_nanos, balance_after_nanos, position FROM transactions) AS t"""


def query(cluster: Cluster, statement: str):
    """The JSON that one statement answers; None while the server is away."""
    url = cluster.tollgate.deployment.server_urls()["postgres"]
    psql = [str(postgres_binaries() / "psql"), url, "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement]
    done = subprocess.run(psql, capture_output=True, text=True, timeout=STATEMENT_SECONDS)
    return json.loads(done.stdout) if done.returncode == 0 else None


@dataclass
class Books:
    """The whole history, and what it comes to."""

    transactions: list[dict]
    balances: dict[str, int]

    @classmethod
    def read(cls, cluster: Cluster) -> Self:
        moment, history = query(cluster, MOMENT), query(cluster, HISTORY)
        assert moment is not None and history is not None, "the books cannot be read"
        return cls(history, {account: balance for account, (balance, _) in moment["balances"].items()})

    def at(self, position: int) -> dict[str, list[int]]:
        """Every account's balance, and where it last changed, when the books stood there."""
        known: dict[str, list[int]] = {}
        for row in self.transactions:
            if row["position"] > position:
                break
            before = known.get(row["account"], [0, 0])[0]
            assert before + row["amount_nanos"] == row["balance_after_nanos"], f"{row} does not follow {before}"
            known[row["account"]] = [row["balance_after_nanos"], row["position"]]
        return known


class Reader:
    """Reads again and again for as long as the block lasts."""

    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.reads: list[dict] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop.set()
        self.thread.join()

    def run(self) -> None:
        while not self.stop.wait(PAUSE_SECONDS):
            if (moment := query(self.cluster, MOMENT)) is not None:
                self.reads.append(moment)

    def check(self, books: Books) -> None:
        """**No read shows what never was**: its sums are zero, its balances those of its log position, and no later read is older."""
        assert self.reads, "nobody could read the books"
        before = 0
        for read in self.reads:
            assert read["all_legs"] == 0 and read["unbalanced"] == 0, f"the books do not balance: {read}"
            assert read["customers"] == sum(balance for balance, _ in read["balances"].values()), f"balances are not their postings: {read}"
            assert read["position"] >= before, f"a read went back from {before}: {read}"
            before = read["position"]
            then = books.at(before)
            for account, (balance, _) in read["balances"].items():
                expected = then.get(account, [0, 0])[0]
                assert balance == expected, f"{account} had {balance} at position {before}, by the whole history {expected}"
