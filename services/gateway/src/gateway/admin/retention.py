"""How long the gateway keeps what only grows: usage rows, the audit log, records, and sessions that are over."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.records.repository import RecordRepository
from gateway.storage.tables import audit, sessions, usage
from servicekit.core.clock import Clock
from servicekit.sql.database import Database
from servicekit.sql.retention import prune

log = structlog.get_logger(__name__)
EVERY_SECONDS = 3600.0


class Retention:
    """Removes what is older than settings say; a number of days that is 0 keeps all."""

    def __init__(
        self, database: Database, clock: Clock, usage_days: float, audit_days: float, grant_days: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._records = RecordRepository(database, clock)
        self._runs_take = timedelta(days=grant_days)
        self._kept = ((usage.c.id, usage.c.started_at, usage_days), (audit.c.id, audit.c.at, audit_days))

    async def apply(self) -> int:
        """Remove it now; returns how many rows there were."""
        gone = await prune(self._database, sessions.c.id, sessions.c.expires_at, self._clock.now())
        gone += await self._records.prune(self._runs_take)
        for key, at, days in self._kept:
            if days:
                gone += await prune(self._database, key, at, self._clock.now() - timedelta(days=days))
        return gone

    async def run(self) -> None:
        """Every hour, until cancelled."""
        while True:
            try:
                if gone := await self.apply():
                    log.info("old rows removed", rows=gone)
            except (SQLAlchemyError, OSError) as error:
                log.warning("old rows could not be removed", error=repr(error)[:300])
            await asyncio.sleep(EVERY_SECONDS)
