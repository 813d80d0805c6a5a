"""OpenAI's SDK by its Responses API: every family of upstream behind the one dialect, and what it costs."""

import json

import openai
import pytest
from conftest import Customer, error_of, expected_nanos, nanos
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

FAMILIES = ["claude", "mock"]
TOOL = {"type": "function", "name": "get_weather", "description": "the weather", "strict": False,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
STREAM_EVENT = TypeAdapter(ResponseStreamEvent)


def respond(customer: Customer, said="hello", model: str = "mock/any", **more) -> Response:
    """A response, checked against the SDK's own types: the SDK itself takes anything."""
    raw = customer.client.responses.with_raw_response.create(model=model, input=said, **more)
    Response.model_validate(json.loads(raw.content))
    response = raw.parse()
    assert response.id == raw.headers["x-generation-id"].replace("gen-", "resp_", 1)
    return response


def streamed(customer: Customer, said="hello", model: str = "mock/any", **more):
    """The response as the SDK's helper puts it together, and the events it was put together from."""
    with customer.client.responses.stream(model=model, input=said, **more) as stream:
        events = list(stream)
        return stream.get_final_response(), events


def wire_events(customer: Customer, said="hello", model: str = "mock/any", **more) -> list[dict]:
    """The events without an SDK, each checked to be named, numbered and of the SDK's types."""
    answer = customer.http.post("/api/v1/responses", {"model": model, "input": said, "stream": True} | more)
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/event-stream"), answer
    assert b"\r" not in answer.body and b"[DONE]" not in answer.body and answer.body.endswith(b"\n\n")
    events = []
    for block in answer.body.decode().split("\n\n")[:-1]:
        if block.startswith(":"):
            continue
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        STREAM_EVENT.validate_python(events[-1])
        assert name == "event: " + events[-1]["type"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


@pytest.mark.parametrize("family", FAMILIES)
def test_a_response_says_what_it_cost(customer: Customer, family):
    response = respond(customer, model=f"{family}/chat", instructions="Be kind.", metadata={"a": "b"}, store=True)
    assert (response.object, response.status, response.model) == ("response", "completed", f"{family}/chat")
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output_text.startswith("lorem") and response.output[0].content[0].text.startswith("lorem")
    assert (response.instructions, response.metadata, response.store) == ("Be kind.", {"a": "b"}, False)
    usage = response.usage
    assert (usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens, usage.total_tokens) == (10, 4, 15, 25)
    assert nanos(usage.cost) == customer.only_charge()
    assert nanos(customer.generation(response.id.replace("resp_", "gen-"))["total_cost"]) == customer.only_charge()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stream_is_put_together_by_the_sdk(customer: Customer, family):
    whole = respond(customer, model=f"{family}/chat")
    response, events = streamed(customer, model=f"{family}/chat")
    kinds = [event.type for event in events]
    assert (kinds[0], kinds[1], kinds[-1]) == ("response.created", "response.in_progress", "response.completed")
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output_text == whole.output_text == "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert response.usage == whole.usage
    customer.settled()
    assert nanos(response.usage.cost) in [charge for (charge,) in customer.tollgate.charges(customer.account).values()]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("model", ["chat", "tools"])
def test_events_on_the_wire_are_of_the_sdks_types(customer: Customer, family, model):
    events = wire_events(customer, model=f"{family}/{model}", tools=[TOOL])
    response = events[-1]["response"]
    done = {event["output_index"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    assert response["output"] == [done[index] for index in range(len(done))]
    assert nanos(response["usage"]["cost"]) == customer.only_charge()


def test_the_same_usage_costs_the_same_in_every_dialect_and_family(customer: Customer):
    script, told = "mock:chunks=7&cached_tokens=4", []
    for family in FAMILIES:
        told.append(respond(customer, script, f"{family}/any").usage.cost)
        told.append(streamed(customer, script, f"{family}/any")[0].usage.cost)
        told.append(customer.chat(script, f"{family}/any").usage.cost)
        told.append(customer.message(script, f"{family}/any").usage.cost)
    expected = expected_nanos(prompt=10, completion=7, cached=4)
    assert {nanos(cost) for cost in told} == {expected}, told
    customer.settled()
    assert [charge for (charge,) in customer.tollgate.charges(customer.account).values()] == [expected] * len(told)


@pytest.mark.parametrize("family", FAMILIES)
def test_tools_whole_streamed_and_back(customer: Customer, family):
    whole = respond(customer, model=f"{family}/tools", tools=[TOOL])
    (call,) = [item for item in whole.output if item.type == "function_call"]
    assert (call.name, json.loads(call.arguments), call.status) == ("get_weather", {"city": "Paris", "unit": "celsius"}, "completed")
    response, events = streamed(customer, model=f"{family}/tools", tools=[TOOL])
    (again,) = [item for item in response.output if item.type == "function_call"]
    assert again.arguments == call.arguments
    assert again.arguments == "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    conversation = [{"role": "user", "content": "hello"}] + [item.to_dict() for item in whole.output]
    conversation += [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    assert respond(customer, conversation, f"{family}/any", tools=[TOOL]).output_text.startswith("lorem")


@pytest.mark.parametrize("family", FAMILIES)
def test_parallel_tools_keep_apart(customer: Customer, family):
    for response in (respond(customer, "mock:tools=3", f"{family}/any", tools=[TOOL]),
                     streamed(customer, "mock:tools=3", f"{family}/any", tools=[TOOL])[0]):
        calls = [item for item in response.output if item.type == "function_call"]
        assert len(calls) == 3 == len({call.call_id for call in calls}) == len({call.id for call in calls})
        assert {call.arguments for call in calls} == {'{"city":"Paris","unit":"celsius"}'}


class Person(BaseModel):
    name: str
    age: int


def test_structured_output(customer: Customer):
    response = customer.client.responses.parse(model="mock/person", input="hello", text_format=Person)
    assert response.output_parsed == Person(name="Ada", age=36)
    final, _ = streamed(customer, model="mock/person", text_format=Person)
    assert final.output_parsed == Person(name="Ada", age=36)


def test_the_schema_reaches_the_provider(customer: Customer):
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    text = {"format": {"type": "json_schema", "name": "person", "schema": schema, "strict": True}, "verbosity": "low"}
    seen = json.loads(respond(customer, "mock:echo=body&chunk_bytes=8192&honour_max_tokens=0", text=text).output_text)
    assert seen["response_format"] == {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
    assert seen["verbosity"] == "low" and not {"text", "input", "store", "include"} & seen.keys(), seen


@pytest.mark.parametrize("keeps", [("id", "type", "summary", "content", "encrypted_content"), ("type", "summary", "encrypted_content")])
def test_a_signature_survives_both_ways_whatever_the_client_keeps(customer: Customer, keeps):
    response, _ = streamed(customer, model="claude/chat", include=["reasoning.encrypted_content"])
    signed = customer.chat("hello", "claude/chat").choices[0].message.reasoning_details[0]["signature"]
    reasoning = {name: value for name, value in response.output[0].to_dict().items() if name in keeps}
    echo = [{"role": "user", "content": "x"}, {"summary": [], **reasoning}, response.output[1].to_dict(),
            {"role": "user", "content": "mock:echo=body&chunk_bytes=8192&honour_max_tokens=0"}]
    seen = respond(customer, echo, "claude/any").output_text
    assert json.dumps(signed) in seen and '"type":"thinking"' in seen.replace(" ", ""), seen


def test_plain_thoughts_go_back_to_those_who_have_them(customer: Customer):
    response = respond(customer, model="mock/chat", include=["reasoning.encrypted_content"])
    thought = response.output[0].content[0].text
    bare = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": response.output[0].encrypted_content}
    for reasoning in (response.output[0].to_dict(), bare):
        echo = [reasoning, {"role": "assistant", "content": "y"}, {"role": "user", "content": "mock:echo=body&chunk_bytes=8192&honour_max_tokens=0"}]
        seen = json.loads(respond(customer, echo).output_text)
        assert seen["messages"][0]["reasoning_content"] == thought


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_that_reached_its_cap_is_incomplete(customer: Customer, family):
    response = respond(customer, "mock:chunks=40", f"{family}/any", max_output_tokens=5)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert response.output[0].status == "incomplete" and response.usage.output_tokens == 5
    events = wire_events(customer, "mock:chunks=40", f"{family}/any", max_output_tokens=5)
    assert events[-1]["type"] == "response.incomplete" and events[-1]["response"]["output"][0]["status"] == "incomplete"


def test_logprobs(customer: Customer):
    response = respond(customer, model="demo/chat", max_output_tokens=200, top_logprobs=2, include=["message.output_text.logprobs"])
    (message,) = [item for item in response.output if item.type == "message"]
    first = message.content[0].logprobs[0]
    assert first.token and first.logprob <= 0 and len(first.top_logprobs) == 2


def refusal(client: openai.OpenAI, kind: type, model: str = "mock/any", **more) -> tuple[int, str | None]:
    with pytest.raises(kind) as caught:
        client.responses.create(**({"model": model, "input": "hello"} | more))
    assert caught.value.body["metadata"]["error_type"]
    return caught.value.status_code, caught.value.param


def test_errors_by_class(customer: Customer, customer_with):
    stranger = openai.OpenAI(api_key="sk-tg-v1-" + "0" * 64, base_url=f"{customer.tollgate.url}/v1", max_retries=0)
    assert refusal(stranger, openai.AuthenticationError)[0] == 401
    assert refusal(customer.client, openai.BadRequestError, "nobody/nothing")[0] == 400
    assert refusal(customer_with("0.000000001").client, openai.APIStatusError)[0] == 402
    assert refusal(customer.client, openai.RateLimitError, "mock/limited")[0] == 429
    assert refusal(customer.client, openai.InternalServerError, "mock/broken")[0] == 502
    for more, param in [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        ({"input": []}, "input"),
    ]:
        assert refusal(customer.client, openai.BadRequestError, **more) == (400, param)
    assert customer.charged_nothing()


def test_bad_bodies_are_refused_in_the_one_envelope(customer: Customer):
    for body in (b"", b"{", b"[]", b"null", b'{"model":"mock/any"}', b'{"model":"mock/any","input":7}', b'{"input":' + b"[" * 100_000):
        answer = customer.http.request("POST", "/v1/responses", body)
        assert answer.status == 400 and error_of(answer)["metadata"]["error_type"] == "invalid_request", answer
    assert customer.charged_nothing()


@pytest.mark.parametrize("family", FAMILIES)
def test_an_error_in_mid_stream_is_raised_and_what_came_is_billed(customer: Customer, family):
    seen = []
    with pytest.raises(openai.APIError) as caught:
        for event in customer.client.responses.create(model=f"{family}/any", input="mock:chunks=20&error_after=9&error_status=529", stream=True):
            seen.append(event)
    assert caught.value.body["metadata"]["error_type"]
    failed = seen[-1].response
    assert (seen[-1].type, failed.status, failed.error.code) == ("response.failed", "failed", "server_error")
    assert nanos(failed.usage.cost) == customer.only_charge() > 0


def test_a_stream_that_is_cut_is_an_error_and_never_a_clean_end(customer: Customer):
    with pytest.raises(openai.APIError):
        streamed(customer, "mock:chunks=20&delay_ms=2&cut=close&cut_after=9")
    assert customer.only_charge() > 0


def test_a_client_that_leaves_a_stream_pays_for_what_came(customer: Customer):
    seen = 0
    with customer.client.responses.create(model="mock/trickle", input="hello", stream=True) as stream:
        for event in stream:
            seen += event.type == "response.output_text.delta"
            if seen >= 10:
                break
    charged = customer.only_charge()
    (generation,) = customer.tollgate.charges(customer.account)
    record = customer.generation(generation)
    assert charged > 0 and seen <= record["native_tokens_completion"] < 400, record
