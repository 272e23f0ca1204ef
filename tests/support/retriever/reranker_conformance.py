"""What any reranker of the retriever must do. A subclass gives the fixtures `reranker` and `token`."""

from __future__ import annotations

import asyncio
import math

import pytest

from retriever.models.protocol import Reranker

TEXTS = ["A blue boat.", "The red car stands in the yard.", "A red boat.", "Quarterly revenue rose."]


class RerankerConformance:
    """A reranker that finds what shares words with the query relevant, as any good one does here."""

    async def test_each_text_has_its_own_score_in_its_place(self, reranker: Reranker, token: str) -> None:
        relevance = await reranker.relevance("default", "red car", TEXTS, token)
        assert len(relevance.scores) == len(TEXTS)
        assert all(math.isfinite(score) for score in relevance.scores)
        assert relevance.scores[1] > relevance.scores[2] > relevance.scores[0] >= relevance.scores[3]

    async def test_a_score_does_not_depend_on_the_texts_beside_it(self, reranker: Reranker, token: str) -> None:
        together = (await reranker.relevance("default", "red car", TEXTS, token)).scores
        alone = [(await reranker.relevance("default", "red car", [text], token)).scores[0] for text in TEXTS]
        assert together == pytest.approx(alone, abs=1e-3)

    async def test_tokens_are_counted(self, reranker: Reranker, token: str) -> None:
        one = (await reranker.relevance("default", "red car", TEXTS[:1], token)).tokens
        both = (await reranker.relevance("default", "red car", [TEXTS[0]] * 2, token)).tokens
        assert 0 < one < both <= 2 * one

    async def test_calls_at_once_get_their_own_scores(self, reranker: Reranker, token: str) -> None:
        queries = ["red car", "blue boat", "quarterly revenue"]
        together = await asyncio.gather(*(reranker.relevance("default", query, TEXTS, token) for query in queries))
        best = [max(range(len(TEXTS)), key=relevance.scores.__getitem__) for relevance in together]
        assert best == [1, 0, 3]
