"""Every nano-dollar: what the client is told, what the ledger books and what the gate holds agree."""

import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Customer, error_of, expected_nanos, nanos

PARALLEL = 200


def test_all_that_tells_a_cost_tells_the_same(customer: Customer):
    told = {}
    for index in range(5):
        answer = customer.chat(f"mock:chunks={index + 1}")
        told[answer.id] = nanos(answer.usage.cost)
        *_, last = customer.chat(f"mock:chunks={index + 1}", stream=True)
        told[last.id] = nanos(last.usage.cost)
    customer.settled()
    charges = customer.tollgate.charges(customer.account)
    assert {generation: [cost] for generation, cost in told.items()} == charges
    assert all(nanos(customer.generation(generation)["total_cost"]) == cost for generation, cost in told.items())
    key, credits = customer.http.get("/api/v1/key").data, customer.http.get("/api/v1/credits").data
    spent = sum(told.values())
    assert nanos(key["usage"]) == nanos(key["usage_daily"]) == nanos(credits["total_usage"]) == spent
    assert nanos(credits["total_credits"]) == customer.credited


def test_a_charge_shows_at_once_where_limits_are_read(customer: Customer):
    for count in range(1, 4):
        customer.chat("hello", "mock/flat")
        assert nanos(customer.http.get("/api/v1/key").data["usage"]) == count * 10_000_000


def test_a_balance_for_so_many_serves_so_many(customer_with):
    affordable = 7
    customer = customer_with("0.07")

    def ask(_):
        return customer.post_chat("hello", "mock/flat")

    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(ask, range(PARALLEL)))
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == affordable and statuses.count(402) == PARALLEL - affordable, statuses
    for refused in (answer for answer in answers if answer.status == 402):
        assert error_of(refused)["metadata"]["error_type"] == "payment_required"
    assert customer.settled()["balance"] == 0


def test_a_key_limit_for_so_many_serves_so_many(customer_with):
    customer = customer_with("10", limit=0.05)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: customer.post_chat("hello", "mock/flat"), range(50)))
    served = [answer for answer in answers if answer.status == 200]
    assert len(served) == 5
    assert {answer.status for answer in answers} == {200, 402}
    customer.settled()
    last = customer.post_chat("hello", "mock/flat")
    assert last.status == 402 and error_of(last)["metadata"]["limit_source"] == "openrouter_key_limit"
    assert nanos(customer.http.get("/api/v1/key").data["limit_remaining"]) == 0


def test_with_token_prices_parallel_requests_never_overdraw(customer_with):
    customer = customer_with("0.001")
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: customer.post_chat("mock:chunks=100&first_byte_ms=100", max_tokens=100), range(40)))
    assert {answer.status for answer in answers} == {200, 402}
    assert customer.settled()["balance"] >= 0


def test_a_client_that_leaves_a_stream_pays_for_what_came(stack, customer: Customer):
    tag = f"left-{time.monotonic_ns()}"
    stream = customer.chat(f"[tag:{tag}]", "mock/trickle", stream=True)
    seen, generation_id = 0, None
    for chunk in stream:
        generation_id = chunk.id
        seen += len((chunk.choices[0].delta.content or "")) // 2 if chunk.choices else 0
        if seen >= 10:
            break
    stream.close()
    charge = customer.only_charge()
    generation = customer.generation(generation_id)
    (upstream,) = stack.mock.log()[tag]
    billed = generation["native_tokens_completion"]
    assert generation["cancelled"] is True
    assert seen <= billed <= upstream["tokens_given"], (seen, billed, upstream)
    assert nanos(generation["total_cost"]) == charge < expected_nanos(completion=400)


@pytest.mark.parametrize("stream", [False, True])
def test_no_usage_from_upstream_is_estimated_never_free(customer: Customer, stream: bool):
    answer = customer.post_chat("hello", "mock/silent", stream=stream)
    assert answer.status == 200
    charge = customer.only_charge()
    # 100 bytes of text: between one token a word and one a byte.
    assert expected_nanos(prompt=1, completion=10) <= charge <= expected_nanos(prompt=100, completion=100)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("usage", ["negative", "absurd", "garbage", "null"])
def test_wrong_usage_never_credits_and_never_ruins(customer: Customer, usage: str, stream: bool):
    answer = customer.post_chat(f"mock:usage={usage}", stream=stream)
    assert answer.status == 200
    assert 0 < customer.only_charge() <= expected_nanos(prompt=128_000, completion=4096)


def test_more_cached_than_prompt_tokens_counts_nothing_twice(customer: Customer):
    customer.post_chat("mock:prompt_tokens=10&cached_tokens=500")
    assert 0 < customer.only_charge() <= expected_nanos(prompt=10, completion=8)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", ["chunks=0&finish=null", "finish=error&chunks=0"])
def test_an_empty_answer_with_no_good_end_is_free(customer: Customer, script: str, stream: bool):
    customer.post_chat(f"mock:{script}", stream=stream)
    assert customer.charged_nothing()


def test_an_answer_without_a_choice_is_none_and_costs_nothing(customer: Customer):
    body = urllib.parse.quote('{"id":"x","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}')
    assert customer.post_chat(f"mock:body={body}").status == 502
    assert customer.charged_nothing()


def test_credits_are_idempotent_by_their_key(stack, customer: Customer):
    path = f"/api/v1/admin/accounts/{customer.account}/credits"
    body = {"amount": "2.5", "reason": "paid", "idempotency_key": "invoice-1"}
    answers = [stack.tollgate.admin.post(path, body) for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 200, 200]
    assert len({answer.data["id"] for answer in answers}) == 1
    other = stack.tollgate.admin.post(path, body | {"amount": "3"})
    assert other.status == 409 and error_of(other)["metadata"]["error_type"] == "conflict"
    customer.credited += nanos("2.5")


def test_twenty_racing_credits_with_one_key_credit_once(stack, customer: Customer):
    path = f"/api/v1/admin/accounts/{customer.account}/credits"
    body = {"amount": "1", "reason": "race", "idempotency_key": "race-1"}
    with ThreadPoolExecutor(20) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: stack.tollgate.admin.post(path, body), range(20))]
    assert statuses.count(201) == 1 and statuses.count(200) == 19, statuses
    customer.credited += nanos(1)


def test_refunds_adjustments_and_grants_are_transactions(stack, customer: Customer):
    for kind, amount in (("grant", "0.5"), ("refund", "0.25"), ("adjustment", "-0.125")):
        stack.tollgate.credit(customer.account, amount, kind=kind)
        customer.credited += nanos(amount)
    kinds = [row["kind"] for row in stack.tollgate.transactions(customer.account)]
    assert kinds == ["adjustment", "refund", "grant", "topup"]
    rows = list(reversed(stack.tollgate.transactions(customer.account)))
    balance = 0
    for row in rows:
        balance += nanos(row["amount"])
        assert nanos(row["balance_after"]) == balance


def test_the_books_are_clean_beside_a_live_deployment(stack, customer: Customer):
    customer.chat("hello", "mock/chat")
    customer.settled()
    report = stack.tollgate.verify_books()
    assert report["replay"]["events"] > 0
