from __future__ import annotations

import re

import pytest

from lab.generation.near_misses import MOST_TRIES, stands_in, swaps_of


@pytest.mark.parametrize(
    ("question", "old", "kind"),
    [
        ("What was the budget of the travel desk in 2024?", "2024", "year"),
        ("What is the price of the Bittern L4-10?", "L4-10", "code"),
        ("Who may open the door of room 214?", "214", "number"),
        ("How much do voice calls cost per message?", "message", "unit"),
        ("When is the office in Porto closed?", "Porto", "name"),
        ("How much does a warm lunch cost?", "lunch", "thing"),
    ],
)
def test_one_thing_is_swapped_for_another_of_its_kind(question: str, old: str, kind: str) -> None:
    swaps = [swap for swap in swaps_of(question, "0") if swap.kind == kind]
    assert swaps
    for swap in swaps:
        assert (swap.old, swap.new != old) == (old, True)
        assert swap.question == question.replace(old, swap.new)
        if kind == "code":
            assert re.sub(r"\d", "0", swap.new) == "L0-00", "it looks like one of them"


def test_swaps_are_the_same_for_the_same_seed_and_take_each_place_before_any_again() -> None:
    question = "Who signs for the Heron probe in Porto since 2019?"
    first = swaps_of(question, "0")
    assert first == swaps_of(question, "0") != swaps_of(question, "1")
    assert len(first) == MOST_TRIES
    assert len({swap.old for swap in first[:3]}) == 3


@pytest.mark.parametrize(
    "question",
    [
        "How many days of leave do I get per year?",
        "How many weeks must I wait in June?",
        "What is the limit for 3 to 10 days?",
        "Porto?",
    ],
)
def test_what_would_only_be_another_case_of_the_same_rule_is_not_swapped(question: str) -> None:
    assert swaps_of(question, "0") == []


def test_a_word_is_found_as_a_word() -> None:
    texts = ["The L4-100 and Norwoods, Farrow-like.", "In room 2141."]
    for value in ("L4-10", "Norwich", "214"):
        assert not stands_in(value, texts)
    for value in ("l4-100", "norwoods", "norwood", "2141", "In"):
        assert stands_in(value, texts)


def test_a_question_that_a_person_has_made_long_is_not_searched_for_things_to_swap() -> None:
    assert swaps_of("Who has form " + "A" * 250_000 + "?", "0") == []
