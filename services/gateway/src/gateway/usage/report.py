"""What `GET /v1/usage` answers: the ledger summed by key, tenant, model, day or collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, FromClause, RowMapping, and_, case, func, select

from contracts.access.keys import UsageGroup, UsageRow
from contracts.models.catalog import RAG
from gateway.models.cost import to_usd
from gateway.storage.tables import usage
from gateway.usage.records import CUT, DAY_SECONDS
from servicekit.core.errors import (
    InvalidRequest,
)
from servicekit.sql.database import Database, rows_of

DEFAULT_PERIOD = timedelta(days=30)
_outer = usage.alias("outer")
_asked = func.coalesce(_outer.c.model, usage.c.model)
"""The model that the public call named in which a call was made."""
_GROUPS: dict[UsageGroup, ColumnElement[Any]] = {
    "key": usage.c.key_id,
    "tenant": usage.c.tenant,
    "model": usage.c.model,
    "day": usage.c.day,
    "collection": case((_asked.startswith(RAG), func.substr(_asked, len(RAG) + 1)), else_=""),
}
_WITH_OUTER = usage.outerjoin(_outer, and_(usage.c.parent_id == _outer.c.id, usage.c.tenant == _outer.c.tenant))


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """Which rows are summed: `start` inclusive, `end` exclusive; a null tenant or key means all."""

    group_by: UsageGroup
    start: datetime
    end: datetime
    tenant: str | None
    key_id: str | None = None


def period(start: datetime | None, end: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """The asked period, by default the 30 days up to now; raises `BadPeriod`."""
    try:
        until = _utc(end) if end else now
        since = _utc(start) if start else until - DEFAULT_PERIOD
    except OverflowError:  # before the year 1 or after 9999
        raise BadPeriod from None
    if since >= until:
        raise BadPeriod
    return since, until


async def usage_report(database: Database, question: UsageQuestion) -> list[UsageRow]:
    """One row a group, in the order of their names.

    A `rag:` answer and the model calls inside it are rows of their own. By key, tenant, day and collection `requests`,
    `errors` and `cache_hits` count the calls that came in through the public API; by model they count each model's own.
    """
    group = _GROUPS[question.group_by]
    source: FromClause = _WITH_OUTER if question.group_by == "collection" else usage
    counted = usage.c.parent_id.is_(None) if question.group_by != "model" else usage.c.id.is_not(None)
    query = (
        select(
            group.label("group"),
            func.sum(case((counted, 1), else_=0)).label("requests"),
            func.sum(usage.c.prompt_tokens).label("prompt_tokens"),
            func.sum(usage.c.completion_tokens).label("completion_tokens"),
            func.sum(usage.c.embedding_tokens).label("embedding_tokens"),
            func.sum(usage.c.cached_tokens).label("cached_tokens"),
            func.sum(usage.c.reasoning_tokens).label("reasoning_tokens"),
            func.sum(case((usage.c.estimated, 1), else_=0)).label("estimated_requests"),
            func.sum(usage.c.cost_nano_usd).label("cost"),
            func.sum(case((usage.c.cost_nano_usd.is_(None), 1), else_=0)).label("unpriced_requests"),
            func.sum(case((counted & (usage.c.cache == "hit"), 1), else_=0)).label("cache_hits"),
            func.sum(case((usage.c.error_type == CUT, 1), else_=0)).label("cut_requests"),
            func.sum(case((counted & (usage.c.error_type != CUT), 1), else_=0)).label("errors"),
        )
        .select_from(source)
        .where(usage.c.started_at >= question.start, usage.c.started_at < question.end)
        .group_by(group)
    )
    if question.tenant is not None:
        query = query.where(usage.c.tenant == question.tenant)
    if question.key_id is not None:
        query = query.where(usage.c.key_id == question.key_id)
    by_name: dict[str, list[RowMapping]] = {}
    for row in await database.read(rows_of(query)):
        by_name.setdefault(_name(question.group_by, row["group"]), []).append(row)
    return [_usage_row(name, by_name[name]) for name in sorted(by_name)]


def _name(group_by: UsageGroup, group: Any) -> str:
    """What a group is called; collections are the same in any order."""
    if group_by == "day":
        return _day(group)
    return ",".join(sorted(str(group or "").split(","))) if group_by == "collection" else str(group or "")


def _usage_row(name: str, rows: Sequence[RowMapping]) -> UsageRow:
    fields = [field for field in UsageRow.model_fields if field not in ("group", "cost_usd")]
    costs = [int(row["cost"]) for row in rows if row["cost"] is not None]
    counts = {field: sum(int(row[field]) for row in rows) for field in fields}
    return UsageRow(group=name, cost_usd=to_usd(sum(costs)) if costs else None, **counts)


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY_SECONDS, UTC).date().isoformat()


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class BadPeriod(InvalidRequest):
    """`from` is not before `to`, or one of them is not in the years 1 to 9999."""

    code = "bad_period"

    def __init__(self) -> None:
        super().__init__("'from' must be before 'to'. Both are RFC 3339 times or dates, in UTC.", param="from")
