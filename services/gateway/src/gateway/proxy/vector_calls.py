"""Embeddings, rerank, reading and search: one question, one whole answer, metered by the tokens it reports."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from contracts.models.catalog import EmbeddingRequest, ModelInfo, RerankRequest
from contracts.models.reading import ReadingRequest
from contracts.models.tokens import token_lists
from contracts.models.versions import ModelVersion
from contracts.operations.reach import SEARCH as SEARCHED
from contracts.operations.reach import VECTORS
from contracts.retrieval.search import SearchOptions, SearchRequest
from gateway.auth.errors import CollectionNotAllowed, NotYours
from gateway.auth.tokens import MODELS, SEARCH, Audiences
from gateway.dependencies import Dependencies
from gateway.guardrails.screen import Asked, Screen
from gateway.limits.max_usage import encoded_tokens_of, search_max_usage, tokens_of
from gateway.limits.reservations import MaxUsage
from gateway.models.catalog import Models
from gateway.models.cost import cost_nano_usd
from gateway.proxy.paths import is_name
from gateway.proxy.rerank_models import reranker_of
from gateway.proxy.token_calls import texts_of_tokens
from gateway.streaming.exchange import Exchange
from gateway.usage.meter import MeteredCall
from gateway.usage.records import count
from servicekit.core.errors import ServiceError, UpstreamTimeout
from servicekit.peers.client import Peer
from servicekit.web.json_bodies import parse

_USAGE = re.compile(rb'"usage"\s*:\s*(?=\{)')
TAIL_BYTES = 1000
JUDGEMENT_TOKENS = 100
"""What a chat model that judges is reckoned to write of one passage or pair; other reading models write nothing."""


async def embed(exchange: Exchange, deps: Dependencies, call: MeteredCall, *, public: bool) -> None:
    """Vectors for texts. The public can't choose a priority: only services know what is bulk.

    Services embed with a collection's own model, also for a key that may not choose it.
    """
    body = await exchange.body()
    request = await parse(EmbeddingRequest, body)
    models = await deps.catalog.models(call.principal.tenant, request.model)
    model = models.resolve(request.model, "embedding", call.principal if public else None)
    call.model = model.id
    if (tokens := token_lists(request.input)) is not None:
        texts = await texts_of_tokens(exchange, deps, call, model, tokens, "input")
        request = request.model_copy(update={"input": texts})
    request = await screened(exchange, call, request, len(body))
    max_usage = MaxUsage.of_model(models.worker(model), encoded_tokens_of(*request.texts()))
    is_bulk = not public and request.priority == "bulk"
    await deps.reserve(exchange, call, replace(max_usage, bulk=True) if is_bulk else max_usage)
    changes: dict[str, Any] = {"model": model.id, **({"priority": "query"} if public else {})}
    seconds = deps.settings.answer_timeout_seconds if is_bulk else deps.settings.call_timeout_seconds
    if public and model.asymmetric and request.input_type is None:
        changes["input_type"] = "passage"  # OpenAI's callers can't say it, and most index
    if not public and not model.asymmetric:
        changes["input_type"] = None  # a server of others may refuse what it doesn't know
    named = request.model_copy(update=changes)
    reply = await ask(exchange, deps, call, deps.peers.inference, "/v1/embeddings", MODELS, named, seconds)
    bill_embedded(call, model, reply)
    await give(exchange, call, reply)


async def rerank(exchange: Exchange, deps: Dependencies, call: MeteredCall) -> None:
    """Documents in the order of their relevance."""
    body = await exchange.body()
    request = await screened(exchange, call, await parse(RerankRequest, body), len(body))
    model = (await deps.catalog.models(call.principal.tenant, request.model)).resolve(
        request.model, "rerank", call.principal
    )
    call.model = model.id
    read = encoded_tokens_of(*request.documents) + len(request.documents) * tokens_of(request.query)
    await deps.reserve(exchange, call, MaxUsage.of_model(model, read))
    named = request.model_copy(update={"model": model.id})
    seconds = deps.settings.call_timeout_seconds
    reply = await ask(exchange, deps, call, deps.peers.inference, "/v1/rerank", MODELS, named, seconds)
    usage = usage_of(reply)
    call.tokens.prompt = count(usage, "total_tokens") or count(usage, "prompt_tokens")
    call.cost = cost_nano_usd(model.price, call.tokens.prompt)
    if not call.tokens.prompt:
        call.bill_as_reserved()
    await give(exchange, call, reply)


async def read(exchange: Exchange, deps: Dependencies, call: MeteredCall) -> None:
    """Whether passages answer and premises support. A service asks it for an answer, so that a key that may not choose
    the reading model has its answers read, too."""
    request = await parse(ReadingRequest, await exchange.body())
    model = (await deps.catalog.models(call.principal.tenant, request.model)).resolve(request.model, "reading", None)
    call.model = model.id
    pairs = [text for pair in request.pairs for text in (pair.premise, pair.sentence)]
    tokens = encoded_tokens_of(*request.passages, *pairs) + len(request.passages) * tokens_of(request.question or "")
    may_write = model.price is None or model.price.completion_usd_per_million
    written = JUDGEMENT_TOKENS * (len(request.passages) + len(request.pairs)) if may_write else 0
    await deps.reserve(exchange, call, MaxUsage.of_model(model, tokens, written))
    named = request.model_copy(update={"model": model.id})
    seconds = deps.settings.call_timeout_seconds
    reply = await ask(exchange, deps, call, deps.peers.inference, "/v1/reading", MODELS, named, seconds)
    usage = usage_of(reply)
    call.tokens.prompt, call.tokens.completion = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    call.cost = cost_nano_usd(model.price, call.tokens.prompt, call.tokens.completion)
    if not call.tokens.prompt and not count(usage, "cached"):
        call.bill_as_reserved()
    await give(exchange, call, reply)


async def search_collection(exchange: Exchange, deps: Dependencies, call: MeteredCall) -> None:
    """Hits of one collection."""
    name = exchange.path_params["name"]
    if not is_name(name):
        raise NotYours("collection", name)
    if not call.principal.allows_collection(name):
        raise CollectionNotAllowed(name)
    body = await exchange.body()
    screen = Screen(call.principal.guardrails, SEARCHED)
    options = await screen.question(await parse(SearchOptions, body), len(body))
    if options.rerank_model is not None:
        models = await deps.catalog.models(call.principal.tenant, options.rerank_model)
        models.resolve(options.rerank_model, "rerank", call.principal)
    request = SearchRequest.model_validate({**options.model_dump(exclude_unset=True), "collections": [name]})
    await search(exchange, deps, call, request, screen)


async def search(
    exchange: Exchange, deps: Dependencies, call: MeteredCall, request: SearchRequest, screen: Screen
) -> None:
    """Hits; the retriever holds the caller to its collections."""
    known = await deps.catalog.known(call.principal.tenant)
    names = sorted(set(request.collections))
    reranker = await reranker_of(deps, call.principal, exchange.request_id, known, names, request)
    await deps.reserve(exchange, call, search_max_usage(known, request.query, len(names), reranker))
    seconds = deps.settings.call_timeout_seconds
    try:
        reply = await ask(exchange, deps, call, deps.peers.retriever, "/v1/search", SEARCH, request, seconds)
    except ServiceError as error:
        if error.usage:  # a model has read the query before another one, or the index, failed
            bill_searched(call, known, error.usage)
        raise
    bill_searched(call, await deps.catalog.known(call.principal.tenant), usage_of(reply))
    reply = await screen.answer(reply)
    exchange.headers.update(screen.header())
    await give(exchange, call, reply)


async def screened(exchange: Exchange, call: MeteredCall, request: Asked, size: int) -> Asked:
    """The request as it may go on; one inside another call was screened with that."""
    if call.parent_id is not None:
        return request
    screen = Screen(call.principal.guardrails, VECTORS)
    request = await screen.question(request, size)
    exchange.headers.update(screen.header())
    return request


async def ask(
    exchange: Exchange,
    deps: Dependencies,
    call: MeteredCall,
    peer: Peer,
    path: str,
    audiences: Audiences,
    request: BaseModel,
    seconds: float,
) -> bytes:
    """A peer's whole answer. A caller that leaves, or time that is over, ends the wait, not what is to be paid."""
    token = deps.issuer.token(call.principal, audiences, exchange.request_id, call.id)
    try:
        with call.waiting():
            answer = await peer.send("POST", path, token=token, body=request, timeout_seconds=seconds)
    except (asyncio.CancelledError, UpstreamTimeout):
        call.bill_as_reserved()  # it has worked, and will be paid for it
        raise
    exchange.headers.update(ModelVersion.of(answer.headers).headers())
    return answer.body


def bill_embedded(call: MeteredCall, model: ModelInfo, reply: bytes) -> None:
    """By the tokens that an embedding model says it has read."""
    call.tokens.embedding = count(usage_of(reply), "prompt_tokens")
    call.cost = cost_nano_usd(model.price, call.tokens.embedding)
    if not call.tokens.embedding:
        call.bill_as_reserved()  # nothing is read for nothing


def bill_searched(call: MeteredCall, models: Models, usage: Mapping[str, Any]) -> None:
    """Each embedding model at its own price, then the reranker. The row's model names all that embedded, `a,b`: their
    cost is one sum, and nobody's alone."""
    embedded = embedded_by_model(usage)
    call.embedded, call.tokens.embedding = embedded, sum(embedded.values())
    call.model = ",".join(sorted(filter(None, embedded))) or None
    for model, tokens in embedded.items():
        call.add_cost(cost_nano_usd(models.price(model), tokens))
    call.tokens.prompt = count(usage, "rerank_tokens")
    named = usage.get("rerank_model")
    reranker = models.by_name.get(named) if isinstance(named, str) else models.only("rerank")
    call.add_cost(cost_nano_usd(reranker.price if reranker else None, call.tokens.prompt))


def embedded_by_model(usage: Mapping[str, Any]) -> dict[str, int]:
    """A search's embedding tokens by model. Those that `embeddings` does not tell (an older retriever's are all such)
    are the one model's, or `""`'s, which has no price."""
    named = usage.get("embeddings")
    embedded = {model: count(named, model) for model in named} if isinstance(named, dict) else {}
    rest = count(usage, "embedding_tokens") - sum(embedded.values())
    name = usage.get("embedding_model")
    if rest > 0:
        only = name if isinstance(name, str) else ""
        embedded[only] = embedded.get(only, 0) + rest
    return embedded


async def give(exchange: Exchange, call: MeteredCall, body: bytes) -> None:
    """Answer, with the call's end in the ledger before."""
    await call.finish()
    await exchange.answer(200, {"content-type": "application/json"}, body)


def usage_of(body: bytes) -> Mapping[str, Any]:
    """The answer's `usage`. Our services write it after all data, so that megabytes of vectors need not be parsed.

    The last match counts: a document's metadata, which comes before, may look the same.
    """
    found = list(_USAGE.finditer(body, max(0, len(body) - TAIL_BYTES)))
    try:
        usage = _first_value(body[found[-1].end() :]) if found else json.loads(body).get("usage")
    except (ValueError, AttributeError):
        return {}
    return usage if isinstance(usage, dict) else {}


def _first_value(text: bytes) -> Any:
    return json.JSONDecoder().raw_decode(text.decode())[0]
