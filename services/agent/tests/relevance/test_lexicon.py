"""Other words for the same thing, and numbers within ranges."""

from __future__ import annotations

import numpy as np
import pytest

from agent.relevance.lexicon import Lexicon, term_shares, weighted_mean, words_to_compare
from agent.text.words import terms

EAST, NORTH, NEAR_EAST = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.95, 0.312])


@pytest.fixture
def lexicon() -> Lexicon:
    known = Lexicon()
    known.learn(["guarantee", "warranty", "canteen"], [EAST, NEAR_EAST, NORTH])
    return known


def test_a_likely_paraphrase_counts_in_part_and_an_unlike_word_not(lexicon: Lexicon) -> None:
    wanted = terms("guarantee")
    assert term_shares(wanted, "The warranty ends.", lexicon)[0] > 0.9
    assert term_shares(wanted, "The canteen opens.", lexicon) == [0.0]
    assert term_shares(wanted, "Guaranteed.", lexicon) == [1.0]


def test_a_name_or_code_has_no_other_wording(lexicon: Lexicon) -> None:
    lexicon.learn(["s3", "s2"], [EAST, EAST])
    assert term_shares(terms("the S3"), "The S2 is here.", lexicon) == [0.0]


def test_a_word_that_begins_another_is_its_short_form(lexicon: Lexicon) -> None:
    assert term_shares(terms("demo"), "a demonstration", lexicon)[0] > 0.5


def test_only_unknown_words_are_asked_for_and_the_oldest_are_forgotten() -> None:
    known = Lexicon(limit=2)
    known.learn(["a", "b", "c"], [EAST, EAST, EAST])
    assert known.unknown(["a", "b", "c", "a"]) == ["a"]


def test_shares_are_weighted() -> None:
    wanted = terms("red apples")
    assert weighted_mean(wanted, {wanted[0]: 3.0, wanted[1]: 1.0}, [1.0, 0.0]) == 0.75


def test_no_vectors_are_needed_of_a_text_that_has_every_word() -> None:
    wanted = terms("How long is the guarantee of the S3?")
    assert words_to_compare(wanted, ["The guarantee of the S3 is two years long in all countries."]) == []
    needed = words_to_compare(wanted, ["The warranty of the S3 lasts."])
    assert {"guarantee", "warranty"} <= set(needed)
