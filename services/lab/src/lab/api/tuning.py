"""`/v1/fine_tuning/jobs`: started, followed, ended."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from fastapi.responses import Response, StreamingResponse

from contracts.improvement.tuning import (
    FineTuningCheckpoints,
    FineTuningCreate,
    FineTuningEvents,
    FineTuningJob,
    FineTuningJobs,
)
from lab.api.access import (
    EvaluationReader,
    EvaluationWriter,
    Grant,
    IdempotencyKey,
    Limit,
    Tunings,
    call_key,
    owner,
    viewer,
)
from lab.tuning.errors import ModelNotAllowed
from lab.tuning.publication import Token
from servicekit.auth.delegation import Caller
from servicekit.web.router import Router

router = Router(prefix="/v1/fine_tuning/jobs", tags=["tuning"])
JobId = Annotated[str, Path(max_length=200)]
After = Annotated[str | None, Query(max_length=200)]


@router.post("", response_model=FineTuningJob)
async def create_fine_tuning_job(
    body: FineTuningCreate,
    caller: EvaluationWriter,
    tuning: Tunings,
    grant: Grant = None,
    key: IdempotencyKey = None,
) -> FineTuningJob:
    """Queue one."""
    if not caller.delegation.allows_model(body.model):
        raise ModelNotAllowed(body.model)
    call = call_key(caller, "POST /v1/fine_tuning/jobs", key)
    return await tuning.create(viewer(caller), owner(caller, grant), body, call)


@router.get("", response_model=FineTuningJobs)
async def list_fine_tuning_jobs(
    caller: EvaluationReader, tuning: Tunings, limit: Limit = 20, after: After = None
) -> FineTuningJobs:
    """Newest first."""
    return await tuning.list(viewer(caller), limit, after)


@router.get("/{job_id}", response_model=FineTuningJob)
async def get_fine_tuning_job(job_id: JobId, caller: EvaluationReader, tuning: Tunings) -> FineTuningJob:
    """One, with its progress, and what came of it once it has ended."""
    return await tuning.get(viewer(caller), job_id)


@router.post("/{job_id}/cancel", response_model=FineTuningJob)
async def cancel_fine_tuning_job(job_id: JobId, caller: EvaluationWriter, tuning: Tunings) -> FineTuningJob:
    """End one."""
    return await tuning.cancel(viewer(caller), job_id, _token_of(caller))


@router.delete("/{job_id}", status_code=204)
async def delete_fine_tuning_job(job_id: JobId, caller: EvaluationWriter, tuning: Tunings) -> None:
    """Remove one that has ended, with what it learnt, which is served no more."""
    await tuning.delete(viewer(caller), job_id, _token_of(caller))


@router.post("/{job_id}/publish", response_model=FineTuningJob)
async def publish_fine_tuning_job(job_id: JobId, caller: EvaluationWriter, tuning: Tunings) -> FineTuningJob:
    """Have what it has learnt served."""
    return await tuning.publish(viewer(caller), job_id, _token_of(caller))


def _token_of(caller: Caller) -> Token:
    """For inference, with the caller's right."""

    async def token() -> str:
        return caller.token

    return token


@router.get("/{job_id}/events", response_model=FineTuningEvents)
async def list_events(
    job_id: JobId, caller: EvaluationReader, tuning: Tunings, limit: Limit = 20, after: After = None
) -> FineTuningEvents:
    """What happened, newest first."""
    return await tuning.list_events(viewer(caller), job_id, limit, after)


@router.get("/{job_id}/checkpoints", response_model=FineTuningCheckpoints)
async def list_checkpoints(
    job_id: JobId, caller: EvaluationReader, tuning: Tunings, limit: Limit = 10, after: After = None
) -> FineTuningCheckpoints:
    """The figures after each epoch, newest first."""
    return await tuning.list_checkpoints(viewer(caller), job_id, limit, after)


@router.get("/{job_id}/artifact", response_class=Response)
async def get_artifact(job_id: JobId, caller: EvaluationReader, tuning: Tunings) -> Response:
    """What it has learnt, as a file."""
    found = await tuning.get_artifact(viewer(caller), job_id)
    headers = {"content-length": str(found.size)}  # an answer that ends early is none
    return StreamingResponse(found.pieces, media_type="application/octet-stream", headers=headers)
