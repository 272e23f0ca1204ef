from __future__ import annotations

from random import Random

from lab.evaluations.figures import Measured
from lab.sweeps import verdict

NDCG = "retrieval_ndcg_10"


def _answered(values: list[float], latency: float = 10.0) -> dict[str, Measured]:
    return {f"q{n}": ((), {NDCG: value, "latency_ms": latency}) for n, value in enumerate(values)}


SERVED = _answered([0.5] * 30)


def test_p_accounts_for_how_many_were_tried() -> None:
    some = _answered([0.5] * 24 + [1.0] * 6)
    (alone,) = [one for one in verdict.compare_all(SERVED, {1: some})[1] if one.measure == NDCG]
    assert alone.verdict == "better"
    found = verdict.compare_all(SERVED, {1: some, 2: _answered([0.5] * 30), 3: _answered([0.4] + [0.5] * 29)})
    (among,) = [one for one in found[1] if one.measure == NDCG]
    assert among.p == 3 * alone.p
    assert (among.difference, among.verdict) == (alone.difference, "no difference")


def test_of_many_that_are_equal_hardly_any_is_called_better() -> None:
    chance, alarms = Random(7), 0
    for _ in range(20):
        served = _answered([chance.random() for _ in range(40)])
        others = {n: _answered([chance.random() for _ in range(40)]) for n in range(1, 9)}
        found = verdict.compare_all(served, others)
        alarms += any(one.measure == NDCG and one.verdict != "no difference" for each in found.values() for one in each)
    assert alarms <= 3


def test_the_one_that_is_better_by_most_is_chosen_and_of_equals_the_faster() -> None:
    found = verdict.compare_all(
        SERVED,
        {1: _answered([0.6] * 30, 40.0), 2: _answered([0.6] * 30, 20.0), 3: _answered([0.4] * 30), 4: SERVED},
    )
    assert verdict.choose(found, NDCG) == 2
    assert verdict.choose(found, NDCG, without={2}) == 1
    assert verdict.choose(found, NDCG, without={1, 2}) is None, "none other is better at all"


def test_the_verdict_says_what_to_do_and_why() -> None:
    names = ["hybrid", "sparse", "dense"]
    assert verdict.words(names, None, [], NDCG).startswith("Keep hybrid: none of the 2 other combinations")
    better = verdict.differences(_answered([0.7] * 30, 90.0), SERVED)
    assert verdict.is_better(better, NDCG)
    said = verdict.words(names, 1, better, NDCG)
    assert said.startswith("sparse instead of hybrid is better: +0.2 [+0.2, +0.2] retrieval_ndcg_10")
    assert said.endswith("slower: +80 ms.")
    luck = verdict.differences(_answered([0.6] + [0.5] * 29), SERVED)
    assert not verdict.is_better(luck, NDCG)
    assert verdict.words(names, 2, luck, NDCG).startswith("Keep hybrid: dense looked best of 2, but not on")


def test_what_fails_more_questions_or_was_hardly_compared_is_never_better() -> None:
    few = verdict.compare_all(SERVED, {1: _answered([0.9] * 5), 2: _answered([0.6] * 30)})
    assert verdict.choose(few, NDCG) == 2
    assert verdict.left_out(few, NDCG) == {1: "fewer than 6 questions could be compared"}
    served = {name: (labels, {**figures, "succeeded": 1.0}) for name, (labels, figures) in SERVED.items()}
    one = {name: (labels, {NDCG: 0.9, "succeeded": 1.0}) for name, (labels, _) in SERVED.items()}
    assert verdict.is_better(verdict.differences(one, served), NDCG)
    fails = verdict.differences({**one, "q0": ((), {"succeeded": 0.0})}, served)
    assert not verdict.is_better(fails, NDCG)
    said = verdict.words(["hybrid", "sparse", "dense"], 1, fails, NDCG, {2: "why"})
    assert said.endswith("but where it was confirmed 3% more of the questions failed. Left out: dense (why).")
    nothing = verdict.differences({name: ((), {"succeeded": 0.0}) for name in served}, served)
    assert "100% more of the questions failed" in verdict.words(["hybrid", "sparse"], 1, nothing, NDCG)
    assert "fewer than 6" in verdict.words(["hybrid", "sparse"], 1, [], NDCG)
