"""Fusion: one ranking from the cosine and the BM25 score of each candidate.

score = w · cosine / best cosine + (1 - w) · BM25 / best BM25, each share clipped to [0, 1].

Of a model that gives texts which have nothing to do with each other a cosine above 0 (e5: .78), that is taken off
all its cosines first.

The weight w is the query's own. A list whose best score stands far above its 64th knows what it wants, one that is
flat does not (a model that never saw the language finds everything equally near). And the fewer of the query's words
are in what the words find, the less they know: people who ask in their own words share only those beside the point.

    w = d² / (d² + WORDS_WEIGHT · m · s⁴)    d, s = 1 - 64th score / best score of the dense and of the BM25 list
                                             m = best BM25 score / (terms of the query · FULL_TERM), at most 1

Every candidate gets both scores, also one that only one of the lists held. From outside a candidate come only the
best scores and the first 64 of each list, which every search reads. So its score does not depend on how deep the
lists were read, and pages of one ranking fit together. How this was chosen, with tables: `docs/decisions/0401`, `0410`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

BACKGROUND = 64
"""The rank whose score stands for what does not answer the query; every search reads at least so many of a list."""
WORDS_WEIGHT = 0.7
FULL_TERM = 2.5
"""The best BM25 score for each term of a query from which on words count in full."""
FLAT = 0.01
"""Added to each peak, so that two flat lists have a weight, too."""
_WORDS = ""  # no model is called that


class CandidateScores(NamedTuple):
    """A candidate of one collection; a score is null where the candidate is not in that list at all."""

    collection: str
    id: str
    dense: float | None
    sparse: float | None


class RankedCandidate(NamedTuple):
    """A candidate with its final score."""

    found: CandidateScores
    score: float


@dataclass(frozen=True, slots=True)
class Best:
    """The best scores of a search: cosine by collection (collections may have different models), and BM25 of all.

    `weights` is how much meaning counts, by collection; `holders` are the candidates that have the best scores: a
    ranking is right only if these may be shown.
    """

    dense: dict[str, float]
    sparse: float
    weights: dict[str, float]
    holders: tuple[CandidateScores, ...] = ()
    unrelated: Mapping[str, float] = field(default_factory=dict)
    """The cosine by collection that counts as 0; unsaid, 0."""

    def score(self, collection: str, dense: float | None, sparse: float | None) -> float:
        """The fused score in [0, 1] of something with these scores."""
        weight = self.weights[collection]
        by_meaning = self._by_meaning(collection, dense)
        by_words = 0.0 if sparse is None or sparse <= 0 or self.sparse <= 0 else min(1.0, sparse / self.sparse)
        return weight * by_meaning + (1 - weight) * by_words

    def words_needed(self, collection: str, dense: float | None, score: float) -> float:
        """The BM25 score with which something with this cosine, or a lower one, has this fused score; 0 or less where
        its meaning alone may be enough.
        """
        weight = self.weights[collection]
        by_words = score - weight * self._by_meaning(collection, dense)
        return self.sparse * by_words / (1 - weight) if weight < 1 else 0.0

    def _by_meaning(self, collection: str, dense: float | None) -> float:
        nothing = self.unrelated.get(collection, 0.0)
        return 0.0 if dense is None else _share(dense - nothing, self.dense.get(collection, 0.0) - nothing)


def dense_weight(dense: Sequence[float], sparse: Sequence[float], terms: int) -> float:
    """How much meaning counts beside words, from the two lists' scores in descending order, for a query of so many
    terms; 0.5 where one of the lists is empty.

    A dense list that ends before the 64th has the last for it. A BM25 list ends where no word matches: with 0.
    """
    if not dense or not sparse:
        return 0.5
    background = sparse[BACKGROUND - 1] if len(sparse) >= BACKGROUND else 0.0
    meaning = (_peak(dense[0], dense[:BACKGROUND][-1]) + FLAT) ** 2
    words = WORDS_WEIGHT * (_peak(sparse[0], background) + FLAT) ** 4
    return meaning / (meaning + words * _share(sparse[0], terms * FULL_TERM))


def best_of(
    candidates: Iterable[CandidateScores],
    models: dict[str, str],
    weights: dict[str, float],
    unrelated: Mapping[str, float] = MappingProxyType({}),
) -> Best:
    """The best scores; `models` names each collection's embedding model, whose cosines are comparable."""
    by_model: dict[str, float] = {}
    holders: dict[str, CandidateScores] = {}
    sparse = 0.0
    for found in candidates:
        model = models[found.collection]
        if found.dense is not None and found.dense > by_model.get(model, 0.0):
            by_model[model], holders[model] = found.dense, found
        if found.sparse is not None and found.sparse > sparse:
            sparse, holders[_WORDS] = found.sparse, found
    dense = {name: by_model.get(model, 0.0) for name, model in models.items()}
    return Best(dense, sparse, weights, tuple(holders.values()), unrelated)


def rank_fused(candidates: Iterable[CandidateScores], best: Best) -> list[RankedCandidate]:
    """All candidates by fused score, then by cosine, collection and id."""
    return _ordered([RankedCandidate(found, best.score(found[0], found[2], found[3])) for found in candidates])


def rank_single(candidates: Iterable[CandidateScores]) -> list[RankedCandidate]:
    """All candidates of the one list that was searched by its own score, then by collection and id."""
    scored = [(found, found.sparse if found.dense is None else found.dense) for found in candidates]
    return _ordered([RankedCandidate(found, score) for found, score in scored if score is not None])


def _peak(best: float, background: float) -> float:
    return 1 - _share(background, best) if best > 0 else 0.0


def _share(score: float | None, best: float) -> float:
    return min(1.0, max(0.0, score / best)) if score is not None and best > 0 else 0.0


def _ordered(ranked: list[RankedCandidate]) -> list[RankedCandidate]:
    """By score; where it is the same by cosine, as among those that count as unrelated: what is in another language
    than the query often does, and the nearest still answers."""

    def place(each: RankedCandidate) -> tuple[float, float, str, str]:
        nearness = each.found.dense if each.found.dense is not None else -1.0
        return -each.score, -nearness, each.found.collection, each.found.id

    return sorted(ranked, key=place)
