"""The rerank model that a collection is given, and the one that a search may have read its hits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from contracts.models.catalog import ModelInfo
from contracts.models.chat import AnswerOptions
from contracts.operations.documents import CREATE_COLLECTION, UPDATE_COLLECTION
from contracts.operations.operation import Operation
from contracts.retrieval.collections import Collection
from contracts.retrieval.search import SearchOptions
from gateway.auth.keys import Principal
from gateway.auth.tokens import COLLECTIONS
from gateway.dependencies import Dependencies
from gateway.models.catalog import DEFAULT, Models
from gateway.models.cost import cost_nano_usd
from gateway.proxy.paths import is_name
from servicekit.core.errors import ServiceError
from servicekit.web.json_bodies import parse


class _Given(BaseModel):
    """What matters here of a collection's body."""

    rerank_model: Any = None


async def check_rerank_model(deps: Dependencies, principal: Principal, spec: Operation[Any], body: bytes) -> None:
    """Raise what a search that names it would, where a collection is given a rerank model that the key may not name:
    `ModelNotFound`, `WrongModelKind` or `NoReranker`; and `Unprocessable` for what is no object in JSON. What
    else is wrong, its service says."""
    if spec not in (CREATE_COLLECTION, UPDATE_COLLECTION):
        return
    named = (await parse(_Given, body)).rerank_model
    if isinstance(named, str) and named != DEFAULT:
        (await deps.catalog.models(principal.tenant, named)).resolve(named, "rerank", principal)


async def reranker_of(
    deps: Dependencies,
    principal: Principal,
    request_id: str,
    models: Models,
    collections: Sequence[str],
    options: SearchOptions | AnswerOptions,
) -> ModelInfo | None:
    """The model that may rerank a search, for what it may cost: the one that the search names, else, where it is to be
    reranked, the default one. Only the collections know where nothing is said; they are asked if it makes a difference:
    where there is a budget to hold, and a rerank model that is not free."""
    if options.rerank is False:
        return None
    if options.rerank_model is not None or options.rerank:
        return _named(models, options.rerank_model)
    if not (principal.budgets or principal.tenant_budgets) or not any(map(_may_cost, models.by_name.values())):
        return None
    token = deps.issuer.token(principal, COLLECTIONS, request_id)
    names = [name for name in dict.fromkeys(collections) if is_name(name) and principal.allows_collection(name)]

    async def shown(name: str) -> Collection:
        return await deps.peers.retriever.call("GET", f"/v1/collections/{name}", Collection, token=token)

    try:
        found = await asyncio.gather(*map(shown, names))
    except ServiceError:
        return None  # the search itself says what is wrong
    of_collections = {each.rerank_model for each in found}
    only = of_collections.pop() if len(of_collections) == 1 else None
    return _named(models, only) if found and all(each.rerank for each in found) else None


def _named(models: Models, name: str | None) -> ModelInfo | None:
    return models.only("rerank") if name in (None, DEFAULT) else models.by_name.get(name or "")


def _may_cost(model: ModelInfo) -> bool:
    return model.kind == "rerank" and cost_nano_usd(model.price, 1_000_000) != 0
