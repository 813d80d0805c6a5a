"""One running stack for all tests, one account of its own for each.

After every test its account's books are checked: nothing held, every request charged once at most, and the balance
is what was credited less what was charged. After the last test the whole ledger is audited and replayed.
"""

import json
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import anthropic
import openai
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from stack import UNEVEN, Api, Tollgate, charge_nanos, chosen_stack, nanos, standard_channels  # noqa: E402


@pytest.fixture(scope="session")
def stack():
    with chosen_stack(standard_channels()) as running:
        yield running
        running.tollgate.verify_books()
        running.verify_stopped()


@dataclass
class Customer:
    """An account with a key, and the SDK's client for it."""

    tollgate: Tollgate
    account: str
    key: str
    credited: int

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(api_key=self.key, base_url=f"{self.tollgate.url}/api/v1", max_retries=0, timeout=30)

    @property
    def anthropic(self) -> anthropic.Anthropic:
        return anthropic.Anthropic(api_key=self.key, base_url=f"{self.tollgate.url}/api", max_retries=0, timeout=30)

    def message(self, text: str, model: str = "claude/any", **more):
        return self.anthropic.messages.create(model=model, max_tokens=200, messages=[{"role": "user", "content": text}], **more)

    @property
    def http(self) -> Api:
        return Api(self.tollgate.url, self.key)

    def chat(self, message: str, model: str = "mock/any", **more):
        return self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": message}], **more)

    def post_chat(self, message: str, model: str = "mock/any", **more):
        body = {"model": model, "messages": [{"role": "user", "content": message}]} | more
        return self.http.post("/api/v1/chat/completions", body)

    def events(self, message: str, model: str = "mock/any", **more) -> list:
        """The data of every event of a streamed answer, read without an SDK."""
        return events_of(self.post_chat(message, model, stream=True, **more).body)

    def settled(self) -> dict:
        """The account once idle, its books checked."""
        account = self.tollgate.idle_account(self.account)
        charges = self.tollgate.charges(self.account)
        assert all(len(each) == 1 for each in charges.values()), f"charged more than once: {charges}"
        assert all(each[0] > 0 for each in charges.values()), charges
        assert nanos(account["balance"]) == self.credited - sum(each[0] for each in charges.values())
        assert account["available"] == account["balance"]
        return account

    def only_charge(self) -> int:
        """Nano-dollars of the only charge there is."""
        self.settled()
        (charge,) = self.tollgate.charges(self.account).values()
        return charge[0]

    def charged_nothing(self) -> bool:
        self.settled()
        return self.tollgate.charges(self.account) == {}

    def generation(self, generation_id: str) -> dict:
        answer = self.http.get(f"/api/v1/generation?id={generation_id}")
        assert answer.status == 200, answer
        return answer.data


@pytest.fixture
def customer_with(stack):
    """Makes customers with a given credit; checks the books of all of them at the end."""
    made = []

    def make(credit: str = "1", **key) -> Customer:
        account = stack.tollgate.create_account("test", credit)
        made.append(Customer(stack.tollgate, account, stack.tollgate.create_key(account, **key), nanos(credit)))
        return made[-1]

    yield make
    for customer in made:
        customer.settled()


@pytest.fixture
def customer(customer_with):
    return customer_with()


def events_of(body: bytes) -> list:
    """Events as the gateway must write them: LF only, one `data:` line each, comments between."""
    assert b"\r" not in body and body.endswith(b"\n\n"), body[-200:]
    events = []
    for block in body.decode().split("\n\n")[:-1]:
        lines = [line for line in block.split("\n") if not line.startswith(":")]
        if lines:
            (line,) = lines
            data = line.removeprefix("data: ")
            assert data != line, line
            events.append(data if data == "[DONE]" else json.loads(data, parse_float=Decimal))
    return events


def text_of(events: list) -> str:
    chunks = [event["choices"][0]["delta"].get("content") or "" for event in events if event != "[DONE]" and event["choices"]]
    return "".join(chunks)


def expected_nanos(**tokens) -> int:
    """What the standard price makes of OpenAI's counts."""
    return charge_nanos(UNEVEN, **tokens)


def error_of(answer) -> dict:
    """The error of a refusal, its envelope checked."""
    error = answer.json["error"]
    assert error["code"] == answer.status, error
    assert isinstance(error["message"], str) and error["message"], error
    assert isinstance(error["metadata"]["error_type"], str), error
    return error
