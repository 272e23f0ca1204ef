"""Where a waiting job stands: its place in the fair order, what it waits for, and about how long it will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Double, RowMapping, Select, bindparam, func, select, type_coerce

from contracts.documents import Failure
from contracts.jobs import Job
from ingest.jobs.lifecycle import LIVE
from ingest.tables import JOBS, WORKERS
from servicekit.sql.transaction import Transaction

WORKER_ALIVE = timedelta(seconds=30)
RECENT = 20
NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class _Tenant:
    queued: int
    running: int
    served_at: datetime | None


@dataclass(frozen=True, slots=True)
class QueuePositions:
    """The queue at one moment."""

    now: datetime
    slots: int = 0
    """Of all live workers."""
    seconds: float | None = None
    """What a job took lately."""
    ranks: dict[str, int] = field(default_factory=dict)
    """Place among the tenant's own queued jobs, from 1."""
    tenants: dict[str, _Tenant] = field(default_factory=dict)

    def as_job(self, row: RowMapping) -> Job:
        """A row as the API shows it."""
        place = self._place(row)
        return Job(
            **{name: row[name] for name in _SHOWN},
            queue_position=place,
            waiting_on=self._waiting_on(row, place),
            eta_seconds=self._eta(row, place),
            error=Failure.model_validate(row["error"]) if row["error"] else None,
        )

    def _place(self, row: RowMapping) -> int | None:
        """Tenants take turns: before the tenant's r-th job go at most r (or r-1) of each other tenant's.

        Null for a job that left the queue while this was asked: PostgreSQL shows each statement its own moment.
        """
        rank, own = self.ranks.get(row["id"]), self.tenants.get(row["tenant"])
        if row["status"] != "queued" or rank is None or own is None:
            return None
        others = (state for tenant, state in self.tenants.items() if tenant != row["tenant"])
        return rank + sum(min(other.queued, rank if _before(other, own) else rank - 1) for other in others)

    def _waiting_on(self, row: RowMapping, place: int | None) -> str | None:
        if row["status"] != "queued":
            return None
        if row["not_before"] is not None and row["not_before"] > self.now:
            return str(row["waiting_on"] or "retry")
        if self.slots and self._has_its_share(row["tenant"]):
            return "tenant_share"
        if self.slots and place is not None and place > 1:
            return "earlier_jobs"
        return "slot" if self.slots and self._running() >= self.slots else "worker"

    def _has_its_share(self, tenant: str) -> bool:
        """Whether all slots are taken, and the tenant has as many of them as others that want some, or more."""
        own = self.tenants.get(tenant)
        others = [state for name, state in self.tenants.items() if name != tenant and (state.queued or state.running)]
        if own is None or not others or self._running() < self.slots:
            return False
        return own.running >= max(1, self.slots // (len(others) + 1))

    def _running(self) -> int:
        return sum(state.running for state in self.tenants.values())

    def _eta(self, row: RowMapping, place: int | None) -> float | None:
        if row["kind"] == "reindex":
            return self._reindex_eta(row)
        if self.seconds is None or row["status"] not in LIVE or not self.slots:
            return None
        left: float = self.seconds * (1 - row["progress"])
        return round(left + (self.seconds * (place - 1) / self.slots if place else 0), 1)

    def _reindex_eta(self, row: RowMapping) -> float | None:
        """By what it has done so far; no two are alike."""
        if row["status"] not in LIVE or row["progress"] <= 0 or row["started_at"] is None:
            return None
        taken: float = (self.now - row["started_at"]).total_seconds()
        return round(max(0.0, taken) * (1 / float(row["progress"]) - 1), 1)


_SHOWN = (
    "id",
    "kind",
    "document_id",
    "collection",
    "status",
    "stage",
    "progress",
    "pages_done",
    "pages_total",
    "attempts",
    "timings",
    "created_at",
    "started_at",
    "finished_at",
)


async def queue_positions(connection: Transaction, rows: Sequence[RowMapping], now: datetime) -> QueuePositions:
    """The queue as far as these jobs need it; with none of them live nothing is asked."""
    if not any(row["status"] in LIVE for row in rows):
        return QueuePositions(now)
    alive = {"alive_since": (now - WORKER_ALIVE).timestamp()}
    live_slots, seconds = (await connection.execute(_PACE, alive)).one()
    waiting = [row["id"] for row in rows if row["status"] == "queued"]
    ranks = await _ranks(connection, waiting) if waiting else {}
    tenants = await _tenants(connection) if waiting else {}
    return QueuePositions(now, int(live_slots), None if seconds is None else float(seconds), ranks, tenants)


def _pace() -> Select[Any]:
    """Slots of all live workers, and seconds that a job took lately."""
    slots = func.coalesce(func.sum(WORKERS.c.slots), 0)
    live = select(slots).where(_number(WORKERS.c.seen_at) > bindparam("alive_since", type_=Double))
    lately = (
        select((JOBS.c.finished_at - JOBS.c.started_at).label("seconds"))
        .where(JOBS.c.status == "ready", JOBS.c.kind == "document", JOBS.c.finished_at.is_not(None))
        .order_by(JOBS.c.finished_at.desc())
        .limit(RECENT)
        .subquery()
    )
    seconds = select(func.avg(_number(lately.c.seconds)))
    return select(live.scalar_subquery(), seconds.scalar_subquery())


def _places() -> Select[Any]:
    place = func.row_number().over(partition_by=JOBS.c.tenant, order_by=(JOBS.c.queued_at, JOBS.c.id))
    queued = select(JOBS.c.id, place.label("place")).where(JOBS.c.status == "queued").subquery()
    return select(queued.c.id, queued.c.place).where(queued.c.id.in_(bindparam("ids", expanding=True)))


def _by_tenant() -> Select[Any]:
    served = JOBS.alias()
    last = select(func.max(served.c.claimed_at)).where(served.c.tenant == JOBS.c.tenant).scalar_subquery()
    queued, running = (func.count().filter(JOBS.c.status == status) for status in LIVE)
    live = JOBS.c.status.in_(LIVE)
    return select(JOBS.c.tenant, queued, running, last).where(live).group_by(JOBS.c.tenant)


async def _ranks(connection: Transaction, ids: Sequence[str]) -> dict[str, int]:
    return {row.id: row.place for row in await connection.execute(_PLACES, {"ids": list(ids)})}


async def _tenants(connection: Transaction) -> dict[str, _Tenant]:
    rows = (await connection.execute(_BY_TENANT)).all()
    return {tenant: _Tenant(queued, running, at) for tenant, queued, running, at in rows}


def _before(other: _Tenant, own: _Tenant) -> bool:
    return (other.running, other.served_at or NEVER) < (own.running, own.served_at or NEVER)


def _number(column: Any) -> Any:
    """Differences of times are plain seconds in both databases; don't read them back as times."""
    return type_coerce(column, Double)


_PACE, _PLACES, _BY_TENANT = _pace(), _places(), _by_tenant()  # building one costs more than running it
