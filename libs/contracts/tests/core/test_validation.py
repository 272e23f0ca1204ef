from __future__ import annotations

import pytest

from contracts.core.validation import in_words


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (
            r"^[a-z][a-z0-9]{0,8}$",
            "must be 1 to 9 characters long, of small letters (a-z) and digits, and begin with a small letter",
        ),
        (
            r"^[A-Za-z0-9._-]{1,200}$",
            "must be 1 to 200 characters long, of letters (A-Z, a-z), digits, '.', '_' and '-'",
        ),
        (r"^[a-z]{2,2}$", "must be 2 characters long, of small letters (a-z)"),
        (
            r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
            "must be 1 to 63 characters long, of letters (A-Z, a-z), digits and '_', and begin with a letter or '_'",
        ),
        (r"^[0-9a-f]{64}$", None),
        (r"^[0-9a-f]{1,64}$", None),
        (r"^[^a-z]{1,64}$", None),
        (r"^[\x20-\x7e]{1,100}$", None),
        (r"^https?://", None),
        (r"\S", None),
    ],
)
def test_the_patterns_of_names_are_said_in_words(pattern: str, words: str | None) -> None:
    assert in_words(pattern) == words
