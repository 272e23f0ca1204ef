from __future__ import annotations

from typing import Any

import pytest
from services.inference.tests.engines.wrappers.engines import FakeEngine, asked, streamed

from inference.engines.wrappers.checked_calls import CheckedCalls
from inference.errors import UpstreamBroke

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def _calling(arguments: str) -> dict[str, Any]:
    return {"content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": arguments}}]}


async def test_without_tools_an_answer_passes_as_it_is() -> None:
    answer = await CheckedCalls("m", FakeEngine(_calling("{broken"))).complete(asked())
    assert answer.choices[0]["message"]["tool_calls"][0]["function"]["arguments"] == "{broken"


async def test_calls_are_mended_whole_and_in_a_stream() -> None:
    engine = CheckedCalls("m", FakeEngine(*[_calling('```{"a": 1}```')] * 2))
    (choice,) = (await engine.complete(asked(tools=TOOLS))).choices
    _, calls, tokens = await streamed(engine.stream(asked(tools=TOOLS)))
    for call in (choice["message"]["tool_calls"][0], calls[0]):
        assert (call["type"], call["function"]["arguments"]) == ("function", '{"a": 1}')
    assert tokens == 4


async def test_a_call_that_can_not_be_read_is_asked_for_once_more_and_both_are_paid_for() -> None:
    inner = FakeEngine(_calling("{broken"), _calling("{}"))
    _, calls, tokens = await streamed(CheckedCalls("m", inner).stream(asked(tools=TOOLS, stream=True)))
    assert [call["function"]["arguments"] for call in calls] == ["{}"]
    assert tokens == 8
    assert [request.stream for request in inner.requests] == [True, False]


async def test_an_answer_that_is_broken_twice_fails() -> None:
    with pytest.raises(UpstreamBroke):
        await CheckedCalls("m", FakeEngine(*[_calling("{broken")] * 2)).complete(asked(tools=TOOLS))
