"""Readings on the wire."""

from __future__ import annotations

import base64

from contracts.models.reading import PassageReading, ReadingReply, ReadingRequest, ReadingUsage, Reads
from inference.errors import Unsupported
from inference.metrics import TOKENS
from inference.protocol.engines import FeatureReading, ReadingEngine, ReadingResult
from inference.serving.served_model import ServedModel
from servicekit.telemetry.spans import model_call

NOTHING: ReadingResult[None] = ReadingResult(())


async def read(served: ServedModel[ReadingEngine], request: ReadingRequest) -> ReadingReply:
    """What a request asks for; raises `Unsupported` for what the model can't tell at all."""
    engine = served.ready()
    reads = engine.reads()
    if request.passages and not reads & {"answers", "relevance"}:
        raise Unsupported("passages", _hint(reads, "a model that answers or ranks"))
    if request.pairs and "support" not in reads:
        raise Unsupported("pairs", _hint(reads, "a model of entailment"))
    pairs = [(pair.premise, pair.sentence) for pair in request.pairs]
    with served.track(), model_call("reading", served.name, "server") as span:
        passages, features = await _passages(engine, request)
        entailed = await engine.entail(pairs, request.priority) if pairs else None
        usage = _usage(passages or NOTHING, entailed or NOTHING)
        inputs = len(request.passages) + len(pairs)
        span.set({"groundwork.input_tokens": usage.prompt_tokens, "groundwork.inputs": inputs})
    served.progress()
    TOKENS.labels(served.name, "reading").inc(usage.total_tokens)
    return ReadingReply(
        model=served.name,
        reads=sorted(reads),
        languages=served.model.languages,
        alone=served.model.reads_alone,
        passages=list(passages.readings) if passages else [],
        pairs=list(entailed.readings) if entailed else [],
        features=features,
        usage=usage,
    )


async def _passages(
    engine: ReadingEngine, request: ReadingRequest
) -> tuple[ReadingResult[PassageReading] | None, list[str]]:
    """And their features; raises `Unsupported` where those are asked of a model without any."""
    if request.question is None:
        return None, []
    if not request.features:
        return await engine.read(request.question, request.passages, request.priority), []
    if not (isinstance(engine, FeatureReading) and engine.has_features()):
        raise Unsupported("features", "It has none to learn from; choose a model of Groundwork's own form")
    found = await engine.read_features(request.question, request.passages, request.priority)
    rows = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in found.features]
    return found.result, rows


def _hint(reads: frozenset[Reads], other: str) -> str:
    return f"It tells {', '.join(sorted(reads))} only; choose {other}"


def _usage(*results: ReadingResult[object]) -> ReadingUsage:
    read, written = sum(each.tokens for each in results), sum(each.completion_tokens for each in results)
    return ReadingUsage(
        prompt_tokens=read,
        completion_tokens=written,
        total_tokens=read + written,
        truncated=sum(each.truncated for each in results),
        cached=sum(each.cached for each in results),
    )
