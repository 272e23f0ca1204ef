from __future__ import annotations

from typing import Any

import pytest

from inference.tool_calls.call_parts import CallParts, Checker, truncated_call
from inference.tool_calls.calls import MalformedCalls

STRICT = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def put_together(*deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    parts = CallParts()
    for delta in deltas:
        parts.add(delta)
    return parts.calls


def test_parts_belong_to_a_call_by_index() -> None:
    calls = put_together(
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}}],
        [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
        [{"index": 0, "function": {"arguments": ": 1}"}}],
    )
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("a", '{"x": 1}'), ("b", "{}")]


def test_another_id_begins_another_call_where_servers_number_all_of_them_0() -> None:
    calls = put_together(
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}],
        [{"index": 0, "id": "b", "function": {"name": "f", "arguments": "{}"}}],
    )
    assert [call["id"] for call in calls] == ["a", "b"]


def test_a_name_that_comes_with_each_part_is_written_once() -> None:
    (call,) = put_together(*([{"index": 0, "function": {"name": "f", "arguments": each}}] for each in ("{", "}")))
    assert call["function"] == {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (None, "{}"),
        ('{"a":1}', '{"a":1}'),
        ({"a": 1}, '{"a": 1}'),
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ('"{\\"a\\": 1}"', '{"a": 1}'),
    ],
)
def test_arguments_are_mended_where_that_is_safe(arguments: Any, expected: str) -> None:
    call = Checker.of([]).check({"function": {"name": "f", "arguments": arguments}})
    assert call["function"]["arguments"] == expected
    assert call["type"] == "function"
    assert call["id"]


@pytest.mark.parametrize("call", [None, {}, {"function": {"name": ""}}, {"function": {"name": "f", "arguments": "[1"}}])
def test_a_call_that_can_not_be_read_is_refused(call: Any) -> None:
    with pytest.raises(MalformedCalls):
        Checker.of([]).check(call)


def test_only_strict_tools_are_held_to_their_schema() -> None:
    function = {"name": "f", "parameters": STRICT}
    call = {"function": {"name": "f", "arguments": "{}"}}
    assert Checker.of([{"function": function}]).check(call)
    with pytest.raises(MalformedCalls, match="strict schema"):
        Checker.of([{"function": {**function, "strict": True}}]).check(call)


def test_a_call_that_was_cut_has_its_arguments_as_far_as_they_came() -> None:
    (call,) = truncated_call({"id": "a", "function": {"name": "f", "arguments": '{"x'}})
    assert call["function"]["arguments"] == '{"x'
    assert truncated_call({"function": {"arguments": "{"}}) == []
