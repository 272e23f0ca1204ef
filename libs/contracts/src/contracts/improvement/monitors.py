"""Monitors: whether answers of live traffic are as good as they were."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, StringConstraints, model_validator

from contracts.core.base import Count, Line, Name, Reply, Request, Timestamp
from contracts.core.values import Text
from contracts.improvement.evaluations import JudgeSpec
from contracts.improvement.live_judges import LIVE_RUBRIC
from contracts.models.experiments import SHARES, JudgedMetric

FigureState = Literal["waiting", "steady", "fallen"]


def _usual() -> dict[JudgedMetric, float | None]:
    return {"support": None, "abstention": None, "error_rate": None, "rating": None}


JUDGED: JudgedMetric = "judge_right"


class MonitorJudge(JudgeSpec):
    """A model that says of some answers whether they are right. Only of those that are recorded with their words
    (`full`), whole, and that did not abstain. Its calls count in the limits and budgets of the monitor's key."""

    rubric: Annotated[Text, StringConstraints(min_length=1, max_length=8000, pattern=r"\S")] = LIVE_RUBRIC
    sample_percent: Annotated[Decimal, Field(gt=0, le=100, decimal_places=2)] = Decimal(10)
    """So many in a hundred of the monitor's answers, drawn by their ids."""
    most: Annotated[int, Field(ge=1, le=10_000)] = 200
    """No more answers of one window."""
    budget_usd: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=6)] | None = None
    """No answer of the window is judged once so much was spent in it."""


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
    metrics: Annotated[dict[JudgedMetric, FiniteFloat | None], Field(min_length=1)] = Field(default_factory=_usual)
    """What is watched: null is compared with the days before; a number is the worst average that is still good."""
    p: Annotated[float, Field(ge=0.0001, le=0.05)] = 0.001
    """It has fallen from this p on. It is looked at all the time; p accounts for that, within each window."""
    judge: MonitorJudge | None = None
    """Whose verdicts are the measure `judge_right`."""

    @model_validator(mode="after")
    def _is_within_reach(self) -> Self:
        if self.judge is None and JUDGED in self.metrics:
            raise ValueError("'judge_right' is what a judge says; name one in 'judge'")
        if self.judge is not None:
            self.metrics.setdefault(JUDGED, None)
        for metric, worst in self.metrics.items():
            if worst is not None and (worst < 0 or (worst > 1 and metric in SHARES)):
                raise ValueError(f"'{metric}' is {'between 0 and 1' if metric in SHARES else 'never negative'}")
        return self


class MonitorFall(Reply):
    """A measure that is significantly worse than it was, or than it should be."""

    metric: JudgedMetric
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


class RatedVerdicts(Reply):
    """How far people who rated the same answers agree with a judge. An answer that as many people like as dislike is
    left out."""

    answers: Count = 0
    """That were judged and rated."""
    agreed: Count = 0
    enough: bool = False
    """Whether there are 30 of them, below which κ says little."""
    kappa: float | None = None
    """Cohen's; null where there are not enough, or where chance alone would always agree."""
    low: float | None = None
    """Its interval of 95 %."""
    high: float | None = None


class MonitorVerdicts(Reply):
    """What a monitor's judge has done in the window so far."""

    right: Count = 0
    wrong: Count = 0
    failed: Count = 0
    """Answers on which it gave no verdict; they are in no measure."""
    error: str | None = None
    """The code of what it failed at last, or waits for now."""
    waits: bool = False
    """Whether it waits: for the lab, the model, a limit or a budget of its key."""
    limited: Literal["most", "budget_usd"] | None = None
    """What ended its work in this window."""
    cost_usd: str | None = None
    """By the usage ledger; null where a price is not known."""
    rated: RatedVerdicts = Field(default_factory=RatedVerdicts)
    """Of all its verdicts that are kept."""


class Monitor(Reply):
    """A monitor, and what has fallen."""

    name: str
    model: str | None = None
    collection: str | None = None
    sample_percent: str
    window_hours: int
    baseline_days: int
    metrics: dict[JudgedMetric, float | None]
    p: float
    key_id: str
    created_at: Timestamp
    falls: list[MonitorFall] = Field(default_factory=list)
    window: Timestamp | None = None
    """When the window began that the figures are of; not in lists."""
    figures: dict[JudgedMetric, MonitorFigure] = Field(default_factory=dict)
    """By measure; not in lists."""
    judge: MonitorJudge | None = None
    verdicts: MonitorVerdicts | None = None
    """Where it has a judge; not in lists."""


class WorstAnswer(Reply):
    """An answer that pulls a measure down."""

    record: str
    """Its record: `GET /v1/records/{id}`."""
    at: Timestamp
    model: str
    value: float
    reason: str | None = None
    """Why the judge says that it is wrong: for `judge_right`, and keys that may read records."""
