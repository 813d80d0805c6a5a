"""What goes wrong, as Anthropic's SDK tells it apart, and that it costs what it should."""

import anthropic
import pytest
from conftest import Customer


def refusal(client: anthropic.Anthropic, kind: type, model: str = "claude/any", **more):
    with pytest.raises(kind) as caught:
        client.messages.create(**({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]} | more))
    body = caught.value.body
    assert body["type"] == "error" and body["error"]["message"] and body["error"]["error_type"], body
    return caught.value.status_code, body["error"]["type"]


def test_errors_by_class(customer: Customer, customer_with):
    stranger = anthropic.Anthropic(api_key="sk-tg-v1-" + "0" * 64, base_url=customer.tollgate.url, max_retries=0)
    assert refusal(stranger, anthropic.AuthenticationError) == (401, "authentication_error")
    assert refusal(customer.anthropic, anthropic.BadRequestError, "nobody/nothing") == (400, "invalid_request_error")
    assert refusal(customer.anthropic, anthropic.BadRequestError, messages=[]) == (400, "invalid_request_error")
    assert refusal(customer_with("0.000000001").anthropic, anthropic.APIStatusError) == (402, "billing_error")
    assert refusal(customer.anthropic, anthropic.RateLimitError, "claude/limited") == (429, "rate_limit_error")
    assert refusal(customer.anthropic, anthropic.InternalServerError, "claude/overloaded") == (529, "overloaded_error")
    assert refusal(customer.anthropic, anthropic.InternalServerError, "mock/broken") == (502, "api_error")
    assert customer.charged_nothing()


@pytest.mark.parametrize("family", ["claude", "mock"])
def test_an_error_in_mid_stream_is_raised_and_what_came_is_billed(customer: Customer, family):
    message = {"role": "user", "content": "mock:chunks=20&error_after=9&error_status=529"}
    with pytest.raises(anthropic.APIStatusError) as caught:
        with customer.anthropic.messages.stream(model=f"{family}/any", max_tokens=200, messages=[message]) as stream:
            for _ in stream:
                pass
    assert caught.value.body["error"]["type"] in ("overloaded_error", "api_error"), caught.value.body
    assert customer.only_charge() > 0


def test_a_stream_that_is_cut_is_an_error_and_never_a_clean_end(customer: Customer):
    message = {"role": "user", "content": "mock:chunks=20&delay_ms=2&cut=close&cut_after=9"}
    with pytest.raises(anthropic.APIError):
        with customer.anthropic.messages.stream(model="claude/any", max_tokens=200, messages=[message]) as stream:
            for _ in stream:
                pass
    assert customer.only_charge() > 0


def test_an_overload_before_the_first_word_is_free(customer: Customer):
    """`message_start` promises nothing: an error after it is still told as a status."""
    message = {"role": "user", "content": "mock:error_after=2&error_status=529"}
    with pytest.raises(anthropic.APIStatusError) as caught:
        with customer.anthropic.messages.stream(model="claude/any", max_tokens=200, messages=[message]) as stream:
            stream.get_final_message()
    assert caught.value.status_code == 529
    assert customer.charged_nothing()


def test_a_client_that_leaves_a_stream_pays_for_what_came(customer: Customer):
    seen = 0
    with customer.anthropic.messages.stream(
        model="claude/trickle", max_tokens=1000, messages=[{"role": "user", "content": "hello"}]
    ) as stream:
        for _ in stream.text_stream:
            seen += 1
            if seen >= 10:
                break
    charged = customer.only_charge()
    (generation,) = customer.tollgate.charges(customer.account)
    record = customer.generation(generation)
    assert charged > 0 and seen <= record["native_tokens_completion"] < 400, record
