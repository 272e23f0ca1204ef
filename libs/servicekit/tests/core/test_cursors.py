from __future__ import annotations

import base64

import pytest

from servicekit.core.cursors import InvalidCursor, decode_cursor, encode_cursor


def test_a_cursor_comes_back_as_it_was() -> None:
    assert decode_cursor(encode_cursor(12.5, "doc_é"), float, str) == (12.5, "doc_é")


@pytest.mark.parametrize(
    "cursor", ["", "%%%", "bm90IGpzb24", encode_cursor("a"), encode_cursor(1, 2), encode_cursor("a", "b")]
)
def test_a_foreign_cursor_is_a_clear_error(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor, str, float)


NESTED = base64.urlsafe_b64encode(b"[" * 20_000).decode()


@pytest.mark.parametrize("cursor", [encode_cursor("\ud800"), encode_cursor("a\0b"), encode_cursor("a" * 9, 1), NESTED])
def test_a_text_that_no_database_holds_is_no_cursor(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor, str)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, float("inf"), float("nan")])
def test_a_number_that_no_database_holds_is_no_cursor(number: float) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(encode_cursor(number), type(number))
