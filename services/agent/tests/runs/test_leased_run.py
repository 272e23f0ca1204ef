from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from services.agent.tests.runs_bench import Bench, bench
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from agent.runs.leased_run import LeasedRun
from agent.settings import AgentSettings
from agent.tables import RUNS
from agent.testing.scripted_agents import ScriptedAgent, in_turn
from servicekit.core.clock import ManualClock
from servicekit.jobs.leases import LeaseLost
from servicekit.sql.database import Database, rows_of

DEADLINE = 60.0


async def _claimed(one: Bench) -> LeasedRun:
    await one.define()
    await one.start()
    work = await one.queue.claim("worker")
    assert work is not None
    return work


def _broken(_: Connection) -> None:
    raise OperationalError("UPDATE", {}, Exception("disk I/O error"))


async def _wait_for_ever(work: LeasedRun) -> None:
    """What a model's silent call is: only its end could end it."""
    async with asyncio.timeout(DEADLINE), work.flushed_every(0.01):
        work.emit("token", {"text": "Hello"}, 1)
        await asyncio.Event().wait()


async def test_a_write_that_fails_ends_what_goes_on_meanwhile(database: Database) -> None:
    one = bench(database, "Hello.")
    work = await _claimed(one)
    work.enclose(_broken)
    with pytest.raises(OperationalError):
        await _wait_for_ever(work)
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


async def test_a_run_that_belongs_to_another_worker_is_not_worked_on_until_its_model_has_ended(
    database: Database,
) -> None:
    one = bench(database, "Hello.")
    work = await _claimed(one)
    one.clock.advance(31)
    assert await one.queue.claim("another") is not None
    with pytest.raises(LeaseLost):
        await _wait_for_ever(work)


async def test_an_error_of_what_goes_on_meanwhile_is_the_one_that_is_raised(database: Database) -> None:
    one = bench(database, "Hello.")
    work = await _claimed(one)
    with pytest.raises(TimeoutError, match="the model's"):
        async with work.flushed_every(60):
            raise TimeoutError("the model's")


def _held(under_way: threading.Event, may_end: threading.Event) -> Callable[[Connection], Any]:
    def change(_: Connection) -> None:
        under_way.set()
        assert may_end.wait(60)

    return change


@pytest.mark.parametrize("cancels", [1, 2])
async def test_nothing_writes_any_more_once_a_block_has_ended_however_often_it_is_cancelled(
    database: Database, cancels: int
) -> None:
    one = bench(database, "Hello.")
    work = await _claimed(one)
    under_way, may_end = threading.Event(), threading.Event()
    work.enclose(_held(under_way, may_end))
    before = asyncio.all_tasks()
    task = asyncio.create_task(_wait_for_ever(work))
    await asyncio.to_thread(under_way.wait, 20)
    for _ in range(cancels):
        task.cancel()
        await asyncio.sleep(0)  # it is told of each
    asyncio.get_running_loop().call_later(0.01, may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    if left := asyncio.all_tasks() - before:
        await asyncio.wait(left, timeout=DEADLINE)
    assert asyncio.all_tasks() <= before


async def test_a_lease_is_renewed_however_often_it_is_notified(database: Database) -> None:
    settings = AgentSettings(run_lease_seconds=0.3, run_poll_seconds=0.05)
    clock, asked = ManualClock(), asyncio.Event()

    async def silent(_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    one = Bench(database, ScriptedAgent(in_turn("Hello."), before=silent), clock, settings=settings)
    await one.define()
    run = await one.start()
    working = asyncio.create_task(one.work())
    expiry = select(RUNS.c.lease_expires_at)
    async with asyncio.timeout(DEADLINE):
        await asked.wait()
        while "step.started" not in [event.type for event in await one.events(run)]:
            one.agents.notifier.notify(run.id)
        clock.advance(0.2)  # what was to be written is written: only a heartbeat can renew the lease
        before = (await database.read(rows_of(expiry)))[0]["lease_expires_at"]
        while (await database.read(rows_of(expiry)))[0]["lease_expires_at"] == before:
            one.agents.notifier.notify(run.id)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
