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
        ("Above 40 up to 100 pounds", "100", "120"),
        ("Above 40 up to 100 pounds", "40.5", "40"),
        ("more than 5 kg, but less than 10 kg", "9.9", "10"),
        ("from 18 to 65", "65", "66"),
        ("between 10 and 17 years old", "10", "18"),
        ("no more than 4 guests", "4", "5"),
        ("not less than 21 days", "21", "20"),
        ("under 40", "39", "40"),
        ("over 100", "101", "100"),
        ("at least 3", "3", "2"),
        ("over 60 or under 16", "65", "30"),
        ("over 60 or under 16", "12", "16"),
        ("Over 60s and under 16s", "60", "30"),
        ("over 60 cm, up to 30 kg", "20", "45"),
        ("over 60 cm, up to 30 kg", "80", "45"),
        ("above 40 pounds and up to 100 pounds", "100", "40"),
        ("10 to 20 people", "20", "21"),
    ],
)
def test_a_number_lies_in_the_range_that_a_row_names(text: str, inside: str, outside: str) -> None:
    assert within(inside, ranges(text))
    assert not within(outside, ranges(text))


def test_codes_and_clock_times_are_no_ranges() -> None:
    assert ranges("10-2100 at 08:00") == []
    assert ranges("open from 7:00 to 22:00, until 14:30") == []
    assert not within("word", ranges("1 to 5"))


def test_a_long_run_of_digits_is_read_in_linear_time() -> None:
    assert ranges("from 1.1" + ".1" * 50_000 + " or more") == []
