"""The calls that use models: chat, embeddings, rerank, tokens, search, and the list of models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from contracts.operations.documents import SEARCH_COLLECTION
from contracts.operations.models import (
    CLASSIFY,
    CREATE_CHAT_COMPLETION,
    CREATE_COMPLETION,
    CREATE_EMBEDDINGS,
    CREATE_RESPONSE,
    DETOKENIZE,
    GET_MODEL,
    LIST_MODELS,
    MODERATE,
    RERANK,
    RERANK_V2,
    TOKENIZE,
)
from gateway.api.direct_routes import Endpoint
from gateway.api.openapi_parts import ERRORS, relay
from gateway.auth.keys import Principal
from gateway.chat import model_list, service
from gateway.chat.completions import Completions
from gateway.chat.responses.errors import ResponseNotKept
from gateway.chat.responses.translation import Responses
from gateway.chat.translation import TranslatedExchange, Translation
from gateway.dependencies import Dependencies, Deps, Key
from gateway.proxy import classification, token_calls, vector_calls
from gateway.streaming.exchange import Exchange, Relay
from servicekit.web.router import Router

router = Router(responses=ERRORS)


@relay(router, LIST_MODELS)
async def list_models(deps: Deps, key: Key) -> Any:
    """Every model that the key may use: `rag:<collection>` for each collection, agents, then plain ones."""

    async def work(exchange: Exchange) -> None:
        await model_list.list_models(exchange, deps, key)

    return Relay(work)


@relay(router, GET_MODEL)
async def get_model(deps: Deps, key: Key) -> Any:
    """One model; `rag:a,b` for several collections, too."""

    async def work(exchange: Exchange) -> None:
        await model_list.get_model(exchange, deps, key)

    return Relay(work)


@relay(router, CREATE_CHAT_COMPLETION)
async def chat(deps: Deps, key: Key) -> Any:
    """An answer of a plain model, or with `rag:<collection>` from documents, streamed or whole."""
    key.require(*CREATE_CHAT_COMPLETION.scopes)

    async def work(exchange: Exchange) -> None:
        await service.chat(exchange, deps, key)

    return Relay(work)


@relay(router, CREATE_COMPLETION)
async def complete(deps: Deps, key: Key) -> Any:
    """What a plain model goes on with after a text, streamed or whole."""
    key.require(*CREATE_COMPLETION.scopes)
    return _translated(deps, key, Completions())


@relay(router, CREATE_RESPONSE)
async def respond(deps: Deps, key: Key) -> Any:
    """An answer of a plain model, from documents or of an agent in the form of Responses. Nothing is kept."""
    key.require(*CREATE_RESPONSE.scopes)
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
        await service.chat(exchange, deps, key)

    return Relay(work, partial(TranslatedExchange, translation))


@relay(router, CREATE_EMBEDDINGS)
async def embeddings(deps: Deps, key: Key) -> Any:
    """One vector a text, as floats or base64."""
    key.require(*CREATE_EMBEDDINGS.scopes)

    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, key, "embeddings") as call:
            await vector_calls.embed(exchange, deps, call, public=True)

    return Relay(work)


@relay(router, RERANK_V2)
@relay(router, RERANK)
async def rerank(deps: Deps, key: Key) -> Any:
    """Documents in the order of their relevance to a query; 404 `no_reranker` when none is configured.

    `/v2/rerank`, where Cohere's newer clients and LiteLLM look for it, is the same call.
    """
    key.require(*RERANK.scopes)

    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, key, "rerank") as call:
            await vector_calls.rerank(exchange, deps, call)

    return Relay(work)


@relay(router, CLASSIFY)
async def classify(deps: Deps, key: Key) -> Any:
    """The likeliest label of each text, and the score of each: of labels that are sent, by their own texts and without
    any training, or of those that a classification model was trained on (404 `no_classifier` when there is none).
    """
    key.require(*CLASSIFY.scopes)

    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, key, "classify") as call:
            await classification.classify(exchange, deps, call)

    return Relay(work)


@relay(router, MODERATE)
async def moderate(deps: Deps, key: Key) -> Any:
    """Whether texts are harmful, in OpenAI's form; 404 `no_moderation` when no model that tells is configured."""
    key.require(*MODERATE.scopes)

    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, key, "moderation") as call:
            await classification.moderate(exchange, deps, call)

    return Relay(work)


@relay(router, TOKENIZE)
async def tokenize(deps: Deps, key: Key) -> Any:
    """The tokens of a text or a conversation as a model reads it, in vLLM's form. Free of charge."""
    key.require(*TOKENIZE.scopes)

    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, key, "tokens") as call:
            await token_calls.tokenize(exchange, deps, call)

    return Relay(work)


@relay(router, DETOKENIZE)
async def detokenize(deps: Deps, key: Key) -> Any:
    """The text that a model's tokens spell, in vLLM's form. Free of charge."""
    key.require(*DETOKENIZE.scopes)

    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, key, "tokens") as call:
            await token_calls.detokenize(exchange, deps, call)

    return Relay(work)


@relay(router, SEARCH_COLLECTION)
async def search(deps: Deps, key: Key) -> Any:
    """Chunks of a collection that fit a query, with their spans."""
    key.require(*SEARCH_COLLECTION.scopes)
    return Relay(_searching(deps, key))


def _searching(deps: Dependencies, key: Principal) -> Any:
    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, key, "search") as call:
            await vector_calls.search_collection(exchange, deps, call)

    return work


DIRECT_ENDPOINTS: Mapping[str, Endpoint] = {
    CREATE_CHAT_COMPLETION.path: chat,
    CREATE_COMPLETION.path: complete,
    CREATE_RESPONSE.path: respond,
    CREATE_EMBEDDINGS.path: embeddings,
    RERANK.path: rerank,
    RERANK_V2.path: rerank,
    CLASSIFY.path: classify,
    MODERATE.path: moderate,
}
"""Endpoints that have a plain route in front of the framework's."""
