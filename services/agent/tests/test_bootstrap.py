from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from services.agent.tests.runs_bench import bench
from structlog.testing import capture_logs

from agent.bootstrap import _log_end, _owner, _probes, create_app, run_worker
from agent.runs import events as run_events
from agent.settings import AgentSettings
from servicekit.core.errors import UpstreamFailed
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
    assert set(probes) == {"retriever", "models", "database", "redis", "runs"}
    for probe in probes.values():
        await probe()

    async def broken() -> None:
        raise UpstreamFailed("It broke.")

    object.__setattr__(one.model, "probe", broken)
    with pytest.raises(UpstreamFailed):
        await _probes(one.opened)["models"]()


def test_no_two_processes_have_one_name_and_it_fits_its_column() -> None:
    names = {_owner() for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith("agent@") and len(name) <= 100 for name in names)


async def test_a_worker_that_breaks_off_is_told_and_one_that_ends_is_not() -> None:
    async def broken() -> None:
        raise RuntimeError("a bug")

    async def ended() -> None:
        return

    for work, logged in ((broken(), ["critical"]), (ended(), [])):
        task = asyncio.create_task(work)
        await asyncio.wait((task,))
        with capture_logs() as lines:
            _log_end(task)
        assert [line["log_level"] for line in lines] == logged
