from __future__ import annotations

from typing import Any

import pytest
from services.inference.tests.api.calls import ask, error_of


@pytest.mark.parametrize(
    ("more", "code", "param"),
    [
        ({"top_k": 2}, "unsupported_parameter", "top_k"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools_unsupported", "tools.0.type"),
        ({"functions": [{"name": "f"}]}, "tools_unsupported", "functions"),
        ({"tool_choice": "required"}, "invalid_request", "tool_choice"),
        ({"response_format": {"type": "xml"}}, "invalid_request", "response_format"),
        ({"frequency_penalty": 2.5}, "invalid_request", "frequency_penalty"),
        ({"logit_bias": {"x": 1}}, "invalid_request", "logit_bias"),
        ({"logprobs": "yes please"}, "invalid_request", "logprobs"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"type": "string", "minLength": 3, "maxLength": 1}},
                }
            },
            "unsupported_schema",
            "response_format.json_schema.schema",
        ),
        ({"stop": [str(number) for number in range(17)]}, "invalid_request", "stop"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "content_unsupported",
            "messages.0.content",
        ),
    ],
)
def test_what_the_engine_can_not_do_is_refused_not_ignored(
    running: Any, more: dict[str, Any], code: str, param: str
) -> None:
    answer = running.post("/v1/chat/completions", ask() | more)
    assert answer.status_code == 400
    error = error_of(answer)
    assert (error["code"], error["param"]) == (code, param)


def test_values_that_ask_for_nothing_are_taken(running: Any) -> None:
    more = {"frequency_penalty": 0, "tools": [], "n": 1, "user": "u", "response_format": {"type": "text"}, "seed": 7}
    assert running.post("/v1/chat/completions", ask(**more)).status_code == 200


def test_a_prompt_that_is_too_long_names_what_its_tools_take(running: Any) -> None:
    """As front ends fill a small model with tools of their own."""
    tool = {"type": "function", "function": {"name": "f", "description": "word " * 100}}
    error = error_of(running.post("/v1/chat/completions", ask(tools=[tool])))
    assert error["code"] == "context_length_exceeded"
    assert "your messages and tools resulted in" in error["message"]
    assert "in the tools)" in error["message"]
