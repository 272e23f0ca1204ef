"""Which combinations of settings a sweep tries, and how each is asked."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from contracts.improvement.evaluations import SEARCH, EvaluationTarget
from contracts.improvement.sweeps import MOST_COMBINATIONS, Combination, TrialSettings
from contracts.retrieval.collections import Collection
from lab.sweeps.errors import NothingToTry, TooManyCombinations

AXES = tuple(Combination.model_fields)
ANSWERS = "rag:"
WEAKENED = {
    "rerank_unavailable": "its reranker",
    "rerank_timeout": "its reranker in time",
    "dense_unavailable": "its embeddings",
}
"""What a search says it did without where it was another combination's, and the words for it. Other degradations are of
the question or its answer."""


def served_by(collection: Collection) -> Combination:
    """How the collection is searched by who says nothing."""
    return Combination(mode=collection.mode, rerank=collection.rerank)


def combine(settings: TrialSettings, served: Combination) -> list[Combination]:
    """Each value with each, what serves first; raises `TooManyCombinations` or `NothingToTry`."""
    values: list[list[Any]] = []
    for axis in AXES:
        given = getattr(settings, axis)
        values.append([getattr(served, axis)] if given is None else list(dict.fromkeys(given)))
    tried = [Combination.model_validate(dict(zip(AXES, each, strict=True))) for each in product(*values)]
    others = [each for each in tried if each != served]
    if not others:
        raise NothingToTry(words_of(served))
    if len(others) + 1 > MOST_COMBINATIONS:
        raise TooManyCombinations(len(others) + 1, MOST_COMBINATIONS)
    return [served, *others]


def target_of(combination: Combination, collection: str, *, answers: bool) -> EvaluationTarget:
    """What its evaluation asks."""
    options = {"mode": combination.mode, "rerank": combination.rerank}
    model = f"{ANSWERS if answers else SEARCH}{collection}"
    return EvaluationTarget.model_validate({"model": model, "groundwork": options})


def words_of(combination: Combination) -> str:
    """`sparse, reranked`."""
    return f"{combination.mode}, reranked" if combination.rerank else combination.mode


def words_without(degraded: Mapping[str, int]) -> str:
    """`its reranker (rerank_unavailable, questions: 3)`."""
    named = [f"{WEAKENED[each]} ({each}, questions: {count})" for each, count in sorted(degraded.items())]
    return " and ".join(named)
