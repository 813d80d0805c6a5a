"""Kills `tollgate serve` at random moments under mixed traffic and checks every nano-dollar after each restart.

After every round: what upstream and client both know to be complete is billed exactly once, at the cost the client
was told; nothing is billed twice; failures cost nothing; every credit counts once; nothing stays held; `audit` finds
nothing and `replay --verify` rebuilds the same. The last round asks the process to end instead, under the same
traffic. Start at `main`.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stack import UNEVEN, Channel, Model, Stack, charge_nanos, nanos  # noqa: E402
from traffic import MODEL, Asked, Credit, Customer, Traffic  # noqa: E402

ROUNDS = int(os.environ.get("CRASH_ROUNDS") or 8)
SEED = int(os.environ.get("CRASH_SEED") or time.time_ns() % 1_000_000_000)
ACCOUNTS = 4
# No message of the traffic is longer.
MESSAGE_BYTES_MAX = 200
CREDIT = "50"
# The audit and the replay read the whole history: beyond so many rounds they run every tenth round and at the end.
VERIFY_EACH_ROUND_MAX = 40


class Books:
    """What must be true of all rounds so far."""

    def __init__(self, stack: Stack, customers: list[Customer]):
        self.stack, self.customers = stack, customers
        self.asked: list[Asked] = []
        self.charges: dict[str, list[int]] = {}
        self.account_of: dict[str, str] = {}
        self.seen_transactions: set[str] = set()
        self.failures: list[str] = []

    def check(self, traffic: Traffic) -> None:
        """After a restart: settles what was unknown, reads the ledger, compares."""
        self.failures += traffic.unexpected
        self.asked += traffic.asked
        for customer in self.customers:
            self.repeat_credits(customer, [credit for credit in traffic.credits if credit.account == customer.account])
            account = self.stack.tollgate.idle_account(customer.account)
            self.read_transactions(customer)
            spent = sum(sum(each) for generation, each in self.charges.items() if self.account_of[generation] == customer.account)
            self.expect(nanos(account["balance"]) == customer.credited - spent, f"balance of {account}: {customer.credited} - {spent}")
            self.expect(account["available"] == account["balance"], f"{account}")
        self.check_requests(traffic.asked)

    def repeat_credits(self, customer: Customer, credits: list[Credit]) -> None:
        for credit in credits:
            body = {"amount": credit.amount, "reason": "crash test", "idempotency_key": credit.key}
            answer = self.stack.tollgate.admin.post(f"/api/v1/admin/accounts/{credit.account}/credits", body)
            self.expect(answer.status == 200 if credit.answered else answer.status in (200, 201), f"repeated {credit}: {answer}")
            customer.credited += nanos(credit.amount)

    def read_transactions(self, customer: Customer) -> None:
        """The rows since the last round, newest first."""
        fresh = self.stack.tollgate.transactions(customer.account, known=self.seen_transactions)
        for row in fresh:
            self.seen_transactions.add(row["id"])
            if row["kind"] == "usage":
                self.charges.setdefault(row["generation_id"], []).append(-nanos(row["amount"]))
                self.account_of[row["generation_id"]] = customer.account

    def check_requests(self, asked: list[Asked]) -> None:
        upstream = self.stack.mock.log()
        for generation, each in self.charges.items():
            self.expect(len(each) == 1 and each[0] > 0, f"{generation} was charged {each}")
        known = {request.generation for request in self.asked if request.generation}
        for request in asked:
            self.check_request(request, upstream.get(request.tag, []))
        # A charge whose client was cut off before it heard of it must belong to a request that reached the upstream.
        orphans = [generation for generation in self.charges if generation not in known]
        silent = [request for request in self.asked if not request.generation and request.tag in upstream]
        self.expect(len(orphans) <= len(silent), f"{len(orphans)} charges for {len(silent)} requests without an answer: {orphans[:5]}")

    def check_request(self, request: Asked, attempts: list[dict]) -> None:
        charged = self.charges.get(request.generation or "", [])
        whole = request.kind.whole_cost()
        completed = any(attempt["outcome"] == "completed" for attempt in attempts)
        if request.complete and completed:
            self.expect(charged == [request.told_nanos], f"{request}: charged {charged}")
            self.expect(whole is None or charged == [whole], f"{request}: charged {charged}, the answer costs {whole}")
        elif request.complete and request.told_nanos:
            self.expect(charged == [request.told_nanos], f"{request}: charged {charged}")
        if request.kind.fails:
            self.expect(charged == [], f"{request}: a failure was charged {charged}")
        if request.kind.completion is not None and charged:
            # Of an answer that was cut off the prompt is estimated: at most a token a byte.
            most = charge_nanos(UNEVEN, prompt=MESSAGE_BYTES_MAX, completion=request.kind.completion)
            self.expect(charged[0] <= most, f"{request}: charged {charged}, a whole answer costs at most {most}")

    def expect(self, holds: bool, failure: str) -> None:
        if not holds:
            self.failures.append(failure)


def crash_round(stack: Stack, books: Books, seed: int, kill: bool) -> None:
    """Traffic until a random moment, the end of the process, its restart and the comparison."""
    rng = random.Random(seed)
    tollgate = stack.tollgate
    traffic = Traffic(tollgate, books.customers, seed).start()
    time.sleep(rng.uniform(0.02, 1.2))
    if kill:
        # Set after the kill: a connection that breaks before it is a failure of its own.
        tollgate.kill()
        traffic.stop.set()
    else:
        traffic.stop.set()
        code = tollgate.stop()
        books.expect(code == 0, f"asked to end, it ended with {code}:\n{tollgate.log_tail()}")
    traffic.join()
    # Recovery itself may be interrupted.
    while kill and rng.random() < 0.25:
        tollgate.spawn()
        time.sleep(rng.uniform(0, 0.4))
        tollgate.kill()
    tollgate.durability = rng.choice(["disk", "process"])
    tollgate.start()
    books.check(traffic)


def main() -> int:
    print(f"{ROUNDS} rounds with CRASH_SEED={SEED}", flush=True)
    channel = Channel("mock", {MODEL: Model("mock", UNEVEN)})
    with Stack([channel]) as stack:
        customers = []
        for number in range(ACCOUNTS):
            account = stack.tollgate.create_account(f"crash {number}", CREDIT)
            customers.append(Customer(account, stack.tollgate.create_key(account), nanos(CREDIT)))
        books = Books(stack, customers)
        done = 0
        for number in range(ROUNDS + 1):
            seed = SEED + number
            is_last = number == ROUNDS
            crash_round(stack, books, seed, kill=not is_last)
            if ROUNDS <= VERIFY_EACH_ROUND_MAX or is_last or number % 10 == 0:
                stack.tollgate.verify_books()
            if books.failures:
                print(f"round {number} (CRASH_SEED={seed}, CRASH_ROUNDS=1 repeats its traffic):")
                print("\n".join(f"  {failure}" for failure in books.failures[:20]), flush=True)
                print(f"{done} passed, 1 failed")
                os.environ["KEEP_STACK"] = "1"
                return 1
            done += 1
            if number % 10 == 9 or is_last:
                print(summary(done, books), flush=True)
        stack.tollgate.stop()
        stack.tollgate.verify_books()
    print(f"{done} passed, 0 failed")
    return 0


def summary(done: int, books: Books) -> str:
    complete = sum(request.complete for request in books.asked)
    cut_off = sum(request.status is None or (request.status == 200 and not request.complete) for request in books.asked)
    return f"round {done}: {len(books.asked)} requests, {complete} complete, {cut_off} cut off or left, {len(books.charges)} billed"


if __name__ == "__main__":
    sys.exit(main())
