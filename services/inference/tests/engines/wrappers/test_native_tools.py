from __future__ import annotations

import json
from typing import Any

import pytest
from services.inference.tests.engines.wrappers.engines import FakeEngine, asked, streamed

from inference.engines.wrappers.native_tools import NativeTools, WrittenCalls

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": CITY}} for name in ("weather", "time")]
CALL = '{"name": "weather", "arguments": {"city": "Oslo"}}'
NAMED = {"type": "function", "function": {"name": "time"}}


@pytest.mark.parametrize("text", [CALL, f"\n```json\n{CALL}\n```", CALL.replace('{"city"', ' {"city"')])
async def test_a_text_that_is_nothing_but_a_call_is_the_call(text: str) -> None:
    whole = await WrittenCalls("m", FakeEngine(text)).complete(asked(tools=TOOLS))
    (choice,) = whole.choices
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    (call,) = choice["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("weather", {"city": "Oslo"})
    said, calls, tokens = await streamed(WrittenCalls("m", FakeEngine(text)).stream(asked(tools=TOOLS)))
    assert (said, [each["function"] for each in calls], tokens) == ("", [call["function"]], 4)


@pytest.mark.parametrize(
    "text",
    [
        "It is cold.",
        f"Like so: {CALL}",
        f"{CALL} There.",
        '{"name": "other", "arguments": {}}',
        '{"name": "weather", "arguments": {"town": "Oslo"}}',
        '{"answer": 42}',
        "[1, 2]",
        "{",
        "",
    ],
)
async def test_any_other_text_stays_one(text: str) -> None:
    whole = await WrittenCalls("m", FakeEngine(text)).complete(asked(tools=TOOLS))
    assert (whole.choices[0]["message"]["content"], whole.choices[0]["finish_reason"]) == (text, "stop")
    assert await streamed(WrittenCalls("m", FakeEngine(text)).stream(asked(tools=TOOLS))) == (text, [], 4)


async def test_a_call_in_the_models_own_form_is_passed_on() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    engine = NativeTools("m", FakeEngine({"content": None, "tool_calls": [call]}, {"tool_calls": [call]}))
    whole = await engine.complete(asked(tools=TOOLS))
    assert whole.choices[0]["message"]["tool_calls"] == [call]
    assert (await streamed(engine.stream(asked(tools=TOOLS))))[1][0]["function"] == call["function"]


@pytest.mark.parametrize(("choice", "schemas"), [("auto", 0), ("required", 1), (NAMED, 1), ("none", 0)])
async def test_only_a_call_that_must_be_made_is_held_to_its_schema(choice: Any, schemas: int) -> None:
    inner = FakeEngine(CALL.replace("weather", "time"))
    await NativeTools("m", inner).complete(asked(tools=TOOLS, tool_choice=choice))
    extra = inner.requests[0].model_extra or {}
    assert ("response_format" in extra, "tools" in extra) == (bool(schemas), not schemas)


async def test_without_tools_all_is_as_it_was() -> None:
    assert await streamed(NativeTools("m", FakeEngine(CALL)).stream(asked())) == (CALL, [], 4)
