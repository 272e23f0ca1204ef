"""The ledger from the side of whoever runs agents: claiming fairly, renewing, putting back, ending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from agent import metrics
from agent.agents import definitions
from agent.ports import Notifier
from agent.runs.checkpoints import SqlCheckpoints
from agent.runs.conclusion import Conclusion, conclude
from agent.runs.events import NewEvent
from agent.runs.leased_run import RunWork
from agent.tables import ANSWERS, EVENTS, RUNS, THREADS
from contracts.runs import FINAL_RUN_STATUSES, PendingToolCall
from servicekit.core.clock import Clock
from servicekit.jobs.leases import Leases
from servicekit.sql.database import Database


@dataclass(frozen=True, slots=True)
class RunLedger:
    """One database's runs, claimed for `lease_seconds` at a time."""

    database: Database
    checkpoints: SqlCheckpoints
    notifier: Notifier
    clock: Clock
    lease_seconds: float
    tenant_slots: int
    """How many runs of one tenant a process holds at most."""
    max_seconds: float
    """The longest that a run may be at work."""

    @property
    def leases(self) -> Leases:
        """The runs' leases."""
        return Leases(RUNS, self.clock, timedelta(seconds=self.lease_seconds))

    async def claim(self, owner: str) -> RunWork | None:
        """The next run: of the tenant with the fewest at work, its oldest. One whose worker died counts, too.

        None of a tenant that holds its share of the owner's slots: a long run keeps its slot from the others.
        """
        async with self.database.write() as connection:
            now = self.clock.now()
            values = {
                "status": "running",
                "started_at": func.coalesce(RUNS.c.started_at, now.timestamp()),
                "strikes": RUNS.c.strikes + 1,
                "waiting_on": None,
            }
            claimed = await self.leases.claim(connection, self._next(now, owner), owner, values)
            if claimed is None:
                return None
            lease, row = claimed
            described = await definitions.get_stored_definition(
                connection, row["tenant"], row["agent"], row["agent_version"]
            )
        work = RunWork(
            database=self.database,
            leases=self.leases,
            length=timedelta(seconds=self.lease_seconds),
            clock=self.clock,
            lease=lease,
            row=dict(row),
            described=described,
            max_seconds=self.max_seconds,
            notify=lambda: self.notifier.notify(lease.id),
        )
        work.say("run.started" if row["attempts"] == 1 else "run.restarted", {"attempt": row["attempts"]})
        return work

    async def renew(self, work: RunWork) -> bool:
        """A heartbeat; whether the run is to be cancelled. Raises `LeaseLost`."""
        async with self.database.write() as connection:
            expires = self.clock.now() + timedelta(seconds=self.lease_seconds)
            row = await self.leases.write(connection, work.lease, {"lease_expires_at": expires})
        return bool(row["cancel_requested"])

    async def cancel_requested(self, work: RunWork) -> bool:
        """Whether the run is to be cancelled."""
        rows = await self.database.fetch(select(RUNS.c.cancel_requested).where(RUNS.c.id == work.id))
        return bool(rows and rows[0]["cancel_requested"])

    async def conclude(self, work: RunWork, ending: Conclusion) -> None:
        """End the run for good."""
        async with self.database.write() as connection:
            await self._end(connection, work, ending)
        metrics.RUNS.labels(ending.status).inc()
        self.notifier.notify(work.id)

    async def wait_for_person(self, work: RunWork, pending: list[PendingToolCall]) -> None:
        """Let go of the run until somebody has decided on these calls."""
        calls = [call.model_dump(mode="json") for call in pending]
        values = {"status": "waiting_approval", "pending": calls, "decisions": None, "waiting_on": "approval"}
        told = [NewEvent("approval", {"tool_calls": calls}), NewEvent("run.waiting_approval", {})]
        await self._let_go(work, values, told)

    async def put_back(self, work: RunWork, seconds: float, waiting_on: str | None, *, blameless: bool) -> None:
        """Queue the run again after `seconds`. A blameless return is not counted as a try."""
        now = self.clock.now()
        values: dict[str, Any] = {
            "status": "queued",
            "not_before": now + timedelta(seconds=seconds),
            "waiting_on": waiting_on,
        }
        if blameless:
            values["strikes"] = RUNS.c.strikes - 1
        if waiting_on is not None:
            values["waiting_since"] = func.coalesce(RUNS.c.waiting_since, now.timestamp())
        await self._let_go(work, values, [])

    async def purge(self, events_kept: timedelta) -> None:
        """Drop the events of runs that ended long ago, completions' threads, and answers kept for `Idempotency-Key`."""
        now = self.clock.now()
        live = select(RUNS.c.thread_id).where(RUNS.c.status.not_in(FINAL_RUN_STATUSES))
        old = and_(THREADS.c.transient.is_(True), THREADS.c.updated_at < now - events_kept, THREADS.c.id.not_in(live))
        ended = select(RUNS.c.id).where(RUNS.c.status.in_(FINAL_RUN_STATUSES), RUNS.c.finished_at < now - events_kept)
        async with self.database.write() as connection:
            await connection.execute(delete(EVENTS).where(EVENTS.c.run_id.in_(ended)))
            await connection.execute(delete(THREADS).where(old))
            await ANSWERS.purge(connection, now)

    async def _let_go(self, work: RunWork, values: dict[str, Any], told: list[NewEvent]) -> None:
        """Release a run that is not over; one whose cancel was accepted meanwhile ends here: nobody would see to it."""
        held = select(RUNS.c.cancel_requested).where(self.leases.held(work.lease)).with_for_update()
        async with self.database.write() as connection:
            cancelled = bool((await connection.execute(held)).scalar_one_or_none())
            if cancelled:
                await self._end(connection, work, Conclusion("cancelled"))
            else:
                await work.release(connection, values, told)
        if cancelled:
            metrics.RUNS.labels("cancelled").inc()
        self.notifier.notify(work.id)

    async def _end(self, connection: AsyncConnection, work: RunWork, ending: Conclusion) -> None:
        now = self.clock.now()
        row = await work.release(connection, ending.values(now), [ending.event()])
        await conclude(connection, self.checkpoints, row, now)

    def _next(self, now: datetime, owner: str) -> Select[tuple[str]]:
        others = RUNS.alias("others")
        of_tenant = select(func.count()).where(
            others.c.tenant == RUNS.c.tenant, others.c.status == "running", others.c.lease_expires_at >= now
        )
        at_work = of_tenant.scalar_subquery()
        held_here = of_tenant.where(others.c.lease_owner == owner).scalar_subquery()
        return (
            select(RUNS.c.id)
            .where(RUNS.c.status.in_(("queued", "running")), self.leases.claimable(), held_here < self.tenant_slots)
            .order_by(at_work, RUNS.c.queued_at, RUNS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )


def waited(row: Mapping[str, Any], now: datetime) -> float:
    """Seconds that a run has waited for a service that is away."""
    since: datetime | None = row["waiting_since"]
    return 0.0 if since is None else (now - since).total_seconds()
