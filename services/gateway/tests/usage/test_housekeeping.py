from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from contracts.access.keys import Budget
from contracts.models.catalog import ModelInfo, ModelPrice
from gateway.auth.keys import Principal
from gateway.auth.tenant_repository import TenantRepository
from gateway.limits.admission import Admission
from gateway.limits.budget_repository import BudgetRepository
from gateway.limits.errors import BudgetExceeded
from gateway.limits.limiter import BudgetBalance, Gate, period_of
from gateway.limits.memory_limiter import MemoryLimiter
from gateway.limits.reservations import MaxUsage
from gateway.storage.tables import reservations, usage
from gateway.usage.housekeeping import Housekeeping
from gateway.usage.ledger import LEASE, UsageLedger
from gateway.usage.meter import Meter, MeteredCall
from gateway.usage.records import REPLICA_LOST
from gateway.usage.tenant_labels import TenantLabels
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

MODEL = ModelInfo(id="m", kind="chat", price=ModelPrice(prompt_usd_per_million=1, completion_usd_per_million=1))
NEED = MaxUsage.of_model(MODEL, 10, 40)
KEY = Principal("k1", "acme", frozenset({"chat"}), budgets=(Budget(window="day", usd=Decimal("0.0002")),))


class _Labels:
    def label(self, model: str | None) -> str:
        return "m"


class Replica:
    """Everything of one gateway that limits and bills."""

    def __init__(self, database: Database, limiter: MemoryLimiter, clock: ManualClock) -> None:
        self.database, self.limiter = database, limiter
        self.budgets = BudgetRepository(database)
        self.admission = Admission(limiter, self.budgets, "allow", clock)
        self.ledger = UsageLedger(database, 100, clock)
        self.tenants = TenantLabels(100)
        self.meter = Meter(self.ledger, self.admission, _Labels(), clock, self.tenants)  # type: ignore[arg-type]
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
        return await self.limiter.get_balance(_gate(clock))


def _gate(clock: ManualClock) -> Gate:
    return Gate("budget", "key", "k1", 200_000, period_of("day", clock.now()))


@asynccontextmanager
async def _running(replica: Replica) -> AsyncIterator[Replica]:
    replica.ledger.open()
    yield replica
    await replica.admission.drain()
    await replica.ledger.close()


@pytest.fixture
async def replica(database: Database, clock: ManualClock) -> AsyncIterator[Replica]:
    async with _running(Replica(database, MemoryLimiter(clock), clock)) as running:
        yield running


async def test_a_call_is_in_the_ledger_before_it_begins_and_its_reservation_goes_when_it_ends(
    replica: Replica,
) -> None:
    async with replica.call() as call:
        await call.reserve(NEED)
        assert await replica.held() == 1
        call.tokens.completion, call.cost = 7, 70
    await replica.ledger.close()
    assert await replica.held() == 0
    assert [(row["completion_tokens"], row["cost_nano_usd"]) for row in await replica.rows()] == [(7, 70)]


async def test_what_can_cost_nothing_needs_no_reservation(replica: Replica) -> None:
    async with replica.call() as call:
        await call.reserve(MaxUsage(MODEL, 10, 40, cost=0))
        assert await replica.held() == 0


async def test_an_attempt_whose_replica_died_is_billed_as_estimated_once(
    replica: Replica, database: Database, clock: ManualClock
) -> None:
    dead = Replica(database, replica.limiter, clock)
    dead.ledger.open()
    lost = dead.call()
    await lost.reserve(NEED)  # and now its process is killed
    clock.advance(LEASE.total_seconds() - 1)
    assert await replica.housekeeping.settle_orphans() == 0
    clock.advance(2)
    assert await replica.housekeeping.settle_orphans() == 1
    assert await replica.housekeeping.settle_orphans() == 0
    (row,) = await replica.rows()
    assert (row["id"], row["error_type"], row["estimated"]) == (lost.id, REPLICA_LOST, True)
    assert (row["prompt_tokens"], row["completion_tokens"], row["cost_nano_usd"]) == (10, 40, 50_000)
    assert await replica.get_balance(clock) == BudgetBalance(50_000, {})
    await dead.ledger.close()


async def test_a_replica_that_was_only_slow_has_the_last_word(
    replica: Replica, database: Database, clock: ManualClock
) -> None:
    async with _running(Replica(database, replica.limiter, clock)) as slow, slow.call() as call:
        await call.reserve(NEED)
        clock.advance(LEASE.total_seconds() + 1)
        assert await replica.housekeeping.settle_orphans() == 1
        call.tokens.completion, call.cost = 3, 30
    (row,) = await replica.rows()
    assert (row["completion_tokens"], row["cost_nano_usd"], row["error_type"]) == (3, 30, None)
    for _ in range(3):  # the budget still has the estimate, until two looks have seen the same
        await replica.housekeeping.confirm_budgets()
    assert await replica.get_balance(clock) == BudgetBalance(30, {})


async def test_a_replica_that_lives_keeps_its_reservations(
    replica: Replica, database: Database, clock: ManualClock
) -> None:
    async with _running(Replica(database, replica.limiter, clock)) as busy, busy.call() as call:
        await call.reserve(NEED)
        for _ in range(5):
            clock.advance(LEASE.total_seconds() / 2)
            await busy.housekeeping.run_once()
            assert await replica.housekeeping.settle_orphans() == 0


async def test_a_budget_is_made_anew_from_the_ledger_with_all_that_runs(
    replica: Replica, database: Database, clock: ManualClock
) -> None:
    await replica.spend(40, 40_000)
    async with replica.call() as running:
        await running.reserve(NEED)
        async with _running(Replica(database, MemoryLimiter(clock), clock)) as after_flush:
            async with after_flush.call() as call:
                await call.reserve(NEED)
                assert await after_flush.get_balance(clock) == BudgetBalance(
                    40_000, {running.id: 50_000, call.id: 50_000}
                )
                call.cost = 50_000
            await after_flush.admission.drain()
            async with after_flush.call() as call:
                await call.reserve(NEED)
                call.cost = 50_000
            await after_flush.admission.drain()
            with pytest.raises(BudgetExceeded):  # 0.00004 + 2 × 0.00005 spent, 0.00005 held, 0.00005 wanted
                await after_flush.spend(1, 1)


async def test_a_hold_that_its_replica_could_not_give_back_goes_when_the_ledger_says_that_it_ended(
    replica: Replica, database: Database, clock: ManualClock
) -> None:
    """A call that ends between the reading of the ledger and the loading of a flushed budget."""
    await replica.spend(40, 40_000)
    (row,) = await replica.rows()
    flushed = MemoryLimiter(clock)
    await flushed.load(_gate(clock), BudgetBalance(0, {row["id"]: 50_000}))
    async with _running(Replica(database, flushed, clock)) as other:
        other.budgets.watch(_gate(clock))
        await other.housekeeping.confirm_budgets()
        assert await other.get_balance(clock) == BudgetBalance(
            0, {row["id"]: 50_000}
        )  # it might be just about to be settled
        await other.housekeeping.confirm_budgets()
        assert await other.get_balance(clock) == BudgetBalance(40_000, {})
        for _ in range(3):
            await other.housekeeping.confirm_budgets()
        assert other.budgets.watched(9) == []


async def test_a_failed_attempt_is_a_row_of_its_own_with_its_cost_and_the_call_is_one_request(
    replica: Replica, clock: ManualClock
) -> None:
    async with replica.call() as call:
        await call.reserve(NEED)
        call.model, call.tokens.prompt, call.cost = "first", 10, 10_000
        await call.abandon_attempt(502, "upstream_error")
        call.model = "second"
        await call.reserve(NEED)
        call.tokens.prompt, call.tokens.completion, call.cost = 10, 5, 15_000
    await replica.ledger.close()
    first, second = sorted(await replica.rows(), key=lambda row: int(row["attempt"]))
    assert [(row["attempt"], row["model"], row["cost_nano_usd"]) for row in (first, second)] == [
        (1, "first", 10_000), (2, "second", 15_000),
    ]  # fmt: skip
    assert (first["parent_id"], second["parent_id"]) == (call.id, None)
    assert await replica.held() == 0
    await replica.admission.drain()
    assert await replica.get_balance(clock) == BudgetBalance(25_000, {})
