"""What a route that is split has shown so far of each of its variants."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from contracts.core.base import Count, Reply, Request

Metric = Literal["rating", "support", "abstention", "error_rate", "cost_usd", "latency_ms"]
JudgedMetric = Literal[Metric, "judge_right"]
"""With the share of answers that a judge says are right: monitors may have one."""
BETTER_HIGH: frozenset[JudgedMetric] = frozenset(("rating", "support", "judge_right"))
"""Of the others less is better."""
SHARES: frozenset[JudgedMetric] = frozenset(("rating", "support", "abstention", "error_rate", "judge_right"))
"""Measures between 0 and 1. `rating` is the share of ratings that are up, a neutral one being half; `support` of
answers from documents that their sources support; `abstention` of them that say no; `error_rate` of calls that the
variant did not answer. `cost_usd` and `latency_ms` are a call's average, without answers from the cache."""


class Guard(Request):
    """Ends the split for a variant whose `metric` is significantly worse than that of the first target."""

    metric: Metric
    p: Annotated[float, Field(ge=0.0001, le=0.1)] = 0.05
    """It is worse from this p on. It is looked at all the time; p accounts for that."""


class Figure(Reply):
    """A measure of one variant. Interval and p hold at every look at once, however often somebody looks."""

    calls: Count
    """That have this measure."""
    value: float | None = None
    """A call's average; null while none has it."""
    low: float | None = None
    """The interval of 95 %; null while the variant has fewer than 30 units."""
    high: float | None = None
    difference: float | None = None
    """From the first target; null for that itself, and while one of them has fewer than 30 units."""
    difference_low: float | None = None
    difference_high: float | None = None
    p: float | None = None
    """Of there being no difference."""


class VariantFigures(Reply):
    """One variant of a route's version."""

    name: str
    model: str
    weight: Count
    is_baseline: bool
    """Whether the others are compared with it: the first target."""
    is_shadow: bool = False
    """Whether its answers are given to nobody."""
    calls: Count
    units: Count
    """Keys, people or conversations that these calls are from: what intervals and p count."""
    measures: dict[Metric, Figure]


class GuardEnd(Reply):
    """What ended a split."""

    metric: Metric
    variant: str
    """That is worse, and gets no more calls."""
    value: float
    baseline: float
    p: float
    at: datetime


class Experiment(Reply):
    """A version of a route, and what its variants have shown since it was last activated."""

    route: str
    version: Count
    active: bool
    split_by: str
    since: datetime
    until: datetime | None = None
    """When another version took its place; null while it answers."""
    guard: Guard | None = None
    ended_by: GuardEnd | None = None
    """Where the guard has ended it."""
    variants: list[VariantFigures]
