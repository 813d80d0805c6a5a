"""Legacy completions with OpenAI's SDK: texts whole and streamed, bills, mistakes."""

import openai
import pytest
from conftest import Customer, nanos

PROMPT = "mock:chunks=12&cached_tokens=4"


def test_a_completion_says_the_same_whole_streamed_and_in_chat(customer: Customer):
    create = customer.client.completions.create
    whole = create(model="mock/any", prompt=PROMPT)
    chunks = list(create(model="mock/any", prompt=PROMPT, stream=True))
    chat = customer.client.chat.completions.create(model="mock/any", messages=[{"role": "user", "content": PROMPT}])
    assert (whole.object, whole.model, whole.choices[0].finish_reason) == ("text_completion", "mock/any", "stop")
    assert whole.choices[0].text == chat.choices[0].message.content
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == whole.choices[0].text
    assert {chunk.object for chunk in chunks} == {"text_completion"}
    assert whole.usage.cost == chunks[-1].usage.cost == chat.usage.cost
    customer.settled()
    assert sum(charge for charge, *_ in customer.tollgate.charges(customer.account).values()) == nanos(whole.usage.cost) * 3


@pytest.mark.parametrize(
    ("more", "error", "param"),
    [
        ({"model": "nobody/nothing"}, openai.BadRequestError, "model"),
        ({"prompt": ["one", "two"]}, openai.BadRequestError, "prompt"),
        ({"prompt": [1, 2]}, openai.BadRequestError, "prompt"),
        ({"echo": True}, openai.BadRequestError, "echo"),
        ({"suffix": "the end"}, openai.BadRequestError, "suffix"),
        ({"best_of": 2}, openai.BadRequestError, "best_of"),
    ],
)
def test_what_is_refused_is_named(customer: Customer, more: dict, error: type, param: str):
    with pytest.raises(error) as refused:
        customer.client.completions.create(**{"model": "mock/any", "prompt": PROMPT} | more)
    assert refused.value.param == param
    assert customer.charged_nothing()


def test_the_errors_of_a_provider_are_the_sdks_own(customer: Customer):
    with pytest.raises(openai.APIStatusError) as broken:
        customer.client.completions.create(model="mock/broken", prompt="Hi")
    assert broken.value.status_code >= 500
    assert customer.charged_nothing()
