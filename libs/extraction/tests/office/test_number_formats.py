from __future__ import annotations

import pytest

from extraction.office.number_formats import shown


@pytest.mark.parametrize(
    ("stored", "code", "text"),
    [
        ("0.256", "0%", "26%"),
        ("1234567.891", "#,##0.00", "1,234,567.89"),
        ("-5", "#,##0;(#,##0)", "(5)"),
        ("-5.5", '"EUR "0.00', "-EUR 5.50"),
        ("0", '0;-0;"none"', "none"),
        ("1500000", '0.0,,"M"', "1.5M"),
        ("0.30000000000000004", "General", "0.3"),
        ("12345678901234567890", "General", "12345678901234600000"),
        ("12345", "0.00E+00", "1.23E+4"),
        ("7", "000", "007"),
        ("0.5", "#.##", ".5"),
        ("45352", "d mmmm yyyy", "1 March 2024"),
        ("45352.75", "yyyy-mm-dd h:mm", "2024-03-01 18:00"),
        ("45352.75", "h:mm AM/PM", "6:00 PM"),
        ("1.5", "[h]:mm", "36:00"),
        ("0.0006944444", "mm:ss", "01:00"),
        ("0.000011574", "ss.000", "01.000"),
        ("45352", "ddd, d/m/yy", "Fri, 1/3/24"),
        ("99999999999", "yyyy", "99999999999"),
        ("words", "0.00", "words"),
        ("5", "@", "5"),
        ("5", '"only words"', "only words"),
    ],
)
def test_numbers_are_shown_as_their_format_says(stored: str, code: str, text: str) -> None:
    assert shown(stored, code) == text
