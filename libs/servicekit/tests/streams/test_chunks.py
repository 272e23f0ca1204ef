from __future__ import annotations

from typing import Any

import pytest

from servicekit.streams.chunks import has_content, object_in


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"delta": {"role": "assistant", "content": ""}, "finish_reason": None}, False),
        ({"delta": {"role": "assistant", "content": None, "tool_calls": []}}, False),
        ({"delta": None}, False),
        ({"delta": "no object"}, False),
        ({"delta": {"content": "H"}}, True),
        ({"delta": {"tool_calls": [{"index": 0}]}}, True),
        ({"delta": {"reasoning_content": "Hm"}}, True),
        ({"delta": {}, "finish_reason": "stop"}, True),
    ],
)
def test_a_choice_that_holds_at_most_a_role_has_not_begun(choice: dict[str, Any], expected: bool) -> None:
    assert has_content(choice) is expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"a":"\\ud800"}', {"a": "\ud800"}),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", 300),
        (b'{"a":12345678901234567890123}', {"a": 12345678901234567890123}),
        (b"[1]", {}),
        (b'{"a":', {}),
        (b'{"a":"\xff"}', {}),
    ],
)
def test_what_python_reads_is_read_and_all_else_is_nothing(text: bytes, found: object) -> None:
    parsed = object_in(text)
    assert parsed == found if isinstance(found, dict) else str(parsed).count("[") == found
