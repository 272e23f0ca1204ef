"""`/v1/models/pull`: inference fetches models; here is asked who may."""

from __future__ import annotations

from fastapi import Request

from contracts.models.pulls import ModelPull, Pull, PullList
from contracts.operations import models as operations
from gateway.api.declared_models import SECONDS, note_action, token_for_models
from gateway.api.openapi_parts import ERRORS, serve
from gateway.dependencies import Admin, Deps
from gateway.storage.audit_log import Actor
from servicekit.web.router import Router

router = Router(responses=ERRORS)
PATH = "/v1/models/pull"


@serve(router, operations.PULL_MODEL)
async def pull_model(body: ModelPull, request: Request, deps: Deps, admin: Admin) -> Pull:
    """Fetch a model from Hugging Face or have an Ollama server fetch it, as a job that outlives restarts; then it is
    declared, loaded and served. What can't be fetched is refused before a byte of it comes. Asked again while it is
    under way, it is the same job."""
    detail = {key: str(body.source.get(key, ""))[:200] for key in ("huggingface", "file", "ollama", "base_url")}
    await note_action(deps, Actor(admin.key_id, request.state.request_id), "model.pull", body.model, detail)
    return await deps.peers.inference.call(
        "POST", PATH, Pull, token=token_for_models(deps), body=body, timeout_seconds=SECONDS
    )


@serve(router, operations.LIST_PULLS)
async def list_pulls(deps: Deps, _: Admin) -> PullList:
    """The last pulls, the newest first."""
    return await deps.peers.inference.call("GET", PATH, PullList, token=token_for_models(deps))


@serve(router, operations.GET_PULL)
async def get_pull(id: str, deps: Deps, _: Admin) -> Pull:  # noqa: A002  # the path's
    """One pull: how far it is, what it waits for, why it failed."""
    return await deps.peers.inference.call("GET", f"{PATH}/{id}", Pull, token=token_for_models(deps))


@serve(router, operations.CANCEL_PULL)
async def cancel_pull(id: str, request: Request, deps: Deps, admin: Admin) -> Pull:  # noqa: A002  # the path's
    """End a pull that is under way; what it has of files that are not whole is deleted."""
    await note_action(deps, Actor(admin.key_id, request.state.request_id), "model.pull.cancel", id, {})
    return await deps.peers.inference.call("DELETE", f"{PATH}/{id}", Pull, token=token_for_models(deps))
