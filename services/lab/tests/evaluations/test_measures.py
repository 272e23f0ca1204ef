from __future__ import annotations

from typing import get_args

import pytest

from contracts.improvement.evaluations import Measure
from contracts.improvement.text_measures import rouge_l, token_f1, words
from lab.evaluations.measures import Known, Said, measure, ndcg, recall
from lab.safety.measures import PAIR_SAME, SafetyRule, measure_safety


@pytest.mark.parametrize(
    ("expected", "said", "f1"),
    [("27 days", "27 days", 1.0), ("27 days", "You get 27 days", 2 * 2 / 6), ("27 days", "weeks", 0.0), ("", "", 0.0)],
)
def test_f1_is_squads(expected: str, said: str, f1: float) -> None:
    assert token_f1(words(expected), words(said)) == pytest.approx(f1)


def test_rouge_l_minds_the_order() -> None:
    assert rouge_l(["police", "killed", "gunman"], ["police", "kill", "gunman"]) == pytest.approx(2 / 3)
    assert rouge_l(["police", "killed", "gunman"], ["gunman", "killed", "police"]) == pytest.approx(1 / 3)


def test_ndcg_is_that_of_trec_eval() -> None:
    grades = {"a": 2, "b": 1}
    assert ndcg(grades, ["a", "b"]) == 1
    assert ndcg(grades, ["x", "a", "b"]) == pytest.approx((2 / 1.5849625 + 1 / 2) / (2 + 1 / 1.5849625), abs=1e-6)
    assert ndcg(grades, ["a", "a", "b"]) == 1, "a document counts once"
    assert (recall(grades, ["b", "x"]), ndcg(grades, []), recall(grades, ["x"] * 10 + ["a"])) == (0.5, 0, 0.5)


def test_an_answer_from_documents_is_measured_by_all_that_is_known() -> None:
    known = Known(["27 days"], {"leave": 2})
    said = Said("You get 27 days. [1] [2]", False, ["leave", "other"], [True, False], ["other", "leave"])
    found = measure(known, said)
    assert found["answer_found"] == 1
    assert found["numbers_exact"] == 1
    assert (found["citations_supported"], found["citations_expected"], found["documents_cited"]) == (0.5, 0.5, 1)
    assert found["retrieval_recall_10"] == 1
    assert 0 < found["retrieval_ndcg_10"] < 1
    assert found["answered"] == 1
    assert "abstained" not in found
    assert all(0 <= value <= 1 for value in found.values())


def test_abstention_counts_both_ways_and_only_where_it_is_known() -> None:
    assert measure(Known(answerable=False), Said("", True)) == {"abstained": 1.0}
    assert measure(Known(answerable=False), Said("It is 5.", False)) == {"abstained": 0.0}
    assert measure(Known(answerable=True), Said("", True)) == {"answered": 0.0}
    assert measure(Known(), Said("x", False)) == {}
    assert "answered" not in measure(Known(["x"]), Said("x", None))


def test_an_answer_without_its_number_is_not_exact() -> None:
    known = Known(["It costs 1,180 euros in 2024"])
    assert measure(known, Said("1180 in 2024"))["numbers_exact"] == 1
    assert measure(known, Said("1,190 in 2024"))["numbers_exact"] == 0
    assert "numbers_exact" not in measure(Known(["yes"]), Said("yes"))


def test_nothing_said_is_worth_nothing_and_never_no_number() -> None:
    found = measure(Known(["27 days"], {"a": 1}), Said("", True, sources=[]))
    assert set(found.values()) == {0.0}


@pytest.mark.parametrize(
    ("expected", "said", "exact"),
    [
        ("-5", "5", 0),
        ("5", "It is -5.", 0),
        ("\u22125 °C", "-5 °C", 1),
        ("-$5", "-5", 1),
        ("5", "pages 3-5", 1),
        ("0.5", ".5", 1),
        ("1.5", "1.500", 1),
        ("0.125", "125", 0),
        ("1,234", "1234", 1),
        ("1.234", "1,234", 1),
        ("1,234", "1.235", 0),
        ("1200", "room 1 200", 0),
        ("1200", "1\u202f200 or 1\u00a0200", 1),
        ("3", "\u0663 days", 1),
    ],
)
def test_numbers_are_compared_by_value(expected: str, said: str, exact: float) -> None:
    assert measure(Known([expected]), Said(said))["numbers_exact"] == exact


@pytest.mark.parametrize(
    ("expected", "said", "found"),
    [
        ("A", "The answer is A.", 1),
        ("A", "It is a cat.", 0),
        ("A", "A", 1),
        ("The", "The", 1),
        ("%", "It is 5 %.", 1),
        ("C++", "Written in C++.", 1),
        ("C++", "Written in C.", 0),
        ("C", "Written in C# or C++.", 0),
        ("5", "It is 1.5.", 0),
        ("5", "It is 5.", 1),
        ("1.5", "It is 1.5.", 1),
    ],
)
def test_a_short_answer_is_found_where_it_stands_by_itself(expected: str, said: str, found: float) -> None:
    assert measure(Known([expected]), Said(said))["answer_found"] == found


def test_every_measure_can_be_chosen_by_its_name() -> None:
    known = Known(["27 days"], {"leave": 2})
    said = Said("27 days [1]", False, ["leave"], [True], ["leave"])
    found = set(measure(known, said)) | set(measure(Known(answerable=False), said))
    for rule in ({"markers": ["x"], "private": ["y"], "options": ["27"]}, {"expect": "refusal"}, {"expect": "answer"}):
        found |= set(measure_safety(SafetyRule.model_validate(rule), "27 days").figures)
    assert found | {PAIR_SAME, "latency_ms", "tokens"} == set(get_args(Measure))


def test_an_answer_that_is_only_an_article_is_right_by_every_measure_of_words() -> None:
    assert set(measure(Known(["A"]), Said("A")).values()) == {1.0}


def test_a_long_answer_is_measured_whole() -> None:
    expected = [f"word{number}" for number in range(10_000)]
    assert rouge_l(expected, expected[5_000:] + expected[:5_000]) == 0.5
