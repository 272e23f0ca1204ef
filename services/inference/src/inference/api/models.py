"""Models: what there are, those that are added and removed while the service runs, and tokenizers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from fastapi.responses import Response

from contracts.models.catalog import ModelDeclaration, ModelInfo, ModelList
from inference.api.access import Deps
from servicekit.auth.delegation import Caller, require, require_installation
from servicekit.backup import tables as backup_tables
from servicekit.streams.response import OpenedStream
from servicekit.web.router import Router

router = Router(tags=["models"])
User = Annotated[Caller, require("inference", "documents", "search", "chat", "agents")]
Counter = Annotated[Caller, require("inference", "documents", "search", "chat", "agents", "evaluations:write")]
"""Who tunes a model counts its tokens, too."""
Installation = Annotated[Caller, require_installation("inference")]
TAR = "application/x-tar"


@router.get("/v1/models")
async def models(caller: User, deps: Deps) -> ModelList:
    """Every declared model, whether it is loaded yet or not."""
    return ModelList(data=[served.info() for served in deps.models.visible_to(caller.tenant).all])


@router.get("/v1/models/{model}")
async def get_model(caller: User, model: str, deps: Deps) -> ModelInfo:
    """One model: what it is, and what it does now."""
    return deps.declared.get(model, caller.tenant)


@router.put("/v1/models/{model}/default")
async def set_default_model(model: str, _: Installation, deps: Deps) -> ModelInfo:
    """Make a model the default of its kind."""
    return await deps.declared.set_default(model)


@router.put("/v1/models/{model:path}")
async def put_model(model: str, _: Installation, body: ModelDeclaration, deps: Deps) -> ModelInfo:
    """Add a model or replace one that was added."""
    return await deps.declared.put(model, body)


@router.delete("/v1/models/{model:path}", status_code=204)
async def delete_model(model: str, _: Installation, deps: Deps) -> None:
    """Remove a model that was added. Calls under way end on it."""
    await deps.declared.delete(model)


@router.get("/v1/backup", response_class=OpenedStream)
async def backup(_: Installation, deps: Deps) -> OpenedStream:
    """This service's members of a backup, of the moment at which the answer begins."""
    return OpenedStream(lambda: backup_tables.open_part(deps.database, "inference"), TAR)


@router.get("/v1/models/{model}/tokenizer", response_class=Response)
async def tokenizer(
    model: str,
    caller: Counter,
    deps: Deps,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The model's `tokenizer.json`, without truncation and padding. `default` is the default embedding model's."""
    served = deps.models.visible_to(caller.tenant).any(model)
    await served.load()
    content, etag = served.tokenizer()
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    headers = {"ETag": etag, "Cache-Control": "private, max-age=300"}
    if etag in known:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)
