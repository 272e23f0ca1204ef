from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refused_field
from openai.types.responses import Response as OpenAiResponse

from contracts.models.responses import MAX_ITEMS, Response, ResponseRequest

ASK: dict[str, Any] = {"model": "big", "input": "Why?"}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"input": []}, "input"),
        ({"input": "\ud800"}, "input"),
        ({"input": [{"role": "user", "content": "\ud800"}]}, "input"),
        ({"input": [{"type": "message"}] * (MAX_ITEMS + 1)}, "input"),
        ({"input": ["a"]}, "input"),
        ({"model": ""}, "model"),
        ({"instructions": "\ud800"}, "instructions"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"text": {"form": {}}}, "text"),
        ({"text": {"format": {"schema": float("inf")}}}, "text"),
        ({"reasoning": {"efort": "low"}}, "reasoning"),
        ({"tools": [{"x": float("nan")}]}, "tools"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"max_tool_calls": -1}, "max_tool_calls"),
        ({"groundwork": {"top_k": 0}}, "groundwork"),
    ],
)
def test_a_wrong_field_is_refused_by_name(more: dict[str, Any], field: str) -> None:
    assert refused_field(ResponseRequest, {**ASK, **more}) == field


def test_a_field_that_is_not_named_is_kept_to_be_refused_by_its_name() -> None:
    request = ResponseRequest.model_validate({**ASK, "temprature": 1, "Model": "other"})
    assert set(request.model_extra or {}) == {"temprature", "Model"}


def test_items_are_taken_as_they_came() -> None:
    items = [{"role": "user", "content": [{"type": "input_text", "text": "Why?"}]}, {"type": "reasoning", "id": "rs"}]
    assert ResponseRequest.model_validate({**ASK, "input": items}).input == items


def test_a_response_is_one_to_openais_typed_client_and_says_that_nothing_is_kept() -> None:
    made = Response(id="resp_1", created_at=0, status="completed", model="big", output=[])
    shown = made.model_dump(mode="json")
    read = OpenAiResponse.model_validate(shown)
    assert (read.object, read.status, read.tool_choice, read.parallel_tool_calls) == (
        "response",
        "completed",
        "auto",
        True,
    )
    assert (shown["store"], shown["background"], shown["previous_response_id"]) == (False, False, None)
