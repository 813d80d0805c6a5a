"""Whatever a client sends, it gets a clear 4xx in the one envelope, and nothing stays held."""

import gzip
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from conftest import Customer, error_of

GOOD = {"model": "mock/any", "messages": [{"role": "user", "content": "hello"}]}
DEPTH = 100_000


def with_(**more) -> bytes:
    return json.dumps(GOOD | more).encode()


BAD_CHATS = {
    "empty": (b"", {400}),
    "not JSON": (b"hello", {400}),
    "cut JSON": (with_()[:-5], {400}),
    "two values": (with_() + b"{}", {400}),
    "an array": (b"[]", {400}),
    "a string": (b'"hello"', {400}),
    "null": (b"null", {400}),
    "not UTF-8": (with_()[:-1] + b',"x":"\xff\xfe"}', {400}),
    "a NUL byte": (with_().replace(b"hello", b"he\x00lo"), {400}),
    "only NUL bytes": (b"\x00" * 64, {400}),
    "a NUL in the model": (with_(model="mock/\x00any"), {400}),
    "deep arrays": (b'{"model":"mock/any","messages":' + b"[" * DEPTH + b"]" * DEPTH + b"}", {400}),
    "deep objects": (b'{"a":' * DEPTH + b"1" + b"}" * DEPTH, {400}),
    "deep unclosed": (b"[" * DEPTH, {400}),
    "no messages": (json.dumps({"model": "mock/any"}).encode(), {400}),
    "messages is text": (with_(messages="hello"), {400}),
    "messages is empty": (with_(messages=[]), {400}),
    "messages of numbers": (with_(messages=[1, 2]), {400}),
    "a message without a role": (with_(messages=[{"content": "x"}]), {400}),
    "model is a number": (with_(model=5), {400}),
    "model is empty": (with_(model=""), {400}),
    "unknown model": (with_(model="nobody/nothing"), {400}),
    "stream is text": (with_(stream="yes"), {400}),
    "max_tokens is text": (with_(max_tokens="many"), {400}),
    "max_tokens is negative": (with_(max_tokens=-1), {400}),
    "max_tokens is zero": (with_(max_tokens=0), {400}),
    "max_tokens is beyond 64 bits": (with_(max_tokens=10**30), {400}),
    "max_tokens is a fraction": (with_(max_tokens=1.5), {400}),
    "n is zero": (with_(n=0), {400}),
    "models is text": (with_(models="mock/any"), {400}),
    "40 MB": (with_(pad="x" * 40_000_000), {413}),
}


@pytest.mark.parametrize("what", BAD_CHATS)
def test_bad_chat_requests(customer: Customer, what: str):
    body, statuses = BAD_CHATS[what]
    answer = customer.http.request("POST", "/api/v1/chat/completions", body)
    assert answer.status in statuses, answer
    error = error_of(answer)
    assert error["metadata"]["error_type"] == ("payload_too_large" if 413 in statuses else "invalid_request"), error
    account = customer.tollgate.account(customer.account)
    assert account["held"] == 0 and account["pending"] == 0
    assert customer.charged_nothing()


def test_40_mb_are_refused_without_being_read_when_announced(customer: Customer):
    connection = customer.http.connect()
    connection.putrequest("POST", "/api/v1/chat/completions")
    connection.putheader("authorization", f"Bearer {customer.key}")
    connection.putheader("content-length", "40000000")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("path", ["/api/v1/chat/completions", "/v1/messages"])
def test_compressed_bodies_are_refused_and_plain_ones_may_say_so(customer: Customer, path: str):
    refused = customer.http.request("POST", path, gzip.compress(with_()), {"content-encoding": "gzip"})
    assert refused.status == 415 and "Content-Encoding" in refused.json["error"]["message"], refused
    assert customer.http.request("POST", "/api/v1/chat/completions", GOOD, {"content-encoding": "identity"}).status == 200


def test_after_a_bad_request_the_same_connection_serves_a_good_one(customer: Customer):
    connection = customer.http.connect()
    bad = customer.http.send(connection, "POST", "/api/v1/chat/completions", b"{")
    assert bad.status == 400
    bad.read()
    good = customer.http.send(connection, "POST", "/api/v1/chat/completions", GOOD)
    assert good.status == 200
    good.read()
    connection.close()


@pytest.mark.parametrize(
    "method, path, status",
    [("GET", "/api/v1/chat/completions", 405), ("POST", "/api/v1/nothing", 404), ("GET", "/api/v1/generation", 400), ("DELETE", "/api/v1/key", 405)],
)
def test_wrong_methods_and_addresses(customer: Customer, method: str, path: str, status: int):
    answer = customer.http.request(method, path)
    assert answer.status == status, answer
    error_of(answer)


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer nothing", "Basic Zm9vOmJhcg==", "Bearer sk-tg-v1-" + "g" * 64, "Bearer " + "x" * 5000],
)
def test_wrong_credentials(customer: Customer, authorization: str | None):
    headers = {} if authorization is None else {"authorization": authorization}
    anonymous = type(customer.http)(customer.tollgate.url)
    answer = anonymous.request("POST", "/api/v1/chat/completions", GOOD, headers)
    assert answer.status == 401 and error_of(answer)["metadata"]["error_type"] == "authentication"


def test_the_other_header_for_keys(customer: Customer):
    anonymous = type(customer.http)(customer.tollgate.url)
    assert anonymous.request("POST", "/api/v1/chat/completions", GOOD, {"x-api-key": customer.key}).status == 200


def test_disabled_deleted_and_expired_keys_are_refused_at_once(stack, customer: Customer):
    admin, key_of = stack.tollgate.admin, {}
    soon = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name, more in {"disabled": {}, "deleted": {}, "expired": {"expires_at": soon}}.items():
        answer = admin.post("/api/v1/keys", {"name": name, "account_id": customer.account} | more)
        assert answer.status == 201, answer
        key_of[name] = (answer.json["key"], answer.data["hash"])
    assert admin.request("PATCH", f"/api/v1/keys/{key_of['disabled'][1]}", {"disabled": True}).status == 200
    assert admin.request("DELETE", f"/api/v1/keys/{key_of['deleted'][1]}").status == 200
    while datetime.now(UTC) < datetime.fromisoformat(soon):
        time.sleep(0.05)
    for name, (key, _) in key_of.items():
        answer = type(admin)(stack.tollgate.url, key).post("/api/v1/chat/completions", GOOD)
        assert answer.status == 401, (name, answer)
        assert error_of(answer)["metadata"]["error_type"] == "authentication"
    assert customer.charged_nothing()


def test_each_class_of_key_keeps_to_its_own(stack, customer: Customer):
    infer = stack.tollgate.admin.post("/api/v1/chat/completions", GOOD)
    assert infer.status in (401, 403), infer
    error_of(infer)
    administer = customer.http.get("/api/v1/admin/accounts")
    assert administer.status in (401, 403), administer
    error_of(administer)


BAD_ADMINISTRATION = {
    "a negative limit": ("/api/v1/keys", {"name": "x", "limit": -5}),
    "a limit that is text": ("/api/v1/keys", {"name": "x", "limit": "plenty"}),
    "a limit beyond all money": ("/api/v1/keys", {"name": "x", "limit": 1e30}),
    "an unknown window": ("/api/v1/keys", {"name": "x", "limit": 1, "limit_reset": "hourly"}),
    "a key without a name": ("/api/v1/keys", {}),
    "a NUL in a name": ("/api/v1/keys", {"name": "a\x00b"}),
    "a very long name": ("/api/v1/keys", {"name": "x" * 100_000}),
    "an expiry that is no date": ("/api/v1/keys", {"name": "x", "expires_at": "tomorrow"}),
    "a negative top-up": ("credits", {"amount": "-5"}),
    "a top-up of nothing": ("credits", {"amount": "0"}),
    "a top-up that is text": ("credits", {"amount": "ten"}),
    "a top-up finer than a nano-dollar": ("credits", {"amount": "0.0000000001"}),
    "a top-up beyond all money": ("credits", {"amount": "99999999999999999999"}),
    "a top-up of NaN": ("credits", {"amount": "NaN"}),
    "an unknown kind of credit": ("credits", {"amount": "1", "kind": "present"}),
    "an account without a name": ("/api/v1/admin/accounts", {}),
}


@pytest.mark.parametrize("what", BAD_ADMINISTRATION)
def test_bad_administration(stack, customer: Customer, what: str):
    path, body = BAD_ADMINISTRATION[what]
    if path == "credits":
        path, body = f"/api/v1/admin/accounts/{customer.account}/credits", {"reason": "x", "idempotency_key": what} | body
    elif path == "/api/v1/keys":
        body = {"account_id": customer.account} | body
    answer = stack.tollgate.admin.post(path, body)
    assert answer.status in (400, 422), answer
    error_of(answer)


def test_an_account_that_does_not_exist_is_404(stack):
    missing = "00000000-0000-7000-8000-000000000000"
    for answer in (stack.tollgate.admin.get(f"/api/v1/admin/accounts/{missing}"), stack.tollgate.admin.get("/api/v1/admin/accounts/nonsense")):
        assert answer.status in (400, 404), answer
        error_of(answer)
