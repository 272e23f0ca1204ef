"""Sums over the usage ledger for the variants of one version of a route: one statement, whatever there is of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Float, FromClause, Select, String, and_, case, cast, func, null, select

from contracts.models.experiments import JudgedMetric, Metric
from gateway.experiments.sequential import Sums
from gateway.models.cost import NANO
from gateway.storage.tables import usage
from servicekit.sql.database import Database, rows_of

MOST_CALLS = 1_000_000
"""Of one version since it was activated; what comes after them is not counted."""
METRICS: tuple[Metric, ...] = ("rating", "support", "abstention", "error_rate", "cost_usd", "latency_ms")


@dataclass(frozen=True, slots=True)
class Window:
    """The calls that are counted: of one version of a route, from `since` until it ended."""

    route: str
    version: int
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class VariantSums:
    """What the calls of one variant sum up to."""

    calls: int = 0
    units: int = 0
    measures: Mapping[JudgedMetric, Sums] | None = None

    def of(self, metric: JudgedMetric) -> Sums:
        """One measure."""
        return (self.measures or {}).get(metric, Sums())


async def variant_sums(
    database: Database, window: Window, ratings: FromClause | None = None
) -> Mapping[str, VariantSums]:
    """By the names of variants that had calls.

    `ratings` has `tenant`, `answer_id` and `rating`, from 0 (down) to 1 (up), of each answer that somebody has rated.
    """
    return await sums_by_variant(database, _calls(window, ratings))


async def sums_by_variant(
    database: Database, calls: Select[Any], metrics: Sequence[JudgedMetric] = METRICS
) -> Mapping[str, VariantSums]:
    """Of calls with the columns `variant`, `unit` and each of the measures."""
    rows = await database.read(rows_of(_query(calls.cte("calls"), metrics)))
    return {row["variant"]: _sums_of(dict(row), metrics) for row in rows}


def _query(calls: CTE, metrics: Sequence[JudgedMetric]) -> Select[Any]:
    """Of calls sums by unit; of these the sums that `Sums` has."""
    per_unit = _per_unit(calls, metrics).cte("per_unit")
    columns: list[ColumnElement[Any]] = [
        func.sum(per_unit.c.calls).label("calls"),
        func.count().label("units"),
    ]
    for metric in metrics:
        y, n = per_unit.c[f"{metric}_y"], per_unit.c[f"{metric}_n"]
        sums = {"y": y, "n": n, "yy": y * y, "yn": y * n, "nn": n * n, "units": case((n > 0, 1.0), else_=0.0)}
        columns += [func.coalesce(func.sum(value), 0.0).label(f"{metric}_{name}") for name, value in sums.items()]
    return select(per_unit.c.variant, *columns).group_by(per_unit.c.variant)


def _per_unit(calls: CTE, metrics: Sequence[JudgedMetric]) -> Select[Any]:
    columns: list[ColumnElement[Any]] = [func.count().label("calls")]
    for metric in metrics:
        value = calls.c[metric]
        columns.append(func.coalesce(func.sum(value), 0.0).label(f"{metric}_y"))
        columns.append(cast(func.count(value), Float).label(f"{metric}_n"))
    return select(calls.c.variant, calls.c.unit, *columns).group_by(calls.c.variant, calls.c.unit)


def _calls(window: Window, ratings: FromClause | None) -> Select[Any]:
    own = and_(
        usage.c.split == window.route,
        usage.c.split_version == window.version,
        usage.c.started_at >= window.since,
        usage.c.parent_id.is_(None),
    )
    if window.until is not None:
        own = and_(own, usage.c.started_at < window.until)
    fresh = usage.c.cache != "hit"
    columns = {
        "variant": usage.c.variant,
        "unit": func.coalesce(usage.c.unit, usage.c.id),
        "rating": cast(null(), Float) if ratings is None else _rating(ratings),
        "support": share_of(usage.c.grounded),
        "abstention": share_of(usage.c.abstained),
        "error_rate": share_of(usage.c.failed),
        "cost_usd": case((fresh, cost_of_call())),
        "latency_ms": case((and_(fresh, usage.c.failed.is_(False)), cast(usage.c.ms, Float))),
    }
    chosen = [column.label(name) for name, column in columns.items()]
    return select(*chosen).where(own).order_by(usage.c.started_at).limit(MOST_CALLS)


def share_of(flag: ColumnElement[Any]) -> ColumnElement[Any]:
    """1 or 0; null where nothing is known."""
    return case((flag.is_(True), 1.0), (flag.is_(False), 0.0))


def cost_of_call() -> ColumnElement[Any]:
    """Of a row of usage, the call's last attempt: with all attempts and all calls inside it; null if one price is
    unknown."""
    inner = usage.alias("inner")
    first_id = case(
        (usage.c.attempt == 1, usage.c.id),
        else_=func.substr(usage.c.id, 1, func.length(usage.c.id) - func.length(cast(usage.c.attempt, String)) - 1),
    )
    inside = and_(inner.c.parent_id == first_id, inner.c.tenant == usage.c.tenant)
    spent = select(func.coalesce(func.sum(inner.c.cost_nano_usd), 0)).where(inside).scalar_subquery()
    unknown = select(func.count()).where(inside, inner.c.cost_nano_usd.is_(None)).scalar_subquery()
    return case((unknown == 0, cast(usage.c.cost_nano_usd + spent, Float) * float(NANO)))


def _rating(ratings: FromClause) -> ColumnElement[Any]:
    """What people said of the answer."""
    same = and_(ratings.c.tenant == usage.c.tenant, ratings.c.answer_id == usage.c.answer_id)
    return select(ratings.c.rating).where(same).limit(1).scalar_subquery()


def _sums_of(row: Mapping[str, Any], metrics: Sequence[JudgedMetric]) -> VariantSums:
    measures: dict[JudgedMetric, Sums] = {}
    for metric in metrics:
        values = {name: float(row[f"{metric}_{name}"]) for name in ("n", "y", "yy", "yn", "nn")}
        measures[metric] = Sums(int(row[f"{metric}_units"]), **values)
    return VariantSums(int(row["calls"]), int(row["units"]), measures)
