from __future__ import annotations

import pytest

from extraction.pictures.spans import merged


@pytest.mark.parametrize(
    ("spans", "made"),
    [
        ([], []),
        ([(5, 7), (1, 3)], [(1, 3), (5, 7)]),
        ([(1, 3), (3, 4), (2, 9)], [(1, 9)]),
        ([(1, 9), (2, 3)], [(1, 9)]),
    ],
)
def test_spans_that_overlap_or_touch_are_one(spans: list[tuple[int, int]], made: list[tuple[int, int]]) -> None:
    assert merged(spans) == made
