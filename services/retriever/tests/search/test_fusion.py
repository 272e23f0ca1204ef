from __future__ import annotations

import random

import pytest

from retriever.search.fusion import CandidateScores, best_of, dense_weight, rank_fused, rank_single

MODELS = {"a": "m", "b": "m", "c": "other"}
EVEN = dict.fromkeys(MODELS, 0.5)


def _found(name: str, dense: float | None, sparse: float | None, collection: str = "a") -> CandidateScores:
    return CandidateScores(collection, name, dense, sparse)


def test_best_by_meaning_and_by_words_is_one() -> None:
    found = [_found("x", 0.5, 8.0), _found("y", 0.25, 4.0), _found("z", 0.4, None)]
    ranked = rank_fused(found, best_of(found, MODELS, EVEN))
    assert [(each.found.id, each.score) for each in ranked] == [("x", 1.0), ("y", 0.5), ("z", pytest.approx(0.4))]


def test_a_score_does_not_depend_on_weaker_candidates() -> None:
    few = [_found("x", 0.5, 8.0), _found("y", 0.25, 4.0)]
    many = [*few, *(_found(f"w{at}", 0.01 * at, None) for at in range(20))]
    scores = [
        {each.found.id: each.score for each in rank_fused(some, best_of(some, MODELS, EVEN))} for some in (few, many)
    ]
    assert scores[0]["y"] == scores[1]["y"]


def test_cosines_are_compared_within_a_model_only() -> None:
    found = [_found("x", 0.9, None, "a"), _found("y", 0.3, None, "c"), _found("z", 0.3, None, "b")]
    ranked = rank_fused(found, best_of(found, MODELS, EVEN))
    assert [each.found.id for each in ranked] == ["x", "y", "z"]
    assert ranked[0].score == ranked[1].score == 0.5


def test_opposite_meaning_counts_nothing() -> None:
    found = [_found("x", -0.4, None), _found("y", -0.2, 3.0)]
    ranked = rank_fused(found, best_of(found, MODELS, EVEN))
    assert [(each.found.id, each.score) for each in ranked] == [("y", 0.5), ("x", 0.0)]


def test_equal_scores_are_ordered_by_id() -> None:
    found = [_found(name, 0.5, None) for name in ("c", "a", "b")]
    assert [each.found.id for each in rank_fused(found, best_of(found, MODELS, EVEN))] == ["a", "b", "c"]
    assert [each.found.id for each in rank_single(found)] == ["a", "b", "c"]


def test_one_list_is_ranked_by_its_own_score() -> None:
    found = [_found("x", None, 2.0), _found("y", None, 7.0)]
    assert [(each.found.id, each.score) for each in rank_single(found)] == [("y", 7.0), ("x", 2.0)]


def test_who_holds_the_best_scores_is_known() -> None:
    x, y, z = _found("x", 0.9, 1.0), _found("y", 0.3, 7.0, "c"), _found("z", 0.8, None, "b")
    assert set(best_of([z, y, x], MODELS, EVEN).holders) == {x, y}
    assert best_of([_found("w", -0.1, None)], MODELS, EVEN).holders == ()


def test_a_flat_list_counts_less() -> None:
    peaked, flat = [10.0 / (at + 1) for at in range(64)], [10.0 - 0.001 * at for at in range(64)]
    weights = [dense_weight(*lists, terms=3) for lists in ((flat, peaked), (peaked, peaked), (peaked, flat))]
    assert weights[0] < 0.1 < 0.5 < weights[1] < 0.9 < weights[2]


def test_words_count_less_the_fewer_of_the_query_are_found() -> None:
    peaked = [10.0 / (at + 1) for at in range(64)]
    weights = [dense_weight(peaked, peaked, terms) for terms in (1, 4, 8, 16)]
    assert weights[0] == weights[1] < 0.6 < weights[2] < 0.8 < weights[3]


def test_the_weight_is_told_by_the_first_64_alone() -> None:
    dense = sorted((random.Random(4).random() for _ in range(400)), reverse=True)
    sparse = [30 * each for each in dense]
    assert (
        dense_weight(dense[:64], sparse[:64], 5)
        == dense_weight(dense, sparse[:128], 5)
        == dense_weight(dense, sparse, 5)
    )


def test_any_two_lists_have_a_weight_between_0_and_1() -> None:
    lists = [[], [0.0], [0.4], [-0.1, -0.2], [0.9] * 80, [0.8, -0.3], [float(at) for at in range(90, 0, -1)]]
    assert all(0 <= dense_weight(dense, sparse, 1) <= 1 for dense in lists for sparse in lists)


def test_without_one_of_the_lists_the_weight_says_nothing() -> None:
    assert dense_weight([], [3.0], 1) == dense_weight([0.5], [], 0) == 0.5


def test_more_of_either_score_never_lowers_the_rank_and_none_leaves_0_to_1() -> None:
    chance = random.Random(7)
    for _ in range(50):
        found = [_found(f"x{at:02}", chance.uniform(-0.2, 1), chance.uniform(0, 30)) for at in range(30)]
        weight = {"a": chance.random()}
        ranked = rank_fused(found, best_of(found, {"a": "m"}, weight))
        assert all(0 <= each.score <= 1 for each in ranked)
        assert ranked == rank_fused(reversed(found), best_of(reversed(found), {"a": "m"}, weight))
        for place, each in enumerate(ranked):
            below = [later.found for later in ranked[place + 1 :] if later.score < each.score]
            assert not any(other.dense >= each.found.dense and other.sparse >= each.found.sparse for other in below)


def test_meaning_counts_from_the_cosine_on_that_unrelated_texts_have() -> None:
    found = [_found("x", 0.9, None), _found("y", 0.85, None), _found("z", 0.7, 4.0)]
    best = best_of(found, MODELS, EVEN, {"a": 0.8})
    ranked = rank_fused(found, best)
    assert [(each.found.id, each.score) for each in ranked] == [
        ("x", 0.5),
        ("z", 0.5),
        ("y", pytest.approx(0.25)),
    ]
    assert best.words_needed("a", 0.85, 0.5) == pytest.approx(2.0)
    assert (
        rank_fused([_found("x", 0.75, None)], best_of([_found("x", 0.75, None)], MODELS, EVEN, {"a": 0.8}))[0].score
        == 0
    )


def test_what_all_counts_as_unrelated_is_ordered_by_its_meaning() -> None:
    found = [_found("a", 0.71, None), _found("b", 0.76, None), _found("c", 0.74, 0.0), _found("d", 0.6, 2.0)]
    ranked = rank_fused(found, best_of(found, MODELS, EVEN, {"a": 0.8}))
    assert [each.found.id for each in ranked] == ["d", "b", "c", "a"]
    assert [each.score for each in ranked] == [0.5, 0, 0, 0]
