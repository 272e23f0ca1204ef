"""Engines that have other served models work for them: judges a chat model, heads an embedding model.

The other model is looked up for each call, so that it may be replaced meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from contracts.models.catalog import EmbeddingRequest, InputType
from inference.catalog.learnt.corrections import Correction
from inference.catalog.learnt.heads import read_head
from inference.catalog.models_file import Model
from inference.catalog.sources import ChatSource, CorrectionSource, HeadSource, LoraSource, PathSource, ProjectionSource
from inference.engines.head.classification import Embedded, HeadClassifier
from inference.engines.head.correction import Corrected, CorrectedRank, CorrectedReading
from inference.engines.head.lora import LoraEmbedding
from inference.engines.head.projection import OverEmbedding, Projected, ProjectedEmbedding
from inference.engines.judge.guard import ChatGuard
from inference.engines.judge.reading import ChatJudge
from inference.engines.text_parts import text_parts
from inference.protocol.engines import (
    ClassificationEngine,
    EmbeddingEngine,
    EmbeddingResult,
    ExtraFields,
    FeatureEngine,
    FeatureReading,
    Priority,
    ReadingEngine,
    RerankEngine,
)
from inference.serving.chat import complete_answer
from inference.serving.models import ServedModels
from inference.serving.served_model import ServedModel
from inference.serving.vectors import embed

JUDGE_TOKENS = 512
GUARD_TOKENS = 4096
"""What a judge and a guard read of one text unless the models file says otherwise."""
BYTES_A_TOKEN = 2
"""Of a model whose tokenizer is not known: of most texts a token has more."""
Served = Callable[[], ServedModels]


def judge(model: Model, served: Served) -> ReadingEngine:
    """The reading engine of a chat model that is asked."""
    return ChatJudge(model.name, **_of_chat(model, served, JUDGE_TOKENS))


def classifier(model: Model, served: Served) -> ClassificationEngine:
    """A head, or a chat model as guard."""
    source = model.source
    if isinstance(source, ChatSource):
        return ChatGuard(model.name, **_of_chat(model, served, GUARD_TOKENS))
    declared = source.head if isinstance(source, HeadSource) else None
    if declared is not None:
        read = partial(getattr, source, "head")
    else:
        assert isinstance(source, PathSource)
        read = partial(read_head, source.path)
    return HeadClassifier(model.name, read, lambda name: embedded_by(served().embedding(name)), declared)


def projection(model: Model, served: Served) -> EmbeddingEngine:
    """An embedding model's vectors, with questions moved."""
    assert isinstance(model.source, ProjectionSource)
    reads = model.max_input_tokens or 0
    return ProjectedEmbedding(
        model.name, model.source.projection, reads, lambda name: _projected(served().embedding(name))
    )


def lora(model: Model, served: Served, inner: EmbeddingEngine) -> EmbeddingEngine:
    """An embedding model's vectors, with questions read by an encoder of their own."""
    assert isinstance(model.source, LoraSource)
    reads = model.max_input_tokens or 0
    return LoraEmbedding(model.name, model.source.lora, reads, lambda name: _projected(served().embedding(name)), inner)


def correction(model: Model, served: Served, inner: FeatureEngine | None) -> ReadingEngine:
    """A reading model's readings, with corrected chances, or with those of an encoder of their own."""
    return CorrectedReading(*_correcting(model, served), inner)


def corrected_rank(model: Model, served: Served, inner: FeatureEngine | None) -> RerankEngine:
    """A ranking by such chances."""
    return CorrectedRank(*_correcting(model, served), inner)


def _correcting(model: Model, served: Served) -> tuple[str, Correction, Callable[[str], Corrected]]:
    assert isinstance(model.source, CorrectionSource)
    return model.name, model.source.correction, lambda name: _corrected(served().reading(name))


def _corrected(served: ServedModel[ReadingEngine]) -> Corrected:
    engine = served.ready()
    has_features = isinstance(engine, FeatureReading) and engine.has_features()
    return Corrected(
        served.version.digest,
        engine.reads(),
        engine.read_features if isinstance(engine, FeatureReading) and has_features else None,
        engine.read,
        engine.entail,
        served.probe,
        engine.tokenizer,
        engine.tokens,
    )


def _projected(served: ServedModel[EmbeddingEngine]) -> Projected:
    def embedded(
        texts: Sequence[str], priority: Priority, kind: InputType, extra: ExtraFields
    ) -> Awaitable[EmbeddingResult]:
        said = kind if served.is_asymmetric else None
        body = {**extra, "input": list(texts), "priority": priority, "input_type": said}
        return embed(served, EmbeddingRequest.model_validate(body))

    return Projected(
        served.version.digest,
        served.model.dimensions or 0,
        served.model.is_remote,
        isinstance(served.engine, OverEmbedding),
        served.prefixes.of("query"),
        served.readable,
        embedded,
        served.load,
        served.probe,
        lambda: served.ready().tokenizer(),
        lambda: served.ready().tokens(),
    )


def _of_chat(model: Model, served: Served, tokens: int) -> dict[str, Any]:
    assert isinstance(model.source, ChatSource)
    name = model.source.chat_model
    return {
        "ask": lambda request: complete_answer(served().chat(name), request),
        "probe": lambda: served().chat(name).probe(),
        "max_input_tokens": model.max_input_tokens or tokens,
    }


def embedded_by(served: ServedModel[EmbeddingEngine]) -> Embedded:
    """One embedding model, as what classifies needs it."""
    return Embedded(
        served.version.digest,
        served.model.dimensions or 0,
        partial(_vectors, served),
        partial(embedding_parts, served),
        served.probe,
        served.model.is_remote,
    )


def _vectors(served: ServedModel[EmbeddingEngine], texts: Sequence[str]) -> Awaitable[EmbeddingResult]:
    return embed(served, EmbeddingRequest(input=list(texts)))


async def embedding_parts(served: ServedModel[EmbeddingEngine], text: str) -> list[str]:
    """A text in parts that an embedding model reads whole."""
    await served.load()
    codec, limit = served.ready().tokens(), served.readable or 0

    async def fits(part: str) -> bool:
        if codec is None:
            return len(part.encode()) <= limit * BYTES_A_TOKEN
        return len((await codec.encode(part, special=True)).ids) <= limit

    return await text_parts(text, fits)
