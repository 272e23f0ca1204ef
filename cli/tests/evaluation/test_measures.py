from __future__ import annotations

from math import log2

import numpy as np
import pytest
from scipy.stats import permutation_test

from groundwork.evaluation.measures import evaluate, mean, ndcg, recall
from groundwork.evaluation.significance import compare, interval, randomisation_test


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


def test_the_randomisation_test_is_exact_for_few_differences() -> None:
    assert randomisation_test(np.array([0.5, 0.25, 0.125])) == 2 / 8
    assert randomisation_test(np.array([0.5, 0.25, -0.125])) == 4 / 8
    assert randomisation_test(np.array([0.1, -0.1])) == 1
    assert randomisation_test(np.zeros(50)) == 1


@pytest.mark.parametrize("shift", [0.0, 0.03, 0.2])
def test_the_randomisation_test_agrees_with_scipys(shift: float) -> None:
    differences = np.random.default_rng(4).normal(shift, 0.3, 80)
    theirs = permutation_test(
        (differences,),
        lambda sample: abs(sample.mean()),
        permutation_type="samples",
        n_resamples=50_000,
        rng=5,
        alternative="greater",
    )
    assert randomisation_test(differences) == pytest.approx(theirs.pvalue, abs=0.015)
    assert randomisation_test(differences) == randomisation_test(-differences) == randomisation_test(differences)


def test_the_interval_is_about_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(6).normal(0.4, 0.2, 400)
    low, high = interval(values)
    half = 1.96 * values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - half, abs=0.003)
    assert high == pytest.approx(values.mean() + half, abs=0.003)


def test_a_comparison_pairs_questions_by_id() -> None:
    found = compare("hybrid", "dense", "MRR", {"a": 1.0, "b": 0.5, "c": 0.2}, {"c": 0.2, "b": 1.0, "a": 0.0})
    assert (found.wins, found.ties, found.losses) == (1, 1, 1)
    assert found.difference == pytest.approx(0.5 / 3)
    assert found.low <= found.difference <= found.high
    assert found.p == 1
