"""Everything of one gateway that limits and bills, on a ledger of its own or one that it shares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from contracts.access.keys import Budget
from contracts.models.catalog import ModelInfo, ModelPrice
from gateway.auth.keys import Principal
from gateway.auth.tenant_repository import TenantRepository
from gateway.limits.admission import Admission
from gateway.limits.budget_repository import BudgetRepository
from gateway.limits.limiter import BudgetBalance, Gate, period_of
from gateway.limits.memory_limiter import MemoryLimiter
from gateway.limits.reservations import MaxUsage
from gateway.storage.tables import reservations, usage
from gateway.usage.bounded_labels import BoundedLabels
from gateway.usage.housekeeping import Housekeeping
from gateway.usage.ledger import UsageLedger
from gateway.usage.meter import Meter, MeteredCall
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

MODEL = ModelInfo(id="m", kind="chat", price=ModelPrice(prompt_usd_per_million=1, completion_usd_per_million=1))
NEED = MaxUsage.of_model(MODEL, 10, 40)
KEY = Principal("k1", "acme", frozenset({"chat"}), budgets=(Budget(window="day", usd=Decimal("0.0002")),))


class Labels:
    """Every model's metrics are one."""

    def label(self, model: str | None) -> str:
        return "m"


class Replica:
    """Everything of one gateway that limits and bills."""

    def __init__(self, database: Database, limiter: MemoryLimiter, clock: ManualClock) -> None:
        self.database, self.limiter = database, limiter
        self.budgets = BudgetRepository(database)
        self.admission = Admission(limiter, self.budgets, "allow", clock)
        self.ledger = UsageLedger(database, 100, clock)
        self.tenants = BoundedLabels(100)
        self.meter = Meter(self.ledger, self.admission, Labels(), clock, self.tenants)  # type: ignore[arg-type]
        self.housekeeping = Housekeeping(
            database, self.meter, self.budgets, limiter, TenantRepository(database, clock), clock
        )

    def call(self) -> MeteredCall:
        return self.meter.call(KEY, "chat", "req_1")

    async def spend(self, tokens: int, cost: int) -> None:
        async with self.call() as call:
            await call.reserve(NEED)
            call.tokens.completion, call.cost = tokens, cost
            await call.commit()
        await self.admission.drain()

    async def rows(self) -> list[dict[str, Any]]:
        async with self.database.read() as connection:
            return [dict(row) for row in (await connection.execute(select(usage))).mappings()]

    async def held(self) -> int:
        async with self.database.read() as connection:
            return len((await connection.execute(select(reservations.c.id))).all())

    async def get_balance(self, clock: ManualClock) -> BudgetBalance | None:
        return await self.limiter.get_balance(gate(clock))


def gate(clock: ManualClock) -> Gate:
    return Gate("budget", "key", "k1", 200_000, period_of("day", clock.now()))


@asynccontextmanager
async def running(replica: Replica) -> AsyncIterator[Replica]:
    """Until the block ends, in order."""
    replica.ledger.open()
    yield replica
    await replica.admission.drain()
    await replica.ledger.close()
