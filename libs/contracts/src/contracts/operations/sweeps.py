"""Sweeps over a collection's settings."""

from __future__ import annotations

from types import NoneType

from contracts.core.pages import Page
from contracts.improvement.sweeps import Trial, TrialCreate
from contracts.operations.operation import CURSOR, LIMIT, Operation, Query
from contracts.operations.question_sets import READERS, WRITERS
from contracts.operations.reach import NO_MODEL, QUESTIONS

_TAGS = ("evaluations",)
_ALL, _ONE = "/v1/sweeps", "/v1/sweeps/{id}"
_COLLECTION = Query("collection", {"type": "string", "maxLength": 200}, "Only of this collection.")

# fmt: off
CREATE_TRIAL = Operation(
    "POST", _ALL, Trial, WRITERS, _TAGS, QUESTIONS, "Try settings of a collection's search on a question set", 202,
    request=TrialCreate, carries="json", owner="lab", route="evaluations", grant=True, spends=True, idempotent=True,
)
LIST_TRIALS = Operation(
    "GET", _ALL, Page[Trial], READERS, _TAGS, NO_MODEL, "List sweeps, newest first",
    queries=(_COLLECTION, LIMIT, CURSOR), owner="lab",
)
GET_TRIAL = Operation(
    "GET", _ONE, Trial, READERS, _TAGS, NO_MODEL, "Show a sweep with what each combination has shown", owner="lab",
)
CANCEL_TRIAL = Operation(
    "POST", f"{_ONE}/cancel", Trial, WRITERS, _TAGS, NO_MODEL, "End a sweep; what was measured stays", 202,
    owner="lab", route="evaluations",
)
DELETE_TRIAL = Operation(
    "DELETE", _ONE, NoneType, WRITERS, _TAGS, NO_MODEL, "Delete a sweep that has ended, with its evaluations", 204,
    owner="lab", route="evaluations",
)
APPLY_TRIAL = Operation(
    "POST", f"{_ONE}/apply", Trial, WRITERS, _TAGS, NO_MODEL,
    "Have the collection searched as the sweep found significantly better", owner="lab", route="evaluations",
    grant=True,
)
REVERT_TRIAL = Operation(
    "POST", f"{_ONE}/revert", Trial, WRITERS, _TAGS, NO_MODEL, "Undo what a sweep changed", owner="lab",
    route="evaluations", grant=True,
)
# fmt: on
