from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from services.gateway.tests.installation import ACTOR, OTHER, Installation
from sqlalchemy import delete, insert, text

from gateway.auth.keys import Principal
from gateway.limits.errors import BudgetExceeded, LedgerUnavailable
from gateway.limits.limiter import Gate, period_of
from gateway.limits.reservations import MaxUsage
from gateway.metrics import CALLS, COST, TOKENS
from gateway.storage.tables import keys, tenants, usage
from gateway.usage.records import GONE, UsageRecord
from servicekit.core.clock import ManualClock

DOLLAR = 1_000_000_000


def _learnt(installation: Installation, key: Principal, **changes: Any) -> UsageRecord:
    row: dict[str, Any] = {
        "id": "ftjob_1", "parent_id": None, "request_id": "req_0", "key_id": key.key_id, "tenant": key.tenant,
        "route": "tuning", "model": "m", "prompt_tokens": 2000, "completion_tokens": 0, "embedding_tokens": 0,
        "cost_nano_usd": 6 * DOLLAR, "status": 200, "error_type": None, "streamed": False,
        "started_at": installation.deps.clock.now(), "ms": 0,
    }  # fmt: skip
    return UsageRecord(**{**row, **changes})


async def _spend(installation: Installation, key: Principal, cost: int) -> None:
    async with installation.deps.meter.call(key, "chat", "req_1") as call:
        call.model = OTHER.id
        await call.reserve(MaxUsage(OTHER, 1, cost=cost))
        call.cost = cost
    await installation.deps.admission.drain()


async def _known(installation: Installation, key: Principal) -> int | None:
    """Of the day's budget of the key, as the limiter has it."""
    gate = Gate("budget", "key", key.key_id, 0, period_of("day", installation.deps.clock.now()))
    balance = await installation.limiter.get_balance(gate)
    return None if balance is None else balance.spent


@pytest.mark.parametrize("whose", ["budgets", "tenant_budgets"])
async def test_what_is_learnt_counts_against_a_budget_that_is_known_already(
    installation: Installation, clock: ManualClock, whose: str
) -> None:
    key = await installation.principal(**({"budgets": [{"window": "day", "usd": "1"}]} if whose == "budgets" else {}))
    if whose == "tenant_budgets":
        limited = [{"window": "day", "usd": "1"}]
        async with installation.deps.database.write() as connection:
            await connection.execute(tenants.update().where(tenants.c.name == key.tenant).values(budgets=limited))
        key = await installation.deps.keys.get_by_id(key.key_id)
    await _spend(installation, key, DOLLAR // 10)
    clock.advance(30)
    await installation.deps.housekeeping.late_rows.add(_learnt(installation, key))
    with pytest.raises(BudgetExceeded):
        await _spend(installation, key, DOLLAR // 10)


async def test_a_row_that_was_written_by_another_is_settled_by_the_ledger_and_never_twice(
    installation: Installation, clock: ManualClock
) -> None:
    """It is sent again where its answer was lost: whoever wrote it may have ended before the budgets had it."""
    key = await installation.principal(budgets=[{"window": "day", "usd": "100"}])
    await _spend(installation, key, DOLLAR)
    await installation.rows()  # the ledger has all of it, and holds nothing for it any more
    clock.advance(30)
    for _ in range(5):
        await installation.deps.housekeeping.confirm_budgets()  # nothing is amiss, so that it is watched no more
    row = _learnt(installation, key)
    async with installation.deps.database.write() as connection:
        await connection.execute(insert(usage).values(**row.row()))
    await installation.deps.housekeeping.late_rows.add(row)
    assert await _known(installation, key) == DOLLAR
    for _ in range(3):
        await installation.deps.housekeeping.confirm_budgets()
    assert await _known(installation, key) == 7 * DOLLAR
    await installation.deps.housekeeping.late_rows.add(row)
    assert await _known(installation, key) == 7 * DOLLAR


async def test_what_is_sent_twice_at_once_and_again_is_one_row_and_counted_once(
    installation: Installation, clock: ManualClock
) -> None:
    key = await installation.principal(budgets=[{"window": "day", "usd": "100"}])
    await _spend(installation, key, DOLLAR)
    clock.advance(30)
    label, tenant = installation.deps.catalog.label("m"), key.tenant
    counters = CALLS.labels("tuning", "200", "none"), TOKENS.labels(label, "prompt", tenant), COST.labels(label, tenant)
    before = [counter._value.get() for counter in counters]
    late = installation.deps.housekeeping.late_rows
    await asyncio.gather(*(late.add(_learnt(installation, key)) for _ in range(3)))
    await late.add(_learnt(installation, key, started_at=clock.now() + timedelta(seconds=1)))
    counted = [counter._value.get() - old for counter, old in zip(counters, before, strict=True)]
    assert counted == pytest.approx([1, 2000, 6])
    assert await _known(installation, key) == 7 * DOLLAR
    assert [row["id"] for row in await installation.rows()].count("ftjob_1") == 1


@pytest.mark.parametrize("gone", ["being deleted", "deleted", "a namesake"])
async def test_a_row_that_comes_after_its_tenants_deletion_names_nobody(installation: Installation, gone: str) -> None:
    key = await installation.principal()
    await installation.deps.tenants.begin_deletion(key.tenant, ACTOR)
    if gone != "being deleted":
        async with installation.deps.database.write() as connection:
            await connection.execute(delete(keys).where(keys.c.tenant == key.tenant))
            await connection.execute(delete(tenants).where(tenants.c.name == key.tenant))
    if gone == "a namesake":
        await installation.principal()
    late = installation.deps.housekeeping.late_rows
    await late.add(_learnt(installation, key, model=f"m+{key.tenant}.mine"))
    (row,) = await installation.rows()
    assert (row["tenant"], row["key_id"], row["request_id"], row["model"]) == (GONE, GONE, GONE, f"m+{GONE}")
    assert (row["prompt_tokens"], row["cost_nano_usd"]) == (2000, 6 * DOLLAR)


async def test_a_ledger_that_takes_no_row_says_so(installation: Installation) -> None:
    key = await installation.principal()
    async with installation.deps.database.write() as connection:
        await connection.execute(text("ALTER TABLE usage RENAME TO elsewhere"))
    with pytest.raises(LedgerUnavailable):
        await installation.deps.housekeeping.late_rows.add(_learnt(installation, key))
    async with installation.deps.database.write() as connection:
        await connection.execute(text("ALTER TABLE elsewhere RENAME TO usage"))
