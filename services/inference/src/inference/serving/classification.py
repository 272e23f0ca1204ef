"""Classification on the wire: by the likeness of a text's vector with those of the labels' texts."""

from __future__ import annotations

import numpy as np

from contracts.models.catalog import EmbeddingRequest
from contracts.models.classification import Classification, ClassifyReply, ClassifyRequest, ClassifyUsage
from inference.errors import LabelsAlike, LabelsMissing
from inference.protocol.engines import ClassificationResult, EmbeddingEngine, Vectors
from inference.serving.served_model import ServedModel
from inference.serving.vectors import embed

TEMPERATURE = 0.05
"""Cosines are divided by it before they become shares of 1, for a model that gives unrelated texts 0."""
DIGITS = 6
"""Of a score."""


async def classify(served: ServedModel[EmbeddingEngine], request: ClassifyRequest) -> ClassificationResult:
    """How well each of the request's labels fits each input; raises `LabelsMissing` or `LabelsAlike`."""
    labels, texts = request.label_texts(), request.texts()
    if request.labels is None:
        raise LabelsMissing(served.name)
    if len(labels) < len(request.labels):
        raise LabelsAlike
    embedded = await embed(served, EmbeddingRequest(input=[*texts, *labels.values()]))
    inputs, meant = embedded.vectors[: len(texts)], embedded.vectors[len(texts) :]
    scores = shares(inputs @ meant.T, TEMPERATURE * (1 - served.model.unrelated_cosine))
    return ClassificationResult(tuple(labels), scores, embedded.tokens, embedded.truncated)


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
