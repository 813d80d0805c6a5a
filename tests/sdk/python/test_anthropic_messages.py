"""Anthropic's SDK against the gateway: every family of upstream behind the one dialect, and what it costs."""

import anthropic
import pytest
from conftest import Customer, expected_nanos, nanos

FAMILIES = ["claude", "mock"]
TOOLS = [{"name": "get_weather", "description": "the weather", "input_schema": {"type": "object", "properties": {}}}]


def ask(model: str, **more) -> dict:
    return {"model": model, "max_tokens": 200, "messages": [{"role": "user", "content": "hello"}]} | more


def streamed(customer: Customer, **request):
    """The message as the SDK puts it together, and the last word on usage, of which the SDK keeps only what it knows."""
    with customer.anthropic.messages.stream(**request) as stream:
        events = list(stream)
        (usage,) = [event.usage for event in events if event.type == "message_delta"]
        return stream.get_final_message(), usage, [event.type for event in events]


def test_models_are_listed_in_anthropics_form(customer: Customer):
    models = customer.anthropic.models.list()
    assert "claude/chat" in {model.id for model in models} and not models.has_more
    model = customer.anthropic.models.retrieve("claude/chat")
    assert (model.type, model.id) == ("model", "claude/chat") and model.display_name and model.created_at.year >= 2020


@pytest.mark.parametrize("family", FAMILIES)
def test_a_message_says_what_it_cost(customer: Customer, family):
    message = customer.anthropic.messages.create(**ask(f"{family}/chat"))
    thinking, text = message.content
    assert thinking.type == "thinking" and text.text.startswith("lorem")
    assert (message.role, message.stop_reason, message.model) == ("assistant", "end_turn", f"{family}/chat")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (6, 4, 15), "disjoint, as Anthropic counts"
    assert nanos(usage.cost) == customer.only_charge()
    assert message._request_id == message.id
    assert nanos(customer.generation(message.id)["total_cost"]) == customer.only_charge()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stream_is_put_together_by_the_sdk(customer: Customer, family):
    message, usage, names = streamed(customer, **ask(f"{family}/chat"))
    assert names[0] == "message_start" and names[-1] == "message_stop"
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[1].text.startswith("lorem ipsum") and message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens) == (6, 4, 15)
    assert nanos(usage.cost) == customer.only_charge()


def test_the_same_usage_costs_the_same_in_every_dialect_and_family(customer: Customer):
    """Without thoughts: Anthropic does not say how many of its tokens those were."""
    told = []
    for family in FAMILIES:
        script = "mock:chunks=7&cached_tokens=4"
        told.append(customer.message(script, f"{family}/any").usage.cost)
        told.append(streamed(customer, **ask(f"{family}/any", messages=[{"role": "user", "content": script}]))[1].cost)
        told.append(customer.chat(script, f"{family}/any").usage.cost)
        *_, last = customer.chat(script, f"{family}/any", stream=True)
        told.append(last.usage.cost)
    expected = expected_nanos(prompt=10, completion=7, cached=4)
    assert {nanos(cost) for cost in told} == {expected}, told
    customer.settled()
    assert [charge for (charge,) in customer.tollgate.charges(customer.account).values()] == [expected] * len(told)


@pytest.mark.parametrize("family", FAMILIES)
def test_tools_whole_and_streamed(customer: Customer, family):
    whole = customer.anthropic.messages.create(**ask(f"{family}/tools", tools=TOOLS))
    assert whole.stop_reason == "tool_use"
    (call,) = whole.content
    assert (call.type, call.name, call.input) == ("tool_use", "get_weather", {"city": "Paris", "unit": "celsius"})
    with customer.anthropic.messages.stream(**ask(f"{family}/tools", tools=TOOLS)) as stream:
        streamed = stream.get_final_message()
    assert streamed.content[0].input == call.input and streamed.stop_reason == "tool_use"
    conversation = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [call.to_dict()]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},
    ]
    again = customer.anthropic.messages.create(**ask(f"{family}/any", messages=conversation, tools=TOOLS))
    assert again.content[0].text.startswith("lorem")


def test_anthropics_signature_survives_both_ways(customer: Customer):
    with customer.anthropic.messages.stream(**ask("claude/chat")) as stream:
        message = stream.get_final_message()
    thinking = message.content[0]
    assert thinking.signature and thinking.thinking.startswith("lorem")
    echo = [{"role": "user", "content": "x"}, {"role": "assistant", "content": [thinking.to_dict()]},
            {"role": "user", "content": "mock:echo=body&chunk_bytes=4096&honour_max_tokens=0"}]
    seen = customer.anthropic.messages.create(**ask("claude/any", messages=echo)).content[0].text
    assert thinking.signature in seen


def test_what_only_anthropic_knows_reaches_anthropic_and_nobody_else(customer: Customer):
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    echo = [{"role": "user", "content": [{"type": "text", "text": "mock:echo=body&chunk_bytes=8192&honour_max_tokens=0",
                                          "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}]
    seen = customer.anthropic.messages.create(**ask("claude/any", messages=echo, tools=[search])).content[0].text
    assert '"max_uses":2' in seen.replace(" ", "") and '"ttl":"1h"' in seen.replace(" ", ""), seen
    with pytest.raises(anthropic.BadRequestError, match="server tool"):
        customer.anthropic.messages.create(**ask("mock/any", tools=[search]))


def test_cache_writes_are_told_apart_by_their_lifetime(customer: Customer):
    usage = (
        '{"input_tokens":5,"cache_creation_input_tokens":30,"cache_read_input_tokens":7,"output_tokens":1,'
        '"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20}}'
    )
    script = "mock:chunks=3&usage_json=" + usage.replace("{", "%7B").replace("}", "%7D").replace('"', "%22")
    _, usage, _ = streamed(customer, **ask("claude/any", messages=[{"role": "user", "content": script}]))
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.output_tokens) == (5, 7, 30, 3)
    assert usage.cache_creation == {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}
    customer.settled()


def test_tokens_are_counted_for_nothing(customer: Customer):
    count = customer.anthropic.messages.count_tokens(model="claude/any", messages=[{"role": "user", "content": "hello wonderful world"}])
    assert 3 <= count.input_tokens <= 20
    assert customer.charged_nothing()


def test_a_bearer_is_taken_as_well(customer: Customer):
    client = anthropic.Anthropic(auth_token=customer.key, base_url=customer.tollgate.url, max_retries=0)
    assert client.messages.create(**ask("claude/any")).content[0].text.startswith("lorem")


def test_openais_sdk_against_an_anthropic_channel(customer: Customer):
    answer = customer.chat("hello", "claude/chat")
    assert answer.choices[0].message.content.startswith("lorem") and answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.reasoning_details[0]["signature"]
    assert (answer.usage.prompt_tokens, answer.usage.prompt_tokens_details.cached_tokens, answer.usage.completion_tokens) == (10, 4, 15)
    *_, last = chunks = list(customer.chat("hello", "claude/chat", stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == answer.choices[0].message.content and last.usage.cost == answer.usage.cost
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
    call = customer.chat("hello", "claude/tools", tools=tools).choices[0].message.tool_calls[0].function
    assert (call.name, call.arguments) == ("get_weather", '{"city":"Paris","unit":"celsius"}')
