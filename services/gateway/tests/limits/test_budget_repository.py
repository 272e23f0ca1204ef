from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from gateway.limits import budget_repository
from gateway.limits.budget_repository import BudgetRepository
from gateway.limits.errors import LedgerUnavailable
from gateway.limits.limiter import BudgetBalance, BudgetWindow, Gate, Whose, period_of
from gateway.limits.memory_limiter import MemoryLimiter
from gateway.storage.tables import reservations, usage
from gateway.usage.records import ReservationRecord, UsageRecord
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

MOMENT = timedelta(microseconds=1)


class Ledger:
    """Rows as calls leave them."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self._database, self._clock, self._number = database, clock, 0

    def gate(self, whose: Whose = "key", name: str = "k1", window: BudgetWindow = "day") -> Gate:
        return Gate("budget", whose, name, 1000, period_of(window, self._clock.now()))

    async def spent(self, cost: int | None, **changes: Any) -> None:
        row = UsageRecord(
            **self._known(cost, changes), status=200, error_type=None, streamed=False, ms=1,
        ).row()  # fmt: skip
        await self._write(usage, row)

    async def held(self, cost: int | None, **changes: Any) -> str:
        row = ReservationRecord(**{"attempt": 1, **self._known(cost, changes)}).row()
        await self._write(reservations, {**row, "owner": "replica", "expires_at": self._clock.now()})
        return str(row["id"])

    def _known(self, cost: int | None, changes: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        return {
            "id": f"c{self._number}", "parent_id": None, "request_id": "r", "key_id": "k1", "tenant": "acme",
            "route": "chat", "model": "m", "prompt_tokens": 1, "completion_tokens": 1, "embedding_tokens": 0,
            "cost_nano_usd": cost, "started_at": self._clock.now(), **changes,
        }  # fmt: skip

    async def _write(self, table: Any, row: dict[str, Any]) -> None:
        async with self._database.write() as connection:
            await connection.execute(insert(table), [row])


@pytest.fixture
def ledger(database: Database, clock: ManualClock) -> Ledger:
    return Ledger(database, clock)


@pytest.fixture
def budgets(database: Database) -> BudgetRepository:
    return BudgetRepository(database)


async def test_a_budget_nobody_has_used_is_whole(budgets: BudgetRepository, ledger: Ledger) -> None:
    assert await budgets.get_balance(ledger.gate()) == BudgetBalance(0, {})


async def test_what_was_spent_and_what_runs_counts_for_its_key_and_its_tenant(
    budgets: BudgetRepository, ledger: Ledger
) -> None:
    for cost in (100, 20, None):
        await ledger.spent(cost)
    mine = await ledger.held(7)
    unpriced = await ledger.held(None)
    others = await ledger.held(5, key_id="k2")
    await ledger.spent(3, key_id="k2")
    await ledger.spent(9000, key_id="k3", tenant="other")
    assert await budgets.get_balance(ledger.gate()) == BudgetBalance(120, {mine: 7, unpriced: 0})
    assert await budgets.get_balance(ledger.gate("tenant", "acme")) == BudgetBalance(
        123, {mine: 7, unpriced: 0, others: 5}
    )


@pytest.mark.parametrize("window", ["day", "month"])
async def test_only_what_began_in_the_period_counts(
    budgets: BudgetRepository, ledger: Ledger, window: BudgetWindow
) -> None:
    gate = ledger.gate(window=window)
    assert gate.period is not None
    began, over = gate.period.since, gate.period.until
    for cost, moment in ((1, began - MOMENT), (10, began), (100, over - MOMENT), (1000, over)):
        await ledger.spent(cost, started_at=moment)
        await ledger.held(cost, started_at=moment)
    balance = await budgets.get_balance(gate)
    assert (balance.spent, sorted(balance.reserved.values())) == (110, [10, 100])


async def test_a_ledger_that_can_not_be_read_is_said_to_be_away(
    budgets: BudgetRepository, ledger: Ledger, database: Database
) -> None:
    async with database.write() as connection:
        await connection.execute(text("DROP TABLE reservations"))
    with pytest.raises(LedgerUnavailable):
        await budgets.get_balance(ledger.gate())


async def test_only_a_budget_has_a_balance(budgets: BudgetRepository) -> None:
    with pytest.raises(ValueError, match="only a budget"):
        await budgets.get_balance(Gate("tokens", "key", "k1", 5))


async def test_a_budget_that_was_loaded_is_known_and_watched_until_it_agrees(
    budgets: BudgetRepository, ledger: Ledger, clock: ManualClock
) -> None:
    limiter, gate = MemoryLimiter(clock), ledger.gate()
    await ledger.spent(50)
    await budgets.load(limiter, gate)
    assert await limiter.get_balance(gate) == BudgetBalance(50, {})
    (watched,) = budgets.watched(9)
    assert watched.gate == gate
    budgets.unwatch(watched)
    budgets.unwatch(watched)
    assert budgets.watched(9) == []


async def test_budgets_take_turns_and_of_too_many_the_longest_watched_goes(
    budgets: BudgetRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_repository, "WATCHED", 3)
    for name in ("a", "b", "c", "d"):
        budgets.watch(ledger.gate(name=name))
    turns = [[watched.gate.name for watched in budgets.watched(2)] for _ in range(3)]
    assert turns == [["b", "c"], ["d", "b"], ["c", "d"]]
