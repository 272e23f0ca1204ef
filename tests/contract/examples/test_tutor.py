"""The tutor's grading: right only what the source says, in whatever spelling; never a wrong answer."""

from __future__ import annotations

import pytest
from examples.tutor.grading import grade
from hypothesis import given
from hypothesis import strategies as st

LEAVE = ("How many days of leave does an employee get?", "27 days")
FEE = ("How much is the examination of a device?", "EUR 45")
COLD = ("What is the lowest operating temperature?", "-35 °C")
PAID = ("Is the fee paid monthly or yearly?", "yearly")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (LEAVE, "27 days"),
        (LEAVE, "An employee gets 27 days of leave."),
        (LEAVE, "  I think it is 27 Days"),
        (FEE, "45 euros"),
        (FEE, "€ 45"),
        (COLD, "−35 °C"),
        (PAID, "yearly"),
        (("How much is it?", "EUR 1,500"), "1500 EUR"),
        (("How soon?", "2 working days"), "two working days"),
        (("How long?", "2.5 years"), "2,5 years"),
        (("How long?", "2,5 years"), "2.5 years"),
    ],
)
def test_the_source_s_answer_is_right_in_other_spellings(asked: tuple[str, str], said: str) -> None:
    assert grade(*asked, said) == "right"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (LEAVE, "not 27 days"),
        (LEAVE, "27 weeks"),
        (LEAVE, "27"),
        (LEAVE, "27 or 28 days"),
        (LEAVE, "28 days"),
        (LEAVE, "27 days, no, 30"),
        (LEAVE, "It isn't 27 days"),
        (LEAVE, "at least 27 days"),
        (LEAVE, "127 days"),
        (LEAVE, "27.5 days"),
        (LEAVE, "-27 days"),
        (LEAVE, "days 27 27 days 27"),
        (LEAVE, "27 days is false"),
        (LEAVE, "1 day 2 days 27 days 28 days"),
        (COLD, "35 °C"),
        (COLD, "-35 °F"),
        (PAID, "monthly or yearly"),
        (PAID, "monthly, yearly"),
        (PAID, "monthly"),
        (("How long, at most, without a permit?", "3 days"), "3 days without a permit not"),
        (("From when to when?", "1 May to 30 June"), "30 June to 1 May"),
        (("What is the accuracy?", "±0.2 °C"), "0.2 °C"),
        (("What share?", "15 %"), "15"),
        (LEAVE, ""),
        (LEAVE, " ?! "),
    ],
)
def test_nothing_else_is_called_right(asked: tuple[str, str], said: str) -> None:
    assert grade(*asked, said) != "right"


@given(st.integers(0, 5000), st.sampled_from(["{} days", "It is {} days", "{} days of leave", "27 and {} days"]))
def test_another_number_is_never_right(number: int, form: str) -> None:
    if number != 27:
        assert grade(*LEAVE, form.format(number)) != "right"


def test_another_number_is_called_another_number() -> None:
    assert grade(*LEAVE, "28 days") == "other_number"
    assert grade(*LEAVE, "It is 1,500 days") == "other_number"
    assert grade("How long?", "2.5 years", "3,5 years") == "other_number"
    assert grade(*LEAVE, "quite some") == "unsure"
    assert grade(*LEAVE, " ") == "empty"


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("27 days", "twenty-seven days"),
        ("27 days", "Twenty seven days"),
        ("27 days", "a quarter of 108 days"),
        ("2 weeks", "half of 4 weeks"),
        ("two weeks", "14 days"),
        ("1,500", "1.500 EUR, I think"),
        ("EUR 1.500", "EUR 1,500"),
        ("27.5", "27,50 in all"),
        ("1,234.56", "1.234,56 net"),
    ],
)
def test_what_may_be_the_same_number_is_not_called_another(expected: str, said: str) -> None:
    assert grade("How much?", expected, said) in ("right", "unsure")
