"""Embeddings and rankings on the wire."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from contracts.models.catalog import (
    INPUT_TYPES,
    Embedding,
    EmbeddingReply,
    EmbeddingRequest,
    EmbeddingUsage,
    RerankDocument,
    RerankReply,
    RerankRequest,
    RerankResult,
)
from contracts.models.tokens import token_lists
from inference.engines.head.projection import INPUT_TYPE, OverEmbedding
from inference.errors import Unsupported, WrongDimensions
from inference.metrics import TOKENS
from inference.protocol.engines import (
    EmbeddingEngine,
    EmbeddingResult,
    Priority,
    RankingResult,
    RerankEngine,
    Vectors,
)
from inference.protocol.prefixes import NO_PREFIXES
from inference.serving.served_model import ServedModel
from inference.serving.tokens import texts_of
from servicekit.core.identifiers import new_id
from servicekit.telemetry.spans import RERANKER, model_call


async def embed(served: ServedModel[EmbeddingEngine], request: EmbeddingRequest) -> EmbeddingResult:
    """The vectors that a request asks for; raises `WrongDimensions`."""
    dimensions = served.model.dimensions or 0
    if request.dimensions is not None and request.dimensions != dimensions:
        raise WrongDimensions(request.dimensions, dimensions)
    await served.load()
    engine = served.ready()
    tokens = token_lists(request.input)
    texts = request.texts() if tokens is None else await texts_of(served, tokens, "input")
    with served.track(), model_call("embeddings", served.name, "server") as span:
        embedded = await engine.embed(*_marked(served, request, texts))
        span.set({"gen_ai.usage.input_tokens": embedded.tokens, "groundwork.inputs": len(texts)})
    served.progress()
    TOKENS.labels(served.name, "embedding").inc(embedded.tokens)
    return embedded


def _marked(
    served: ServedModel[EmbeddingEngine], request: EmbeddingRequest, texts: Sequence[str]
) -> tuple[list[str], Priority, dict[str, Any]]:
    """The texts as the model is to read them, each a query or a passage; raises `Unsupported` for a word for neither.

    Who does not say is a service, whose bulk is of passages: for public callers the gateway says it.
    """
    extra = _extra_fields(request, "user")
    said = request.input_type or ("query" if request.priority == "query" else "passage")
    kind = INPUT_TYPES.get(said)
    prefixes, words = served.prefixes, served.model.input_types
    if kind is None and (prefixes != NO_PREFIXES or not served.model.is_remote):
        raise Unsupported("input_type", f"It is told {' or '.join(INPUT_TYPES)}")
    if words is not None and kind is not None:
        extra["input_type"] = words.of(kind)
    elif served.model.is_remote and request.input_type is not None and prefixes == NO_PREFIXES:
        extra["input_type"] = request.input_type
    elif isinstance(served.engine, OverEmbedding):
        extra[INPUT_TYPE] = kind
    prefix = prefixes.of(kind) if kind is not None else ""
    return [prefix + text for text in texts], request.priority, extra


def embedding_reply(model: str, embedded: EmbeddingResult, encoding: str) -> bytes:
    """OpenAI's list as JSON. Takes a moment for large lists; call it off the event loop."""
    rows = _base64(embedded.vectors) if encoding == "base64" else embedded.vectors.tolist()
    usage = EmbeddingUsage(prompt_tokens=embedded.tokens, total_tokens=embedded.tokens, truncated=embedded.truncated)
    data = [Embedding.model_construct(index=index, embedding=row) for index, row in enumerate(rows)]
    return EmbeddingReply.model_construct(data=data, model=model, usage=usage).model_dump_json().encode()


async def rank(served: ServedModel[RerankEngine], request: RerankRequest) -> RerankReply:
    """The documents in descending relevance, the first `top_n` of them, with their texts where they are wanted."""
    extra = _extra_fields(request)
    if not served.model.is_remote:
        extra = _without_moot_limits(extra, served.model.max_input_tokens)
    engine = served.ready()
    with served.track(), model_call("rerank", served.name, "server", RERANKER) as span:
        ranked = await engine.rank(request.query, request.documents, extra)
        span.set({"groundwork.input_tokens": ranked.tokens, "groundwork.inputs": len(request.documents)})
    served.progress()
    TOKENS.labels(served.name, "rerank").inc(ranked.tokens)
    results = _best(ranked)[: request.top_n]
    for result in results if request.return_documents else ():
        result.document = RerankDocument(text=request.documents[result.index])
    return RerankReply(id=new_id("rank"), model=served.name, results=results, usage=_usage(ranked))


def _without_moot_limits(extra: dict[str, Any], limit: int | None) -> dict[str, Any]:
    """Without what asks for no more than such a model does: it reads the first `limit` tokens of a document, once.
    Raises `Unsupported` where less is to be read."""
    most = extra.get("max_tokens_per_doc")
    if isinstance(most, int) and limit is not None and most < limit:
        raise Unsupported("max_tokens_per_doc", f"It reads the first {limit} tokens of each document")
    return {name: value for name, value in extra.items() if name not in ("max_tokens_per_doc", "max_chunks_per_doc")}


def _extra_fields(request: EmbeddingRequest | RerankRequest, *names: str) -> dict[str, Any]:
    """What was said beyond what this service reads: it is for the engine to take or to refuse."""
    named = {name: getattr(request, name) for name in names}
    return {name: value for name, value in {**named, **(request.model_extra or {})}.items() if value is not None}


def _best(ranked: RankingResult) -> list[RerankResult]:
    order = sorted(range(len(ranked.scores)), key=lambda index: (-ranked.scores[index], index))
    return [RerankResult(index=index, relevance_score=ranked.scores[index]) for index in order]


def _usage(ranked: RankingResult) -> dict[str, int]:
    return {"prompt_tokens": ranked.tokens, "total_tokens": ranked.tokens, "truncated": ranked.truncated}


def _base64(vectors: Vectors) -> list[str]:
    return [base64.b64encode(row.tobytes()).decode() for row in vectors.astype("<f4")]
