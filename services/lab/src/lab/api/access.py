"""Who calls, and what the routes need."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Query, Request

from lab.errors import GrantMissing
from lab.evaluations.judging.live import LiveJudge
from lab.evaluations.service import Evaluations
from lab.generation.service import Generations
from lab.questions.repository import Viewer
from lab.questions.service import QuestionSets
from lab.sweeps.service import Sweeps
from lab.tuning.service import Tuning
from servicekit.auth.delegation import Caller, require
from servicekit.jobs.tables import JobOwner
from servicekit.web.idempotency import CallKey

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=500)]
EvaluationReader = Annotated[Caller, require("lab", "evaluations:read", "evaluations:write")]
"""May look at question sets."""
EvaluationWriter = Annotated[Caller, require("lab", "evaluations:write")]
"""May make and delete them."""


async def _question_sets(request: Request) -> QuestionSets:
    opened: QuestionSets = request.app.state.dependencies.question_sets
    return opened


async def _evaluations(request: Request) -> Evaluations:
    opened: Evaluations = request.app.state.dependencies.evaluations
    return opened


async def _sweeps(request: Request) -> Sweeps:
    opened: Sweeps = request.app.state.dependencies.sweeps
    return opened


async def _live_judge(request: Request) -> LiveJudge:
    opened: LiveJudge = request.app.state.dependencies.live_judge
    return opened


async def _generations(request: Request) -> Generations:
    opened: Generations = request.app.state.dependencies.generations
    return opened


async def _tuning(request: Request) -> Tuning:
    opened: Tuning = request.app.state.dependencies.tuning
    return opened


Grant = Annotated[str | None, Header(alias="Groundwork-Grant", max_length=16_384)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key")]
Runs = Annotated[Evaluations, Depends(_evaluations)]
Trials = Annotated[Sweeps, Depends(_sweeps)]
LiveJudging = Annotated[LiveJudge, Depends(_live_judge)]
Generating = Annotated[Generations, Depends(_generations)]
Tunings = Annotated[Tuning, Depends(_tuning)]
Library = Annotated[QuestionSets, Depends(_question_sets)]


def viewer(caller: Caller) -> Viewer:
    """Whose sets the caller sees."""
    delegation = caller.delegation
    limited = delegation.collections is not None or delegation.models is not None
    return Viewer(delegation.tenant, delegation.key_id, limited)


def call_key(caller: Caller, route: str, key: str | None) -> CallKey | None:
    """Which call an `Idempotency-Key` names."""
    return None if key is None else CallKey(caller.delegation.key_id, route, key)


def owner(caller: Caller, grant: str | None) -> JobOwner:
    """For whom a job asks; raises `GrantMissing`."""
    if not grant:
        raise GrantMissing
    delegation = caller.delegation
    return JobOwner(delegation.tenant, delegation.key_id, delegation.request_id, grant)
