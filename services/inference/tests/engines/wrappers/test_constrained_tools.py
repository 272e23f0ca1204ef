from __future__ import annotations

import json

import pytest
from services.inference.tests.engines.wrappers.engines import FakeEngine, asked, streamed

from inference.engines.wrappers.constrained_tools import ConstrainedTools
from inference.errors import Unsupported

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


@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        ('{"name": "weather", "arguments": {"city": oops', "weather", '{"city": oops'),
        ('{"name": "weather", "arguments": {}}', "weather", "{}"),
        ('{"name": "fly", "arguments": {"to": "Oslo"}}', "fly", '{"to": "Oslo"}'),
    ],
)
async def test_a_call_that_does_not_fit_is_handed_on_and_the_model_asked_once(
    said: str, name: str, arguments: str
) -> None:
    inner = FakeEngine(said, said)
    engine = ConstrainedTools("m", inner)
    (choice,) = (await engine.complete(asked(tools=TOOLS))).choices
    _, (streamed_call,), tokens = await streamed(engine.stream(asked(tools=TOOLS)))
    for call in (*choice["message"]["tool_calls"], streamed_call):
        assert call["function"] == {"name": name, "arguments": arguments}
    assert (choice["finish_reason"], tokens, len(inner.requests)) == ("tool_calls", 4, 2)


async def test_what_is_neither_a_call_nor_an_answer_is_text() -> None:
    engine = ConstrainedTools("m", FakeEngine("{broken", "{broken"))
    (choice,) = (await engine.complete(asked(tools=TOOLS, tool_choice="required"))).choices
    assert (choice["message"]["content"], choice["finish_reason"]) == ("{broken", "stop")
    assert await streamed(engine.stream(asked(tools=TOOLS))) == ("{broken", [], 4)


async def test_log_probabilities_of_json_that_nobody_sees_are_refused() -> None:
    with pytest.raises(Unsupported):
        await ConstrainedTools("m", FakeEngine()).complete(asked(tools=TOOLS, logprobs=True))
