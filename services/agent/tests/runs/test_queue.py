"""Slots are shared: no tenant's runs hold all of them."""

from __future__ import annotations

from services.agent.tests.runs_bench import bench

from agent.settings import AgentSettings
from servicekit.jobs.outcomes import Cancel
from servicekit.sql.database import Database


async def test_no_tenant_holds_all_slots_however_long_its_runs_last(database: Database) -> None:
    one = bench(database, "Hello.", settings=AgentSettings(run_slots=4))
    await one.define()
    for _ in range(6):
        await one.start()
    held = [await one.queue.claim("bench") for _ in range(4)]
    assert [work is not None for work in held] == [True, True, True, False]
    other = await one.start_for("beta")
    claimed = await one.queue.claim("bench")
    assert claimed is not None
    assert claimed.id == other.id
    assert await one.queue.claim("bench") is None
    assert await one.queue.claim("another replica") is not None, "which has slots of its own"
    assert held[0] is not None
    await one.execution.end(held[0], Cancel())
    assert await one.queue.claim("bench") is not None
