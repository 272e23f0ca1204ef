"""The calls that use models: chat, embeddings, rerank, search, and the list of models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from contracts.chat import ChatCompletion, ChatRequest
from contracts.completions import CompletionRequest, TextCompletion
from contracts.models import EmbeddingReply, EmbeddingRequest, ModelInfo, ModelList, RerankReply, RerankRequest
from contracts.responses import Response, ResponseRequest
from contracts.search import SearchOptions, SearchReply
from gateway.api.direct_routes import Endpoint
from gateway.api.openapi_parts import ERRORS, REF, event_of, json_body, named_parameter
from gateway.auth.keys import Principal
from gateway.chat import model_list as listing
from gateway.chat import service as chatting
from gateway.chat.completions import Completions
from gateway.chat.responses.errors import ResponseNotKept
from gateway.chat.responses.translation import Responses
from gateway.chat.translation import TranslatedExchange, Translation
from gateway.dependencies import Dependencies, Deps, Key
from gateway.proxy import retrieval as vectors
from gateway.streaming.exchange import Exchange, Relay
from servicekit.web.router import Router

router = Router(tags=["models"], responses=ERRORS)
SSE_OF_COMPLETIONS = {"text/event-stream": {"schema": event_of({"$ref": f"{REF}TextCompletion"})}}
SSE_OF_RESPONSES = {"text/event-stream": {"schema": event_of({"$ref": f"{REF}ResponseEvent"})}}
SSE_OF_CHUNKS = {"text/event-stream": {"schema": event_of({"$ref": f"{REF}ChatCompletionChunk"})}}


@router.get("/v1/models", response_model=None, responses={200: {"model": ModelList}})
async def list_models(deps: Deps, key: Key) -> Any:
    """Every model that the key may use: `rag:<collection>` for each collection, agents, then plain ones."""

    async def work(exchange: Exchange) -> None:
        await listing.list_models(exchange, deps, key)

    return Relay(work)


@router.get(
    "/v1/models/{id:path}",
    openapi_extra={"parameters": [named_parameter("id", "model")]},
    response_model=None,
    responses={200: {"model": ModelInfo}},
)
async def show_model(deps: Deps, key: Key) -> Any:
    """One model; `rag:a,b` for several collections, too."""

    async def work(exchange: Exchange) -> None:
        await listing.show_model(exchange, deps, key)

    return Relay(work)


@router.post(
    "/v1/chat/completions",
    openapi_extra=json_body(ChatRequest),
    response_model=None,
    responses={200: {"model": ChatCompletion, "content": SSE_OF_CHUNKS}},
)
async def chat(deps: Deps, key: Key) -> Any:
    """An answer of a plain model, or with `rag:<collection>` from documents, streamed or whole."""
    key.require("chat")

    async def work(exchange: Exchange) -> None:
        await chatting.chat(exchange, deps, key)

    return Relay(work)


@router.post(
    "/v1/completions",
    openapi_extra=json_body(CompletionRequest),
    response_model=None,
    responses={200: {"model": TextCompletion, "content": SSE_OF_COMPLETIONS}},
)
async def complete(deps: Deps, key: Key) -> Any:
    """What a plain model goes on with after a text, streamed or whole."""
    key.require("chat")
    return _translated(deps, key, Completions())


@router.post(
    "/v1/responses",
    openapi_extra=json_body(ResponseRequest),
    response_model=None,
    responses={200: {"model": Response, "content": SSE_OF_RESPONSES}},
)
async def respond(deps: Deps, key: Key) -> Any:
    """An answer of a plain model, from documents or of an agent in the form of Responses. Nothing is kept."""
    key.require("chat")
    return _translated(deps, key, Responses())


@router.api_route("/v1/responses/{id}", methods=["GET", "DELETE"], include_in_schema=False)
@router.api_route("/v1/responses/{id}/input_items", methods=["GET"], include_in_schema=False)
@router.api_route("/v1/responses/{id}/cancel", methods=["POST"], include_in_schema=False)
async def kept_response() -> None:
    """Refused by name."""
    raise ResponseNotKept


def _translated(deps: Dependencies, key: Principal, translation: Translation) -> Relay:
    """A call of another kind, answered as a chat."""

    async def work(exchange: Exchange) -> None:
        await chatting.chat(exchange, deps, key)

    return Relay(work, partial(TranslatedExchange, translation))


@router.post(
    "/v1/embeddings",
    openapi_extra=json_body(EmbeddingRequest),
    response_model=None,
    responses={200: {"model": EmbeddingReply}},
)
async def embeddings(deps: Deps, key: Key) -> Any:
    """One vector a text, as floats or base64."""
    key.require("chat")

    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, key, "embeddings") as call:
            await vectors.embed(exchange, deps, call, public=True)

    return Relay(work)


@router.post(
    "/v2/rerank", openapi_extra=json_body(RerankRequest), response_model=None, responses={200: {"model": RerankReply}}
)
@router.post(
    "/v1/rerank", openapi_extra=json_body(RerankRequest), response_model=None, responses={200: {"model": RerankReply}}
)
async def rerank(deps: Deps, key: Key) -> Any:
    """Documents in the order of their relevance to a query; 404 `no_reranker` when none is configured.

    `/v2/rerank`, where Cohere's newer clients and LiteLLM look for it, is the same call.
    """
    key.require("chat")

    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, key, "rerank") as call:
            await vectors.rerank(exchange, deps, call)

    return Relay(work)


@router.post(
    "/v1/collections/{name}/search",
    tags=["search"],
    openapi_extra={**json_body(SearchOptions), "parameters": [named_parameter("name", "collection")]},
    response_model=None,
    responses={200: {"model": SearchReply}},
)
async def search(deps: Deps, key: Key) -> Any:
    """Chunks of a collection that fit a query, with their spans."""
    key.require("search")
    return Relay(_searching(deps, key))


def _searching(deps: Dependencies, key: Principal) -> Any:
    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, key, "search") as call:
            await vectors.search_collection(exchange, deps, call)

    return work


SHORTCUTS: Mapping[str, Endpoint] = {
    "/v1/chat/completions": chat,
    "/v1/completions": complete,
    "/v1/responses": respond,
    "/v1/embeddings": embeddings,
    "/v1/rerank": rerank,
    "/v2/rerank": rerank,
}
"""Endpoints that need no routing."""
