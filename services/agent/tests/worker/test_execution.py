from __future__ import annotations

import asyncio
import threading

import pytest
from services.agent.tests.payments import Till, killed_in_the_middle, pay
from services.agent.tests.runs_bench import bench
from sqlalchemy import Connection

from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


async def test_events_count_without_gaps_and_end_with_the_run(database: Database) -> None:
    one = bench(database, pay(3), "Paid it is.", tools={"pay": Till()})
    await one.define()
    run = await one.run()
    events = await one.events(run)
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    kinds = [event.type for event in events]
    assert kinds[:3] == ["run.queued", "run.started", "step.started"]
    assert kinds[-1] == "run.completed"
    assert {"token", "tool_call", "tool_result", "usage"} <= set(kinds)
    said = "".join(event.data["text"] for event in events if event.type == "token" and event.step == 2)
    assert said == run.output == "Paid it is."
    assert await one.events(run, after=len(events) - 1) == events[-1:]


async def test_what_a_broken_off_transaction_has_committed_is_not_said_again(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.start()
    work = await one.queue.claim("first")
    assert work is not None
    for repeat in range(3):
        under_way, may_end = threading.Event(), threading.Event()

        def held(_: Connection, under_way: threading.Event = under_way, may_end: threading.Event = may_end) -> None:
            under_way.set()
            assert may_end.wait(60)

        work.emit("token", {"text": f"{repeat} "}, repeat)
        task = asyncio.create_task(work.write(held))
        await asyncio.to_thread(under_way.wait, 20)
        task.cancel()
        work.emit("usage", {"number": repeat}, repeat)
        asyncio.get_running_loop().call_later(0.01, may_end.set)
        with pytest.raises(asyncio.CancelledError):
            await task
    await work.write()
    told = [(event.id, event.type, event.step) for event in await one.events(run)]
    expected = [("token", 0), ("usage", 0), ("token", 1), ("usage", 1), ("token", 2), ("usage", 2)]
    assert told[2:] == [(3 + at, *each) for at, each in enumerate(expected)]


async def test_a_process_that_was_thought_dead_changes_nothing_any_more(database: Database) -> None:
    clock, till = ManualClock(), Till("safe", held=True)
    first = bench(database, pay(5), "From the dead.", tools={"pay": till}, clock=clock)
    await first.define()
    run = await first.start()
    work = await first.queue.claim("first")
    assert work is not None
    task = asyncio.create_task(first.runner.run(work, first.stopping))
    await till.begun.wait()
    clock.advance(31)
    till.held = False
    second = bench(database, pay(5), "From the living.", tools={"pay": till}, clock=clock)
    await second.work()
    first.agents.notifier.notify(run.id)
    before = await second.events(run)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with pytest.raises(Exception, match="run_"):
        await work.write()
    ended = await second.shown(run)
    assert (ended.status, ended.output) == ("completed", "From the living.")
    assert await second.events(run) == before


async def test_a_run_that_ends_every_process_that_works_on_it_is_failed_after_some(database: Database) -> None:
    till = Till("safe", held=True)
    one = bench(database, pay(1), "Done.", tools={"pay": till})
    await one.define()
    run = await one.start()
    died = 0
    while (await one.shown(run)).status != "failed":
        till.begun.clear()
        till.held = True
        await killed_in_the_middle(one, till)
        died += 1
        one.clock.advance(100)
        if died >= one.execution.settings.run_attempts:
            await one.work()
        assert died <= one.execution.settings.run_attempts + 1, "it goes on for ever"
    failed = await one.shown(run)
    assert failed.error is not None
    assert failed.error.code == "attempts_exhausted"
    history = await one.history(run.thread_id)
    assert [said.role for said in history] == ["user", "assistant", "tool"]


async def test_a_stopping_process_gives_runs_back_between_two_steps(database: Database) -> None:
    till = Till()
    one = bench(database, pay(1), "Done.", tools={"pay": till})
    await one.define()
    run = await one.start()
    one.stopping.set()
    await one.work()
    assert (await one.shown(run)).status == "queued"
    one.stopping.clear()
    await one.work()
    ended = await one.shown(run)
    assert ended.status == "completed"
    assert till.paid == ["1"]


async def test_a_run_keeps_the_version_that_it_began_with(database: Database) -> None:
    one = bench(database, "Hello.")
    await one.define(instructions="Be brief.")
    run = await one.start()
    await one.define(instructions="Be wordy.")
    await one.work()
    assert (await one.shown(run)).agent_version == 1
    assert "Be brief." in str(one.model.requests[0].messages[0].content)
    assert (await one.run()).agent_version == 2


async def test_of_two_processes_one_gets_a_run(database: Database) -> None:
    clock = ManualClock()
    one, two = bench(database, "Hello.", clock=clock), bench(database, "Hello.", clock=clock)
    await one.define()
    started = [await one.start() for _ in range(4)]
    claims = await asyncio.gather(*(each.queue.claim(name) for each in (one, two) for name in "abcd"))
    taken = [claim.id for claim in claims if claim is not None]
    assert sorted(taken) == sorted(run.id for run in started)
