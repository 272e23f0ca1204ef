"""Monitors: whether answers of live traffic are as good as they were."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, StringConstraints, model_validator

from contracts.core.base import Count, Line, Name, Reply, Request, Timestamp
from contracts.models.experiments import SHARES, Metric

FigureState = Literal["waiting", "steady", "fallen"]


def _usual() -> dict[Metric, float | None]:
    return {"support": None, "abstention": None, "error_rate": None, "rating": None}


class MonitorCreate(Request):
    """Body of `POST /v1/monitors`."""

    name: Name
    model: Annotated[Line, StringConstraints(min_length=1, max_length=200)] | None = None
    """Only answers of it: as it was asked for (a model, `rag:`, `agent:`, a route), or that worded the answer."""
    collection: Name | None = None
    """Only answers from it."""
    sample_percent: Annotated[Decimal, Field(gt=0, le=100, decimal_places=2)] = Decimal(100)
    """Of these so many in a hundred, drawn by their ids: the same ones always."""
    window_hours: Annotated[int, Field(ge=1, le=168)] = 24
    """Answers are counted by windows of so many hours, one after the other."""
    baseline_days: Annotated[int, Field(ge=1, le=28)] = 7
    """The days before a window, whose answers it is compared with. Records must be kept for longer."""
    metrics: Annotated[dict[Metric, FiniteFloat | None], Field(min_length=1)] = Field(default_factory=_usual)
    """What is watched: null is compared with the days before; a number is the worst average that is still good."""
    p: Annotated[float, Field(ge=0.0001, le=0.05)] = 0.001
    """It has fallen from this p on. It is looked at all the time; p accounts for that, within each window."""

    @model_validator(mode="after")
    def _is_within_reach(self) -> Self:
        for metric, worst in self.metrics.items():
            if worst is not None and (worst < 0 or (worst > 1 and metric in SHARES)):
                raise ValueError(f"'{metric}' is {'between 0 and 1' if metric in SHARES else 'never negative'}")
        return self


class MonitorFall(Reply):
    """A measure that is significantly worse than it was, or than it should be."""

    metric: Metric
    value: float
    """A call's average when it was found."""
    expected: float
    """The baseline's average, or the worst that is still good."""
    p: float
    at: Timestamp
    """When it was found."""
    window: Timestamp
    """When the last window began that it was found in; it is over once a whole window after that is without it."""


class MonitorFigure(Reply):
    """A measure of the window's answers so far. Interval and p hold at every look at once, within the window."""

    answers: Count
    """That have this measure."""
    people: Count
    """Users, or answers where no user was named: what interval and p count."""
    value: float | None = None
    """An average; null while no answer has the measure."""
    low: float | None = None
    """The interval of 95 %; null below 30 `people`."""
    high: float | None = None
    expected: float | None = None
    """The baseline's average, or the number that was given."""
    baseline_people: Count | None = None
    """Of the baseline; null where a number was given."""
    p: float | None = None
    """Of it being as expected; null while either side has fewer than 30 `people`."""
    state: FigureState
    """`waiting` for 30 people on both sides."""


class Monitor(Reply):
    """A monitor, and what has fallen."""

    name: str
    model: str | None = None
    collection: str | None = None
    sample_percent: str
    window_hours: int
    baseline_days: int
    metrics: dict[Metric, float | None]
    p: float
    key_id: str
    created_at: Timestamp
    falls: list[MonitorFall] = Field(default_factory=list)
    window: Timestamp | None = None
    """When the window began that the figures are of; not in lists."""
    figures: dict[Metric, MonitorFigure] = Field(default_factory=dict)
    """By measure; not in lists."""


class WorstAnswer(Reply):
    """An answer that pulls a measure down."""

    record: str
    """Its record: `GET /v1/records/{id}`."""
    at: Timestamp
    model: str
    value: float
