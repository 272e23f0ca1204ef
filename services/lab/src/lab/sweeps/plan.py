"""Which combinations of settings a sweep tries, in which order, and how each is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from contracts.improvement.evaluations import SEARCH, EvaluationTarget
from contracts.improvement.sweeps import MOST_COMBINATIONS, Combination, TrialSettings
from contracts.retrieval.collections import Collection
from contracts.retrieval.search import DEFAULT_MODEL
from lab.sweeps.errors import NothingToTry, TooManyCombinations

AXES = tuple(Combination.model_fields)
SEARCHED = ("mode", "rerank", "rerank_model")
"""Those that need no index of their own."""
ANSWERS = "rag:"
WEAKENED = {
    "rerank_unavailable": "its reranker",
    "rerank_model_unknown": "its reranker, which does not exist",
    "rerank_timeout": "its reranker in time",
    "dense_unavailable": "its embeddings",
}
"""What a search says it did without where it was another combination's, and the words for it. Other degradations are of
the question or its answer."""
Index = tuple[int | None, str | None]
"""Of a combination: its chunks' size and its embedding model."""
SERVING: Index = (None, None)


def served_by(collection: Collection) -> Combination:
    """How the collection is searched by who says nothing."""
    model = collection.rerank_model if collection.rerank else None
    return Combination(mode=collection.mode, rerank=collection.rerank, rerank_model=model)


def searched(combination: Combination) -> Combination:
    """How it is searched, in whichever index; the default rerank model has no name."""
    model = None if combination.rerank_model == DEFAULT_MODEL else combination.rerank_model
    return combination.model_copy(update={"chunk_size": None, "embedding_model": None, "rerank_model": model})


def index_of(combination: Combination) -> Index:
    """The index that it is searched in."""
    return combination.chunk_size, combination.embedding_model


def combine(settings: TrialSettings, collection: Collection) -> list[Combination]:
    """Each value with each, what serves first; raises `TooManyCombinations` or `NothingToTry`."""
    served = served_by(collection)
    as_it_is = {"chunk_size": collection.chunking.max_tokens, "embedding_model": collection.embedding_model}
    if collection.rerank_model is None:
        as_it_is["rerank_model"] = DEFAULT_MODEL
    usual = {**served.model_dump(), "rerank_model": collection.rerank_model}
    if settings.rerank_model is not None:
        usual["rerank"] = True
    values: list[list[Any]] = []
    for axis in AXES:
        given = getattr(settings, axis)
        named = [None if axis in as_it_is and each == as_it_is[axis] else each for each in given or ()]
        values.append([usual[axis]] if given is None else list(dict.fromkeys(named)))
    every = [Combination.model_validate(dict(zip(AXES, each, strict=True))) for each in product(*values)]
    plain = [each if each.rerank else each.model_copy(update={"rerank_model": None}) for each in every]
    others = [each for number, each in enumerate(plain) if each != served and each not in plain[:number]]
    if not others:
        raise NothingToTry(words_of(served))
    if len(others) + 1 > MOST_COMBINATIONS:
        raise TooManyCombinations(len(others) + 1, MOST_COMBINATIONS)
    return [served, *others]


def in_order(combinations: Sequence[Combination]) -> list[int]:
    """Their numbers, those of one index together, so that each is built once; what serves first."""
    indexes = list(dict.fromkeys(map(index_of, combinations)))
    return sorted(range(len(combinations)), key=lambda number: indexes.index(index_of(combinations[number])))


def target_of(
    combination: Combination, collection: str, *, answers: bool, generation: int | None = None
) -> EvaluationTarget:
    """What its evaluation asks; of the `generation` that has its index, if that does not serve."""
    options: dict[str, Any] = {"mode": combination.mode, "rerank": combination.rerank}
    if combination.rerank_model is not None:
        options["rerank_model"] = combination.rerank_model
    if generation is not None:
        options["generation"] = generation
    model = f"{ANSWERS if answers else SEARCH}{collection}"
    return EvaluationTarget.model_validate({"model": model, "groundwork": options})


def words_of(combination: Combination) -> str:
    """`sparse, reranked, chunks of 200, e5-small`."""
    by = f" by {combination.rerank_model}" if combination.rerank_model else ""
    said = [combination.mode, f"reranked{by}" if combination.rerank else ""]
    said += [f"chunks of {combination.chunk_size}" if combination.chunk_size else "", combination.embedding_model or ""]
    return ", ".join(each for each in said if each)


def words_without(degraded: Mapping[str, int]) -> str:
    """`its reranker (rerank_unavailable, questions: 3)`."""
    named = [f"{WEAKENED[each]} ({each}, questions: {count})" for each, count in sorted(degraded.items())]
    return " and ".join(named)
