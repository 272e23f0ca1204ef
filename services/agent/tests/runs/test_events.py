from __future__ import annotations

import asyncio

import pytest
from services.agent.tests.runs_bench import PRINCIPAL, VIEWER, Bench, bench

from agent.api import run_completions
from agent.errors import RunNotFound
from agent.runs import events as run_events
from agent.settings import AgentSettings
from agent.threads import repository as threads
from agent.threads import retention
from contracts.agents.runs import Run, RunEvent
from contracts.models.chat import ChatRequest
from servicekit.core.clock import ManualClock
from servicekit.jobs.notifier import LocalNotifier
from servicekit.sql.database import Database

DEADLINE = 60.0


async def _followed(one: Bench, run: Run, after: int = 0) -> list[RunEvent]:
    """Every event after a number, to the end of the stream."""
    async with asyncio.timeout(DEADLINE):
        following = run_events.follow(one.database, LocalNotifier(), run.id, after, 60)
        return [event async for event in following if event is not None]


@pytest.mark.parametrize("beyond", [0, 1, 1000])
async def test_a_stream_that_is_taken_up_after_a_runs_last_event_ends(database: Database, beyond: int) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.run()
    events = await one.events(run)
    assert await _followed(one, run) == events
    assert await _followed(one, run, len(events) + beyond) == []


async def test_the_stream_of_a_run_whose_events_were_dropped_ends(database: Database) -> None:
    clock = ManualClock()
    one = bench(database, "Hello.", clock=clock)
    await one.define()
    run = await one.run()
    clock.advance(100)
    await retention.prune(database, clock.now(), AgentSettings(events_kept_seconds=10))
    assert await _followed(one, run) == []


async def test_the_stream_of_a_run_ends_when_its_thread_is_deleted(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.start()
    following = asyncio.create_task(_followed(one, run))
    await asyncio.sleep(0)
    async with database.write() as connection:
        await threads.delete_thread(connection, VIEWER, run.thread_id)
    assert [event.type for event in await following] in ([], ["run.queued"])


async def test_a_stream_waits_for_what_a_run_that_is_not_over_has_yet_to_say(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.start()
    following = asyncio.create_task(_followed(one, run, 1))
    await one.work()
    assert await following == await one.events(run, 1)


@pytest.mark.parametrize("left", [False, True])
async def test_a_completion_ends_when_its_thread_is_deleted(database: Database, left: bool) -> None:
    one = bench(database, "Hello.")
    await one.define()
    asked = {"model": "agent:helper", "messages": [{"role": "user", "content": "Hello?"}]}
    run, agent = await run_completions.start(one.agents, VIEWER, PRINCIPAL, ChatRequest.model_validate(asked))
    stream = run_completions.chunks(one.agents, run, agent, "agent:helper")
    await anext(stream)
    async with database.write() as connection:
        await threads.delete_thread(connection, VIEWER, run.thread_id)
    async with asyncio.timeout(DEADLINE):
        if left:
            await stream.aclose()
            return
        with pytest.raises(RunNotFound):
            await anext(stream)
