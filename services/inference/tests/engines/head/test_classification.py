from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from services.inference.tests.heads import head

from inference.catalog.learnt.heads import Head
from inference.engines.errors import HeadUnusable
from inference.engines.head.classification import Embedded, HeadClassifier
from inference.errors import ModelNotFound, ModelNotReady
from inference.protocol.engines import EmbeddingResult

SILENT = f"sha256:{'c' * 64}"
TRAINED, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def _embedded(digest: str | None = None, dimensions: int = 2) -> Embedded:
    async def embed(texts: Sequence[str]) -> EmbeddingResult:
        rows = [[1.0, 0.0, 0.0] if "late" in text else [0.0, 1.0, 0.0] for text in texts]
        return EmbeddingResult(np.array(rows, dtype=np.float32)[:, :dimensions], 3 * len(texts), 0)

    async def parts(text: str) -> list[str]:
        return [text]

    async def probe() -> None:
        if digest == SILENT:
            raise ModelNotReady("words", "it is silent")

    return Embedded(digest, dimensions, embed, parts, probe)


async def _classifier(found: Embedded | None, trained_on: str | None = None) -> HeadClassifier:
    def find(name: str) -> Embedded:
        if found is None:
            raise ModelNotFound(name, "embedding")
        return found

    read = Head.model_validate(head(embedding_digest=trained_on))
    engine = HeadClassifier("triage", lambda: read, find)
    await engine.open()
    return engine


async def test_scores_are_the_softmax_of_the_head_s_outputs() -> None:
    engine = await _classifier(_embedded())
    found = await engine.classify(["it is late", "a lamp"])
    assert (found.labels, found.tokens) == (("late", "odd"), 6)
    outputs = np.array([[2.0, 0.5], [0.0, 2.5]])
    shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.scores, shares, atol=1e-6)
    assert engine.embedding_model() == "words"


async def test_an_embedding_model_with_the_digest_of_the_training_serves_and_another_is_refused() -> None:
    assert (await (await _classifier(_embedded(TRAINED), TRAINED)).classify(["x"])).tokens == 3
    replaced = await _classifier(_embedded(OTHER), TRAINED)
    for asked in (replaced.classify(["x"]), replaced.parts("x"), replaced.probe()):
        with pytest.raises(HeadUnusable, match=f"{TRAINED}.*{OTHER}.*Train it again"):
            await asked


async def test_a_digest_that_is_not_known_yet_is_waited_for() -> None:
    with pytest.raises(ModelNotReady, match="not known yet"):
        await (await _classifier(_embedded(None), TRAINED)).classify(["x"])


async def test_a_digest_that_no_server_tells_is_not_waited_for() -> None:
    with pytest.raises(HeadUnusable, match="which a server has now"):
        await (await _classifier(replace(_embedded(None), is_remote=True), TRAINED)).classify(["x"])


async def test_a_head_without_its_embedding_model_says_so() -> None:
    with pytest.raises(HeadUnusable, match="'words' is not there any more"):
        await (await _classifier(None)).classify(["x"])


async def test_vectors_of_another_length_are_refused() -> None:
    with pytest.raises(HeadUnusable, match="vectors of 2 numbers, and 'words' gives 3"):
        await (await _classifier(_embedded(dimensions=3))).classify(["x"])


async def test_before_it_is_loaded_it_knows_nothing() -> None:
    engine = HeadClassifier("triage", lambda: Head.model_validate(head()), lambda _: _embedded())
    assert (engine.labels(), engine.embedding_model()) == ((), None)
    with pytest.raises(ModelNotReady):
        await engine.classify(["x"])


async def test_what_its_declaration_tells_is_known_before_it_is_loaded() -> None:
    """So that no call is let in without the price and the limits of its embedding model."""
    declared = Head.model_validate(head())
    engine = HeadClassifier("triage", lambda: declared, lambda _: _embedded(), declared)
    assert (engine.labels(), engine.embedding_model()) == (("late", "odd"), "words")


async def test_it_is_as_alive_as_its_embedding_model() -> None:
    await (await _classifier(_embedded(TRAINED), TRAINED)).probe()
    with pytest.raises(ModelNotReady, match="silent"):
        await (await _classifier(_embedded(SILENT), SILENT)).probe()
