"""Channels changed on one gateway, looked at from the other: what is promised within a second.

Start at `channels_everywhere`.
"""

from __future__ import annotations

import time

from cluster import Cluster

from stack import Api, nanos  # noqa: E402

MODEL = "api/model"


def channels_everywhere(cluster: Cluster, seconds: float) -> float:
    """A channel made, priced anew, disabled, enabled and removed at one gateway is so at the other. The longest it took, in seconds."""
    account = cluster.tollgate.create_account("channels", "1")
    key = cluster.tollgate.create_key(account)
    admin, other = cluster.tollgate.admin, Api(cluster.tollgate.urls()[0], key)
    cluster.until(lambda: other.get("/api/v1/key").status == 200, "a key is known to the other gateway", seconds)
    longest = 0.0

    def ask():
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
        return other.post("/api/v1/chat/completions", body)

    def cost(answer) -> int | None:
        return nanos(answer.json["usage"]["cost"]) if answer.status == 200 else None

    def reaches(what: str, is_so) -> None:
        nonlocal longest
        begun = time.monotonic()
        cluster.until(lambda: is_so(ask()), f"the other gateway sees that a channel was {what}", seconds)
        longest = max(longest, time.monotonic() - begun)

    def fee(amount: str) -> list[dict]:
        return [{"id": MODEL, "upstream": "mock", "price": {"prompt": "0", "completion": "0", "request": amount}}]

    assert ask().status == 400, "the model is not known yet"
    made = admin.post("/api/v1/admin/channels", {
        "name": "api", "provider": "openai-compatible", "base_url": cluster.mock.url + "/v1", "api_key": "sk-mock", "models": fee("0.001"),
        "health_check": {"enabled": False},
    })
    assert made.status == 201, made
    path = f"/api/v1/admin/channels/{made.data['id']}"
    reaches("made", lambda answer: cost(answer) == 1_000_000)
    for what, change, is_so in [
        ("priced anew", {"models": fee("0.002")}, lambda answer: cost(answer) == 2_000_000),
        ("disabled", {"status": "disabled"}, lambda answer: answer.status in (400, 404)),
        ("enabled", {"status": "enabled"}, lambda answer: answer.status == 200),
    ]:
        changed = admin.request("PATCH", path, change)
        assert changed.status == 200, changed
        reaches(what, is_so)
    assert admin.request("DELETE", path).status in (200, 204)
    reaches("removed", lambda answer: answer.status == 400)
    return longest
