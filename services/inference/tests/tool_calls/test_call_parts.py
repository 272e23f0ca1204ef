from __future__ import annotations

from typing import Any

import pytest

from inference.tool_calls.call_parts import CallParts, is_object, whole_calls


def put_together(*deltas: list[Any], is_cut: bool = False) -> list[dict[str, Any]]:
    """What a client makes of the parts that go out."""
    parts, calls = CallParts(), {}
    for out in [*(parts.add(delta) for delta in deltas), parts.end(is_cut=is_cut)]:
        for part in out:
            call = calls.setdefault(part["index"], {"arguments": ""})
            call.update({key: value for key, value in part.items() if key not in ("index", "function")})
            function = part["function"]
            call["arguments"] += function["arguments"]
            call["name"] = call.get("name", "") + function.get("name", "")
    return [calls[number] for number in sorted(calls)]


def test_the_name_goes_out_at_once_and_each_part_of_the_arguments_as_it_comes() -> None:
    parts = CallParts()
    (head,) = parts.add([{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}])
    assert head == {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    for piece in ('{"x"', ": oops"):
        assert parts.add([{"index": 0, "function": {"arguments": piece}}]) == [
            {"index": 0, "function": {"arguments": piece}}
        ]
    assert parts.end(is_cut=False) == []
    assert parts.forms == ["malformed"]


def test_parts_belong_to_a_call_by_index() -> None:
    calls = put_together(
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}}],
        [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
        [{"index": 0, "function": {"arguments": ": 1}"}}],
    )
    assert [(call["id"], call["arguments"]) for call in calls] == [("a", '{"x": 1}'), ("b", "{}")]


def test_another_id_begins_another_call_where_servers_number_all_of_them_0() -> None:
    calls = put_together(
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}],
        [{"index": 0, "id": "b", "function": {"name": "f", "arguments": "{}"}}],
    )
    assert [call["id"] for call in calls] == ["a", "b"]


def test_a_name_that_comes_with_each_part_is_written_once() -> None:
    (call,) = put_together(*([{"index": 0, "function": {"name": "f", "arguments": each}}] for each in ("{", "}")))
    assert (call["name"], call["arguments"]) == ("f", "{}")


def test_nothing_goes_out_before_the_name() -> None:
    parts = CallParts()
    assert parts.add([{"index": 0, "id": "a", "function": {"arguments": '{"x"'}}]) == []
    (part,) = parts.add([{"index": 0, "function": {"name": "f", "arguments": ": 1}"}}])
    assert (part["id"], part["function"]) == ("a", {"name": "f", "arguments": '{"x": 1}'})


@pytest.mark.parametrize(
    ("arguments", "expected", "form"),
    [
        (None, "{}", "mended"),
        ('{"a":1}', '{"a":1}', "as_written"),
        ({"a": 1}, '{"a": 1}', "mended"),
        ('```json\n{"a": 1}\n```', '{"a": 1}', "mended"),
        ('"{\\"a\\": 1}"', '{"a": 1}', "mended"),
        ('{"a": oops', '{"a": oops', "malformed"),
        ('{"a": NaN}', '{"a": NaN}', "malformed"),
        ("[1]", "[1]", "malformed"),
        ("Oslo", "Oslo", "malformed"),
    ],
)
def test_arguments_are_mended_where_that_is_safe_and_pass_as_they_are_elsewhere(
    arguments: Any, expected: str, form: str
) -> None:
    given = [{"function": {"name": "f", "arguments": arguments}}]
    (call,), forms = whole_calls(given, is_cut=False)
    assert (call["function"], call["type"], forms) == ({"name": "f", "arguments": expected}, "function", [form])
    assert call["id"]
    (streamed,) = put_together(given)
    assert streamed["arguments"] == expected


def test_a_call_that_was_cut_has_its_arguments_as_far_as_they_came() -> None:
    for arguments in ('{"x', "", "`"):
        (call,) = put_together([{"id": "a", "function": {"name": "f", "arguments": arguments}}], is_cut=True)
        assert call["arguments"] == arguments
    assert put_together([{"function": {"arguments": "{"}}], is_cut=True) == []


def test_what_is_no_call_is_left_out_and_one_without_a_name_stays_one() -> None:
    (call,) = put_together([None, "f", {}])
    assert (call["name"], call["arguments"]) == ("", "{}")


def test_a_number_that_json_has_not_makes_no_object() -> None:
    assert is_object('{"a": 1}')
    assert not any(map(is_object, ('{"a": Infinity}', "[]", "", "[" * 100_000)))
