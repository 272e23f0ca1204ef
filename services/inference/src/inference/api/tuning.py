"""What the lab needs to tune a model, and to have what was learnt served; what goes with a tenant."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Request
from fastapi.responses import FileResponse

from contracts.access.tenancy import TenantKeys
from contracts.core.base import Name
from contracts.models.catalog import ModelInfo
from contracts.models.tuning import DIGEST_HEADER, MODEL_HEADER, MOST_PIECES, JobId, Suffix, TunedModel
from inference.api.access import Deps
from inference.errors import ModelNotFound
from inference.protocol.engines import Engine
from inference.serving.served_model import ServedModel
from inference.tuned.weights import weights_of
from servicekit.auth.delegation import Caller, check_tenant_admin, require
from servicekit.web.router import Router

router = Router(tags=["tuning"])
Tuner = Annotated[Caller, require("inference", "evaluations:write")]
TenantAdmin = Annotated[Caller, require("inference", "admin")]
Number = Annotated[int, Path(ge=0, lt=MOST_PIECES)]


@router.get("/v1/models/{model}/weights", response_class=FileResponse)
async def get_weights(
    model: str, caller: Tuner, deps: Deps, kind: Literal["chat", "embedding", "reading"] = "chat"
) -> FileResponse:
    """The GGUF file that a chat model is served from, or the encoder of an embedding or a reading model, which a key
    that may use the model may have tuned."""
    visible = deps.models.visible_to(caller.tenant)
    find = {"chat": visible.chat, "embedding": visible.embedding, "reading": visible.reading}[kind]
    served: ServedModel[Engine] = find(model)
    if not caller.delegation.allows_model(served.name):
        raise ModelNotFound(model, kind)
    found = await (weights_of(served) if kind == "chat" else deps.encoders.of(served))
    headers = {DIGEST_HEADER: found.digest, MODEL_HEADER: served.name}
    return FileResponse(found.path, headers=headers, media_type="application/octet-stream")


@router.put("/v1/tuning-jobs/{job}/adapter/{number}", status_code=204)
async def put_adapter_piece(job: JobId, number: Number, request: Request, caller: Tuner, deps: Deps) -> None:
    """A megabyte of what a job has learnt; those after it are to come, in their order."""
    await deps.published.adapters.put_piece(caller.tenant, job, number, await request.body())


@router.put("/v1/tuned-models/{suffix}")
async def put_tuned_model(suffix: Suffix, body: TunedModel, caller: Tuner, deps: Deps) -> ModelInfo:
    """Declare what was learnt as a model of the caller's tenant, on every replica."""
    if not caller.delegation.allows_model(body.parent):
        raise ModelNotFound(body.parent, "")
    return await deps.published.put(caller.tenant, suffix, body)


@router.delete("/v1/tuned-models/{name:path}", status_code=204)
async def delete_tuned_model(name: str, caller: Tuner, deps: Deps) -> None:
    """Remove one of the caller's tenant. Calls under way end on it."""
    await deps.published.delete(caller.tenant, name)


@router.delete("/v1/tuning-jobs/{job}", status_code=204)
async def delete_models_of_job(job: JobId, caller: Tuner, deps: Deps) -> None:
    """Remove what a job of the caller's tenant has published, and what it learnt."""
    await deps.published.delete_job(caller.tenant, job)


@router.post("/v1/tenants/{name}/purge", status_code=204)
async def delete_tenant(name: Name, _: TenantKeys, caller: TenantAdmin, deps: Deps) -> None:
    """Remove the models that are a tenant's own."""
    check_tenant_admin(caller, name)
    await deps.published.delete_tenant(name)
