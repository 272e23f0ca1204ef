from __future__ import annotations

import json

import pytest
from services.inference.tests.tool_calls.declared import WEATHER, tools

from inference.tool_calls.calls import CallReader

UNIQUE = {"type": "object", "properties": {"days": {"type": "array", "uniqueItems": True}}, "required": ["days"]}


WAIT = {"name": "wait", "parameters": {}}
CALL = '{"name": "weather", "arguments": {"city": "Paris"}}'


@pytest.mark.parametrize("end", range(1, len(CALL)))
@pytest.mark.parametrize("choice", ["required", "auto"])
def test_a_call_that_is_cut_anywhere_is_given_as_far_as_it_came(end: int, choice: str) -> None:
    reader = CallReader(tools(WEATHER, choice=choice), structured=False)
    assert reader.feed(CALL[:end]) == ""
    text, calls = reader.finish("length")
    assert text == ""
    assert [call["function"]["name"] for call in calls] == ["weather"]
    written = calls[0]["function"]["arguments"]
    assert '{"city": "Paris"}'.startswith(written)
    assert len(written) == max(0, min(end, len(CALL) - 1) - CALL.index('{"city"'))


def test_calls_before_one_that_is_cut_are_whole() -> None:
    reader = CallReader(tools(WEATHER, WAIT, several=True), structured=False)
    reader.feed(f'[{CALL}, {{"name": "wait", "arguments": {{}}}}, {{"name": "weather", "arguments": {{"ci')
    _, calls = reader.finish("length")
    assert [call["function"] for call in calls] == [
        {"name": "weather", "arguments": '{"city": "Paris"}'},
        {"name": "wait", "arguments": "{}"},
        {"name": "weather", "arguments": '{"ci'},
    ]


def test_a_name_that_could_be_several_is_no_call_yet() -> None:
    reader = CallReader(tools(WEATHER, WAIT), structured=False)
    reader.feed('{"name": "w')
    assert reader.finish("length") == ("", [])


def test_arguments_that_do_not_fit_their_tool_are_the_callers_question() -> None:
    reader = CallReader(tools({"name": "plan", "parameters": UNIQUE, "strict": True}), structured=False)
    reader.feed('{"name": "plan", "arguments": {"days": [1, 1]}}')
    assert json.loads(reader.finish("stop")[1][0]["function"]["arguments"]) == {"days": [1, 1]}


def test_what_is_no_call_is_text() -> None:
    reader = CallReader(tools(WEATHER), structured=False)
    reader.feed('{"days": 1}')
    assert reader.finish("stop") == ('{"days": 1}', [])
