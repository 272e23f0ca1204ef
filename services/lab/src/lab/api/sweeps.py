"""`/v1/sweeps`: started, followed, ended, applied, undone."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from contracts.core.pages import Page
from contracts.improvement.sweeps import Trial, TrialCreate
from contracts.operations.documents import REINDEX_COLLECTION
from lab.api.access import (
    Cursor,
    EvaluationReader,
    EvaluationWriter,
    Grant,
    IdempotencyKey,
    Limit,
    Trials,
    call_key,
    owner,
    viewer,
)
from servicekit.web.router import Router

router = Router(prefix="/v1/sweeps", tags=["evaluations"])
TrialId = Annotated[str, Path(max_length=200)]
Name = Annotated[str | None, Query(max_length=200)]


@router.post("", status_code=202, response_model=Trial)
async def create_trial(
    body: TrialCreate, caller: EvaluationWriter, sweeps: Trials, grant: Grant = None, key: IdempotencyKey = None
) -> Trial:
    """Queue one. Whoever has indexes built may reindex the collection."""
    if body.settings.needs_index:
        caller.require(*REINDEX_COLLECTION.scopes)
    return await sweeps.create(viewer(caller), owner(caller, grant), body, call_key(caller, "POST /v1/sweeps", key))


@router.get("", response_model=Page[Trial])
async def list_trials(
    caller: EvaluationReader, sweeps: Trials, collection: Name = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[Trial]:
    """Newest first."""
    return await sweeps.list(viewer(caller), limit, cursor, collection)


@router.get("/{trial_id}", response_model=Trial)
async def get_trial(trial_id: TrialId, caller: EvaluationReader, sweeps: Trials) -> Trial:
    """One, with what each combination has shown so far."""
    return await sweeps.get(viewer(caller), trial_id)


@router.post("/{trial_id}/cancel", status_code=202, response_model=Trial)
async def cancel_trial(trial_id: TrialId, caller: EvaluationWriter, sweeps: Trials) -> Trial:
    """End one; what was measured stays."""
    return await sweeps.cancel(viewer(caller), trial_id)


@router.delete("/{trial_id}", status_code=204)
async def delete_trial(trial_id: TrialId, caller: EvaluationWriter, sweeps: Trials) -> None:
    """Remove one that has ended."""
    await sweeps.delete(viewer(caller), trial_id)


@router.post("/{trial_id}/apply", response_model=Trial)
async def apply_trial(trial_id: TrialId, caller: EvaluationWriter, sweeps: Trials, grant: Grant = None) -> Trial:
    """Have the collection searched as was found significantly better."""
    return await sweeps.apply(viewer(caller), owner(caller, grant), trial_id)


@router.post("/{trial_id}/revert", response_model=Trial)
async def revert_trial(trial_id: TrialId, caller: EvaluationWriter, sweeps: Trials, grant: Grant = None) -> Trial:
    """Undo what was applied."""
    return await sweeps.revert(viewer(caller), owner(caller, grant), trial_id)
