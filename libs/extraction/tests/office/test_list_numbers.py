from __future__ import annotations

import pytest

from extraction.office.list_numbers import _number


@pytest.mark.parametrize(
    ("count", "form", "shown"),
    [(28, "upperLetter", "BB"), (1994, "upperRoman", "MCMXCIV"), (7, "decimalZero", "07"), (4, "other", "4")],
)
def test_numbers_are_shown_in_their_form(count: int, form: str, shown: str) -> None:
    assert _number(count, form) == shown
