from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.grounding.verbatim import FEWEST, find_verbatim
from agent.relevance.passages import passages
from agent.testing.scripted_answers import hit

WORDS = ("staff", "leave", "days", "office", "lamps", "27", "3.5", "1,180", "Brunn", "EUR", "quarter", "June")
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=FEWEST, max_size=12).map(lambda words: " ".join(["The", *words]))
MARKS = st.sampled_from([" ", "  ", ", ", " “", "” ", "\n", "; ", " (", ") ", " – ", ": "])


def cited(sentence: str, *texts: str) -> str | None:
    found = passages([hit(text, f"d{at}", rank=at) for at, text in enumerate(texts)])
    support = find_verbatim(sentence, found)
    return support.hit.text[slice(*support.span)] if support else None


@given(st.lists(SENTENCE, min_size=1, max_size=5), st.data())
def test_every_sentence_of_a_source_is_found_however_it_is_marked_and_written(
    sentences: list[str], data: st.DataObject
) -> None:
    text = ". ".join(sentences) + "."
    one = data.draw(st.sampled_from(sentences))
    written = "".join(f"{data.draw(MARKS)}{word}" for word in one.split())
    written = data.draw(st.sampled_from([written, written.upper(), written.lower(), f"- **{written.strip()}**!"]))
    quote = cited(written, text)
    assert quote is not None
    assert bare(one) in bare(quote)


@given(st.lists(SENTENCE, min_size=1, max_size=4), st.data())
def test_so_is_every_part_of_one_that_is_long_enough(sentences: list[str], data: st.DataObject) -> None:
    words = data.draw(st.sampled_from(sentences)).split()
    begin = data.draw(st.integers(0, len(words) - FEWEST))
    end = data.draw(st.integers(begin + FEWEST, len(words)))
    part = " ".join(words[begin:end])
    quote = cited(part, ". ".join(sentences) + ".")
    assert quote is not None
    assert bare(part) in bare(quote)


@given(SENTENCE, st.lists(SENTENCE, min_size=1, max_size=4))
def test_what_stands_in_no_source_is_not_found(sentence: str, sentences: list[str]) -> None:
    assert cited(f"{sentence} nowhere", ". ".join(sentences) + ".") is None


def bare(text: str) -> str:
    return " ".join(re.findall(r"[\w.,]*\w", text.lower()))


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Don't open the lid.", "Don’t open the lid."),
        ("1. Open the lid [2]", "Steps:\n\n1. Open the lid\n2. Close it"),
        ("Employees get 27 days.", "Em\u00adployees get 27 days."),
        ("员工每年享有27天带薪年假", "员工每年享有 27 天带薪年假。其余另行通知。"),
        (
            "Full-time employees get 27 days of paid leave.",
            "Full-time employees get\n27 days of paid leave. More follows.",
        ),
        ("Heron S2: EUR 189", "Product | Price\n--- | ---\nHeron S2 | EUR 189"),
    ],
)
def test_space_marks_and_signs_that_nobody_sees_say_nothing(said: str, text: str) -> None:
    assert cited(said, text) is not None


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Store it at 5 °C in the dark.", "Store it at -5 °C in the dark."),
        ("It costs 1.5 million in all.", "It costs 15 million in all."),
        ("Visitors may park in the yard.", "It is not true that visitors may park in the yard."),
        ("days of leave", "Full-time employees get 27 days of leave each year."),
        ("S2 | EUR 189 | Plover WS3", "Product | Price\n--- | ---\nHeron S2 | EUR 189\nPlover WS3 | EUR 49"),
    ],
)
def test_what_would_mean_something_else_is_not_found(said: str, text: str) -> None:
    assert cited(said, text) is None


def test_the_best_source_that_has_it_is_cited() -> None:
    text = "Lamps are switched off at nine."
    found = passages([hit("Nothing of it.", "a"), hit(text, "b", rank=1), hit(text, "c", rank=2)])
    support = find_verbatim("Lamps are switched off at nine", found)
    assert support is not None
    assert support.hit.document_id == "b"
