from __future__ import annotations

from typing import Any

import pytest

from inference.protocol.engines import NO_EXTRA_FIELDS, Piece


def choice(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": reason}


@pytest.mark.parametrize(
    ("piece", "says_something"),
    [
        (Piece(), False),
        (Piece((choice(role="assistant"),)), False),
        (Piece((choice(role="assistant", content=""),)), False),
        (Piece((choice(role="assistant", content=None, tool_calls=[]),)), False),
        (Piece(({"index": 0},)), False),
        (Piece(extra={"id": "x"}), False),
        (Piece((choice(content="a"),)), True),
        (Piece((choice(role="assistant"), choice(content="a"))), True),
        (Piece((choice(reasoning_content="hm"),)), True),
        (Piece((choice(tool_calls=[{"index": 0}]),)), True),
        (Piece((choice("stop"),)), True),
        (Piece(usage={"total_tokens": 0}), True),
    ],
)
def test_a_piece_says_something_once_it_holds_more_than_roles(piece: Piece, says_something: bool) -> None:
    assert piece.has_content is says_something


def test_what_all_calls_share_can_not_be_changed_by_one() -> None:
    with pytest.raises(TypeError):
        NO_EXTRA_FIELDS["user"] = "x"  # type: ignore[index]
