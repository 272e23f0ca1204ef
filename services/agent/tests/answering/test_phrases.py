from __future__ import annotations

from typing import get_args

import pytest

from agent.answering.phrases import MAX_NAME, PHRASES, called, listed, named
from agent.questions.kind import Language


def test_every_sentence_is_there_in_every_language_with_the_same_words() -> None:
    words = {
        language: {name: sorted(part.split("}")[0] for part in text.split("{")[1:]) for name, text in phrases.items()}
        for language, phrases in PHRASES.items()
    }
    assert all(those == words["en"] for those in words.values())
    assert set(words) == set(get_args(Language))


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Customer FAQ – Osterfenn Instruments", "Customer FAQ"),
        ("Incident Report: Outage", "Incident Report"),
        ("On-Call Policy", "On-Call Policy"),
        ("Q3: Figures", "Q3: Figures"),
    ],
)
def test_a_title_is_said_without_what_stands_behind_it(title: str, said: str) -> None:
    assert called(title) == said


def test_a_name_is_one_short_line() -> None:
    assert len(named("word " * 100)) <= MAX_NAME
    assert "\n" not in named("a\nb")


def test_names_stand_in_a_row() -> None:
    assert listed(["a"], "en") == "a"
    assert listed(["a", "b", "c"], "de") == "a, b und c"
    assert listed(["甲", "乙", "丙"], "zh") == "甲、乙和丙"
    assert listed(["أ", "ب"], "ar") == "أ وب"
