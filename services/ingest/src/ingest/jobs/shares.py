"""A tenant's share of the workers' slots: all of them while nobody else waits, else as many as every other one has.

Claims are fair by themselves, but what is claimed may hold its slot for long. So at each heartbeat a job asks whether
its tenant holds two slots more than one that waits. The newest of its jobs then leaves its slot and keeps its place in
the queue; what it has read and sent stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select

from ingest.jobs.leased_job import Work
from ingest.jobs.ledger import Ledger, due
from ingest.jobs.lifecycle import LIVE, SHOWN
from ingest.jobs.position import WORKER_ALIVE
from ingest.tables import JOBS, WORKERS


async def must_give_way(ledger: Ledger, work: Work) -> bool:
    """Whether this job is to leave its slot, there being no other one for a tenant that waits."""
    if work.job["kind"] not in SHOWN:
        return False
    now, own = ledger.clock.now(), work.job["tenant"]
    async with ledger.database.read() as connection:
        holdings = {row.tenant: row for row in await connection.execute(_holdings(now))}
        alive = select(func.coalesce(func.sum(WORKERS.c.slots), 0)).where(WORKERS.c.seen_at > now - WORKER_ALIVE)
        slots = (await connection.execute(alive)).scalar_one()
        if own not in holdings or sum(row.held for row in holdings.values()) < slots:
            return False
        newest = (await connection.execute(_newest(own, now))).scalar_one_or_none()
    waiting = [row.held for tenant, row in holdings.items() if tenant != own and row.due]
    return newest == work.lease.id and holds_too_much(holdings[own].held, waiting)


def holds_too_much(own: int, waiting: Iterable[int]) -> bool:
    """Whether a tenant with `own` slots has two more than one of those that wait: one less would still be as many."""
    return any(own - held > 1 for held in waiting)


def _holdings(now: datetime) -> Select[Any]:
    """Of each tenant: slots that it holds, and jobs that wait for one."""
    held, waiting = func.count().filter(_held(now)), func.count().filter(due(JOBS.c, now))
    live = select(JOBS.c.tenant, held.label("held"), waiting.label("due")).where(JOBS.c.status.in_(LIVE))
    return live.group_by(JOBS.c.tenant)


def _newest(tenant: str, now: datetime) -> Select[Any]:
    """The job that a tenant's last slot was claimed for; one that deletes is soon over by itself."""
    own = select(JOBS.c.id).where(JOBS.c.tenant == tenant, _held(now), JOBS.c.kind.in_(SHOWN))
    return own.order_by(JOBS.c.claimed_at.desc(), JOBS.c.id.desc()).limit(1)


def _held(now: datetime) -> ColumnElement[bool]:
    return and_(JOBS.c.status == "running", JOBS.c.lease_expires_at >= now)
