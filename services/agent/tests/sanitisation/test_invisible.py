from __future__ import annotations

import pytest

from agent.sanitisation.invisible import spell_out, visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("pass\u200bword", "password"),
        ("a\u202eb", "ab"),
        ("hi\U000e0041\U000e0042", "hi"),
        ("soft\u00adhyphen", "softhyphen"),
        ("zero\x00", "zero"),
    ],
)
def test_what_nobody_sees_is_taken_out(text: str, seen: str) -> None:
    assert visible(text) == seen


@pytest.mark.parametrize(
    "text", ["👩‍💻", "❤️", "می‌خواهم", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"]
)
def test_what_a_script_or_a_picture_needs_stays(text: str) -> None:
    assert visible(text) == text


def test_whoever_decides_sees_what_is_hidden_written_out() -> None:
    assert spell_out("a\u200bb\U000e0041") == r"a\u200bb\U000e0041"
