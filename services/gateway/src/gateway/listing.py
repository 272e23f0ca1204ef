"""`GET /v1/models`: the plain models a key may use, and a `rag:` model for each of its collections."""

from __future__ import annotations

from contracts.collections import Collection
from contracts.models import RAG, ModelInfo, ModelList
from contracts.pages import Page
from gateway.dependencies import Dependencies
from gateway.forwarding import Exchange
from gateway.keys import Principal
from gateway.route_report import listed_models
from gateway.tokens import COLLECTIONS

PAGE = 100


async def list_models(exchange: Exchange, deps: Dependencies, principal: Principal) -> None:
    """Answer with OpenAI's list of models."""
    exchange.no_body()
    plain = await plain_models(deps, principal)
    rag = await _rag_models(exchange, deps, principal) if "chat" in principal.scopes else []
    body = ModelList(data=[*plain, *rag]).model_dump_json().encode()
    await exchange.answer(200, {"content-type": "application/json"}, body)


async def plain_models(deps: Dependencies, principal: Principal) -> list[ModelInfo]:
    """The plain models that a key may use, routes among them."""
    listed = listed_models(await deps.catalogue.models(), await deps.routes.all())
    return [model for model in listed if principal.allows_model(model.id)]


async def _rag_models(exchange: Exchange, deps: Dependencies, principal: Principal) -> list[ModelInfo]:
    token = deps.mint.token(principal, COLLECTIONS, exchange.request_id)
    models: list[ModelInfo] = []
    cursor: str | None = None
    while True:
        params = {"limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
        page = await deps.peers.retriever.call("GET", "/v1/collections", Page[Collection], token=token, params=params)
        models += [_rag_model(found) for found in page.data if principal.allows_collection(found.name)]
        cursor = page.next_cursor
        if cursor is None:
            return models


def _rag_model(collection: Collection) -> ModelInfo:
    return ModelInfo(id=f"{RAG}{collection.name}", kind="rag", created=int(collection.created_at.timestamp()))
