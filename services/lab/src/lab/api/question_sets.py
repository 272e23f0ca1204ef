"""`/v1/question-sets`: sets, their versions and questions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from fastapi.responses import Response

from contracts.core.base import Name
from contracts.core.pages import Page
from contracts.improvement.question_sets import QuestionRecord, QuestionSet, QuestionSetCreate
from lab.api.access import Cursor, EvaluationReader, EvaluationWriter, Generating, Library, Limit, viewer
from servicekit.web.router import Router

router = Router(prefix="/v1/question-sets", tags=["question sets"])
SetName = Annotated[Name, Path()]
Number = Annotated[int, Path(ge=1, lt=2**31)]
Split = Annotated[str | None, Query(max_length=63)]


@router.post("", status_code=201, response_model=QuestionSet, responses={200: {"model": QuestionSet}})
async def create_question_set(
    body: QuestionSetCreate, caller: EvaluationWriter, sets: Library, response: Response
) -> QuestionSet:
    """A new set (201), a new version of one (201), or the version that there is (200)."""
    saved, new = await sets.save(viewer(caller), body)
    response.status_code = 201 if new else 200
    return saved


@router.get("", response_model=Page[QuestionSet])
async def list_question_sets(
    caller: EvaluationReader, sets: Library, limit: Limit = 50, cursor: Cursor = None
) -> Page[QuestionSet]:
    """The newest version of each, by name."""
    return await sets.list_sets(viewer(caller), limit, cursor)


@router.get("/{name}", response_model=QuestionSet)
async def get_question_set(name: SetName, caller: EvaluationReader, sets: Library) -> QuestionSet:
    """The newest version."""
    return await sets.get(viewer(caller), name)


@router.delete("/{name}", status_code=204)
async def delete_question_set(name: SetName, caller: EvaluationWriter, runs: Generating) -> None:
    """Delete a set with all its versions, and the runs that made questions for it."""
    await runs.delete_set(viewer(caller), name)


@router.get("/{name}/versions", response_model=Page[QuestionSet])
async def list_versions(
    name: SetName, caller: EvaluationReader, sets: Library, limit: Limit = 50, cursor: Cursor = None
) -> Page[QuestionSet]:
    """All versions, newest first."""
    return await sets.list_versions(viewer(caller), name, limit, cursor)


@router.get("/{name}/versions/{version}", response_model=QuestionSet)
async def get_version(name: SetName, version: Number, caller: EvaluationReader, sets: Library) -> QuestionSet:
    """One version."""
    return await sets.get(viewer(caller), name, version)


@router.delete("/{name}/versions/{version}", status_code=204)
async def delete_version(name: SetName, version: Number, caller: EvaluationWriter, sets: Library) -> None:
    """Remove a version."""
    await sets.delete(viewer(caller), name, version)


@router.get("/{name}/versions/{version}/items", response_model=Page[QuestionRecord])
async def list_questions(
    name: SetName,
    version: Number,
    caller: EvaluationReader,
    sets: Library,
    split: Split = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[QuestionRecord]:
    """The questions of a version, in the order in which they came."""
    return await sets.list_questions(viewer(caller), name, version, split, limit, cursor)
