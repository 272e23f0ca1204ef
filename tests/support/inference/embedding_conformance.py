"""What any embedding engine of inference must do. A subclass gives the fixture `engine`; texts are chosen to suit all.

What any chat engine must do is `chat_conformance.py`, any rerank engine `rerank_conformance.py`.
"""

from __future__ import annotations

import asyncio

import numpy as np

from inference.protocol.engines import EmbeddingEngine


class EmbeddingConformance:
    """An embedding engine that reads at most a few hundred tokens."""

    async def test_vectors_are_normalised_and_in_order(self, engine: EmbeddingEngine) -> None:
        texts = ["The cat sat on the mat.", "A cat sits on a mat.", "Quarterly revenue rose by nine percent."]
        vectors = (await engine.embed(texts, "bulk")).vectors
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
        assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]

    async def test_a_vector_does_not_depend_on_its_company(self, engine: EmbeddingEngine) -> None:
        text = "A fairly short sentence about lanterns."
        alone = (await engine.embed([text], "query")).vectors[0]
        crowd = ["x", text, "longer " * 60, "two words"]
        among = (await engine.embed(crowd, "bulk")).vectors[1]
        assert float(alone @ among) > 0.9999

    async def test_tokens_are_counted(self, engine: EmbeddingEngine) -> None:
        one = (await engine.embed(["one two three"], "query")).tokens
        both = (await engine.embed(["one two three", "one two three"], "query")).tokens
        assert one >= 3
        assert both == 2 * one

    async def test_calls_at_once_get_their_own_vectors(self, engine: EmbeddingEngine) -> None:
        texts = [f"text number {number}" for number in range(20)]
        together = await asyncio.gather(*(engine.embed([text], "query") for text in texts))
        alone = (await engine.embed(texts, "bulk")).vectors
        for number, got in enumerate(together):
            assert float(got.vectors[0] @ alone[number]) > 0.9999

    async def test_it_says_that_it_is_alive(self, engine: EmbeddingEngine) -> None:
        await engine.probe()
