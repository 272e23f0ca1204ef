from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from services.agent.tests.runs_bench import bench

from agent.bootstrap import _probes, create_app
from agent.runs import events as run_events
from agent.settings import AgentSettings
from servicekit.core.errors import UpstreamFailed
from servicekit.jobs.worker import run_worker
from servicekit.sql.database import Database

DEADLINE = 60.0


async def test_a_queued_run_is_carried_out_while_the_service_is_up_and_no_longer(database: Database) -> None:
    one = bench(database, "Done.")
    await one.define()
    run = await one.start()
    agents = one.agents
    async with asyncio.timeout(DEADLINE):
        async with run_worker(agents.worker, DEADLINE):
            told = [event async for event in run_events.follow(database, agents.notifier, run.id, 0, DEADLINE)]
    assert told[-1] is not None
    assert told[-1].type == "run.completed"
    late = await one.start()
    agents.notifier.notify(late.id, due=True)
    assert (agents.worker.is_stopping, (await one.shown(late)).status) == (True, "queued")


async def test_given_dependencies_are_used_and_left_open(database: Database, tmp_path: Path) -> None:
    one = bench(database)
    app = create_app(AgentSettings(data_dir=tmp_path), one.opened)
    async with app.router.lifespan_context(app):
        assert app.state.dependencies is one.opened
    await one.define()  # the database takes calls


async def test_readiness_looks_at_each_part_and_fails_with_the_one_that_does(database: Database) -> None:
    one = bench(database)
    probes = _probes(one.opened)
    assert set(probes) == {"retriever", "models", "database", "redis", "runs", "records"}
    for probe in probes.values():
        await probe()

    async def broken() -> None:
        raise UpstreamFailed("It broke.")

    object.__setattr__(one.model, "probe", broken)
    with pytest.raises(UpstreamFailed):
        await _probes(one.opened)["models"]()
