from __future__ import annotations

from contracts.models.chat import ChatRequest
from inference.engines.wrappers.second_answer import repeated_request, total_usage


def test_the_second_question_is_for_one_whole_answer() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True, "n": 3}
    again = repeated_request(ChatRequest.model_validate({**body, "stream_options": {"include_usage": True}}))
    assert (again.stream, again.stream_options, again.n, again.messages[0].content) == (False, None, 1, "x")


def test_both_answers_are_paid_for() -> None:
    first = {"prompt_tokens": 3, "completion_tokens": 1, "details": {"cached": 1}}
    assert total_usage(first, {"prompt_tokens": 4, "completion_tokens": 2}) == {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "details": {"cached": 1},
    }
    assert total_usage(None, first) == first
    assert total_usage(None, None) is None
