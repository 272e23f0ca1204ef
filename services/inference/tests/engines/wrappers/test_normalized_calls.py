from __future__ import annotations

from typing import Any

import pytest
from services.inference.tests.engines.wrappers.engines import FakeEngine, asked, streamed

from inference.engines.wrappers.normalized_calls import NormalizedCalls

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def _calling(arguments: str) -> dict[str, Any]:
    return {"content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": arguments}}]}


async def test_without_tools_an_answer_passes_as_it_is() -> None:
    answer = await NormalizedCalls("m", FakeEngine(_calling("```{}"))).complete(asked())
    assert answer.choices[0]["message"]["tool_calls"][0]["function"]["arguments"] == "```{}"


@pytest.mark.parametrize(("written", "expected"), [('```{"a": 1}```', '{"a": 1}'), ("{broken", "{broken")])
async def test_whole_and_streamed_calls_are_the_same_and_the_model_is_asked_once(written: str, expected: str) -> None:
    inner = FakeEngine(*[_calling(written)] * 2)
    engine = NormalizedCalls("m", inner)
    (choice,) = (await engine.complete(asked(tools=TOOLS))).choices
    _, calls, tokens = await streamed(engine.stream(asked(tools=TOOLS, stream=True)))
    whole = choice["message"]["tool_calls"][0]
    assert (whole["type"], whole["function"]["arguments"]) == ("function", expected)
    assert "".join(call["function"]["arguments"] for call in calls) == expected
    assert (calls[0]["function"]["name"], tokens, len(inner.requests)) == ("f", 4, 2)


async def test_the_reason_comes_after_the_last_part_of_a_call() -> None:
    engine = NormalizedCalls("m", FakeEngine(_calling("```{}```")))
    choices = [choice async for piece in engine.stream(asked(tools=TOOLS)) for choice in piece.choices]
    assert [bool(choice["delta"].get("tool_calls")) for choice in choices] == [True, True, False]
    assert [choice["finish_reason"] for choice in choices] == [None, None, "tool_calls"]
