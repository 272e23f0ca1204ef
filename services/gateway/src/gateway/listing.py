"""`GET /v1/models`: the plain models a key may use, a `rag:` model for each of its collections, its agents."""

from __future__ import annotations

from contracts.agents import Agent
from contracts.collections import Collection
from contracts.models import AGENT, RAG, ModelInfo, ModelList
from contracts.pages import Page
from gateway.dependencies import Dependencies
from gateway.forwarding import Exchange
from gateway.keys import Principal
from gateway.route_report import listed_models
from gateway.tokens import AGENTS, COLLECTIONS

PAGE = 100


async def list_models(exchange: Exchange, deps: Dependencies, principal: Principal) -> None:
    """Answer with OpenAI's list of models."""
    exchange.no_body()
    plain = await plain_models(deps, principal)
    rag = await _rag_models(exchange, deps, principal) if "chat" in principal.scopes else []
    agents = await _agent_models(exchange, deps, principal) if {"chat", "agents"} <= principal.scopes else []
    body = ModelList(data=[*plain, *rag, *agents]).model_dump_json().encode()
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


async def _agent_models(exchange: Exchange, deps: Dependencies, principal: Principal) -> list[ModelInfo]:
    token = deps.mint.token(principal, AGENTS, exchange.request_id)
    models: list[ModelInfo] = []
    cursor: str | None = None
    while True:
        params = {"limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
        page = await deps.peers.agent.call("GET", "/v1/agents", Page[Agent], token=token, params=params)
        models += [_agent_model(found) for found in page.data]
        cursor = page.next_cursor
        if cursor is None:
            return models


def _agent_model(agent: Agent) -> ModelInfo:
    return ModelInfo(id=f"{AGENT}{agent.name}", kind="agent", created=int(agent.created_at.timestamp()))


def _rag_model(collection: Collection) -> ModelInfo:
    return ModelInfo(id=f"{RAG}{collection.name}", kind="rag", created=int(collection.created_at.timestamp()))
