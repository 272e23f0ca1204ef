"""Each server's documented way of saying that something went wrong, and what it is to the caller."""

from __future__ import annotations

from typing import Any

import pytest

from inference.engines.openai.failures import failure_of, is_failure

INSIDE_A_STREAM = 200


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


@pytest.mark.parametrize(
    ("status", "answer", "becomes", "code"),
    [
        # OpenAI
        (400, error("no", type="invalid_request_error", param="top_p", code=None), 400, "upstream_refused"),
        (400, error("long", code="context_length_exceeded"), 400, "context_length_exceeded"),
        (429, error("slow down", type="requests", code="rate_limit_exceeded"), 429, "queue_full"),
        (429, error("pay", type="insufficient_quota", code="insufficient_quota"), 502, "upstream_error"),
        (503, error("The engine is currently overloaded, please try again later"), 429, "queue_full"),
        # vLLM: new, old, and its own bounded line
        (400, error("This model's maximum context length is 512 tokens.", code=400), 400, "context_length_exceeded"),
        (400, {"object": "error", "message": "bad grammar", "code": 400}, 400, "upstream_refused"),
        (503, error("The engine is currently busy and cannot accept new requests.", code=503), 429, "queue_full"),
        (404, error("The model `x` does not exist.", type="NotFoundError", code=404), 502, "upstream_error"),
        # llama.cpp
        (400, error("too big", type="exceed_context_size_error", code=400), 400, "context_length_exceeded"),
        (503, error("Loading model", type="unavailable_error", code=503), 503, "model_not_ready"),
        # Ollama
        (404, error('model "x" not found, try pulling it first', type="api_error"), 502, "upstream_error"),
        (503, error("server busy, please try again.  maximum pending requests exceeded"), 429, "queue_full"),
        # Anthropic
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 429, "queue_full"),
        (400, error("prompt is too long: 210000 tokens > 200000 maximum"), 400, "context_length_exceeded"),
        # Google: a list
        (400, [error("Invalid value at temperature", code=400, status="INVALID_ARGUMENT")], 400, "upstream_refused"),
        (429, [error("quota", code=429, status="RESOURCE_EXHAUSTED")], 429, "queue_full"),
        (400, [error("The input token count (9) exceeds the maximum", code=400)], 400, "context_length_exceeded"),
        # Cohere and FastAPI: no `error` at all
        (400, {"message": "invalid request: temperature must be between 0 and 1"}, 400, "upstream_refused"),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, 400, "upstream_refused"),
        # proxies in between
        (500, None, 502, "upstream_error"),
        (401, "<html>no</html>", 502, "upstream_error"),
        # inside a stream that began as a success: the status is in the content, or in the name of the error
        (INSIDE_A_STREAM, error("boom", code=500), 502, "upstream_error"),
        (INSIDE_A_STREAM, error("bad", type="BadRequestError", code=400), 400, "upstream_refused"),
        (INSIDE_A_STREAM, {"type": "error", "error": {"type": "overloaded_error"}}, 429, "queue_full"),
        (INSIDE_A_STREAM, error("slow", type="rate_limit_error"), 429, "queue_full"),
        (INSIDE_A_STREAM, {"error": "at capacity"}, 502, "upstream_error"),
    ],
)
def test_what_a_server_says_becomes_the_documented_error(status: int, answer: Any, becomes: int, code: str) -> None:
    assert status >= 400 or is_failure(answer)
    failure = failure_of("far", "org/far", status, {}, answer)
    assert (failure.http_status, failure.code) == (becomes, code)


def test_a_servers_words_reach_the_caller_only_where_the_request_is_wrong() -> None:
    for status in (400, 401, 404, 429, 500, 503):
        failure = failure_of("far", "org/far", status, {}, error("secret words", param="top_p"))
        assert ("secret words" in failure.message) == (status == 400)
    assert failure_of("far", "org/far", 400, {}, error("no", param="top_p")).param == "top_p"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("frequency_penalty must be in [-2, 2], got 3.0.", "frequency_penalty"),
        ("n must be 1 when using greedy sampling, got 2.", "n"),
        ("temperature: must be at most 1", "temperature"),
        ("Grammar error: Invalid type: foo", None),
        ("The request must be shorter", None),
    ],
)
def test_the_parameter_is_named_where_only_the_message_does(message: str, param: str | None) -> None:
    assert failure_of("far", "org/far", 400, {}, error(message, param=None)).param == param


@pytest.mark.parametrize(
    ("headers", "answer", "seconds"),
    [
        ({"Retry-After": "7"}, {}, 7),
        ({"Retry-After": "0.4"}, {}, 1),
        ({"Retry-After": "999999"}, {}, 3600),
        ({"retry-after-ms": "2500", "Retry-After": "3"}, {}, 2.5),
        ({"Retry-After": "Wed, 25 Nov 2026 03:00:30 GMT", "Date": "Wed, 25 Nov 2026 03:00:10 GMT"}, {}, 20),
        ({"Retry-After": "soon"}, {}, 5),
        ({}, [error("quota", code=429, details=[{"@type": "RetryInfo", "retryDelay": "17s"}])], 17),
        ({}, {}, 5),
    ],
)
def test_when_to_come_back_is_what_the_server_says(headers: dict[str, str], answer: Any, seconds: float) -> None:
    assert failure_of("far", "org/far", 429, headers, answer).retry_after == seconds


@pytest.mark.parametrize(
    "answer",
    [{"choices": [], "error": None}, {"object": "chat.completion"}, {"data": []}],
)
def test_an_answer_is_no_failure(answer: Any) -> None:
    assert not is_failure(answer)
