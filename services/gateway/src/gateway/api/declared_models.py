"""`PUT` and `DELETE /v1/models/{id}`: inference declares them; here is asked who may, and what is cached forgets."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import structlog
from fastapi import Request

from contracts.models.catalog import ModelDeclaration, ModelInfo
from contracts.operations import models as operations
from gateway.api.openapi_parts import ERRORS, serve
from gateway.auth.tokens import MODELS
from gateway.cache.store import StoreUnavailable
from gateway.dependencies import Admin, Dependencies, Deps, Key
from gateway.storage.audit_log import Actor, note
from servicekit.web.router import Router

log = structlog.get_logger(__name__)
router = Router(responses=ERRORS)
SECONDS = 60.0
"""Longer than inference waits for a model to be loaded and asked."""


@serve(router, operations.SET_DEFAULT_MODEL)
async def set_default_model(id: str, request: Request, deps: Deps, admin: Admin) -> ModelInfo:  # noqa: A002  # the path's
    """Have `default` mean this model for its kind, within seconds on every replica."""
    await note_action(deps, Actor(admin.key_id, request.state.request_id), "model.default", id, {})
    chosen = await deps.peers.inference.call("PUT", f"{_path(id)}/default", ModelInfo, token=token_for_models(deps))
    await _discard_cached(deps, id)
    return chosen


@serve(router, operations.PUT_MODEL)
async def put_model(
    id: str,  # noqa: A002  # the path's
    body: ModelDeclaration,
    request: Request,
    deps: Deps,
    admin: Admin,
) -> ModelInfo:
    """Add a model or replace one that was added, within seconds on every replica and without a restart. The answer says
    whether it could be loaded. A model of the models file is not changed: 409."""
    detail = {"kind": body.kind, "engine": body.engine, "host": urlsplit(str(body.source.get("base_url", ""))).netloc}
    await note_action(deps, Actor(admin.key_id, request.state.request_id), "model.put", id, detail)
    put = await deps.peers.inference.call(
        "PUT", _path(id), ModelInfo, token=token_for_models(deps), body=body, timeout_seconds=SECONDS
    )
    await _discard_cached(deps, id)
    return put


@serve(router, operations.DELETE_MODEL)
async def delete_model(id: str, request: Request, deps: Deps, key: Key) -> None:  # noqa: A002  # the path's
    """Remove a model that was added, or one that a tuning job of the key's tenant has published. Calls under way end on
    it."""
    key.require(*operations.DELETE_MODEL.scopes)
    deps.catalog.discard()  # it may have been published a moment ago
    model = (await deps.catalog.models(key.tenant)).by_name.get(id)
    is_own = model is not None and model.tuned is not None and key.allows_model(id)
    if is_own:
        key.require("evaluations:write")
        path = f"/v1/tuned-models/{quote(id, safe='')}"
        token = deps.issuer.token(key, MODELS, request.state.request_id)
    else:
        key.require("admin")
        path, token = _path(id), token_for_models(deps)
    await note_action(deps, Actor(key.key_id, request.state.request_id), "model.delete", id, {})
    await deps.peers.inference.send("DELETE", path, token=token)
    await _discard_cached(deps, id)


def _path(name: str) -> str:
    return f"/v1/models/{quote(name, safe='')}"


def token_for_models(deps: Dependencies) -> str:
    """With which inference is asked for an administrator."""
    return deps.issuer.own_token(MODELS, ("admin",))


async def note_action(deps: Dependencies, actor: Actor, action: str, name: str, detail: dict[str, str]) -> None:
    """Who asked for it, whatever becomes of it: it is done in another service."""
    async with deps.database.write() as connection:
        await note(connection, deps.clock.now(), actor, action, name[:200], detail)


async def _discard_cached(deps: Dependencies, name: str) -> None:
    """What was known of the model that had the name, and the answers that it gave."""
    deps.catalog.discard()
    deps.counter.discard(name)
    try:
        await deps.answer_cache.raise_epoch(None)
    except StoreUnavailable:
        log.warning("answers of a model that was changed may be given again once Redis is back", model=name)
