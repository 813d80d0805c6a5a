"""`Idempotency-Key`: a repeated call costs nothing and says what became of the first."""

from concurrent.futures import ThreadPoolExecutor

from stack import nanos


def post(customer, message, word, **more):
    body = {"model": "mock/any", "messages": [{"role": "user", "content": message}]} | more
    return customer.http.post("/api/v1/chat/completions", body, {"idempotency-key": word})


def test_a_repeated_call_is_refused_with_the_firsts_id_state_and_cost(customer):
    first = post(customer, "hello", "order-1")
    assert first.status == 200, first
    again = post(customer, "hello", "order-1")
    assert again.status == 409, again
    metadata = again.json["error"]["metadata"]
    assert metadata["error_type"] == "conflict" and metadata["reason"] == "idempotency_key_repeated", again
    assert (metadata["generation_id"], metadata["state"]) == (first.json["id"], "settled")
    assert again.headers["x-generation-id"] == first.json["id"]
    assert nanos(metadata["cost"]) == nanos(first.json["usage"]["cost"]) == customer.only_charge()


def test_a_repeated_call_in_anthropics_dialect_is_refused_in_its_envelope(customer):
    def post():
        body = {"model": "mock/any", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
        return customer.http.post("/api/v1/messages", body, {"idempotency-key": "order-1"})

    first = post()
    assert first.status == 200, first
    again = post()
    assert again.status == 409 and again.json["type"] == "error", again
    metadata = again.json["error"]["metadata"]
    assert (metadata["reason"], metadata["state"]) == ("idempotency_key_repeated", "settled")
    assert metadata["generation_id"] == again.headers["request-id"] == first.json["id"]
    assert nanos(metadata["cost"]) == nanos(first.json["usage"]["cost"]) == customer.only_charge()


def test_another_body_under_the_same_word_is_a_mistake_and_costs_nothing(customer):
    assert post(customer, "hello", "order-1").status == 200
    other = post(customer, "good bye", "order-1")
    assert other.status == 409 and other.json["error"]["metadata"]["reason"] == "idempotency_key_reused", other
    customer.only_charge()


def test_a_word_whose_request_cost_nothing_is_free_for_another_body(customer):
    assert post(customer, "mock:status=400", "order-1").status == 400
    assert customer.charged_nothing()
    assert post(customer, "hello", "order-1").status == 200, "the caller mended its request"
    customer.only_charge()


def test_words_belong_to_their_key(customer_with):
    for customer in (customer_with(), customer_with()):
        assert post(customer, "hello", "order-1").status == 200


def test_a_running_stream_is_told_as_running(customer):
    with ThreadPoolExecutor(1) as pool:
        slow = "mock:chunks=40&delay_ms=25"
        running = pool.submit(post, customer, slow, "order-1", stream=True)
        answers = []
        while not running.done():
            answers.append(post(customer, slow, "order-1", stream=True))
            if answers[-1].status != 409:
                # It came before the other one.
                break
        answers.append(running.result())
    assert [answer.status for answer in answers].count(200) == 1, answers
    states = {answer.json["error"]["metadata"]["state"] for answer in answers if answer.status == 409}
    assert "running" in states and states <= {"running", "settled"}, states
    customer.only_charge()


def test_a_request_that_came_to_nothing_frees_its_word(customer):
    for status in (500, 400):
        failed = post(customer, f"mock:status={status}", f"order-{status}")
        assert failed.status >= 400, failed
        again = post(customer, f"mock:status={status}", f"order-{status}")
        assert again.status == failed.status, again
    assert customer.charged_nothing()


def test_a_refused_request_frees_its_word(customer_with):
    poor = customer_with("0.000000001")
    assert [post(poor, "hello", "order-1").status for _ in range(2)] == [402, 402]


def test_of_many_at_once_one_is_answered(customer):
    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(answer.status for answer in pool.map(lambda _: post(customer, "mock:delay_ms=20", "order-1"), range(20)))
    assert statuses == [200] + [409] * 19, statuses
    customer.only_charge()


def test_a_word_that_cannot_be_one_is_refused_by_name(customer):
    for word in ("", "two words", "x" * 256):
        refused = post(customer, "hello", word)
        assert refused.status == 400 and refused.json["error"]["param"] == "Idempotency-Key", refused
    assert post(customer, "hello", "x" * 255).status == 200
    customer.only_charge()
