from __future__ import annotations

from typing import Any

import pytest

from retriever.restore import restored_row


@pytest.mark.parametrize(
    ("table", "row", "expected"),
    [
        ("collections", {"id": "c"}, {"id": "c"}),
        ("generations", {"state": "active"}, {"state": "active"}),
        ("generations", {"state": "building"}, None),
        ("generations", {"state": "retired"}, {"state": "dropped"}),
        (
            "documents",
            {"active": 2, "uncopied": True, "misses": 3, "staged": 2, "staged_chunks": 9},
            {"active": 2, "uncopied": False, "misses": 0, "staged": None, "staged_chunks": None},
        ),
    ],
)
def test_nothing_of_a_shadow_is_restored(table: str, row: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert restored_row(table, row) == expected
