"""What any rerank engine of inference must do. A subclass gives the fixture `engine`.

Nothing is said about which document is the best, so that a model with random weights can be held to it. That scores
follow relevance is what the retriever asks of its rerankers (`tests/support/retriever/reranker_conformance.py`).
"""

from __future__ import annotations

import asyncio
import math

import pytest

from inference.protocol.engines import RerankEngine

QUERY = "red car"
DOCUMENTS = [
    "A blue boat.",
    "The red car stands in the yard.",
    "A red boat.",
    "Quarterly revenue rose by nine percent.",
]
NEAR = 1e-3


class RerankConformance:
    """A rerank engine that reads at most a few hundred tokens."""

    async def test_each_document_has_its_own_score_in_its_place(self, engine: RerankEngine) -> None:
        scores = (await engine.rank(QUERY, DOCUMENTS)).scores
        turned = (await engine.rank(QUERY, DOCUMENTS[::-1])).scores
        assert len(scores) == len(DOCUMENTS)
        assert all(math.isfinite(score) for score in scores)
        assert turned[::-1] == pytest.approx(scores, abs=NEAR)
        assert max(scores) - min(scores) > NEAR

    async def test_a_score_does_not_depend_on_the_documents_beside_it(self, engine: RerankEngine) -> None:
        together = (await engine.rank(QUERY, [*DOCUMENTS, "longer " * 30])).scores[: len(DOCUMENTS)]
        alone = [(await engine.rank(QUERY, [document])).scores[0] for document in DOCUMENTS]
        assert together == pytest.approx(alone, abs=NEAR)

    async def test_a_score_depends_on_the_query(self, engine: RerankEngine) -> None:
        scores = (await engine.rank(QUERY, DOCUMENTS)).scores
        others = (await engine.rank("quarterly revenue of the year", DOCUMENTS)).scores
        assert max(abs(one - other) for one, other in zip(scores, others, strict=True)) > NEAR

    async def test_tokens_are_counted_for_each_pair(self, engine: RerankEngine) -> None:
        one = await engine.rank(QUERY, DOCUMENTS[:1])
        both = await engine.rank(QUERY, [DOCUMENTS[0]] * 2)
        assert one.tokens >= 4
        assert both.tokens == 2 * one.tokens
        assert one.truncated == both.truncated == 0

    async def test_calls_at_once_get_their_own_scores(self, engine: RerankEngine) -> None:
        together = await asyncio.gather(*(engine.rank(document, DOCUMENTS) for document in DOCUMENTS))
        for query, ranked in zip(DOCUMENTS, together, strict=True):
            assert ranked.scores == pytest.approx((await engine.rank(query, DOCUMENTS)).scores, abs=NEAR)

    async def test_it_says_that_it_is_alive(self, engine: RerankEngine) -> None:
        await engine.probe()
