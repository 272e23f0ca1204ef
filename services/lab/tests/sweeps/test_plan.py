from __future__ import annotations

import pytest

from contracts.improvement.sweeps import Combination, TrialSettings
from lab.sweeps.errors import NothingToTry
from lab.sweeps.plan import combine, target_of, words_of

SERVED = Combination(mode="hybrid", rerank=False)


def test_each_value_is_tried_with_each_and_what_serves_comes_first() -> None:
    tried = combine(TrialSettings(mode=["sparse", "dense", "sparse"], rerank=[True]), SERVED)
    assert [words_of(one) for one in tried] == ["hybrid", "sparse, reranked", "dense, reranked"]
    tried = combine(TrialSettings(rerank=[False, True]), SERVED)
    assert [words_of(one) for one in tried] == ["hybrid", "hybrid, reranked"]


def test_settings_that_serve_already_are_nothing_to_try() -> None:
    with pytest.raises(NothingToTry, match="searched so already"):
        combine(TrialSettings(mode=["hybrid"]), SERVED)


def test_a_search_alone_or_an_answer_is_asked_with_both_settings() -> None:
    target = target_of(Combination(mode="sparse", rerank=True), "handbook", answers=False)
    assert target.model_dump(exclude_unset=True) == {
        "model": "search:handbook",
        "groundwork": {"mode": "sparse", "rerank": True},
    }
    assert target_of(SERVED, "handbook", answers=True).model == "rag:handbook"
