from __future__ import annotations

import pytest
from services.gateway.tests.usage.replica import NEED, Replica, gate, running

from gateway.limits.errors import BudgetExceeded
from gateway.limits.limiter import BudgetBalance
from gateway.limits.memory_limiter import MemoryLimiter
from gateway.usage.ledger import LEASE
from gateway.usage.records import REPLICA_LOST
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


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
    async with running(Replica(database, replica.limiter, clock)) as slow, slow.call() as call:
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
    async with running(Replica(database, replica.limiter, clock)) as busy, busy.call() as call:
        await call.reserve(NEED)
        for _ in range(5):
            clock.advance(LEASE.total_seconds() / 2)
            await busy.housekeeping.run_once()
            assert await replica.housekeeping.settle_orphans() == 0


async def test_a_budget_is_made_anew_from_the_ledger_with_all_that_runs(
    replica: Replica, database: Database, clock: ManualClock
) -> None:
    await replica.spend(40, 40_000)
    async with replica.call() as under_way:
        await under_way.reserve(NEED)
        async with running(Replica(database, MemoryLimiter(clock), clock)) as after_flush:
            async with after_flush.call() as call:
                await call.reserve(NEED)
                assert await after_flush.get_balance(clock) == BudgetBalance(
                    40_000, {under_way.id: 50_000, call.id: 50_000}
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
    await flushed.load(gate(clock), BudgetBalance(0, {row["id"]: 50_000}))
    async with running(Replica(database, flushed, clock)) as other:
        other.budgets.watch(gate(clock))
        await other.housekeeping.confirm_budgets()
        assert await other.get_balance(clock) == BudgetBalance(
            0, {row["id"]: 50_000}
        )  # it might be just about to be settled
        await other.housekeeping.confirm_budgets()
        assert await other.get_balance(clock) == BudgetBalance(40_000, {})
        for _ in range(3):
            await other.housekeeping.confirm_budgets()
        assert other.budgets.watched(9) == []
