from __future__ import annotations

import pytest

from servicekit.pages import InvalidCursor, decode_cursor, encode_cursor


def test_a_cursor_comes_back_as_it_was() -> None:
    assert decode_cursor(encode_cursor(12.5, "doc_é"), float, str) == (12.5, "doc_é")


@pytest.mark.parametrize(
    "cursor", ["", "%%%", "bm90IGpzb24", encode_cursor("a"), encode_cursor(1, 2), encode_cursor("a", "b")]
)
def test_a_foreign_cursor_is_a_clear_error(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor, str, float)
