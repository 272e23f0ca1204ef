from __future__ import annotations

import asyncio

import pytest
from services.agent.tests.runs_bench import Bench, bench

from agent.errors import ThreadBusy, ThreadNotFound
from agent.runs import repository as runs
from agent.runs.leased_run import LeasedRun
from contracts.agents.runs import PendingToolCall, Run
from servicekit.sql.database import Database


async def _cancelled_for_good(one: Bench, run: Run) -> None:
    ended = await one.shown(run)
    assert (ended.status, ended.waiting_on, ended.pending_tool_calls) == ("cancelled", None, [])
    assert [event.type for event in await one.events(run)][-1] == "run.cancelled"
    assert next(said.role for said in await one.history(run.thread_id)) == "user"
    assert await one.queue.claim("another") is None
    await one.start(thread=run.thread_id)  # the thread is free again


async def _accepted(one: Bench) -> tuple[Run, LeasedRun]:
    """A run at work whose cancel was just accepted."""
    await one.define()
    run = await one.start()
    work = await one.queue.claim("worker")
    assert work is not None
    assert (await one.cancel(run)).status == "running"
    return run, work


async def test_a_cancel_that_was_accepted_ends_a_run_that_was_about_to_wait_for_a_person(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = bench(database, "Hello.")
    run, work = await _accepted(one)

    async def asks(_: LeasedRun) -> list[PendingToolCall]:
        return [PendingToolCall(id="c1", name="pay", arguments={})]

    monkeypatch.setattr(one.execution, "_advance", asks)
    await one.runner.run(work, asyncio.Event())
    await _cancelled_for_good(one, run)


@pytest.mark.parametrize("count_attempt", [True, False])
async def test_a_cancel_that_was_accepted_ends_a_run_that_was_about_to_be_queued(
    database: Database, count_attempt: bool
) -> None:
    one = bench(database, "Hello.")
    run, work = await _accepted(one)
    await one.queue.requeue(work, 30, "gateway", count_attempt=count_attempt)
    await _cancelled_for_good(one, run)


async def test_a_thread_has_one_run_at_a_time(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.start()
    with pytest.raises(ThreadBusy):
        await one.start(thread=run.thread_id)
    await one.work()
    await one.start(thread=run.thread_id)


async def test_no_run_is_started_on_a_thread_that_was_deleted_since_it_was_looked_for(database: Database) -> None:
    one = bench(database, "Done.")
    await one.define()
    with pytest.raises(ThreadNotFound):
        await one.start(thread="thread_gone")


def test_a_run_is_shown_with_every_field_of_the_contract() -> None:
    assert set(runs._AS_THEY_ARE) <= set(runs.RUNS.c.keys())
