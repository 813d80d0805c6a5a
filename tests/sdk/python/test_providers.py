"""What is particular to a family of providers, and `tollgate channels test`."""

import contextlib
import json
import os
import sqlite3
from urllib.parse import quote

import pytest
from conftest import Customer, error_of, expected_nanos


def last_provider_cost_nanos(customer: Customer) -> int:
    """What the ledger booked as the provider's cost of the last request."""
    database = customer.tollgate.folder / "tollgate-data" / "tollgate.db"
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as books:
        query = "SELECT provider_cost_nanos FROM transactions WHERE kind = 'usage' ORDER BY position DESC LIMIT 1"
        ((cost,),) = books.execute(query).fetchall()
    return cost


def test_openrouter_is_told_who_asks(customer: Customer):
    seen = json.loads(customer.chat("mock:echo=headers&chunk_bytes=4096", "router/any").choices[0].message.content)
    assert seen["x-openrouter-title"] == "Tollgate" and seen["authorization"] == "Bearer mock-key"


def test_anthropic_is_sent_its_own_headers(customer: Customer):
    seen = json.loads(customer.chat("mock:echo=headers&chunk_bytes=4096", "claude/any").choices[0].message.content)
    assert seen["x-api-key"] == "mock-key" and seen["anthropic-version"] == "2023-06-01" and "authorization" not in seen


@pytest.mark.skipif(os.environ.get("TEST_SHAPE") == "distributed", reason="looks into the embedded database")
def test_what_openrouter_says_it_charges_is_no_charge_of_ours(customer: Customer):
    usage = quote('{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13,"cost":0.5000000001}')
    answer = customer.chat(f"mock:chunks=3&usage_json={usage}", "router/any")
    assert customer.only_charge() == expected_nanos(prompt=10, completion=3)
    assert answer.usage.completion_tokens == 3
    assert last_provider_cost_nanos(customer) == 500_000_001, "theirs is kept beside it, rounded up to a billionth"


def test_the_words_of_the_provider_behind_openrouter_are_told(customer: Customer):
    raw = json.dumps({"error": {"message": "the real reason", "type": "invalid_request_error"}})
    body = quote(json.dumps({"error": {"code": 502, "message": "Provider returned error", "metadata": {"raw": raw, "provider_name": "X"}}}))
    error = error_of(customer.post_chat(f"mock:status=502&body={body}", "router/any"))
    assert "the real reason" in error["message"] and "Provider returned error" in error["metadata"]["raw"]


def test_a_channel_is_tried_from_the_shell(customer: Customer):
    code, probe = customer.tollgate.run("channels", "test", "claude", "--json")
    assert code == 0 and probe["ok"] and probe["channel"] == "claude", probe
    assert probe["usage"]["prompt_tokens"] == 10 and probe["charge"] > 0 and probe["latency_ms"] >= 0
    assert customer.charged_nothing()


def test_a_channel_that_fails_says_why_and_exits_with_one(customer: Customer):
    channel = {
        "name": "dead", "provider": "anthropic", "base_url": "http://127.0.0.1:9", "api_key": "sk-1",
        "models": [{"id": "dead/model", "price": "free"}],
    }
    made = customer.tollgate.admin.post("/api/v1/admin/channels", channel)
    assert made.status == 201, made
    code, probe = customer.tollgate.run("channels", "test", "dead", "--json")
    assert code == 1 and not probe["ok"] and "could not be reached" in probe["error"]["message"], probe
    customer.tollgate.admin.request("DELETE", f"/api/v1/admin/channels/{made.data['id']}")


def test_prices_are_updated_from_a_file(customer: Customer):
    price = {"prompt": "3", "completion": "15"}
    channel = {
        "name": "priced", "provider": "anthropic", "base_url": "http://127.0.0.1:9", "api_key": "sk-1",
        "models": [{"id": "priced/one", "price": price}, {"id": "priced/two", "price": price}],
    }
    made = customer.tollgate.admin.post("/api/v1/admin/channels", channel)
    assert made.status == 201, made
    file = customer.tollgate.folder / "prices.json"
    file.write_text(json.dumps({"providers": {"anthropic": [{"id": "priced/one", "price": price | {"prompt": "4"}}]}}))
    code, updated = customer.tollgate.run("models", "import", str(file), "--json")
    assert code == 0 and [channel["name"] for channel in updated] == ["priced"], updated
    path = f"/api/v1/admin/channels/{made.data['id']}"
    prices = [model["price"]["prompt"] for model in customer.tollgate.admin.get(path).data["models"]]
    customer.tollgate.admin.request("DELETE", path)
    assert prices == ["4", "3"]
