"""Embeddings with OpenAI's SDK, which asks for base64 unless told otherwise: vectors, bills, mistakes."""

import base64
import struct

import openai
import pytest
from conftest import Customer, error_of, nanos
from stack import EMBEDDING, charge_nanos

# What the mock says every answer used.
PROMPT_TOKENS = 1237
COST = charge_nanos(EMBEDDING, prompt=PROMPT_TOKENS, completion=0)


def mock_vector(index: int, dimensions: int = 4) -> list[float]:
    return [float(index)] + [(index * 7 + place * 3) % 16 / 16 - 0.5 for place in range(1, dimensions)]


def nearness(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_an_answer_says_what_it_cost(customer: Customer):
    raw = customer.client.embeddings.with_raw_response.create(model="mock/embed", input=["one", "two", "three"])
    answer = raw.parse()
    assert (answer.object, answer.model) == ("list", "mock/embed")
    assert [each.embedding for each in answer.data] == [mock_vector(index) for index in range(3)]
    assert [each.index for each in answer.data] == [0, 1, 2]
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (PROMPT_TOKENS, PROMPT_TOKENS)
    assert nanos(answer.usage.cost) == COST == customer.only_charge()
    assert raw.headers["x-generation-id"] == answer.id and raw.headers["x-provider-name"] == "mock"
    generation = customer.generation(answer.id)
    assert (generation["api_type"], generation["streamed"], nanos(generation["total_cost"])) == ("embeddings", False, COST)
    assert (generation["native_tokens_prompt"], generation["native_tokens_completion"]) == (PROMPT_TOKENS, 0)


@pytest.mark.parametrize("model", ["mock/embed", "mock/embed-floats"])
def test_a_vector_is_the_same_in_both_forms_whatever_the_upstream_sends(customer: Customer, model: str):
    by_default = customer.client.embeddings.create(model=model, input="hello", dimensions=5)
    floats = customer.client.embeddings.create(model=model, input="hello", dimensions=5, encoding_format="float")
    packed = customer.client.embeddings.create(model=model, input="hello", dimensions=5, encoding_format="base64")
    assert by_default.data[0].embedding == floats.data[0].embedding == mock_vector(0, 5)
    assert list(struct.unpack("<5f", base64.b64decode(packed.data[0].embedding))) == mock_vector(0, 5)


@pytest.mark.parametrize("tokens", [[1, 2, 3, 4, 5], [[1, 2, 3], [4, 5]]])
def test_tokens_are_counted_exactly_where_nobody_reports_them(customer: Customer, tokens: list):
    customer.client.embeddings.create(model="mock/embed", input=tokens)
    answer = customer.client.embeddings.create(model="demo/embed", input=tokens)
    assert answer.usage.prompt_tokens == 5 and len(answer.data) == (2 if isinstance(tokens[0], list) else 1)
    assert nanos(answer.usage.cost) == charge_nanos(EMBEDDING, prompt=5, completion=0)


def test_parts_of_text_and_pictures_are_taken(customer: Customer):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    body = {"model": "demo/embed", "input": [{"content": [{"type": "text", "text": "a cat"}, picture]}], "input_type": "document"}
    answer = customer.http.post("/v1/embeddings", body)
    assert answer.status == 200 and len(answer.json["data"]) == 1, answer
    assert nanos(answer.json["usage"]["cost"]) == customer.only_charge()


def test_many_long_vectors_come_whole(customer: Customer):
    count, dimensions = 512, 1536
    answer = customer.client.embeddings.create(model="mock/embed", input=["x"] * count, dimensions=dimensions)
    assert len(answer.data) == count
    assert all(each.embedding == mock_vector(index, dimensions) for index, each in enumerate(answer.data))
    floats = customer.client.embeddings.create(model="mock/embed", input=["x"] * count, dimensions=dimensions, encoding_format="float")
    assert [each.embedding for each in floats.data] == [each.embedding for each in answer.data]


def test_the_demo_embeds_texts_that_mean_the_same_near_each_other(customer: Customer):
    texts = ["How do I reset my password?", "I forgot my password, how can I reset it?", "The weather in Paris is sunny today."]
    answer = customer.client.embeddings.create(model="demo/embed", input=texts)
    question, same, other = (each.embedding for each in answer.data)
    assert len(question) == 512 and abs(nearness(question, question) - 1) < 1e-5
    assert nearness(question, same) > 2 * nearness(question, other)
    assert customer.client.embeddings.create(model="demo/embed", input=texts[1]).data[0].embedding == same
    assert len(customer.client.embeddings.create(model="demo/embed", input="x", dimensions=16).data[0].embedding) == 16


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": 3}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"user": 7}, "user"),
        ({"model": "mock/none"}, "model"),
        ({"model": "mock/any"}, "model"),
    ],
)
def test_a_mistake_is_told_by_its_field_and_costs_nothing(customer: Customer, more: dict, param: str):
    with pytest.raises(openai.BadRequestError) as refused:
        customer.client.embeddings.create(**({"model": "mock/embed", "input": "hello"} | more))
    assert refused.value.param == param
    assert customer.charged_nothing()


def test_a_model_that_embeds_does_not_answer(customer: Customer):
    error = error_of(customer.post_chat("hello", "mock/embed"))
    assert error["code"] == 400 and "/api/v1/embeddings" in error["message"]
    with pytest.raises(openai.BadRequestError):
        customer.client.responses.create(model="mock/embed", input="hello")
    assert customer.charged_nothing()


def test_what_the_provider_refuses_is_told_as_for_chat(customer: Customer):
    with pytest.raises(openai.RateLimitError) as limited:
        customer.client.embeddings.create(model="mock/embed-limited", input="hello")
    assert int(limited.value.response.headers["retry-after"]) <= 7
    with pytest.raises(openai.InternalServerError):
        customer.client.embeddings.create(model="mock/embed-broken", input="hello")
    assert customer.charged_nothing()
    answer = customer.client.embeddings.create(
        model="mock/embed-broken", input="hello", extra_body={"models": ["mock/embed"], "provider": {"sort": "price"}}
    )
    assert answer.model == "mock/embed" and customer.only_charge() == COST


def test_a_balance_that_does_not_cover_it_is_told(customer_with):
    customer = customer_with("0.000001")
    with pytest.raises(openai.APIStatusError) as refused:
        customer.client.embeddings.create(model="mock/embed", input=[[7] * 9])
    assert refused.value.status_code == 402 and "max_tokens" not in refused.value.message
    assert "send fewer inputs" in refused.value.body["metadata"]["remedy_hint"], refused.value.body
    assert customer.charged_nothing()


def test_models_that_embed_are_listed_apart(customer: Customer):
    listed = lambda path: {model["id"]: model for model in customer.http.get(path).data}  # noqa: E731
    embedding = listed("/api/v1/embeddings/models")
    assert "mock/embed" in embedding and "mock/any" not in embedding
    assert embedding["mock/embed"]["architecture"]["modality"] == "text->embeddings"
    assert "mock/embed" not in {model.id for model in customer.client.models.list()}
    assert embedding == listed("/v1/models?output_modalities=embeddings")
    assert {"mock/embed", "mock/any"} <= listed("/api/v1/models?output_modalities=all").keys()
