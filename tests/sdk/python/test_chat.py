"""What a person gets: answers, streams, tools, structured output, fallbacks."""

import json

import openai
import pytest
from conftest import Customer, events_of, expected_nanos, nanos, text_of
from pydantic import BaseModel

FILLER = "lorem ipsum dolor sit amet consectetur"


def test_an_answer_says_what_it_cost(customer: Customer):
    raw = customer.client.chat.completions.with_raw_response.create(
        model="mock/chat", messages=[{"role": "user", "content": "hello"}]
    )
    answer = raw.parse()
    assert answer.object == "chat.completion" and answer.model == "mock/chat"
    assert answer.choices[0].finish_reason == "stop" and answer.choices[0].message.content.startswith("lorem")
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (10, 15, 25)
    assert usage.prompt_tokens_details.cached_tokens == 4 and usage.completion_tokens_details.reasoning_tokens == 3
    cost = nanos(usage.cost)
    assert cost == expected_nanos(prompt=10, cached=4, completion=15, reasoning=3)
    assert cost == customer.only_charge()
    assert raw.headers["x-generation-id"] == answer.id
    assert nanos(customer.generation(answer.id)["total_cost"]) == cost


def test_a_generation_can_be_read_at_once(customer: Customer):
    answer = customer.chat("hello", "mock/chat")
    generation = customer.generation(answer.id)
    assert nanos(generation["usage"]) == nanos(answer.usage.cost) == nanos(generation["total_cost"])
    assert generation["model"] == "mock/chat" and generation["streamed"] is False
    assert (generation["native_tokens_prompt"], generation["native_tokens_completion"]) == (10, 15)


def test_a_stream_ends_with_usage_and_cost(customer: Customer):
    whole = customer.chat("hello", "mock/chat").choices[0].message.content
    chunks = list(customer.chat("hello", "mock/chat", stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole
    assert len({chunk.id for chunk in chunks}) == 1 and {chunk.model for chunk in chunks} == {"mock/chat"}
    with_usage = [chunk for chunk in chunks if chunk.usage]
    assert with_usage == chunks[-1:]
    assert nanos(chunks[-1].usage.cost) == expected_nanos(prompt=10, cached=4, completion=15, reasoning=3)
    customer.settled()
    assert customer.tollgate.charges(customer.account)[chunks[0].id] == [nanos(chunks[-1].usage.cost)]


def test_a_stream_on_the_wire(customer: Customer):
    answer = customer.post_chat("hello", "mock/chat", stream=True)
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/event-stream")
    events = events_of(answer.body)
    assert events[-1] == "[DONE]" and events.count("[DONE]") == 1
    assert all(event["id"] == answer.headers["x-generation-id"] for event in events[:-1])
    assert all(event["object"] == "chat.completion.chunk" for event in events[:-1])
    assert [event["choices"][0]["finish_reason"] for event in events[:-1] if event["choices"]].count("stop") >= 1
    assert nanos(events[-2]["usage"]["cost"]) == customer.only_charge()


@pytest.mark.parametrize(
    "how",
    ["newline=crlf", "newline=cr", "comments", "bom", "event_fields", "split_data", "write_bytes=3", "flush=0", "last_newline=0", "done=1"]
    + [f"usage_at={place}" for place in ("before_finish", "with_finish", "every", "after_done", "first")]
    + ["usage_choices", "usage=always"],
)
def test_however_an_upstream_writes_its_stream_the_client_sees_the_same(customer: Customer, how: str):
    events = customer.events(f"mock:chunks=10&{how}")
    assert text_of(events).startswith(FILLER)
    assert events[-1] == "[DONE]"
    usages = [event["usage"] for event in events[:-1] if event.get("usage")]
    assert len(usages) == 1 and (usages[0]["prompt_tokens"], usages[0]["completion_tokens"]) == (10, 10)
    assert nanos(usages[0]["cost"]) == customer.only_charge() == expected_nanos(completion=10)


def test_a_stream_whose_provider_gave_no_reason_ends_with_one(customer: Customer):
    events = customer.events("mock:chunks=3&finish=null")
    reasons = [choice["finish_reason"] for event in events[:-1] for choice in event["choices"] if choice["finish_reason"]]
    assert reasons[:1] == ["stop"] and set(reasons) == {"stop"} and events[-1] == "[DONE]"
    assert customer.only_charge() == expected_nanos(completion=3)


def test_tools(customer: Customer):
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}]
    call = customer.chat("weather?", "mock/tools", tools=tools).choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather" and json.loads(call.function.arguments)["city"] == "Paris"
    arguments, finish = "", None
    for chunk in customer.chat("weather?", "mock/tools", tools=tools, stream=True):
        for choice in chunk.choices:
            for part in choice.delta.tool_calls or []:
                arguments += part.function.arguments or ""
            finish = choice.finish_reason or finish
    assert json.loads(arguments) == json.loads(call.function.arguments) and finish == "tool_calls"


class Person(BaseModel):
    name: str
    age: int


def test_structured_output(customer: Customer):
    answer = customer.client.chat.completions.parse(
        model="mock/person", messages=[{"role": "user", "content": "who?"}], response_format=Person
    )
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)


def test_what_the_gateway_does_not_know_reaches_the_upstream(customer: Customer):
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    answer = customer.client.chat.completions.create(
        model="mock/any",
        messages=[{"role": "user", "content": [image, {"type": "text", "text": "mock:echo=body&chunk_bytes=100000"}]}],
        response_format=schema,
        logit_bias={"50256": -100},
        seed=7,
        extra_body={"a_field_of_tomorrow": {"nested": [1, 2.5, None]}},
    )
    sent = json.loads(answer.choices[0].message.content)
    assert sent["model"] == "mock" and sent["response_format"] == schema and sent["seed"] == 7
    assert sent["a_field_of_tomorrow"] == {"nested": [1, 2.5, None]} and sent["logit_bias"] == {"50256": -100}
    assert sent["messages"][0]["content"][0] == image


def test_usage_is_asked_for_even_if_the_client_does_not(customer: Customer):
    sent = json.loads(text_of(customer.events("mock:echo=body&chunk_bytes=100000")))
    assert sent["stream_options"]["include_usage"] is True


def test_several_choices_and_logprobs_pass_through(customer: Customer):
    answer = customer.chat("mock:chunks=3&logprobs", n=2, logprobs=True)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].logprobs.content[0].logprob == -0.25
    assert customer.only_charge() == expected_nanos(completion=6)


def test_max_tokens_is_enforced(customer: Customer):
    answer = customer.chat("mock:chunks=50", max_tokens=5)
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 5


def test_models_are_listed(customer: Customer):
    listed = {model.id for model in customer.client.models.list()}
    assert {"mock/chat", "mock/tools", "demo/chat"} <= listed
    model = customer.client.models.retrieve("mock/chat")
    assert (model.id, model.object) == ("mock/chat", "model") and model.owned_by == "mock"
    with pytest.raises(openai.NotFoundError):
        customer.client.models.retrieve("mock/nothing")
    assert customer.http.get("/v1/models/mock/chat").json["id"] == "mock/chat", "also where the slash is not encoded"


def test_a_broken_endpoint_is_passed_over_before_the_first_byte(customer: Customer):
    answer = customer.chat("hello", "mock/second-choice")
    assert answer.usage.completion_tokens == 5
    assert customer.only_charge() == expected_nanos(completion=5)


def test_the_models_list_is_tried_in_order(customer: Customer):
    answer = customer.chat("hello", "mock/broken", extra_body={"models": ["mock/broken", "mock/chat"]})
    assert answer.model == "mock/chat"
    streamed = list(customer.chat("hello", "mock/limited", stream=True, extra_body={"models": ["mock/chat"]}))
    assert {chunk.model for chunk in streamed} == {"mock/chat"}
    customer.settled()
    assert len(customer.tollgate.charges(customer.account)) == 2


def test_both_prefixes_serve(customer: Customer):
    client = openai.OpenAI(api_key=customer.key, base_url=f"{customer.tollgate.url}/v1", max_retries=0)
    assert client.chat.completions.create(model="mock/chat", messages=[{"role": "user", "content": "hello"}]).usage.cost > 0


def test_the_demo_channel_needs_no_account_anywhere(customer: Customer):
    answer = customer.chat("Say something nice.", "demo/chat", max_tokens=200)
    assert answer.choices[0].message.content and answer.usage.completion_tokens > 0
    assert nanos(answer.usage.cost) == customer.only_charge()
    chunks = list(customer.chat("Say something nice.", "demo/chat", stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage.cost > 0


def test_a_free_model_costs_nothing_and_leaves_no_transaction(customer: Customer):
    answer = customer.chat("hello", "mock/free")
    assert answer.usage.cost == 0
    assert nanos(customer.generation(answer.id)["total_cost"]) == 0
    assert customer.charged_nothing()
