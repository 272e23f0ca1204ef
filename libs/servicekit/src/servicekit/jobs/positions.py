"""Where a waiting job is in the queue: its place in the fair order, what it waits for, and about how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Double, RowMapping, Select, Table, bindparam, func, select, type_coerce

from servicekit.jobs.tables import LIVE, JobTable, is_live
from servicekit.jobs.worker_registry import slots_alive
from servicekit.sql.transaction import Transaction

RECENT = 20
NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class _Tenant:
    queued: int
    running: int
    served_at: datetime | None


@dataclass(frozen=True, slots=True)
class QueueState:
    """The queue at one moment."""

    now: datetime
    slots: int = 0
    """Of all live workers."""
    seconds: float | None = None
    """What a job took lately."""
    ranks: dict[str, int] = field(default_factory=dict)
    """Place among the tenant's own queued jobs, from 1."""
    tenants: dict[str, _Tenant] = field(default_factory=dict)

    def position(self, row: RowMapping) -> int | None:
        """Tenants take turns: before the tenant's r-th job go at most r (or r-1) of each other tenant's.

        Null for a job that left the queue while this was asked: PostgreSQL shows each statement its own moment.
        """
        rank, own = self.ranks.get(row["id"]), self.tenants.get(row["tenant"])
        if row["status"] != "queued" or rank is None or own is None:
            return None
        others = (state for tenant, state in self.tenants.items() if tenant != row["tenant"])
        return rank + sum(min(other.queued, rank if _before(other, own) else rank - 1) for other in others)

    def waiting_on(self, row: RowMapping) -> str | None:
        """What a queued job waits for: a pause's reason, `worker`, `slot`, `tenant_share` or `earlier_jobs`."""
        if row["status"] != "queued":
            return None
        if row["not_before"] is not None and row["not_before"] > self.now:
            return str(row["waiting_on"] or "retry")
        if self.slots and self._has_its_share(row["tenant"]):
            return "tenant_share"
        position = self.position(row)
        if self.slots and position is not None and position > 1:
            return "earlier_jobs"
        return "slot" if self.slots and self._running() >= self.slots else "worker"

    def eta_seconds(self, row: RowMapping) -> float | None:
        """By what jobs took lately, and the job's own progress."""
        if self.seconds is None or row["status"] not in LIVE or not self.slots:
            return None
        left: float = self.seconds * (1 - row["progress"])
        position = self.position(row)
        return round(left + (self.seconds * (position - 1) / self.slots if position else 0), 1)

    def _has_its_share(self, tenant: str) -> bool:
        """Whether all slots are taken, and the tenant has as many of them as others that want some, or more."""
        own = self.tenants.get(tenant)
        others = [state for name, state in self.tenants.items() if name != tenant and (state.queued or state.running)]
        if own is None or not others or self._running() < self.slots:
            return False
        return own.running >= max(1, self.slots // (len(others) + 1))

    def _running(self) -> int:
        return sum(state.running for state in self.tenants.values())


class QueuePositions:
    """Reads the state of a table's queue, as far as given jobs need it."""

    def __init__(self, jobs: JobTable, workers: Table, paced: ColumnElement[bool]) -> None:
        """`paced` is true of ended jobs whose duration says something of those to come."""
        self._workers, columns = workers, jobs.table.c
        self._pace = _pace(columns, paced)  # built once: building one costs more than running it
        self._ranks = _ranks(columns)
        self._tenants = _tenants(jobs)

    async def read(self, connection: Transaction, rows: Sequence[RowMapping], now: datetime) -> QueueState:
        """The queue; with none of these jobs live nothing is asked."""
        if not any(row["status"] in LIVE for row in rows):
            return QueueState(now)
        slots = (await connection.execute(slots_alive(self._workers, now))).scalar_one()
        seconds: float | None = (await connection.execute(self._pace)).scalar_one_or_none()
        waiting = [row["id"] for row in rows if row["status"] == "queued"]
        if not waiting:
            return QueueState(now, slots, seconds)
        ranks = await connection.execute(self._ranks, {"ids": waiting})
        tenants = await connection.execute(self._tenants)
        return QueueState(
            now,
            slots,
            seconds,
            {row.id: row.place for row in ranks},
            {tenant: _Tenant(queued, running, served) for tenant, queued, running, served in tenants},
        )


def _pace(columns: Any, paced: ColumnElement[bool]) -> Select[Any]:
    lately = (
        select((columns.finished_at - columns.started_at).label("seconds"))
        .where(paced, columns.finished_at.is_not(None))
        .order_by(columns.finished_at.desc())
        .limit(RECENT)
        .subquery()
    )
    seconds = type_coerce(lately.c.seconds, Double)  # differences of times are plain seconds in both databases
    return select(func.avg(seconds))


def _ranks(columns: Any) -> Select[Any]:
    place = func.row_number().over(partition_by=columns.tenant, order_by=(columns.queued_at, columns.id))
    queued = select(columns.id, place.label("place")).where(columns.status == "queued").subquery()
    return select(queued.c.id, queued.c.place).where(queued.c.id.in_(bindparam("ids", expanding=True)))


def _tenants(jobs: JobTable) -> Select[Any]:
    columns, served = jobs.table.c, jobs.table.alias()
    last = select(func.max(served.c.claimed_at)).where(served.c.tenant == columns.tenant).scalar_subquery()
    queued, running = (func.count().filter(columns.status == status) for status in LIVE)
    return select(columns.tenant, queued, running, last).where(is_live(columns)).group_by(columns.tenant)


def _before(other: _Tenant, own: _Tenant) -> bool:
    return (other.running, other.served_at or NEVER) < (own.running, own.served_at or NEVER)
