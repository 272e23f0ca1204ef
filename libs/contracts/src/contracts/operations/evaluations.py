"""Evaluations, two of them compared, monitors of recorded answers, and sweeps over a collection's settings."""

from __future__ import annotations

from types import NoneType

from contracts.core.pages import Page
from contracts.improvement.evaluations import (
    MEASURE_PATTERN,
    Evaluation,
    EvaluationAnswer,
    EvaluationComparison,
    EvaluationCreate,
    EvaluationStatus,
)
from contracts.improvement.monitors import Monitor, MonitorCreate, WorstAnswer
from contracts.improvement.sweeps import Trial, TrialCreate
from contracts.models.experiments import JudgedMetric
from contracts.operations.operation import CURSOR, LIMIT, Operation, Query, string_of
from contracts.operations.question_sets import READERS, WRITERS
from contracts.operations.reach import NO_MODEL, QUESTIONS

_TAGS = ("evaluations",)
_ALL, _ONE = "/v1/evaluations", "/v1/evaluations/{id}"
_MONITORS, _MONITOR = "/v1/monitors", "/v1/monitors/{name}"
_TRIALS, _TRIAL = "/v1/sweeps", "/v1/sweeps/{id}"
_COLLECTION = Query("collection", {"type": "string", "maxLength": 200}, "Only of this collection.")
_TEXT = {"type": "string", "maxLength": 200}
_SET = Query("question_set", _TEXT, "Only of this question set.")
_STATUS = Query("status", string_of(EvaluationStatus), "Only in this state.")
_WITH = Query("with", _TEXT, "The id of the other evaluation.")
_MEASURE = Query(
    "measure",
    {"type": "string", "maxLength": 63, "pattern": MEASURE_PATTERN},
    "Only questions that have this measure, the worst first; with `with`, those where it is worse than in the other.",
)
_BESIDE = Query("with", _TEXT, "The id of another evaluation: only questions that both asked, with both answers.")
_METRIC = Query("metric", string_of(JudgedMetric), "The measure that they are the worst by.")

# fmt: off
CREATE_EVALUATION = Operation(
    "POST", _ALL, Evaluation, WRITERS, _TAGS, QUESTIONS, "Ask a question set of something that answers", 202,
    request=EvaluationCreate, carries="json", owner="lab", route="evaluations", grant=True, spends=True,
)
LIST_EVALUATIONS = Operation(
    "GET", _ALL, Page[Evaluation], READERS, _TAGS, NO_MODEL, "List evaluations, newest first",
    queries=(_SET, _STATUS, LIMIT, CURSOR), owner="lab",
)
GET_EVALUATION = Operation(
    "GET", _ONE, Evaluation, READERS, _TAGS, NO_MODEL, "Show an evaluation with its figures", owner="lab",
)
CANCEL_EVALUATION = Operation(
    "POST", f"{_ONE}/cancel", Evaluation, WRITERS, _TAGS, NO_MODEL, "End an evaluation; what was answered stays", 202,
    owner="lab", route="evaluations",
)
DELETE_EVALUATION = Operation(
    "DELETE", _ONE, NoneType, WRITERS, _TAGS, NO_MODEL, "Delete an evaluation that has ended, with its answers", 204,
    owner="lab", route="evaluations",
)
LIST_EVALUATION_ANSWERS = Operation(
    "GET", f"{_ONE}/answers", Page[EvaluationAnswer], READERS, _TAGS, NO_MODEL, "What was answered to each question",
    queries=(_MEASURE, _BESIDE, LIMIT, CURSOR), owner="lab",
)
COMPARE_EVALUATIONS = Operation(
    "GET", f"{_ONE}/compare", EvaluationComparison, READERS, _TAGS, NO_MODEL,
    "Whether an evaluation is better than another, or it was luck", queries=(_WITH,), owner="lab",
)
CREATE_MONITOR = Operation(
    "POST", _MONITORS, Monitor, WRITERS, _TAGS, NO_MODEL, status=201, request=MonitorCreate, carries="json",
    name="create_monitor",
)
LIST_MONITORS = Operation("GET", _MONITORS, Page[Monitor], READERS, _TAGS, NO_MODEL, name="list_monitors")
GET_MONITOR = Operation("GET", _MONITOR, Monitor, READERS, _TAGS, NO_MODEL, name="show_monitor")
DELETE_MONITOR = Operation("DELETE", _MONITOR, NoneType, WRITERS, _TAGS, NO_MODEL, status=204, name="delete_monitor")
LIST_WORST_ANSWERS = Operation(
    "GET", f"{_MONITOR}/worst", Page[WorstAnswer], READERS, _TAGS, NO_MODEL, name="list_worst_answers",
    queries=(_METRIC, LIMIT),
)
CREATE_TRIAL = Operation(
    "POST", _TRIALS, Trial, WRITERS, _TAGS, QUESTIONS, "Try settings of a collection's search on a question set", 202,
    request=TrialCreate, carries="json", owner="lab", route="evaluations", grant=True, spends=True, idempotent=True,
)
LIST_TRIALS = Operation(
    "GET", _TRIALS, Page[Trial], READERS, _TAGS, NO_MODEL, "List sweeps, newest first",
    queries=(_COLLECTION, LIMIT, CURSOR), owner="lab",
)
GET_TRIAL = Operation(
    "GET", _TRIAL, Trial, READERS, _TAGS, NO_MODEL, "Show a sweep with what each combination has shown", owner="lab",
)
CANCEL_TRIAL = Operation(
    "POST", f"{_TRIAL}/cancel", Trial, WRITERS, _TAGS, NO_MODEL, "End a sweep; what was measured stays", 202,
    owner="lab", route="evaluations",
)
DELETE_TRIAL = Operation(
    "DELETE", _TRIAL, NoneType, WRITERS, _TAGS, NO_MODEL, "Delete a sweep that has ended, with its evaluations", 204,
    owner="lab", route="evaluations",
)
APPLY_TRIAL = Operation(
    "POST", f"{_TRIAL}/apply", Trial, WRITERS, _TAGS, NO_MODEL,
    "Have the collection searched as the sweep found significantly better", owner="lab", route="evaluations",
    grant=True,
)
REVERT_TRIAL = Operation(
    "POST", f"{_TRIAL}/revert", Trial, WRITERS, _TAGS, NO_MODEL, "Undo what a sweep changed", owner="lab",
    route="evaluations", grant=True,
)
# fmt: on
