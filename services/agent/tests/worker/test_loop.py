from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from services.agent.tests.payments import Till, pay
from services.agent.tests.runs_bench import Bench, bench
from sqlalchemy import and_, select, update

from agent.bootstrap import working
from agent.errors import AgentUnreadable
from agent.runs import events as run_events
from agent.settings import AgentSettings
from agent.tables import RUNS, VERSIONS
from agent.threads.messages import UNKNOWN
from agent.tools.tool import Repeat
from contracts.runs import Run
from servicekit.sql.database import Database, rows_of

DEADLINE = 60.0
QUICK = AgentSettings(run_lease_seconds=30, run_poll_seconds=0.02, drain_seconds=0.05)


async def _until_over(one: Bench, run: Run) -> Run:
    async with asyncio.timeout(DEADLINE):
        async for _ in run_events.follow(one.database, one.agents.notifier, run.id, 0, 60):
            pass
    return await one.shown(run)


async def _rewrite(database: Database, name: str, **fields: Any) -> None:
    """The first version of an agent, as another release may have written it."""
    this = and_(VERSIONS.c.name == name, VERSIONS.c.version == 1)
    async with database.write() as connection:
        definition = (await connection.execute(select(VERSIONS.c.definition).where(this))).scalar_one()
        await connection.execute(update(VERSIONS).where(this).values(definition={**definition, **fields}))


async def test_an_agent_that_cannot_be_read_keeps_no_other_run_from_being_worked_on(database: Database) -> None:
    one = bench(database, "Hello.", settings=QUICK)
    await one.define("newer")
    await one.define()
    bad = await one.start(agent="newer")
    await _rewrite(database, "newer", invented_tomorrow=True)
    async with working(one.agents.worker, one.settings.drain_seconds):
        assert (await _until_over(one, await one.start())).status == "completed"
    waiting = await one.shown(bad)
    assert (waiting.status, waiting.waiting_on) == ("queued", "retry")


async def test_a_run_whose_agent_cannot_be_read_is_failed_after_some_tries_with_the_reason(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.start()
    await _rewrite(database, "helper", invented_tomorrow=True)
    for _ in range(one.settings.run_attempts):
        assert await one.work()
        one.clock.advance(100)
    failed = await one.shown(run)
    assert (failed.status, failed.attempts) == ("failed", one.settings.run_attempts)
    assert failed.error is not None
    assert failed.error.code == "agent_unreadable"
    assert "invented_tomorrow" in failed.error.message
    with pytest.raises(AgentUnreadable):
        await one.start()
    await one.define(instructions="Be brief.")  # saved again, it can be run
    assert (await one.run(thread=run.thread_id)).status == "completed"


async def test_a_replica_that_can_read_the_agent_takes_the_run_over(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.start()
    await _rewrite(database, "helper", temperature="warm")
    assert await one.work()
    await _rewrite(database, "helper", temperature=0.5)  # what this release can read is what the other one could
    one.clock.advance(100)
    assert await one.work()
    assert (await one.shown(run)).status == "completed"


async def test_the_loop_goes_on_whatever_goes_wrong_with_a_look(database: Database) -> None:
    one = bench(database, "Hello.", settings=QUICK)
    await one.define()
    run = await one.start()

    @asynccontextmanager
    async def wrong_once() -> AsyncIterator[Any]:
        del database.write  # type: ignore[attr-defined]
        raise RuntimeError("a bug")
        yield

    database.write = wrong_once  # type: ignore[method-assign]
    async with working(one.agents.worker, one.settings.drain_seconds):
        assert (await _until_over(one, run)).status == "completed"


async def test_a_step_that_does_not_end_in_time_goes_back_to_the_queue_with_its_process(database: Database) -> None:
    one = bench(database, "Hello.", settings=QUICK)
    await one.define()
    run = await one.start()
    asked = asyncio.Event()

    async def held(_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    one.model.before = held
    async with asyncio.timeout(DEADLINE), working(one.agents.worker, one.settings.drain_seconds):
        await asked.wait()
    row = dict((await database.read(rows_of(select(RUNS))))[0])
    assert (row["status"], row["lease_owner"], row["strikes"]) == ("queued", None, 0)
    other = bench(database, "Hello.", clock=one.clock)  # at once: no lease has to end first
    assert await other.work()
    assert (await other.shown(run)).status == "completed"


@pytest.mark.parametrize(("repeat", "times"), [("key", 2), ("safe", 2), ("never", 1)])
async def test_a_call_that_the_end_of_its_process_cut_off_is_made_again_only_where_that_does_no_harm(
    database: Database, repeat: Repeat, times: int
) -> None:
    till = Till(repeat, held=True)
    one = bench(database, pay(5), "Done.", tools={"pay": till}, settings=QUICK)
    await one.define()
    run = await one.start()
    async with asyncio.timeout(DEADLINE), working(one.agents.worker, one.settings.drain_seconds):
        await till.begun.wait()
    till.held = False
    assert (await one.shown(run)).status == "queued"
    other = bench(database, pay(5), "Done.", tools={"pay": till}, clock=one.clock)
    assert await other.work()
    assert (await other.shown(run)).status == "completed"
    assert till.paid == ["5"] * times
    result = next(one for one in await other.history(run.thread_id) if one.role == "tool")
    assert result.content == (UNKNOWN if repeat == "never" else "paid 5")


async def test_a_run_that_is_cancelled_while_its_process_ends_is_cancelled(database: Database) -> None:
    till = Till(held=True)
    one = bench(database, pay(5), tools={"pay": till}, settings=QUICK)
    await one.define()
    run = await one.start()
    deaf = bench(database, "Hello.", clock=one.clock)  # another replica, whose bells do not reach this one
    async with asyncio.timeout(DEADLINE), working(one.agents.worker, one.settings.drain_seconds):
        await till.begun.wait()
        assert (await deaf.cancel(run)).status == "running"
    assert (await one.shown(run)).status == "cancelled"
