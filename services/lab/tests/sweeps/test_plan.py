from __future__ import annotations

import pytest
from services.lab.tests.sweeps.sweeping import ScriptedCollections

from contracts.improvement.sweeps import Combination, TrialSettings
from lab.sweeps.errors import NothingToTry, TooManyCombinations
from lab.sweeps.plan import combine, in_order, searched, served_by, target_of, words_of

SERVED = Combination(mode="hybrid", rerank=False)
HANDBOOK = ScriptedCollections().there


def test_each_value_is_tried_with_each_and_what_serves_comes_first() -> None:
    tried = combine(TrialSettings(mode=["sparse", "dense", "sparse"], rerank=[True]), HANDBOOK)
    assert [words_of(one) for one in tried] == ["hybrid", "sparse, reranked", "dense, reranked"]
    tried = combine(TrialSettings(rerank=[False, True]), HANDBOOK)
    assert [words_of(one) for one in tried] == ["hybrid", "hybrid, reranked"]


def test_settings_that_serve_already_are_nothing_to_try() -> None:
    with pytest.raises(NothingToTry, match="searched so already"):
        combine(TrialSettings(mode=["hybrid"]), HANDBOOK)


def test_a_search_alone_or_an_answer_is_asked_with_both_settings() -> None:
    target = target_of(Combination(mode="sparse", rerank=True), "handbook", answers=False)
    assert target.model_dump(exclude_unset=True) == {
        "model": "search:handbook",
        "groundwork": {"mode": "sparse", "rerank": True},
    }
    assert target_of(SERVED, "handbook", answers=True).model == "rag:handbook"


def test_those_of_one_index_are_asked_together_and_what_serves_first() -> None:
    tried = combine(TrialSettings(rerank=[True, False], chunk_size=[200, 100], embedding_model=["m", "e5"]), HANDBOOK)
    assert [words_of(tried[number]) for number in in_order(tried)] == [
        "hybrid",
        "hybrid, reranked, chunks of 200",
        "hybrid, chunks of 200",
        "hybrid, reranked, chunks of 200, e5",
        "hybrid, chunks of 200, e5",
        "hybrid, reranked, chunks of 100",
        "hybrid, chunks of 100",
        "hybrid, reranked, chunks of 100, e5",
        "hybrid, chunks of 100, e5",
    ]
    with pytest.raises(TooManyCombinations, match="25 combinations"):
        combine(TrialSettings(chunk_size=list(range(100, 124))), HANDBOOK)


def test_a_combination_is_asked_in_the_generation_that_has_its_index() -> None:
    small = Combination(mode="hybrid", rerank=False, chunk_size=100)
    target = target_of(small, "handbook", answers=True, generation=7)
    assert target.groundwork is not None
    assert target.groundwork.generation == 7


def test_rerank_models_are_tried_where_something_is_reranked() -> None:
    tried = combine(TrialSettings(rerank_model=["reader+order", "default"]), HANDBOOK)
    assert [words_of(one) for one in tried] == ["hybrid", "hybrid, reranked by reader+order", "hybrid, reranked"]
    tried = combine(TrialSettings(rerank=[False, True], rerank_model=["a", "b"], mode=["sparse"]), HANDBOOK)
    assert [words_of(one) for one in tried] == ["hybrid", "sparse", "sparse, reranked by a", "sparse, reranked by b"]
    target = target_of(tried[2], "handbook", answers=False)
    assert target.groundwork is not None
    assert (target.groundwork.rerank, target.groundwork.rerank_model) == (True, "a")


def test_a_collection_s_own_rerank_model_serves_and_the_default_one_is_another() -> None:
    own = HANDBOOK.model_copy(update={"rerank": True, "rerank_model": "a"})
    assert served_by(own) == Combination(mode="hybrid", rerank=True, rerank_model="a")
    tried = combine(TrialSettings(rerank_model=["a", "default"]), own)
    assert [words_of(one) for one in tried] == ["hybrid, reranked by a", "hybrid, reranked by default"]
    assert searched(tried[1]) == served_by(own.model_copy(update={"rerank_model": None}))
    tried = combine(TrialSettings(mode=["sparse"]), own)
    assert tried[1].rerank_model == "a", "what is not tried stays"
