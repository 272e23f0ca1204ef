"""Models that are fetched: asked for, followed and ended by an administrator."""

from __future__ import annotations

from contracts.models.pulls import ModelPull, Pull, PullList
from inference.api.access import Deps
from inference.api.models import Installation
from servicekit.jobs.tables import JobOwner
from servicekit.web.router import Router

router = Router(tags=["models"])


@router.post("/v1/models/pull", status_code=202)
async def pull_model(caller: Installation, body: ModelPull, deps: Deps) -> Pull:
    """Queue the fetching of a model."""
    who = caller.delegation
    return await deps.pulls.create(body, JobOwner(caller.tenant, who.key_id, who.request_id, None))


@router.get("/v1/models/pull")
async def list_pulls(_: Installation, deps: Deps) -> PullList:
    """The newest pulls first."""
    return PullList(data=await deps.pulls.list_pulls())


@router.get("/v1/models/pull/{pull_id}")
async def get_pull(_: Installation, pull_id: str, deps: Deps) -> Pull:
    """One pull as it is now."""
    return await deps.pulls.get(pull_id)


@router.delete("/v1/models/pull/{pull_id}", status_code=202)
async def cancel_pull(_: Installation, pull_id: str, deps: Deps) -> Pull:
    """End a pull."""
    return await deps.pulls.cancel(pull_id)
