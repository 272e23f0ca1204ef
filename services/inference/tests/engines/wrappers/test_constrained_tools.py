from __future__ import annotations

import json

import pytest
from services.inference.tests.engines.wrappers.engines import FakeEngine, asked, streamed

from inference.engines.wrappers.constrained_tools import ConstrainedTools
from inference.errors import Unsupported, UpstreamBroke

PLACE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": PLACE}}]
CALL = '{"name": "weather", "arguments": {"city": "Oslo"}}'


async def test_tools_become_a_schema_of_the_answer_which_is_read_back_into_calls() -> None:
    inner = FakeEngine(CALL)
    (choice,) = (await ConstrainedTools("m", inner).complete(asked(tools=TOOLS))).choices
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == {"city": "Oslo"}
    assert choice["finish_reason"] == "tool_calls"
    (request,) = inner.requests
    assert "tools" not in (request.model_extra or {})
    assert (request.model_extra or {})["response_format"]["type"] == "json_schema"
    assert "weather" in request.messages[0].plain_text()


async def test_text_streams_while_its_json_is_written_and_calls_come_whole() -> None:
    engine = ConstrainedTools("m", FakeEngine('{"text": "Hello"}', CALL))
    assert await streamed(engine.stream(asked(tools=TOOLS))) == ("Hello", [], 4)
    text, calls, _ = await streamed(engine.stream(asked(tools=TOOLS)))
    assert (text, [call["function"]["name"] for call in calls]) == ("", ["weather"])


async def test_a_malformed_answer_is_asked_for_once_more_then_fails() -> None:
    inner = FakeEngine("{broken", CALL, "{broken", "{broken")
    answer = await ConstrainedTools("m", inner).complete(asked(tools=TOOLS))
    assert answer.choices[0]["message"]["tool_calls"]
    assert (answer.usage or {})["total_tokens"] == 8
    with pytest.raises(UpstreamBroke):
        await ConstrainedTools("m", inner).complete(asked(tools=TOOLS))


async def test_log_probabilities_of_json_that_nobody_sees_are_refused() -> None:
    with pytest.raises(Unsupported):
        await ConstrainedTools("m", FakeEngine()).complete(asked(tools=TOOLS, logprobs=True))
