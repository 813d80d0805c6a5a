"""What goes wrong, as the SDK's own exceptions; and what it costs: what was delivered, else nothing."""

import openai
import pytest
from conftest import Customer, error_of, expected_nanos, nanos


def error_type(error: openai.APIStatusError) -> str:
    return error.response.json()["error"]["metadata"]["error_type"]


def test_a_wrong_key_is_401(customer: Customer):
    client = openai.OpenAI(api_key="sk-tg-v1-" + "0" * 64, base_url=f"{customer.tollgate.url}/api/v1", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model="mock/chat", messages=[{"role": "user", "content": "hello"}])
    assert error_type(refused.value) == "authentication"


def test_no_credit_is_402(customer_with):
    poor = customer_with("0.000000001")
    with pytest.raises(openai.APIStatusError) as refused:
        poor.chat("hello", "mock/chat")
    assert refused.value.status_code == 402 and error_type(refused.value) == "payment_required"
    error = refused.value.response.json()["error"]
    assert error["metadata"]["limit_source"] == "openrouter_credits"
    assert "retry-after" not in refused.value.response.headers, "waiting does not help"
    assert {"posted", "pending", "held", "available"} <= set(error["metadata"])
    assert poor.charged_nothing()


def test_an_unknown_model_is_400_with_its_name(customer: Customer):
    with pytest.raises(openai.BadRequestError) as refused:
        customer.chat("hello", "nobody/nothing")
    assert "nobody/nothing is not a valid model ID" in refused.value.message


def test_an_unknown_address_and_generation_are_404(customer: Customer):
    with pytest.raises(openai.NotFoundError):
        customer.client.get("/no/such/place", cast_to=object)
    answer = customer.http.get("/api/v1/generation?id=gen-nothing")
    assert answer.status == 404 and error_of(answer)["metadata"]["error_type"] == "not_found"


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_limits_is_429_with_its_retry_after(customer: Customer, stream: bool):
    with pytest.raises(openai.RateLimitError) as refused:
        customer.chat("hello", "mock/limited", stream=stream)
    # The second one is refused here: the channel rests.
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 7
    assert error_type(refused.value) == "rate_limit_exceeded"
    assert customer.charged_nothing()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "script", ["status=500", "status=503", "fault=html&status=502", "fault=bad_json", "fault=html", "fault=empty", "cut=reset", "cut=close"]
)
def test_a_failing_upstream_is_5xx_and_free(customer: Customer, script: str, stream: bool):
    with pytest.raises(openai.APIError) as failed:
        answer = customer.chat(f"mock:{script}", stream=stream)
        list(answer) if stream else None
    if isinstance(failed.value, openai.APIStatusError):
        assert isinstance(failed.value, openai.InternalServerError)
    else:
        assert stream, "only a stream that has begun may fail without a status"
    assert customer.charged_nothing()


def test_a_client_that_gives_up_waiting_is_billed_for_the_answer(customer: Customer):
    with pytest.raises(openai.APITimeoutError):
        customer.client.with_options(timeout=0.5).chat.completions.create(
            model="mock/slow", messages=[{"role": "user", "content": "hello"}]
        )
    assert customer.only_charge() == expected_nanos(completion=8)


@pytest.mark.parametrize("how", ["error_after=7", "cut=close&cut_after=7&cut_bytes=20", "cut=reset&cut_after=7", "done=0&cut=clean&cut_after=7"])
def test_a_stream_that_breaks_ends_with_an_error_and_bills_what_came(customer: Customer, how: str):
    text, generation_id = "", None
    # Six pieces that are one token each, then the end; a reset may swallow some of them on the way.
    with pytest.raises(openai.APIError):
        for chunk in customer.chat(f"mock:chunks=20&chunk_text=+a&delay_ms=5&{how}", stream=True):
            generation_id = chunk.id
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
    delivered = len(text) // 2
    assert 1 <= delivered <= 6
    generation = customer.generation(generation_id)
    billed = generation["native_tokens_completion"]
    assert delivered <= billed <= 6
    assert customer.only_charge() == nanos(generation["total_cost"]) > 0
