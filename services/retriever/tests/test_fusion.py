from __future__ import annotations

import pytest

from retriever.fusion import Found, best_of, rank_fused, rank_single

MODELS = {"a": "m", "b": "m", "c": "other"}


def _found(name: str, dense: float | None, sparse: float | None, collection: str = "a") -> Found:
    return Found(collection, name, dense, sparse)


def test_best_by_meaning_and_by_words_is_one() -> None:
    found = [_found("x", 0.5, 8.0), _found("y", 0.25, 4.0), _found("z", 0.4, None)]
    ranked = rank_fused(found, best_of(found, MODELS))
    assert [(each.found.id, each.score) for each in ranked] == [("x", 1.0), ("y", 0.5), ("z", pytest.approx(0.4))]


def test_a_score_does_not_depend_on_weaker_candidates() -> None:
    few = [_found("x", 0.5, 8.0), _found("y", 0.25, 4.0)]
    many = [*few, *(_found(f"w{at}", 0.01 * at, None) for at in range(20))]
    scores = [{each.found.id: each.score for each in rank_fused(some, best_of(some, MODELS))} for some in (few, many)]
    assert scores[0]["y"] == scores[1]["y"]


def test_cosines_are_compared_within_a_model_only() -> None:
    found = [_found("x", 0.9, None, "a"), _found("y", 0.3, None, "c"), _found("z", 0.3, None, "b")]
    ranked = rank_fused(found, best_of(found, MODELS))
    assert [each.found.id for each in ranked] == ["x", "y", "z"]
    assert ranked[0].score == ranked[1].score == 0.5


def test_opposite_meaning_counts_nothing() -> None:
    found = [_found("x", -0.4, None), _found("y", -0.2, 3.0)]
    ranked = rank_fused(found, best_of(found, MODELS))
    assert [(each.found.id, each.score) for each in ranked] == [("y", 0.5), ("x", 0.0)]


def test_equal_scores_are_ordered_by_id() -> None:
    found = [_found(name, 0.5, None) for name in ("c", "a", "b")]
    assert [each.found.id for each in rank_fused(found, best_of(found, MODELS))] == ["a", "b", "c"]
    assert [each.found.id for each in rank_single(found)] == ["a", "b", "c"]


def test_one_list_is_ranked_by_its_own_score() -> None:
    found = [_found("x", None, 2.0), _found("y", None, 7.0)]
    assert [(each.found.id, each.score) for each in rank_single(found)] == [("y", 7.0), ("x", 2.0)]


def test_who_holds_the_best_scores_is_known() -> None:
    x, y, z = _found("x", 0.9, 1.0), _found("y", 0.3, 7.0, "c"), _found("z", 0.8, None, "b")
    assert set(best_of([z, y, x], MODELS).holders) == {x, y}
    assert best_of([_found("w", -0.1, None)], MODELS).holders == ()
