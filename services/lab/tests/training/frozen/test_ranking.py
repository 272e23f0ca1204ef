from __future__ import annotations

import numpy as np
import pytest

from lab.training.frozen.ranking import WEIGHT, Found
from retriever.search.rerank import _stretch
from retriever.settings import RetrieverSettings


def _found(scores: list[float], grades: list[int], documents: list[int] | None = None, ideal: int = 1) -> Found:
    told = {"scores": scores, "grades": grades, "documents": documents or list(range(len(scores)))}
    return Found.of({**told, "ideal": [1] * ideal})


def test_scores_are_mixed_as_the_retriever_does() -> None:
    scores, relevance = [0.9, 0.5, 0.4], [0.1, 0.7, 0.3]
    stretched = _stretch(relevance, scores)
    weight = RetrieverSettings().rerank_weight
    wanted = [score + weight * (new - score) for score, new in zip(scores, stretched, strict=True)]
    assert weight == WEIGHT
    assert _found(scores, [0, 1, 0]).mixed(np.array(relevance)) == pytest.approx(wanted)


def test_relevance_that_is_the_same_everywhere_changes_nothing() -> None:
    assert _found([0.9, 0.5], [0, 1]).mixed(np.array([0.4, 0.4])).tolist() == [0.9, 0.5]


def test_a_document_counts_once_by_its_best_passage_and_what_was_not_found_is_missed() -> None:
    found = _found([0.9, 0.8, 0.7], [0, 0, 1], [0, 0, 2])
    assert found.ndcg(found.scores) == pytest.approx(1 / np.log2(3))
    assert _found([0.9], [1], ideal=2).ndcg(np.array([0.9])) == pytest.approx(1 / (1 + 1 / np.log2(3)))
