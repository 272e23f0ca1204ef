"""The order of what a search found, with and without a rerank model's say, and what that order is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.training.frozen.lbfgs import Array

WEIGHT = 0.3
"""A rerank model's say in a search, unless RETRIEVER_RERANK_WEIGHT is another."""
DEPTH = 10


@dataclass(frozen=True, slots=True)
class Found:
    """The passages that a search found for one question."""

    scores: Array
    documents: NDArray[np.int64]
    """Of each its document, by number."""
    grades: NDArray[np.int64]
    """How relevant that is."""
    ideal: Sequence[int]
    """The grades of all that are relevant, the best first."""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Found:
        """From a job."""
        documents, grades = (np.array(found[name], dtype=np.int64) for name in ("documents", "grades"))
        return cls(np.array(found["scores"], dtype=np.float64), documents, grades, found["ideal"])

    def mixed(self, relevance: Array) -> Array:
        """Scores as the retriever makes them: relevance is stretched over their range, and has `WEIGHT` in them."""
        low, high = float(relevance.min()), float(relevance.max())
        if low == high:
            return self.scores
        floor, ceiling = float(self.scores.min()), float(self.scores.max())
        stretched = floor + (relevance - low) / (high - low) * (ceiling - floor)
        mixed: Array = self.scores + WEIGHT * (stretched - self.scores)
        return mixed

    def ndcg(self, scores: Array) -> float:
        """nDCG@10 of the documents, each by its best passage."""
        gains: dict[int, int] = {}
        for at in np.argsort(-scores, kind="stable"):
            gains.setdefault(int(self.documents[at]), int(self.grades[at]))
        return gain(list(gains.values())[:DEPTH]) / gain(self.ideal[:DEPTH])


def gain(gains: Sequence[int]) -> float:
    """Discounted by rank."""
    return sum(one / math.log2(rank + 1) for rank, one in enumerate(gains, start=1))
