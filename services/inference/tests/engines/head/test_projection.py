from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from services.inference.tests.projections import projection

from contracts.models.catalog import InputType
from inference.catalog.learnt.projections import Projection
from inference.engines.errors import ProjectionUnusable
from inference.engines.head.projection import INPUT_TYPE, Projected, ProjectedEmbedding
from inference.errors import ModelNotFound, ModelNotReady
from inference.protocol.engines import EmbeddingResult, ExtraFields, Priority

TRAINED, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def _origin(
    digest: str | None = None,
    dimensions: int = 2,
    *,
    is_remote: bool = False,
    is_over: bool = False,
    readable: int = 64,
) -> Projected:
    async def embed(texts: Sequence[str], priority: Priority, kind: InputType, extra: ExtraFields) -> EmbeddingResult:
        assert not extra
        rows = [[0.6, 0.8] if "late" in text else [0.0, 1.0] for text in texts]
        return EmbeddingResult(np.array(rows, dtype=np.float32), 3 * len(texts), 1)

    async def nothing() -> None:
        pass

    return Projected(
        digest,
        dimensions,
        is_remote,
        is_over,
        "ask: ",
        readable,
        embed,
        nothing,
        nothing,
        lambda: b"tokens",
        lambda: None,
    )


def _engine(found: Projected | None, trained_on: str | None = None) -> ProjectedEmbedding:
    def find(name: str) -> Projected:
        if found is None:
            raise ModelNotFound(name, "embedding")
        return found

    return ProjectedEmbedding(
        "words+manuals", Projection.model_validate(projection(embedding_digest=trained_on)), 64, find
    )


async def test_questions_are_moved_to_unit_length_and_passages_are_the_embedding_model_s() -> None:
    engine = _engine(_origin())
    question = await engine.embed(["it is late", "a lamp"], "query")
    moved = np.array([0.6, 1.4]) / np.hypot(0.6, 1.4)
    np.testing.assert_allclose(question.vectors, [moved, [0.0, 1.0]], atol=1e-6)
    assert (question.vectors.dtype, question.tokens, question.truncated) == (np.float32, 6, 1)
    passage = await engine.embed(["it is late"], "bulk")
    assert passage.vectors.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]


async def test_what_a_text_is_goes_before_how_urgent_it_is() -> None:
    engine = _engine(_origin())
    passage = await engine.embed(["it is late"], "query", {INPUT_TYPE: "passage"})
    question = await engine.embed(["it is late"], "bulk", {INPUT_TYPE: "query"})
    assert passage.vectors[0][0] == pytest.approx(0.6)
    assert question.vectors[0][0] < 0.5


async def test_an_embedding_model_with_the_digest_of_the_training_serves_and_another_is_refused() -> None:
    assert (await _engine(_origin(TRAINED), TRAINED).embed(["x"], "query")).tokens == 3
    replaced = _engine(_origin(OTHER), TRAINED)
    for asked in (replaced.embed(["x"], "query"), replaced.embed(["x"], "bulk"), replaced.probe(), replaced.load()):
        with pytest.raises(ProjectionUnusable, match=f"{TRAINED}.*{OTHER}.*Learn it again"):
            await asked
    with pytest.raises(ModelNotReady, match="not known yet"):
        await _engine(_origin(None), TRAINED).embed(["x"], "query")
    with pytest.raises(ProjectionUnusable, match="which a server has now"):
        await _engine(_origin(None, is_remote=True), TRAINED).embed(["x"], "query")


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "'words' is not there any more"),
        (_origin(dimensions=3), "vectors of 2 numbers, and 'words' gives 3"),
        (_origin(is_over=True), "'words' was learnt, too"),
        (_origin(readable=32), "max_input_tokens are 64, and 'words' reads 32"),
    ],
)
async def test_without_the_vectors_that_it_was_learnt_on_it_says_so(found: Projected | None, says: str) -> None:
    with pytest.raises(ProjectionUnusable, match=says):
        await _engine(found).embed(["x"], "query")


def test_its_tokens_are_the_embedding_model_s() -> None:
    assert _engine(_origin()).tokenizer() == b"tokens"
    assert _engine(_origin()).embedding_model == "words"
