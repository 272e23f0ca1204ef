from __future__ import annotations

import pytest

from agent.text.ranges import ranges, within


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("25 to 99 | 9 percent", "30", "100"),
        ("EUR 400 to EUR 2,500", "1,000", "399"),
        ("250 or more", "1000", "249"),
        ("above EUR 2,500", "3000", "2000"),
        ("up to 60 sensors", "12", "61"),
    ],
)
def test_a_number_lies_in_the_range_that_a_row_names(text: str, inside: str, outside: str) -> None:
    assert within(inside, ranges(text))
    assert not within(outside, ranges(text))


def test_codes_and_clock_times_are_no_ranges() -> None:
    assert ranges("10-2100 at 08:00") == []
    assert not within("word", ranges("1 to 5"))
