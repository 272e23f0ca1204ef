from __future__ import annotations

from pathlib import Path

import pytest
from libs.extraction.tests.pdf_pages import drawn, lines, read

from extraction.pdf.hyphens import Hyphens
from extraction.pdf.lines import HYPHEN


def test_a_parted_word_is_joined_only_where_the_text_shows_that_it_is_one(tmp_path: Path) -> None:
    texts = [
        "This column parts the word exam-",
        "ple, which is an example, and a well-",
        "known one; here well is written, and",
        "known as well. From 1990-",
        "1995 it was the Jean-",
        "Paul method.",
    ]
    text = read(drawn(lambda canvas: lines(canvas, 60, 700, texts)), tmp_path).text
    assert "word example, which" in text
    assert "a well-known one" in text
    assert "1990-1995" in text.replace("\n", "")
    assert "Jean-Paul" in text
    assert HYPHEN not in text


@pytest.mark.parametrize(
    ("parted", "others", "whole"),
    [
        ("exam|ple", "", "example"),
        ("day|light", "day light", "day-light"),
        ("day|light", "day light daylight", "daylight"),
        ("counter|act", "counter-act", "counter-act"),
        ("state-of-the|art", "", "state-of-the-art"),
        ("self|made", "", "self-made"),
        ("Jean|Paul", "", "Jean-Paul"),
        ("B|2", "", "B-2"),
    ],
)
def test_hyphens_are_decided_by_the_other_words_of_the_text(parted: str, others: str, whole: str) -> None:
    text = parted.replace("|", HYPHEN)
    assert Hyphens([text, others]).resolved(f"({text}).") == f"({whole})."
