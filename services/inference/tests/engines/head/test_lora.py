from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from services.inference.tests.engines.head.test_projection import OTHER, TRAINED, _origin
from services.inference.tests.projections import lora

from inference.catalog.learnt.lora import Lora
from inference.engines.errors import ProjectionUnusable
from inference.engines.head.lora import LoraEmbedding
from inference.engines.head.projection import INPUT_TYPE, Projected
from inference.protocol.engines import NO_EXTRA_FIELDS, EmbeddingResult, ExtraFields, Priority


class Inner:
    """An encoder of its own."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.closed = self.probed = False

    async def embed(
        self, texts: Sequence[str], priority: Priority, extra: ExtraFields = NO_EXTRA_FIELDS
    ) -> EmbeddingResult:
        self.asked += texts
        return EmbeddingResult(np.array([[1.0, 0.0]] * len(texts), dtype=np.float32), 5, 0)

    async def close(self) -> None:
        self.closed = True

    async def probe(self) -> None:
        self.probed = True


def _engine(inner: Inner, origin: Projected) -> LoraEmbedding:
    learnt = Lora.model_validate(lora(embedding_digest=TRAINED))
    return LoraEmbedding("words+manuals", learnt, 64, lambda _: origin, inner)  # type: ignore[arg-type]


async def test_questions_are_read_by_an_encoder_of_its_own_and_passages_by_the_embedding_model() -> None:
    inner = Inner()
    engine = _engine(inner, _origin(TRAINED))
    assert (await engine.embed(["is it late"], "query")).vectors.tolist() == [[1.0, 0.0]]
    assert inner.asked == ["ask: is it late"], "with the prefix of the embedding model"
    for extra in ({}, {INPUT_TYPE: "passage"}):
        passage = await engine.embed(["it is late"], "bulk", extra)
        assert passage.vectors.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]
    assert (await engine.embed(["is it"], "bulk", {INPUT_TYPE: "query"})).tokens == 5
    await engine.probe()
    await engine.close()
    assert (len(inner.asked), inner.probed, inner.closed) == (2, True, True)


async def test_another_embedding_model_than_it_was_learnt_beside_is_refused_before_anything_is_loaded() -> None:
    inner = Inner()
    with pytest.raises(ProjectionUnusable, match="has the digest"):
        await _engine(inner, _origin(OTHER)).embed(["late"], "query")
    with pytest.raises(ProjectionUnusable, match="was learnt, too"):
        await _engine(inner, _origin(TRAINED, is_over=True)).embed(["late"], "query")
    assert inner.asked == []
