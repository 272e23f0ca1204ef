"""What tuning jobs have read to learn, on its way into the usage ledger.

A charge is a row from the transaction in which its job has learnt all, or ends before that, until the gateway has
answered: one that is away has it when it is back, also from another replica or after a restart. The ledger takes a
job's once, however often it is sent. One that the gateway refuses is tried more and more rarely, and never given up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy import Connection, RowMapping, delete, func, select, update

from lab.metrics import CHARGE_OLDEST, CHARGES_OWED
from lab.tables import TUNING, TUNING_CHARGES
from servicekit.core.clock import Clock
from servicekit.core.errors import ServiceError
from servicekit.jobs.outcomes import service_away
from servicekit.sql.database import Database, rows_of
from servicekit.sql.upserts import upsert

log = structlog.get_logger(__name__)
AT_ONCE = 50
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(days=1)
LEARNT_ON = "learnt_on"
"""In a job's result: the name of the model that it learns on, of which the price is; `default` has none."""
COLUMNS = TUNING_CHARGES.c


class Ledger(Protocol):
    """The usage ledger, where a job's tokens are once."""

    async def charge_learnt(self, grant: str, job: str, model: str, tokens: int) -> None:
        """Put what a job has read to learn into it, once."""


def add_charge(connection: Connection, job_id: str, grant: str | None, now: datetime) -> None:
    """What a job owes by now, of which the transaction has the row; written again it is the same. `grant`: the one that
    the job had."""
    query = select(TUNING.c.model, TUNING.c.result, TUNING.c.trained_tokens).where(TUNING.c.id == job_id)
    named, result, tokens = connection.execute(query).one()
    if tokens and grant:
        model = (result or {}).get(LEARNT_ON, named)
        values = {"grant_token": grant, "model": model, "tokens": tokens, "tries": 0, "due_at": now}
        new = upsert(connection.dialect, TUNING_CHARGES).values(job_id=job_id, owed_at=now, **values)
        connection.execute(new.on_conflict_do_update(index_elements=[COLUMNS.job_id], set_=values))


@dataclass(frozen=True, slots=True)
class Charges:
    """Sends them."""

    database: Database
    ledger: Ledger
    clock: Clock

    async def send(self, job_id: str) -> None:
        """A job's, if it has any; where the gateway does not take it now, it is sent later."""
        query = select(TUNING_CHARGES).where(COLUMNS.job_id == job_id)
        for row in await self.database.read(rows_of(query)):
            await self._send(row)

    async def send_due(self) -> None:
        """Those whose turn it is, the oldest first, as long as the gateway is there; and count what is owed then."""
        await self._send_due()
        query = select(func.count(), func.min(COLUMNS.owed_at)).select_from(TUNING_CHARGES)
        owed, since = await self.database.read(lambda one: one.execute(query).one())
        CHARGES_OWED.set(owed)
        CHARGE_OLDEST.set((self.clock.now() - since).total_seconds() if since else 0)

    async def _send_due(self) -> None:
        due = COLUMNS.due_at <= self.clock.now()
        query = select(TUNING_CHARGES).where(due).order_by(COLUMNS.due_at, COLUMNS.job_id).limit(AT_ONCE)
        for row in await self.database.read(rows_of(query)):
            if not await self._send(row):
                return

    async def _send(self, row: RowMapping) -> bool:
        """Whether the gateway is there."""
        same = COLUMNS.job_id == row["job_id"]
        try:
            await self.ledger.charge_learnt(row["grant_token"], row["job_id"], row["model"], row["tokens"])
        except ServiceError as error:
            is_away = service_away(error) is not None
            log.warning("what a job has learnt is charged later", job=row["job_id"], reason=error.message)
            if not is_away:
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(row["tries"], 20))
                later = {"tries": row["tries"] + 1, "due_at": self.clock.now() + pause}
                await self.database.write(lambda one: one.execute(update(TUNING_CHARGES).where(same).values(**later)))
            return not is_away
        await self.database.write(lambda one: one.execute(delete(TUNING_CHARGES).where(same)))
        return True
