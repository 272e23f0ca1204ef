from __future__ import annotations

import math

import numpy as np
import pytest

from lab.evaluations import comparison
from lab.evaluations.comparison import compare, is_worse, mean_of, randomisation_test


def _run(*values: float) -> dict[str, float]:
    return {f"q{number}": value for number, value in enumerate(values)}


def test_a_difference_that_every_question_has_is_significant_and_told_in_words() -> None:
    better = compare("answer_found", _run(*[1.0] * 10), _run(*[0.0] * 10))
    assert better is not None
    assert (better.verdict, better.wins, better.losses, better.p) == ("better", 10, 0, pytest.approx(2 / 1024))
    assert better.words.startswith("better: +1 [+1, +1] answer_found, p 0.002, 10 questions")
    worse = compare("answer_found", _run(*[0.0] * 10), _run(*[1.0] * 10))
    assert worse is not None
    assert is_worse([better, worse], ["answer_found"])
    assert not is_worse([better, worse], ["latency_ms"])


def test_more_milliseconds_are_worse() -> None:
    slower = compare("latency_ms", _run(*[200.0] * 30), _run(*[100.0] * 30))
    assert slower is not None
    assert (slower.verdict, slower.p) == ("worse", pytest.approx(1 / 20_001, rel=1))


def test_values_that_are_no_numbers_are_never_better_or_worse() -> None:
    before = _run(*[2.0] * 12)
    for after in (_run(math.nan, *[1.0] * 11), _run(*[math.nan] * 12)):
        found = compare("loss", after, before)
        assert found is not None
        assert found.verdict == "no difference"


def test_few_questions_or_none_that_differ_say_nothing() -> None:
    few = compare("answered", _run(1, 1, 1, 0), _run(0, 0, 1, 0))
    same = compare("answered", _run(1, 0), _run(1, 0))
    assert few is not None
    assert same is not None
    assert (few.verdict, few.p) == ("no difference", 0.5)
    assert (same.verdict, same.p) == ("no difference", 1.0)


def test_only_questions_that_both_have_are_compared_and_the_same_input_gives_the_same_figures() -> None:
    one, other = _run(*(n % 3 / 2 for n in range(60))), _run(*(n % 2 for n in range(50)))
    first, again = compare("answer_f1", one, other), compare("answer_f1", one, other)
    assert first == again
    assert first is not None
    assert first.questions == 50
    assert first.low <= first.difference <= first.high
    assert compare("answer_f1", {"a": 1.0}, {"b": 1.0}) is None


def test_an_interval_holds_its_mean() -> None:
    mean, low, high = mean_of([0.0, 1.0] * 20)
    assert low < mean == 0.5 < high
    assert mean_of([1.0]) == (1.0, 1.0, 1.0)


def test_many_questions_are_judged_by_formulas_that_agree_with_drawing() -> None:
    few = {f"q{n}": float(n % 10 < 3) for n in range(1000)}
    many = {f"q{n}": float(n % 10 < 3) for n in range(1010)}
    zero = dict.fromkeys(many, 0.25)
    drawn, computed = compare("answered", few, zero), compare("answered", many, zero)
    assert drawn is not None
    assert computed is not None
    assert computed.low == pytest.approx(drawn.low, abs=0.003)
    assert computed.high == pytest.approx(drawn.high, abs=0.003)
    assert computed.p == pytest.approx(drawn.p, abs=0.002)


def test_random_signs_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(5).normal(0.4, 1.0, size=15)
    drawn = randomisation_test(differences)
    monkeypatch.setattr(comparison, "EXACT_QUESTIONS", 15)
    assert randomisation_test(differences) == pytest.approx(drawn, abs=0.015)


def test_nothing_is_drawn_where_all_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np.random, "default_rng", None)
    same = compare("answered", _run(*[1.0] * 500), _run(*[1.0] * 500))
    assert same is not None
    assert (same.p, same.low, same.high) == (1.0, 0.0, 0.0)


def test_an_interval_is_the_same_whether_values_or_their_counts_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [float(number % 4 == 0) for number in range(200)]
    counted = mean_of(values)
    monkeypatch.setattr(comparison, "_FEW_VALUES", 0)
    assert mean_of(values) == pytest.approx(counted, abs=0.01)


def test_sums_of_large_figures_are_equal_but_for_rounding() -> None:
    every_one_slower = 1e6 / 3 * np.linspace(1, 2, 12)
    assert randomisation_test(every_one_slower) == 2 / 2**12
