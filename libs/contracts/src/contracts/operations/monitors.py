"""Monitors: whether recorded answers are as good as they were."""

from __future__ import annotations

from types import NoneType

from contracts.core.pages import Page
from contracts.improvement.monitors import Monitor, MonitorCreate, WorstAnswer
from contracts.models.experiments import Metric
from contracts.operations.operation import LIMIT, Operation, Query, string_of
from contracts.operations.question_sets import READERS, WRITERS
from contracts.operations.reach import NO_MODEL

_TAGS = ("evaluations",)
_ALL, _ONE = "/v1/monitors", "/v1/monitors/{name}"
_METRIC = Query("metric", string_of(Metric), "The measure that they are the worst by.")

# fmt: off
CREATE_MONITOR = Operation(
    "POST", _ALL, Monitor, WRITERS, _TAGS, NO_MODEL, status=201, request=MonitorCreate, carries="json",
    name="create_monitor",
)
LIST_MONITORS = Operation("GET", _ALL, Page[Monitor], READERS, _TAGS, NO_MODEL, name="list_monitors")
GET_MONITOR = Operation("GET", _ONE, Monitor, READERS, _TAGS, NO_MODEL, name="show_monitor")
DELETE_MONITOR = Operation("DELETE", _ONE, NoneType, WRITERS, _TAGS, NO_MODEL, status=204, name="delete_monitor")
LIST_WORST_ANSWERS = Operation(
    "GET", f"{_ONE}/worst", Page[WorstAnswer], READERS, _TAGS, NO_MODEL, name="list_worst_answers",
    queries=(_METRIC, LIMIT),
)
# fmt: on
