"""What a monitor's answers sum up to: those of the window, and those of the days before it. One statement over narrow
rows, so that nothing is counted twice or lost whatever dies in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Float, Select, and_, case, cast, func, literal, null, or_, select

from contracts.improvement.monitors import JUDGED, MonitorCreate, WorstAnswer
from contracts.models.experiments import BETTER_HIGH, SHARES, JudgedMetric
from gateway.experiments.figures import METRICS, MOST_CALLS, VariantSums, cost_of_call, share_of, sums_by_variant
from gateway.experiments.ratings import WHOLE
from gateway.storage.tables import feedback, monitor_verdicts, record_measures, usage
from servicekit.sql.database import Database, rows_of

NOW, BEFORE = "now", "before"
MONITORED: tuple[JudgedMetric, ...] = (*METRICS, JUDGED)
SAMPLES_PER_PERCENT = 100
"""Of the parts that records fall into by their ids (`gateway.records.content.SAMPLES`)."""
RIGHT, WRONG = "right", "wrong"
"""Verdicts, as `monitor_verdicts` has them."""
_ROW, _STATE = record_measures.c, monitor_verdicts.c.state


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose answers are meant: a tenant's, or those of one key of it."""

    tenant: str
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class Windows:
    """The window that a moment is in. Windows begin at multiples of their length since 1970, on every replica alike."""

    start: datetime
    length: timedelta
    baseline: timedelta

    @classmethod
    def at(cls, moment: datetime, spec: MonitorCreate) -> Windows:
        """Of a monitor."""
        seconds = spec.window_hours * 3600
        start = datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)
        return cls(start, timedelta(seconds=seconds), timedelta(days=spec.baseline_days))


async def monitor_sums(
    database: Database, scope: Scope, spec: MonitorCreate, windows: Windows
) -> tuple[VariantSums, VariantSums]:
    """Of the window so far, and of its baseline."""
    part = case((_ROW.at >= windows.start, NOW), else_=BEFORE)
    known = _measures(spec.name)
    watched = {name: column if name in spec.metrics else cast(null(), Float) for name, column in known.items()}
    measures = [column.label(name) for name, column in watched.items()]
    chosen = select(part.label("variant"), _ROW.person.label("unit"), *measures)
    where = [*answers_of(scope, spec), _ROW.at >= windows.start - windows.baseline]
    newest = chosen.where(*where).order_by(_ROW.at.desc()).limit(MOST_CALLS)
    found = await sums_by_variant(database, newest, MONITORED)
    return found.get(NOW, VariantSums()), found.get(BEFORE, VariantSums())


async def worst_answers(
    database: Database, scope: Scope, spec: MonitorCreate, since: datetime, metric: JudgedMetric, limit: int
) -> list[WorstAnswer]:
    """Those that pull it down, the worst first and of these the newest; of a share, those that are not good."""
    value = _measures(spec.name)[metric]
    reason = _verdict(spec.name, monitor_verdicts.c.reason) if metric == JUDGED else null()
    measured = select(_ROW.record_id.label("record"), _ROW.at, _ROW.model, value.label("value"), reason.label("reason"))
    rows = measured.where(*answers_of(scope, spec), _ROW.at >= since).order_by(_ROW.at.desc()).limit(MOST_CALLS).cte()
    order = rows.c.value.asc() if metric in BETTER_HIGH else rows.c.value.desc()
    good = literal(1.0 if metric in BETTER_HIGH else 0.0)
    is_bad = rows.c.value != good if metric in SHARES else rows.c.value.is_not(None)
    query = select(rows).where(is_bad).order_by(order, rows.c.at.desc()).limit(limit)
    return [WorstAnswer.model_validate(dict(row)) for row in await database.read(rows_of(query))]


def answers_of(scope: Scope, spec: MonitorCreate) -> list[ColumnElement[bool]]:
    """Which rows of `record_measures` a monitor is of."""
    found = [_ROW.tenant == scope.tenant]
    if scope.key_id is not None:
        found.append(_ROW.key_id == scope.key_id)
    if spec.model is not None:
        found.append(or_(_ROW.model == spec.model, _ROW.answered_by == spec.model))
    if spec.collection is not None:
        found.append(_ROW.collections.contains(f",{spec.collection},", autoescape=True))
    if spec.sample_percent < 100:
        found.append(_ROW.sample < int(spec.sample_percent * SAMPLES_PER_PERCENT))
    return found


def _measures(monitor: str) -> Mapping[JudgedMetric, ColumnElement[Any]]:
    """Of an answer; null where it has not the measure."""
    return {
        "rating": _rating(),
        "support": share_of(_ROW.grounded),
        "abstention": share_of(_ROW.abstained),
        "error_rate": share_of(_ROW.failed),
        "cost_usd": case((_ROW.fresh, _cost().scalar_subquery())),
        "latency_ms": case((and_(_ROW.fresh, _ROW.failed.is_(False)), cast(_ROW.ms, Float))),
        JUDGED: _verdict(monitor, case((_STATE == RIGHT, 1.0), (_STATE == WRONG, 0.0))),
    }


def _verdict(monitor: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Of what its judge said of an answer; null where it said nothing."""
    mine = and_(monitor_verdicts.c.record_id == _ROW.record_id, monitor_verdicts.c.monitor == monitor)
    return select(column).where(mine, monitor_verdicts.c.tenant == _ROW.tenant).scalar_subquery()


def _cost() -> Select[Any]:
    """As the ledger has it."""
    return select(cost_of_call()).where(usage.c.id == _ROW.call_id, usage.c.tenant == _ROW.tenant)


def _rating() -> ColumnElement[Any]:
    """What people said of the answer as a whole, on average from 0 (down) to 1 (up)."""
    said = and_(feedback.c.tenant == _ROW.tenant, feedback.c.answer_id == _ROW.record_id, feedback.c.part == WHOLE)
    average = (func.avg(cast(feedback.c.verdict, Float)) + 1.0) / 2.0
    return select(average).where(said).scalar_subquery()
