"""Fairness between tenants: whose job is claimed next, and which job leaves its slot to a tenant that waits.

A claim takes the oldest due job of the tenant with the fewest at work; of several, of the one that was served least
recently. So with any number of slots a tenant with one job waits for one job of each other tenant, however many they
have queued.

What is claimed may hold its slot for long. A kind chooses between two remedies: no tenant holds more than so many of a
worker's slots (`tenant_slots`), where a job can't be interrupted; or a job gives way (`SlotShares`) once its tenant has
two slots more than one that waits, where work goes on later from its last step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, literal_column, select, true

from servicekit.core.clock import Clock
from servicekit.jobs.leased_job import LeasedJob
from servicekit.jobs.tables import OWNER, JobTable, is_live
from servicekit.jobs.worker_registry import slots_alive
from servicekit.sql.database import Database


def next_job(jobs: JobTable, tenant_slots: int | None = None) -> Select[tuple[str]]:
    """The id of the job to claim now; give it `now` and `owner`. No job of a tenant with its share of owner's slots."""
    columns = jobs.table.c
    return (
        select(columns.id)
        .where(jobs.due(columns), columns.tenant == _turn(jobs, tenant_slots))
        .order_by(columns.queued_at, columns.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def _turn(jobs: JobTable, tenant_slots: int | None) -> Any:
    due, running, served = (jobs.table.alias(name) for name in ("due", "at_work", "served"))
    at_work = select(func.count()).where(running.c.tenant == due.c.tenant, jobs.held(running.c))
    last = select(func.max(served.c.claimed_at)).where(served.c.tenant == due.c.tenant).scalar_subquery()
    turn = select(due.c.tenant).where(jobs.due(due.c))
    if tenant_slots is not None:
        here = at_work.where(running.c.lease_owner == OWNER).scalar_subquery()
        turn = turn.where(here < tenant_slots)
    order = (at_work.scalar_subquery(), func.coalesce(last, literal_column("0")), func.min(due.c.queued_at))
    return turn.group_by(due.c.tenant).order_by(*order).limit(1).scalar_subquery()


class SlotShares:
    """A tenant's share of the workers' slots: all of them while nobody else waits, else as many as every other has."""

    def __init__(
        self,
        database: Database,
        jobs: JobTable,
        workers: Table,
        clock: Clock,
        which: ColumnElement[bool] | None = None,
    ) -> None:
        """`which` is true of the jobs that may be told to give way; by default of all."""
        self._database, self._workers, self._clock = database, workers, clock
        columns = jobs.table.c
        held, waiting = func.count().filter(jobs.held(columns)), func.count().filter(jobs.due(columns))
        live = select(columns.tenant, held.label("held"), waiting.label("due")).where(is_live(columns))
        self._holdings = live.group_by(columns.tenant)
        own = select(columns.id).where(jobs.held(columns), true() if which is None else which)
        self._newest = own.order_by(columns.claimed_at.desc(), columns.id.desc()).limit(1)
        self._tenant = columns.tenant

    async def must_give_way(self, job: LeasedJob) -> bool:
        """Whether this job, the newest of its tenant, is to leave its slot, no other being free for one that waits."""
        now = self._clock.now()
        async with self._database.read() as connection:
            rows = await connection.execute(self._holdings, {"now": now})
            holdings = {row.tenant: row for row in rows}
            slots = (await connection.execute(slots_alive(self._workers, now))).scalar_one()
            own = holdings.get(job.tenant)
            if own is None or sum(row.held for row in holdings.values()) < slots:
                return False
            newest = (await connection.execute(self._newest.where(self._tenant == job.tenant), {"now": now})).scalar()
        waiting = [row.held for tenant, row in holdings.items() if tenant != job.tenant and row.due]
        return newest == job.id and holds_too_much(own.held, waiting)


def holds_too_much(own: int, waiting: Iterable[int]) -> bool:
    """Whether a tenant with `own` slots has two more than one of those that wait: one less would still be as many."""
    return any(own - held > 1 for held in waiting)
