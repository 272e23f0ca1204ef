"""`/v1/evaluations`: started, followed, ended, compared."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from contracts.core.pages import Page
from contracts.improvement.evaluations import (
    MEASURE_PATTERN,
    Evaluation,
    EvaluationAnswer,
    EvaluationComparison,
    EvaluationCreate,
    EvaluationStatus,
)
from lab.api.access import Cursor, EvaluationReader, EvaluationWriter, Grant, Limit, Runs, owner, viewer
from servicekit.web.router import Router

router = Router(prefix="/v1/evaluations", tags=["evaluations"])
EvaluationId = Annotated[str, Path(max_length=200)]
OtherId = Annotated[str | None, Query(alias="with", max_length=200)]
Measure = Annotated[str | None, Query(max_length=63, pattern=MEASURE_PATTERN)]
Name = Annotated[str | None, Query(max_length=200)]


@router.post("", status_code=202, response_model=Evaluation)
async def create_evaluation(
    body: EvaluationCreate, caller: EvaluationWriter, runs: Runs, grant: Grant = None
) -> Evaluation:
    """Queue one."""
    return await runs.create(viewer(caller), owner(caller, grant), body)


@router.get("", response_model=Page[Evaluation])
async def list_evaluations(
    caller: EvaluationReader,
    runs: Runs,
    question_set: Name = None,
    status: EvaluationStatus | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Evaluation]:
    """Newest first."""
    return await runs.list(viewer(caller), limit, cursor, question_set, status)


@router.get("/{evaluation_id}", response_model=Evaluation)
async def get_evaluation(evaluation_id: EvaluationId, caller: EvaluationReader, runs: Runs) -> Evaluation:
    """One, with its progress, and its figures once it has ended."""
    return await runs.get(viewer(caller), evaluation_id)


@router.post("/{evaluation_id}/cancel", status_code=202, response_model=Evaluation)
async def cancel_evaluation(evaluation_id: EvaluationId, caller: EvaluationWriter, runs: Runs) -> Evaluation:
    """End one; what was answered stays."""
    return await runs.cancel(viewer(caller), evaluation_id)


@router.delete("/{evaluation_id}", status_code=204)
async def delete_evaluation(evaluation_id: EvaluationId, caller: EvaluationWriter, runs: Runs) -> None:
    """Remove one that has ended."""
    await runs.delete(viewer(caller), evaluation_id)


@router.get("/{evaluation_id}/answers", response_model=Page[EvaluationAnswer])
async def list_answers(
    evaluation_id: EvaluationId,
    caller: EvaluationReader,
    runs: Runs,
    measure: Measure = None,
    other: OtherId = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[EvaluationAnswer]:
    """Question by question; by a measure, the worst first."""
    return await runs.list_answers(viewer(caller), evaluation_id, limit, cursor, measure, other)


@router.get("/{evaluation_id}/compare", response_model=EvaluationComparison)
async def compare_evaluations(
    evaluation_id: EvaluationId, caller: EvaluationReader, runs: Runs, other: OtherId = None
) -> EvaluationComparison:
    """Against another, measure by measure."""
    return await runs.compare(viewer(caller), evaluation_id, other)
