"""What guards find in whole texts and in streams of any pieces: samples of every kind, as people write them."""

from __future__ import annotations

from servicekit.guards.detectors import PersonalData
from servicekit.guards.normal_form import NormalForm


def test_invisible_characters_are_masked_with_what_they_hide() -> None:
    text = "Card 4\u200b111 1111\u00ad 1111 1111\u200b, thanks"
    (found,) = PersonalData().find(text)
    assert text[found.start : found.end] == "4\u200b111 1111\u00ad 1111 1111"
    assert NormalForm.of("a\u200bb").text == "ab"
