"""Rows of the ledger that no open call writes: of attempts whose replica died, and of what tuning jobs have learnt.

Such a row is settled and counted by whoever has written it, as the meter does for a call. Its budgets are watched, so
that the ledger puts right those that miss it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.limits.budget_repository import BudgetRepository
from gateway.limits.errors import LedgerUnavailable
from gateway.limits.limiter import LimiterUnavailable
from gateway.limits.reservations import all_gates_of
from gateway.metrics import CALLS, COST, TOKENS, UNPRICED
from gateway.models.cost import NANO
from gateway.storage.dialects import insert_missing
from gateway.storage.tables import keys, tenants, usage
from gateway.usage.meter import Meter
from gateway.usage.records import GONE, UsageRecord, anonymous
from servicekit.core.errors import DiskFull, is_disk_full
from servicekit.sql.database import Database

log = structlog.get_logger(__name__)
_GOING = (
    select(tenants.c.deleting)
    .select_from(keys.outerjoin(tenants, tenants.c.name == keys.c.tenant))
    .where(keys.c.id == bindparam("of"))
)
"""Whether a key's tenant is being deleted; no row once it is gone, since its keys go with it."""


class LateRows:
    """Writes, settles and counts them."""

    def __init__(self, database: Database, meter: Meter, budgets: BudgetRepository) -> None:
        self._database = database
        self._meter = meter
        self._budgets = budgets

    async def add(self, record: UsageRecord) -> None:
        """Commit a row, once however often it is sent; of a key that goes with its tenant, it names nobody.

        Raises `LedgerUnavailable` or `DiskFull` if it is not committed.
        """
        row = self._meter.ledger.row_of(record.row())
        try:
            async with self._database.write() as connection:
                going = (await connection.execute(_GOING, {"of": record.key_id})).first()
                if (going is None or going.deleting) and row["tenant"] != GONE:
                    row = anonymous(row)
                is_new = await insert_missing(self._database, connection, usage, [row]) > 0
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise DiskFull if is_disk_full(error) else LedgerUnavailable from error
        if is_new:
            CALLS.labels(record.route, str(record.status), record.error_type or "none").inc()
            self.count(row)
        if row["tenant"] != GONE:  # also where it was there: whoever wrote it may have ended before it was settled
            await self.settle(row, is_new=is_new, began=record.started_at)

    async def settle(self, row: Mapping[str, Any], *, is_new: bool = True, began: datetime | None = None) -> None:
        """Charge what a row that `is_new` cost to the budgets of its key and tenant, and have them watched anyway.
        `began`: of one that was not reserved."""
        gates = all_gates_of(row["key_id"], row["tenant"], row["model"], row["started_at"])
        budgets = [gate for gate in gates if gate.kind == "budget"]
        for gate in budgets:
            self._budgets.watch(gate)
        if not is_new:
            return
        tokens = row["prompt_tokens"] + row["completion_tokens"] + row["embedding_tokens"]
        wanted = gates if began is None else budgets
        try:
            await self._meter.admission.settle_late(row["id"], wanted, tokens, row["cost_nano_usd"], began)
        except LimiterUnavailable as error:  # its budgets are watched, all else ends by itself
            log.warning("late row not settled in redis", attempt=row["id"], reason=str(error))

    def count(self, row: Mapping[str, Any]) -> None:
        """What it used, in the metrics."""
        label, tenant = self._meter.label(row["model"]), self._meter.tenants.of(row["tenant"])
        for kind in ("prompt", "completion", "embedding"):
            if row[f"{kind}_tokens"]:
                TOKENS.labels(label, kind, tenant).inc(row[f"{kind}_tokens"])
        if row["cost_nano_usd"] is None:
            UNPRICED.labels(label).inc()
        else:
            COST.labels(label, tenant).inc(float(row["cost_nano_usd"] * NANO))
