"""`GET /v1/models`: a `rag:` model for each collection of a key, its agents, prompts, and plain models."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import quote

import structlog
from pydantic import BaseModel

from contracts.agents.agents import Agent
from contracts.agents.prompts import PACKAGED_PREFIX, PROMPT, Prompt, PromptReference, PromptSummary
from contracts.core.base import NAME
from contracts.core.pages import Page
from contracts.models.catalog import AGENT, RAG, ModelInfo, ModelList
from contracts.retrieval.collections import Collection
from gateway.auth.keys import Principal
from gateway.auth.tokens import AGENTS, COLLECTIONS, MODELS
from gateway.chat.service import collections_of
from gateway.dependencies import Dependencies
from gateway.models.catalog import DEFAULT
from gateway.models.errors import ModelNotFound
from gateway.routing.report import listed_models
from gateway.streaming.exchange import Exchange
from servicekit.core.errors import PeerError, ServiceError
from servicekit.peers.client import Peer

log = structlog.get_logger(__name__)
PAGE = 100
T = TypeVar("T", bound=BaseModel)
ORDER = {"chat": 0, "rerank": 1, "reading": 2, "classification": 3, "embedding": 4}
"""Of plain models. Front ends choose the first of the list for a new user, so that one that answers comes first."""


async def list_models(exchange: Exchange, deps: Dependencies, principal: Principal) -> None:
    """Answer with OpenAI's list of models."""
    exchange.no_body()
    plain = await plain_models(deps, principal)
    rag = await _rag_models(exchange, deps, principal) if _answers_from_documents(principal) else []
    agents = await _agent_models(exchange, deps, principal) if _runs_agents(principal) else []
    prompts = await _prompt_models(exchange, deps, principal) if _answers_from_documents(principal) else []
    body = ModelList(data=[*rag, *agents, *prompts, *plain]).model_dump_json().encode()
    await exchange.answer(200, {"content-type": "application/json"}, body)


async def get_model(exchange: Exchange, deps: Dependencies, principal: Principal) -> None:
    """Answer with one model; raises `ModelNotFound` also for one that the key may not use."""
    exchange.no_body()
    model = await _find(exchange, deps, principal, exchange.path_params["id"])
    await exchange.answer(200, {"content-type": "application/json"}, model.model_dump_json().encode())


async def plain_models(deps: Dependencies, principal: Principal) -> list[ModelInfo]:
    """The plain models that a key may use, routes among them: those that answer first."""
    listed = listed_models(await deps.catalog.shown(principal.tenant), await deps.routes.list_routes())
    return sorted(
        (model for model in listed if principal.allows_model(model.id)), key=lambda m: ORDER.get(m.kind, len(ORDER))
    )


async def _find(exchange: Exchange, deps: Dependencies, principal: Principal, name: str) -> ModelInfo:
    if name.startswith(RAG) and _answers_from_documents(principal):
        return await _rag_model_named(exchange, deps, principal, name)
    if name.startswith(AGENT) and _runs_agents(principal):
        return await _agent_model_named(exchange, deps, principal, name)
    if name.startswith(PROMPT) and _answers_from_documents(principal):
        return await _prompt_model_named(exchange, deps, principal, name)
    models, _ = await deps.models_and_routes(principal.tenant, name)
    default = models.only("chat") if name == DEFAULT else None
    wanted = default.id if default is not None else name
    for model in await plain_models(deps, principal):
        if model.id == wanted:
            return model if wanted in await deps.routes.list_routes() else await _as_it_is_now(deps, wanted)
    raise ModelNotFound(name)


async def _as_it_is_now(deps: Dependencies, name: str) -> ModelInfo:
    """With its state, which the list that is kept for seconds may not have yet."""
    token = deps.issuer.own_token(MODELS, ("chat",))
    try:
        return await deps.peers.inference.call("GET", f"/v1/models/{quote(name, safe='')}", ModelInfo, token=token)
    except PeerError as error:
        raise ModelNotFound(name) if error.http_status == 404 else error from None


def _answers_from_documents(principal: Principal) -> bool:
    return "chat" in principal.scopes


def _runs_agents(principal: Principal) -> bool:
    return {"chat", "agents"} <= principal.scopes


async def _rag_model_named(exchange: Exchange, deps: Dependencies, principal: Principal, name: str) -> ModelInfo:
    token = deps.issuer.token(principal, COLLECTIONS, exchange.request_id)
    try:
        found = [
            await deps.peers.retriever.call("GET", f"/v1/collections/{collection}", Collection, token=token)
            for collection in collections_of(name, principal)
        ]
    except PeerError as error:
        raise ModelNotFound(name) if error.http_status == 404 else error from None
    return ModelInfo(id=name, kind="rag", created=max(int(each.created_at.timestamp()) for each in found))


async def _agent_model_named(exchange: Exchange, deps: Dependencies, principal: Principal, name: str) -> ModelInfo:
    agent, at, version = name.removeprefix(AGENT).partition("@")
    if not NAME.fullmatch(agent) or (at and PromptReference.of(f"{agent}@{version}") is None):
        raise ModelNotFound(name)
    token = deps.issuer.token(principal, AGENTS, exchange.request_id)
    try:
        return _agent_model(await deps.peers.agent.call("GET", f"/v1/agents/{agent}", Agent, token=token))
    except PeerError as error:
        raise ModelNotFound(name) if error.http_status == 404 else error from None


async def _prompt_model_named(exchange: Exchange, deps: Dependencies, principal: Principal, name: str) -> ModelInfo:
    reference = PromptReference.of(name)
    if reference is None:
        raise ModelNotFound(name)
    token = deps.issuer.token(principal, AGENTS, exchange.request_id)
    try:
        prompt = await deps.peers.agent.call("GET", f"/v1/prompts/{reference.name}", Prompt, token=token)
    except PeerError as error:
        raise ModelNotFound(name) if error.http_status == 404 else error from None
    return ModelInfo(id=name, kind="prompt", created=int(prompt.created_at.timestamp()))


async def _rag_models(exchange: Exchange, deps: Dependencies, principal: Principal) -> list[ModelInfo]:
    token = deps.issuer.token(principal, COLLECTIONS, exchange.request_id)
    found = await _all(deps.peers.retriever, "/v1/collections", Page[Collection], token)
    return [_rag_model(each) for each in found if principal.allows_collection(each.name)]


async def _agent_models(exchange: Exchange, deps: Dependencies, principal: Principal) -> list[ModelInfo]:
    token = deps.issuer.token(principal, AGENTS, exchange.request_id)
    return [_agent_model(each) for each in await _all(deps.peers.agent, "/v1/agents", Page[Agent], token)]


async def _prompt_models(exchange: Exchange, deps: Dependencies, principal: Principal) -> list[ModelInfo]:
    token = deps.issuer.token(principal, AGENTS, exchange.request_id)
    try:
        found = await _all(deps.peers.agent, "/v1/prompts", Page[PromptSummary], token)
    except ServiceError as error:  # whoever asks none is not to miss all other models for it
        log.warning("prompts not listed", code=error.code)
        return []
    return [
        ModelInfo(id=f"{PROMPT}{each.name}", kind="prompt", created=int(each.created_at.timestamp()))
        for each in found
        if not each.name.startswith(PACKAGED_PREFIX)  # they take what answers and agents give them
    ]


async def _all(peer: Peer, path: str, form: type[Page[T]], token: str) -> list[T]:
    """All that a service lists, page by page."""
    found: list[T] = []
    cursor: str | None = None
    while True:
        params = {"limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
        page = await peer.call("GET", path, form, token=token, params=params)
        found += page.data
        cursor = page.next_cursor
        if cursor is None:
            return found


def _agent_model(agent: Agent) -> ModelInfo:
    return ModelInfo(id=f"{AGENT}{agent.name}", kind="agent", created=int(agent.created_at.timestamp()))


def _rag_model(collection: Collection) -> ModelInfo:
    return ModelInfo(id=f"{RAG}{collection.name}", kind="rag", created=int(collection.created_at.timestamp()))
