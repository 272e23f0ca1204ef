"""Who calls, and what the routes need."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from lab.questions.repository import Viewer
from lab.questions.service import QuestionSets
from servicekit.auth.delegation import Caller, require

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=500)]
EvaluationReader = Annotated[Caller, require("lab", "evaluations:read", "evaluations:write")]
"""May look at question sets."""
EvaluationWriter = Annotated[Caller, require("lab", "evaluations:write")]
"""May make and delete them."""


async def _question_sets(request: Request) -> QuestionSets:
    opened: QuestionSets = request.app.state.dependencies.question_sets
    return opened


Library = Annotated[QuestionSets, Depends(_question_sets)]


def viewer(caller: Caller) -> Viewer:
    """Whose sets the caller sees."""
    delegation = caller.delegation
    limited = delegation.collections is not None or delegation.models is not None
    return Viewer(delegation.tenant, delegation.key_id, limited)
