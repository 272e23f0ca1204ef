"""What must happen though nobody calls: leases are renewed, dead replicas' attempts are billed, budgets are confirmed.

Every replica does all of it, a few seconds apart; each step is one conditional change, so that two do no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from gateway.auth.tenant_repository import TenantRepository
from gateway.limits.budget_repository import BudgetRepository, Watched
from gateway.limits.errors import LedgerUnavailable
from gateway.limits.limiter import Limiter, LimiterUnavailable, Settlement
from gateway.metrics import ORPHANS
from gateway.storage.dialects import insert_if_missing
from gateway.storage.tables import reservations, usage
from gateway.usage.late_rows import LateRows
from gateway.usage.ledger import LEASE
from gateway.usage.meter import Meter
from gateway.usage.records import REPLICA_LOST, UsageRecord
from servicekit.core.clock import Clock
from servicekit.sql.database import Database

log = structlog.get_logger(__name__)
PASS_SECONDS = 5.0
ORPHANS_AT_ONCE = 200
WATCHED_AT_ONCE = 200
CALM_PASSES = 3
"""A budget that agrees with the ledger as often as this is not looked at any more."""


class Housekeeping:
    """Runs until it is cancelled."""

    def __init__(
        self,
        database: Database,
        meter: Meter,
        budgets: BudgetRepository,
        limiter: Limiter,
        tenants: TenantRepository,
        clock: Clock,
    ) -> None:
        self._database = database
        self.late_rows = LateRows(database, meter, budgets)
        self._ledger, self._admission = meter.ledger, meter.admission
        self._budgets = budgets
        self._limiter = limiter
        self._tenants = tenants
        self._clock = clock
        self._add_usage = insert_if_missing(database.dialect.name, usage)

    async def run(self) -> None:
        """A pass every few seconds; what a pass can't do now, the next one does."""
        while True:
            await self.run_once()
            await asyncio.sleep(PASS_SECONDS)

    async def run_once(self) -> None:
        """One pass."""
        steps = (self._watch_deleted_tenants, self._admission.renew, self._renew_reservations)
        for step in (*steps, self.settle_orphans, self.confirm_budgets):
            try:
                await step()
            except (LimiterUnavailable, LedgerUnavailable, SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("housekeeping postponed", step=step.__name__, reason=repr(error)[:200])

    async def _watch_deleted_tenants(self) -> None:
        self._ledger.deleted_tenants = await self._tenants.deleted_tenants(self._ledger.deleted_tenants)

    async def _renew_reservations(self) -> None:
        mine = update(reservations).where(reservations.c.owner == self._ledger.owner)
        if self._ledger.has_reservations:
            await self._database.write(
                lambda connection: connection.execute(mine.values(expires_at=self._clock.now() + LEASE))
            )

    async def settle_orphans(self) -> int:
        """Bill what dead replicas had reserved, as estimated; how many there were."""
        expired = reservations.c.expires_at < self._clock.now()
        async with self._database.read() as connection:
            query = select(reservations.c.id).where(expired).limit(ORPHANS_AT_ONCE)
            ids = list((await connection.execute(query)).scalars())
        if not ids:
            return 0
        async with self._database.write() as connection:
            gone = delete(reservations).where(reservations.c.id.in_(ids), expired).returning(reservations)
            orphans = [dict(row) for row in (await connection.execute(gone)).mappings()]
            rows = [self._ledger.row_of(_usage_row(orphan)) for orphan in orphans]
            if rows:
                await connection.execute(self._add_usage, rows)
        for orphan in orphans:
            ORPHANS.inc()
            self.late_rows.count(orphan)
            log.warning("attempt of a dead replica billed as estimated", attempt=orphan["id"], owner=orphan["owner"])
            await self.late_rows.settle(orphan)
        return len(orphans)

    async def confirm_budgets(self) -> None:
        """Look at budgets that were made from the ledger while attempts ran: what was missed between is put right.

        Raises `LimiterUnavailable` and `LedgerUnavailable`.
        """
        for watched in self._budgets.watched(WATCHED_AT_ONCE):
            await self._confirm(watched)

    async def _confirm(self, watched: Watched) -> None:
        gate = watched.gate
        seen, truth = await self._limiter.get_balance(gate), await self._budgets.get_balance(gate)
        if seen is None:  # flushed again; whoever needs it next loads it
            self._budgets.unwatch(watched)
            return
        stale = frozenset(seen.reserved) - frozenset(truth.reserved)
        for attempt_id in stale & watched.stale:  # ended in the ledger for a whole pass, and yet held
            cost = await self._cost_of(attempt_id)
            await self._limiter.settle(Settlement(attempt_id, 0, cost), [gate])
        watched.stale = stale
        quiet = not seen.reserved and not truth.reserved
        differs = (seen.spent, truth.spent) if quiet and seen.spent != truth.spent else None
        if (
            differs is not None
            and differs == watched.differs
            and await self._limiter.correct(gate, seen.spent, truth.spent)
        ):
            log.warning("budget corrected", gate=gate.identity, was=seen.spent, now=truth.spent)
        watched.differs = differs
        watched.calm = watched.calm + 1 if quiet and differs is None else 0
        if watched.calm >= CALM_PASSES:
            self._budgets.unwatch(watched)

    async def _cost_of(self, attempt_id: str) -> int:
        cost = await self._database.read(
            lambda connection: connection.execute(
                select(usage.c.cost_nano_usd).where(usage.c.id == attempt_id)
            ).scalar_one_or_none()
        )
        return int(cost or 0)


def _usage_row(orphan: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in orphan.items() if name not in ("owner", "expires_at")}
    return UsageRecord(**known, status=500, error_type=REPLICA_LOST, streamed=False, ms=0, estimated=True).row()
