"""Classification on the wire: by a model's own labels, or by the likeness of a text's vector with the labels' texts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np

from contracts.models.catalog import EmbeddingRequest
from contracts.models.classification import Classification, ClassifyReply, ClassifyRequest, ClassifyUsage
from inference.engines.errors import InputsTooLong, LabelsAlike, LabelsMissing
from inference.engines.text_parts import MOST_PARTS
from inference.errors import ModelNotFound, Unsupported
from inference.metrics import TOKENS
from inference.protocol.engines import ClassificationEngine, ClassificationResult, EmbeddingEngine, Engine, Vectors
from inference.serving.composed import embedding_parts
from inference.serving.served_model import ServedModel
from inference.serving.vectors import embed
from servicekit.telemetry.spans import model_call

TEMPERATURE = 0.05
"""Cosines are divided by it before they become shares of 1, for a model that gives unrelated texts 0."""
DIGITS = 6
"""Of a score."""


async def classify(served: ServedModel[Engine], request: ClassifyRequest) -> ClassificationResult:
    """How well each label fits each input: of a classification model its own, else the request's.

    Raises `ModelNotFound` for a model of another kind, `Unsupported` for labels that a model can't take,
    `LabelsMissing`, `LabelsAlike` or `InputsTooLong`.
    """
    engine = served.ready()
    if isinstance(engine, EmbeddingEngine):
        return await _by_likeness(cast("ServedModel[EmbeddingEngine]", served), request)
    if not isinstance(engine, ClassificationEngine):
        raise ModelNotFound(served.name, "classification")
    if request.labels is not None:
        raise Unsupported("labels", "It has its own labels; leave them out, or choose an embedding model")
    with served.track(), model_call("classify", served.name, "server") as span:
        classified = await _in_parts(request, engine.parts, engine.classify)
        span.set({"groundwork.input_tokens": classified.tokens, "groundwork.inputs": len(request.texts())})
    served.progress()
    TOKENS.labels(served.name, "classification").inc(classified.tokens + classified.completion_tokens)
    return classified


async def _by_likeness(served: ServedModel[EmbeddingEngine], request: ClassifyRequest) -> ClassificationResult:
    labels = request.label_texts()
    if request.labels is None:
        raise LabelsMissing(served.name)
    if len(labels) < len(request.labels):
        raise LabelsAlike
    temperature = TEMPERATURE * (1 - served.model.unrelated_cosine)

    async def score(texts: Sequence[str]) -> ClassificationResult:
        embedded = await embed(served, EmbeddingRequest(input=[*labels.values(), *texts]))
        meant, inputs = embedded.vectors[: len(labels)], embedded.vectors[len(labels) :]
        return ClassificationResult(
            tuple(labels), shares(inputs @ meant.T, temperature), embedded.tokens, embedded.truncated
        )

    return await _in_parts(request, partial(embedding_parts, served), score)


async def _in_parts(
    request: ClassifyRequest,
    split: Callable[[str], Awaitable[list[str]]],
    score: Callable[[Sequence[str]], Awaitable[ClassificationResult]],
) -> ClassificationResult:
    """Each input's scores, of one that is read in parts those of its parts together."""
    texts = request.texts()
    if request.long_inputs == "cut":
        return await score(texts)
    parts: list[str] = []
    starts: list[int] = []
    for text in texts:
        starts.append(len(parts))
        parts += await split(text)
        if len(parts) > MOST_PARTS:
            raise InputsTooLong(MOST_PARTS)
    found = await score(parts)
    if request.long_inputs == "highest":
        together = np.maximum.reduceat(found.scores, starts, axis=0)
    else:
        together = np.add.reduceat(found.scores, starts, axis=0) / np.diff([*starts, len(parts)])[:, None]
    return replace(found, scores=together.astype(np.float32))


def shares(likeness: Vectors, temperature: float) -> Vectors:
    """Of each row shares that are 1 together, the more unequal the lower the temperature."""
    raised = np.exp((likeness - likeness.max(axis=1, keepdims=True)) / np.float32(temperature))
    summed: Vectors = raised / raised.sum(axis=1, keepdims=True)
    return summed


def classify_reply(model: str, classified: ClassificationResult) -> bytes:
    """The answer as JSON, its usage at the end. Takes a moment for many inputs and labels: off the event loop."""
    labels = classified.labels
    results = [
        Classification.model_construct(
            label=labels[int(row.argmax())],
            scores={label: round(float(score), DIGITS) for label, score in zip(labels, row, strict=True)},
        )
        for row in classified.scores
    ]
    read, written = classified.tokens, classified.completion_tokens
    usage = ClassifyUsage(
        prompt_tokens=read, completion_tokens=written, total_tokens=read + written, truncated=classified.truncated
    )
    return ClassifyReply.model_construct(model=model, results=results, usage=usage).model_dump_json().encode()
