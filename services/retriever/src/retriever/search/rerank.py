"""Rerank: the first hits of one ranking are read again, together with the query, by a model; within a time box.

A hit's new score is (1 - weight) · score + weight · r, where r is its relevance, stretched linearly over the range of
the scores of all hits that are reranked. So scores stay on the scale of the search, none leaves that range, and what
comes behind keeps its place and score: a page is a slice of one list, however it is cut, and `min_score` means the same
with rerank and without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import structlog

from contracts.retrieval.search import DEFAULT_MODEL, Hit
from retriever.metrics import RERANK_TOKENS, RERANKS
from retriever.models.protocol import Relevance, Reranker
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)
Degradation = Literal["rerank_timeout", "rerank_unavailable", "rerank_model_unknown"]
UNKNOWN = ("model_not_found", "no_reranker")
"""Inference's codes for a name that is no rerank model's, or no longer."""


@dataclass(frozen=True, slots=True)
class RerankResult:
    """Hits in their new order, or as they were with what kept them so."""

    hits: list[Hit]
    tokens: int = 0
    degraded: Degradation | None = None


@dataclass(frozen=True, slots=True)
class RerankStage:
    """Reranks the first `depth` hits of a ranking in at most `seconds`; `weight`, in [0, 1], is the model's say."""

    reranker: Reranker
    depth: int
    seconds: float
    weight: float

    async def rerank(self, model: str, query: str, hits: Sequence[Hit], token: str) -> RerankResult:
        """The hits of a ranking from its first on, reranked by the model of that name, or `default`; out of time or
        without a reranker as they are."""
        head = list(hits[: self.depth])
        if not head:
            return RerankResult([])
        try:
            async with asyncio.timeout(self.seconds):
                relevance = await self.reranker.relevance(model, query, [hit.titled for hit in head], token)
        except TimeoutError:
            RERANKS.labels("timeout").inc()
            return RerankResult(list(hits), degraded="rerank_timeout")
        except ServiceError as error:
            log.warning("not reranked", error=error.code)
            RERANKS.labels("unavailable").inc()
            unknown = error.code in UNKNOWN and model != DEFAULT_MODEL
            return RerankResult(list(hits), degraded="rerank_model_unknown" if unknown else "rerank_unavailable")
        RERANKS.labels("ok").inc()
        RERANK_TOKENS.inc(relevance.tokens)
        return RerankResult([*self._ordered(head, relevance), *hits[self.depth :]], relevance.tokens)

    def _ordered(self, head: Sequence[Hit], relevance: Relevance) -> list[Hit]:
        stretched = _stretch(relevance.scores, [hit.score for hit in head])
        changed = [
            hit.model_copy(
                update={
                    "score": hit.score + self.weight * (new - hit.score),
                    "scores": hit.scores.model_copy(update={"rerank": score}),
                }
            )
            for hit, new, score in zip(head, stretched, relevance.scores, strict=True)
        ]
        return sorted(changed, key=lambda hit: -hit.score)  # stable: equals keep their order


def _stretch(scores: Sequence[float], onto: Sequence[float]) -> list[float]:
    """Scores moved linearly so that their range is that of `onto`; all equal, they say nothing: `onto` itself."""
    low, high = min(scores), max(scores)
    if low == high:
        return list(onto)
    floor, ceiling = min(onto), max(onto)
    return [floor + (score - low) / (high - low) * (ceiling - floor) for score in scores]
