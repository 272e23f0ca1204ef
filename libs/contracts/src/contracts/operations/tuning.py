"""Tuning jobs, in OpenAI's words."""

from __future__ import annotations

from types import NoneType

from contracts.improvement.tuning import (
    FineTuningCheckpoints,
    FineTuningCreate,
    FineTuningEvents,
    FineTuningJob,
    FineTuningJobs,
)
from contracts.operations.operation import LIMIT, Operation, Query
from contracts.operations.question_sets import READERS, WRITERS
from contracts.operations.reach import NO_MODEL, QUESTIONS

_TAGS = ("tuning",)
_ALL, _ONE = "/v1/fine_tuning/jobs", "/v1/fine_tuning/jobs/{id}"
_AFTER = Query("after", {"type": "string", "maxLength": 200}, "The last id of the page before.")

# fmt: off
CREATE_FINE_TUNING_JOB = Operation(
    "POST", _ALL, FineTuningJob, WRITERS, _TAGS, QUESTIONS, "Have a model learn from a question set",
    request=FineTuningCreate, carries="json", owner="lab", route="evaluations", grant=True, idempotent=True,
)
LIST_FINE_TUNING_JOBS = Operation(
    "GET", _ALL, FineTuningJobs, READERS, _TAGS, NO_MODEL, "List tuning jobs, newest first",
    queries=(_AFTER, LIMIT), owner="lab",
)
GET_FINE_TUNING_JOB = Operation(
    "GET", _ONE, FineTuningJob, READERS, _TAGS, NO_MODEL, "Show a tuning job and what came of it", owner="lab",
)
CANCEL_FINE_TUNING_JOB = Operation(
    "POST", f"{_ONE}/cancel", FineTuningJob, WRITERS, _TAGS, NO_MODEL, "End a tuning job", owner="lab",
    route="evaluations",
)
DELETE_FINE_TUNING_JOB = Operation(
    "DELETE", _ONE, NoneType, WRITERS, _TAGS, NO_MODEL,
    "Delete a tuning job that has ended, with what it learnt, also where that is served", 204, owner="lab",
    route="evaluations", also_for=("inference",),
)
PUBLISH_FINE_TUNING_JOB = Operation(
    "POST", f"{_ONE}/publish", FineTuningJob, WRITERS, _TAGS, NO_MODEL,
    "Serve what a tuning job has learnt, also where it was not significantly better, or in place of a newer one",
    owner="lab", route="evaluations", also_for=("inference",),
)
LIST_FINE_TUNING_EVENTS = Operation(
    "GET", f"{_ONE}/events", FineTuningEvents, READERS, _TAGS, NO_MODEL, "What happened in a tuning job, newest first",
    queries=(_AFTER, LIMIT), owner="lab",
)
LIST_FINE_TUNING_CHECKPOINTS = Operation(
    "GET", f"{_ONE}/checkpoints", FineTuningCheckpoints, READERS, _TAGS, NO_MODEL,
    "A tuning job's figures after each epoch, newest first", queries=(_AFTER, LIMIT), owner="lab",
)
GET_FINE_TUNING_ARTIFACT = Operation(
    "GET", f"{_ONE}/artifact", bytes, READERS, _TAGS, NO_MODEL, "What a tuning job has learnt, as a file", owner="lab",
)
# fmt: on
