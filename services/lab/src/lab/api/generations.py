"""`/v1/question-sets/{name}/generate` and `…/generations`: questions made from documents, and their review."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from fastapi.responses import Response

from contracts.core.base import Name
from contracts.core.pages import Page
from contracts.improvement.question_generation import (
    GeneratedQuestion,
    GeneratedState,
    Generation,
    GenerationCreate,
    GenerationReview,
)
from contracts.improvement.question_sets import QuestionSet
from lab.api.access import (
    Cursor,
    EvaluationReader,
    EvaluationWriter,
    Generating,
    Grant,
    IdempotencyKey,
    Limit,
    call_key,
    owner,
    viewer,
)
from servicekit.web.router import Router

router = Router(prefix="/v1/question-sets/{name}", tags=["question sets"])
SetName = Annotated[Name, Path()]
RunId = Annotated[str, Path(alias="generation", max_length=200)]
State = Annotated[GeneratedState | None, Query()]
QUOTING = frozenset(("documents", "search"))
"""Scopes that show what documents say."""


@router.post("/generate", status_code=202, response_model=Generation)
async def generate_questions(
    name: SetName,
    body: GenerationCreate,
    caller: EvaluationWriter,
    runs: Generating,
    grant: Grant = None,
    key: IdempotencyKey = None,
) -> Generation:
    """Queue a run."""
    call = call_key(caller, f"POST /v1/question-sets/{name}/generate", key)
    return await runs.create(viewer(caller), owner(caller, grant), name, body, call)


@router.get("/generations", response_model=Page[Generation])
async def list_generations(
    name: SetName, caller: EvaluationReader, runs: Generating, limit: Limit = 50, cursor: Cursor = None
) -> Page[Generation]:
    """Newest first."""
    return await runs.list(viewer(caller), name, limit, cursor)


@router.get("/generations/{generation}", response_model=Generation)
async def get_generation(name: SetName, run_id: RunId, caller: EvaluationReader, runs: Generating) -> Generation:
    """One, with its progress and why passages came to nothing."""
    return await runs.get(viewer(caller), name, run_id)


@router.post("/generations/{generation}/cancel", status_code=202, response_model=Generation)
async def cancel_generation(name: SetName, run_id: RunId, caller: EvaluationWriter, runs: Generating) -> Generation:
    """End one; what was made stays."""
    return await runs.cancel(viewer(caller), name, run_id)


@router.delete("/generations/{generation}", status_code=204)
async def delete_generation(name: SetName, run_id: RunId, caller: EvaluationWriter, runs: Generating) -> None:
    """Remove one that has ended."""
    await runs.delete(viewer(caller), name, run_id)


@router.get("/generations/{generation}/items", response_model=Page[GeneratedQuestion])
async def list_generated_questions(
    name: SetName,
    run_id: RunId,
    caller: EvaluationReader,
    runs: Generating,
    state: State = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[GeneratedQuestion]:
    """What it has made, and what came to nothing; with the passages for keys that may read documents."""
    quotes = not QUOTING.isdisjoint(caller.delegation.scopes)
    return await runs.list_items(viewer(caller), name, run_id, state, limit, cursor, quotes=quotes)


@router.post("/generations/{generation}/review", response_model=Generation)
async def review_generated_questions(
    name: SetName, run_id: RunId, body: GenerationReview, caller: EvaluationWriter, runs: Generating
) -> Generation:
    """Accept, correct, reject."""
    return await runs.review(viewer(caller), name, run_id, body)


@router.post(
    "/generations/{generation}/save",
    status_code=201,
    response_model=QuestionSet,
    responses={200: {"model": QuestionSet}},
)
async def save_generated_questions(
    name: SetName, run_id: RunId, caller: EvaluationWriter, runs: Generating, response: Response, grant: Grant = None
) -> QuestionSet:
    """A new version with what was accepted (201), or the version that has it already (200)."""
    saved, new = await runs.save(viewer(caller), owner(caller, grant), name, run_id)
    response.status_code = 201 if new else 200
    return saved
