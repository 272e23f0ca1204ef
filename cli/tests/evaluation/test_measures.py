from __future__ import annotations

from math import log2

import pytest

from groundwork.evaluation.measures import evaluate, mean, ndcg, recall


def test_measures_are_those_computed_by_hand() -> None:
    judgements = {"graded": {"a": 3, "b": 1, "c": 0}, "late": {"x": 1}, "two": {"p": 1, "q": 1}}
    rankings = {"graded": ["b", "c", "a"], "late": ["1", "2", "3", "x"], "two": ["p", "1"]}
    values = evaluate(judgements, rankings, 3, (1, 4))
    ideal = 3 / log2(2) + 1 / log2(3)
    assert values["nDCG@3"]["graded"] == pytest.approx((1 / log2(2) + 3 / log2(4)) / ideal)
    assert values["nDCG@3"]["late"] == 0
    assert values["nDCG@3"]["two"] == pytest.approx(1 / (1 + 1 / log2(3)))
    assert values["recall@1"] == {"graded": 0.5, "late": 0.0, "two": 0.5}
    assert values["recall@4"] == {"graded": 1.0, "late": 1.0, "two": 0.5}
    assert values["MRR"] == {"graded": 1.0, "late": 0.25, "two": 1.0}
    assert mean(values["MRR"]) == pytest.approx(0.75)
    assert set(values) == {ndcg(3), recall(1), recall(4), "MRR"}


def test_the_order_is_the_rankings_own_also_where_scores_would_be_equal() -> None:
    last_by_name_first = evaluate({"q": {"z": 1}}, {"q": ["z", "a"]}, 10, (1,))
    first_by_name_last = evaluate({"q": {"a": 1}}, {"q": ["z", "a"]}, 10, (1,))
    assert last_by_name_first["MRR"]["q"] == 1
    assert first_by_name_last["MRR"]["q"] == 0.5


def test_a_question_that_finds_nothing_counts_as_zero() -> None:
    values = evaluate(
        {"found": {"a": 1}, "empty": {"a": 1}, "missing": {"a": 1}}, {"found": ["a"], "empty": []}, 10, (5,)
    )
    for by_question in values.values():
        assert by_question == {"found": 1.0, "empty": 0.0, "missing": 0.0}
