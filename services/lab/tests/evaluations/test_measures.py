from __future__ import annotations

import pytest

from lab.evaluations.measures import Known, Said, measure, ndcg, numbers, recall, rouge_l, token_f1, words


def test_words_are_compared_without_case_punctuation_and_articles() -> None:
    assert words("The cat, a Cat & an ÉCLAIR!") == ["cat", "cat", "éclair"]
    assert words("有三天") == ["有", "三", "天"]


@pytest.mark.parametrize(
    ("expected", "said", "f1"),
    [("27 days", "27 days", 1.0), ("27 days", "You get 27 days", 2 * 2 / 6), ("27 days", "weeks", 0.0), ("", "", 0.0)],
)
def test_f1_is_squads(expected: str, said: str, f1: float) -> None:
    assert token_f1(words(expected), words(said)) == pytest.approx(f1)


def test_rouge_l_minds_the_order() -> None:
    assert rouge_l(["police", "killed", "gunman"], ["police", "kill", "gunman"]) == pytest.approx(2 / 3)
    assert rouge_l(["police", "killed", "gunman"], ["gunman", "killed", "police"]) == pytest.approx(1 / 3)


def test_numbers_are_the_same_however_their_digits_are_grouped() -> None:
    assert numbers("1,200 and 1.200 and 1 200") == {"1200"}
    assert numbers("EUR 1,180.50, 3.5 % of 007") == {"1180.5", "3.5", "7"}
    assert numbers("none") == set()


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
